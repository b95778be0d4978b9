// Package envoy is the doors for Envoy: ext_authz v3, which is asked whether a request may pass, and ext_proc v3, which can
// rewrite its body and redact what the tool answers.
//
// It promises that a request passes only as the call that the bundle's routes make of it, whole: what was seen in part, what
// no route matches and what a proxy and a server may read in two ways does not. Who calls is what Envoy established or what
// Envoy's own configuration says, and nothing that a client wrote in a header. Headers of ours never reach the tool. A stream
// of ext_proc ends with an answer or with an error, because Envoy takes a clean end for consent.
package envoy

import (
	"context"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"time"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	proc "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/serve"
)

// Options of a Door.
type Options struct {
	Who     Who
	MaxBody int          // bytes of a body, of requests and of results that are redacted; 0: aegis.MaxBody
	Slots   *serve.Slots // nil: no limit on the decisions under way
	Log     *slog.Logger // nil: discarded
}

// Door serves both services to Envoy.
type Door struct {
	auth.UnimplementedAuthorizationServer
	proc.UnimplementedExternalProcessorServer

	service *serve.Service
	opt     Options
	server  *grpc.Server
	health  *health.Server
	asked   sync.Pool
}

// Bounds of connections and streams. A stream of ext_proc lasts as long as the request that it watches.
const (
	maxStreams    = 10_000
	maxHeaderList = 256 << 10 // bytes; beside the body, a message carries the headers of the request
	minPing       = 5 * time.Second
)

// New makes the doors of a service.
func New(s *serve.Service, opt Options) *Door {
	if opt.MaxBody == 0 {
		opt.MaxBody = aegis.MaxBody
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	d := &Door{service: s, opt: opt, health: health.NewServer()}
	d.asked.New = func() any { return new(asked) }
	// A message that gRPC refuses is an error to Envoy, which then goes by its failure mode; what is merely over our own limit
	// must be answered.
	d.server = grpc.NewServer(
		grpc.MaxRecvMsgSize(aegis.GreatestBody+maxHeaderList), grpc.MaxHeaderListSize(maxHeaderList), grpc.MaxConcurrentStreams(maxStreams),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPing, PermitWithoutStream: true}),
		grpc.UnaryInterceptor(d.guardCall), grpc.StreamInterceptor(d.guardStream))
	auth.RegisterAuthorizationServer(d.server, d)
	proc.RegisterExternalProcessorServer(d.server, d)
	healthpb.RegisterHealthServer(d.server, d.health)
	reflection.Register(d.server)
	for name := range d.server.GetServiceInfo() {
		d.health.SetServingStatus(name, healthpb.HealthCheckResponse_SERVING)
	}
	return d
}

// Serve answers Envoy on a listener until Stop.
func (d *Door) Serve(l net.Listener) error { return d.server.Serve(l) }

// Drain makes health checks say that the doors are about to close. They still answer.
func (d *Door) Drain() { d.health.Shutdown() }

// Stop takes no new calls, and waits for those under way until ctx ends. What is then still under way ends with an error,
// which makes Envoy refuse it.
func (d *Door) Stop(ctx context.Context) error {
	d.Drain()
	done := make(chan struct{})
	go func() {
		d.server.GracefulStop()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		d.server.Stop()
		<-done
		return ctx.Err()
	}
}

// errInternal is what Envoy hears of a defect: an error, so that it refuses the request.
var errInternal = status.Error(codes.Internal, "the server failed; see its log")

func (d *Door) guardCall(ctx context.Context, req any, info *grpc.UnaryServerInfo, h grpc.UnaryHandler) (_ any, err error) {
	defer d.recover(info.FullMethod, &err)
	return h(ctx, req)
}

func (d *Door) guardStream(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, h grpc.StreamHandler) (err error) {
	defer d.recover(info.FullMethod, &err)
	return h(srv, s)
}

// recover makes an error of a panic, so that one request cannot end the server.
func (d *Door) recover(method string, err *error) {
	if x := recover(); x != nil {
		d.opt.Log.Error("a defect: please report it", "method", method, "panic", x, "stack", string(debug.Stack()))
		*err = errInternal
	}
}
