package envoy_test

import (
	"context"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	proc "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/aegisctl/aegis/policy"
	"github.com/aegisctl/aegis/serve"
	"github.com/aegisctl/aegis/serve/envoy"
)

const rules = `
tenant: acme
agent: billing-agent
allowed_tools:
  - name: pay
    actions:
      - name: create
        conditions: {max_amount: 5000, approval_needed_if: amount > 1000, args: {amount: {type: number}}, deny_if: amount > 9000}
        limits: [{calls: 3/day}]
      - {name: list, effect: read}
      - {name: form, conditions: {max_amount: 10}}
  - {name: mail, sanitize: [{redact: [email]}]}
  - {name: people, effect: read, sanitize: [{redact: [email], where: [result]}]}
  - {name: search, effect: read, sanitize: [{redact: [email], fields: ["q"]}]}
  - {name: hush, mode: shadow, effect: read, conditions: {deny_if: "true"}}
`

const routes = `
tenant: acme
routes:
  - {match: POST pay.test/v1/payments, call: pay/create}
  - {match: GET pay.test/v1/payments, call: pay/list}
  - {match: POST pay.test/form, call: pay/form, body: form, args: {amount: {from: form.amount, type: number}}}
  - {match: POST pay.test/mail, call: mail/send}
  - {match: "GET pay.test/people/{id}", call: people/get}
  - {match: GET pay.test/search, call: search/find}
  - {match: GET pay.test/hush, call: hush/x}
  - {match: POST pay.test/only, call: mail/send, door: ext_proc}
  - {match: "GET pay.test/v1/{x}", call: pay/list}
`

// loaded are the policies and routes above, from files as a directory holds them.
func loaded(t testing.TB, files ...string) *policy.Set {
	t.Helper()
	dir := t.TempDir()
	for i, text := range files {
		write(t, filepath.Join(dir, string(rune('a'+i))+".yaml"), text)
	}
	set, err := policy.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// kept are the decisions of a service, in order.
type kept struct {
	mu      sync.Mutex
	records []serve.Record
}

func (k *kept) Record(_ context.Context, r *serve.Record) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.records = append(k.records, *r)
	return nil
}

// house is a service with doors for Envoy, and a connection to them.
type house struct {
	service *serve.Service
	door    *envoy.Door
	kept    *kept
	conn    *grpc.ClientConn
}

func open(t testing.TB, so serve.Options, eo envoy.Options, files ...string) *house {
	t.Helper()
	if len(files) == 0 {
		files = []string{rules, routes}
	}
	return openSet(t, so, eo, loaded(t, files...))
}

func openSet(t testing.TB, so serve.Options, eo envoy.Options, set *policy.Set) *house {
	t.Helper()
	h := &house{kept: &kept{}}
	if _, bench := t.(*testing.B); !bench {
		so.Recorders = append(so.Recorders, h.kept)
	}
	h.service = serve.New(so)
	if err := h.service.Install([]serve.Source{{Name: "test", Set: set}}); err != nil {
		t.Fatal(err)
	}
	h.door = envoy.New(h.service, eo)
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- h.door.Serve(l) }()
	if h.conn, err = grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.conn.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		h.door.Stop(ctx)
		if err := <-served; err != nil {
			t.Error(err)
		}
		h.service.Close()
	})
	return h
}

func (h *house) last(t testing.TB) *serve.Record {
	t.Helper()
	h.kept.mu.Lock()
	defer h.kept.mu.Unlock()
	if len(h.kept.records) == 0 {
		t.Fatal("nothing was recorded")
	}
	return &h.kept.records[len(h.kept.records)-1]
}

// billing is what Envoy's configuration says: the agent of the policy above.
var billing = map[string]string{"aegis-tenant": "acme", "aegis-agent": "billing-agent"}

