package envoy_test

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/aegisctl/aegis/serve"
	"github.com/aegisctl/aegis/serve/envoy"
)

// always is a server that allows everything: what gRPC itself costs.
type always struct {
	auth.UnimplementedAuthorizationServer
}

func (always) Check(context.Context, *auth.CheckRequest) (*auth.CheckResponse, error) {
	return &auth.CheckResponse{Status: &rpc.Status{}, HttpResponse: &auth.CheckResponse_OkResponse{OkResponse: &auth.OkHttpResponse{}}}, nil
}

// BenchmarkCheck compares ext_authz with a server that allows everything, on the same kind of connection, with client and
// server on the same processors.
func BenchmarkCheck(b *testing.B) {
	request := good("POST", "/v1/payments", `{"amount":50}`)
	bench := func(b *testing.B, conn *grpc.ClientConn) {
		b.ReportAllocs()
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			c := auth.NewAuthorizationClient(conn)
			for pb.Next() {
				if out, err := c.Check(context.Background(), request); err != nil || out.GetOkResponse() == nil {
					b.Fatal(out, err)
				}
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
	}
	b.Run("aegis", func(b *testing.B) {
		h := open(b, serve.Options{}, envoy.Options{}, strings.ReplaceAll(rules, "        limits: [{calls: 3/day}]\n", ""), routes)
		b.ResetTimer()
		bench(b, h.conn)
	})
	b.Run("always", func(b *testing.B) {
		path := filepath.Join(b.TempDir(), "s")
		l, err := net.Listen("unix", path)
		if err != nil {
			b.Fatal(err)
		}
		s := grpc.NewServer()
		auth.RegisterAuthorizationServer(s, always{})
		go s.Serve(l)
		defer s.Stop()
		conn, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close()
		b.ResetTimer()
		bench(b, conn)
	})
}
