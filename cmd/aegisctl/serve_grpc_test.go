package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// TestServeGRPCRefused: whoever could say that it is Envoy without being it is kept out, before anything listens.
func TestServeGRPCRefused(t *testing.T) {
	bin, a := aegisctlBinary(t), newAuthority(t)
	a.issue("server")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--grpc-listen", "127.0.0.1:0"}, "--grpc-plaintext"},
		{[]string{"--grpc-listen", "0.0.0.0:0", "--grpc-plaintext"}, "needs mTLS"},
		{[]string{"--grpc-listen", "127.0.0.1:0", "--grpc-tls-cert", a.file("server.crt"), "--grpc-tls-key", a.file("server.key")}, "--grpc-plaintext"},
		{[]string{"--grpc-listen", "127.0.0.1:0", "--grpc-tls-cert", a.file("server.crt")}, "--grpc-tls-key"},
		{[]string{"--envoy-principal", "x=acme/a"}, "--grpc-listen"},
		{[]string{"--grpc-listen", "127.0.0.1:0", "--grpc-plaintext", "--envoy-principal", "acme/a"}, "PRINCIPAL=TENANT/AGENT"},
		{[]string{"--grpc-listen", "127.0.0.1:0", "--grpc-plaintext", "--envoy-principal", "x=acme/a", "--envoy-principal", "x=acme/b"}, "twice"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		cmd := exec.CommandContext(ctx, bin, append([]string{"serve", "--bundle", "../../deploy/envoy/policies", "--insecure-unsigned", "--state", t.TempDir(),
			"--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"}, c.args...)...)
		out, err := cmd.CombinedOutput()
		cancel()
		if cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), c.want) {
			t.Errorf("%v: %v, %s", c.args, err, out)
		}
	}
}

// TestServeGRPCListeners: over a Unix socket, and over mTLS for those only who have a certificate.
func TestServeGRPCListeners(t *testing.T) {
	bin, a := aegisctlBinary(t), newAuthority(t)
	a.issue("server")
	a.issue("envoy")
	dir, err := os.MkdirTemp("", "aegis") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := "unix:" + filepath.Join(dir, "s")
	policies := []string{"--bundle", "../../deploy/envoy/policies", "--insecure-unsigned"}
	startServe(t, bin, append(policies, "--grpc-listen", socket)...)
	if got := healthy(t, socket, insecure.NewCredentials()); got != "SERVING" {
		t.Errorf("over the socket: %s", got)
	}
	if st, err := os.Stat(filepath.Join(dir, "s")); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v, %v", st.Mode(), err)
	}
	s := startServe(t, bin, append(policies, "--grpc-listen", "127.0.0.1:0", "--grpc-tls-cert", a.file("server.crt"), "--grpc-tls-key", a.file("server.key"),
		"--grpc-tls-client-ca", a.file("ca.crt"))...)
	_, addr, _ := strings.Cut(s.stderr(), "  Envoy      https://")
	addr = strings.Fields(addr)[0]
	text, err := os.ReadFile(a.file("ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	config.RootCAs.AppendCertsFromPEM(text)
	if got := healthy(t, addr, credentials.NewTLS(config.Clone())); got == "SERVING" {
		t.Error("over TLS without a certificate it answers")
	}
	pair, err := tls.LoadX509KeyPair(a.file("envoy.crt"), a.file("envoy.key"))
	if err != nil {
		t.Fatal(err)
	}
	config.Certificates = []tls.Certificate{pair}
	if got := healthy(t, addr, credentials.NewTLS(config)); got != "SERVING" {
		t.Errorf("over mTLS: %s", got)
	}
}

// healthy asks a gRPC listener how it is.
func healthy(t *testing.T, target string, creds credentials.TransportCredentials) string {
	t.Helper()
	c, err := grpc.NewClient(target, grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	out, err := healthpb.NewHealthClient(c).Check(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil {
		return err.Error()
	}
	return out.Status.String()
}