// good is a request that is allowed. body is packed as Envoy packs it, with its mark.
func good(method, path, body string) *auth.CheckRequest {
	fields := []*core.HeaderValue{{Key: ":method", RawValue: []byte(method)}, {Key: ":path", RawValue: []byte(path)}, {Key: ":authority", RawValue: []byte("pay.test")}}
	if body != "" {
		fields = append(fields, &core.HeaderValue{Key: "content-type", RawValue: []byte("application/json")},
			&core.HeaderValue{Key: "x-envoy-auth-partial-body", RawValue: []byte("false")})
	}
	return &auth.CheckRequest{Attributes: &auth.AttributeContext{ContextExtensions: billing, Request: &auth.AttributeContext_Request{
		Http: &auth.AttributeContext_HttpRequest{Method: method, Path: path, Host: "pay.test", Scheme: "http", Size: int64(len(body)),
			RawBody: []byte(body), HeaderMap: &core.HeaderMap{Headers: fields}}}}}
}

func httpOf(r *auth.CheckRequest) *auth.AttributeContext_HttpRequest {
	return r.GetAttributes().GetRequest().GetHttp()
}

// add adds a header.
func add(r *auth.CheckRequest, name, value string) {
	m := httpOf(r).HeaderMap
	m.Headers = append(m.Headers, &core.HeaderValue{Key: name, RawValue: []byte(value)})
}

// remove removes the headers of a name.
func remove(r *auth.CheckRequest, name string) {
	m := httpOf(r).HeaderMap
	var out []*core.HeaderValue
	for _, h := range m.Headers {
		if h.Key != name {
			out = append(out, h)
		}
	}
	m.Headers = out
}

func (h *house) check(t testing.TB, r *auth.CheckRequest) *auth.CheckResponse {
	t.Helper()
	out, err := auth.NewAuthorizationClient(h.conn).Check(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// says is what a check came to: "ok", or the status and the code.
func says(t testing.TB, out *auth.CheckResponse) string {
	t.Helper()
	if out.GetStatus().GetCode() == 0 {
		if out.GetDeniedResponse() != nil {
			t.Fatal("an OK with a denied response")
		}
		return "ok"
	}
	d := out.GetDeniedResponse()
	return problemOf(t, int(d.GetStatus().GetCode()), []byte(d.GetBody()))
}

func TestHealth(t *testing.T) {
	h := open(t, serve.Options{}, envoy.Options{})
	for _, name := range []string{"", "envoy.service.auth.v3.Authorization", "envoy.service.ext_proc.v3.ExternalProcessor"} {
		out, err := healthpb.NewHealthClient(h.conn).Check(context.Background(), &healthpb.HealthCheckRequest{Service: name})
		if name == "" {
			name = "the server"
		}
		if err != nil || out.Status != healthpb.HealthCheckResponse_SERVING {
			t.Errorf("%s: %v, %v", name, out, err)
		}
	}
	h.door.Drain()
	out, err := healthpb.NewHealthClient(h.conn).Check(context.Background(), &healthpb.HealthCheckRequest{})
	if err != nil || out.Status != healthpb.HealthCheckResponse_NOT_SERVING {
		t.Errorf("draining: %v, %v", out, err)
	}
	if got := says(t, h.check(t, good("GET", "/v1/payments", ""))); got != "ok" {
		t.Errorf("while it drains it answers %s", got)
	}
}

// stream is one exchange of ext_proc.
type stream struct {
	t testing.TB
	grpc.BidiStreamingClient[proc.ProcessingRequest, proc.ProcessingResponse]
}

func (h *house) process(t testing.TB, ctx context.Context) *stream {
	t.Helper()
	s, err := proc.NewExternalProcessorClient(h.conn).Process(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return &stream{t, s}
}

// ask sends one message and returns the answer.
func (s *stream) ask(m *proc.ProcessingRequest) (*proc.ProcessingResponse, error) {
	s.t.Helper()
	if err := s.Send(m); err != nil {
		s.t.Fatal(err)
	}
	return s.Recv()
}

// must is ask where an answer must come.
func (s *stream) must(m *proc.ProcessingRequest) *proc.ProcessingResponse {
	s.t.Helper()
	out, err := s.ask(m)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}
