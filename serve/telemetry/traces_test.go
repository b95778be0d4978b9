package telemetry_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aegisctl/aegis/serve"
	"github.com/aegisctl/aegis/serve/native"
	"github.com/aegisctl/aegis/serve/telemetry"
)

// span is one as the collector received it.
type span struct {
	Ready                            bool
	Name, Trace, Span, Parent, State string
	Nanos                            int64
	Attributes, Resource             map[string]any
}

// collector is the OpenTelemetry Collector's own receiver, in a process of its own.
type collector struct {
	grpc, http string

	mu    sync.Mutex
	spans []span
}

func startCollector(t *testing.T) *collector {
	t.Helper()
	path := tool(t, "AEGIS_COLLECTOR", "aegis-collector")
	c := &collector{grpc: free(t), http: free(t)}
	cmd := exec.Command(path, c.grpc, c.http)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	})
	ready := make(chan bool, 1)
	go func() {
		for in := bufio.NewScanner(out); in.Scan(); {
			var s span
			if json.Unmarshal(in.Bytes(), &s) != nil {
				continue
			}
			if s.Ready {
				ready <- true
				continue
			}
			c.mu.Lock()
			c.spans = append(c.spans, s)
			c.mu.Unlock()
		}
		close(ready)
	}()
	if !<-ready {
		t.Fatal("the collector did not start")
	}
	return c
}

func (c *collector) got() []span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]span(nil), c.spans...)
}

// free is an address that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

const (
	traceID    = "0af7651916cd43dd8448eb211c80319c"
	parentSpan = "b7ad6b7169203331"
	parent     = "00-" + traceID + "-" + parentSpan + "-01"
)

// TestSpans sends decisions from the native door to a real collector, over both protocols, configured by option and by
// environment.
func TestSpans(t *testing.T) {
	for _, c := range []struct {
		name string
		opt  func(*testing.T, *collector) telemetry.TraceOptions
	}{
		{"http", func(_ *testing.T, c *collector) telemetry.TraceOptions {
			return telemetry.TraceOptions{Endpoint: "http://" + c.http}
		}},
		{"grpc", func(_ *testing.T, c *collector) telemetry.TraceOptions {
			return telemetry.TraceOptions{Endpoint: "http://" + c.grpc, Protocol: "grpc"}
		}},
		{"environment", func(t *testing.T, c *collector) telemetry.TraceOptions {
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+c.grpc)
			t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
			t.Setenv("OTEL_SERVICE_NAME", "gatekeeper")
			t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
			return telemetry.TraceOptions{}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			coll := startCollector(t)
			opt := c.opt(t, coll)
			opt.Version = "v1"
			if !opt.Wanted() {
				t.Fatal("not wanted")
			}
			traces, err := telemetry.NewTraces(context.Background(), opt)
			if err != nil {
				t.Fatal(err)
			}
			s := service(t, serve.Options{Observers: []serve.Observer{traces}}, payments)
			decide(t, s, `{"tenant":"acme","agent":"finance-agent","tool":"pay","session":"s1","args":{"amount":50,"note":"do not tell"}}`, parent)
			decide(t, s, `{"tenant":"acme","agent":"finance-agent","tool":"refund","args":{"amount":5000}}`, "")
			decide(t, s, `{"tenant":"acme","agent":"finance-agent","tool":"ledger-x","args":{}}`, "00-"+traceID+"-"+parentSpan+"-00") // not sampled
			decide(t, s, `{"tenant":"acme","agent":"finance-agent","tool":"ledger-y","args":{}}`, "nonsense")
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			if err := traces.Close(ctx); err != nil {
				t.Fatal(err)
			}
			if exported, failed, dropped := traces.Counts(); exported != 3 || failed != 0 || dropped != 0 {
				t.Fatalf("exported %d, failed %d, dropped %d", exported, failed, dropped)
			}
			eventually(t, "three spans arrive", func() bool { return len(coll.got()) == 3 })
			judgeSpans(t, coll.got(), c.name)
		})
	}
}

func judgeSpans(t *testing.T, spans []span, how string) {
	t.Helper()
	first, second, third := spans[0], spans[1], spans[2]
	if first.Trace != traceID || first.Parent != parentSpan || first.State != "vendor=1" {
		t.Errorf("the caller's trace was not continued: %+v", first)
	}
	if second.Parent != "" || third.Parent != "" || second.Trace == third.Trace || third.Trace == traceID {
		t.Errorf("not traces of their own: %+v, %+v", second, third)
	}
	for key, want := range map[string]any{"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "pay", "gen_ai.agent.id": "finance-agent",
		"gen_ai.conversation.id": "s1", "aegis.agent_id": "finance-agent", "aegis.tool_name": "pay", "aegis.decision": "allow",
		"aegis.estimated_cost": 0.02, "aegis.mode": "enforce", "aegis.door": "native"} {
		if first.Attributes[key] != want {
			t.Errorf("%s is %v, want %v", key, first.Attributes[key], want)
		}
	}
	if v, _ := first.Attributes["aegis.policy_version"].(string); !strings.HasPrefix(v, "sha256:") {
		t.Errorf("policy version %q", v)
	}
	if v, _ := first.Attributes["aegis.latency"].(float64); v <= 0 || first.Nanos <= 0 {
		t.Errorf("latency %v, of the span %d ns", v, first.Nanos)
	}
	if codes, _ := second.Attributes["aegis.reasons"].([]any); len(codes) != 1 || codes[0] != "max_exceeded" || second.Attributes["aegis.decision"] != "deny" {
		t.Errorf("a denied call: %+v", second)
	}
	name := "aegisctl"
	if how == "environment" {
		name = "gatekeeper"
	}
	if first.Resource["service.name"] != name || first.Resource["service.version"] != "v1" {
		t.Errorf("resource %v", first.Resource)
	}
	if text, _ := json.Marshal(spans); strings.Contains(string(text), "do not tell") {
		t.Errorf("arguments are told: %s", text)
	}
}

// decide sends a call through the native door.
func decide(t *testing.T, s *serve.Service, body, traceparent string) {
	t.Helper()
	mux := http.NewServeMux()
	native.New(s, &serve.Web{Auth: serve.NoAuth{}}).Register(mux)
	req := httptest.NewRequest("POST", "http://localhost/v1/decide", strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	if traceparent != "" {
		req.Header.Set("traceparent", traceparent)
		req.Header.Set("tracestate", "vendor=1")
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, req)
	if w.Code != 200 {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
}

// TestCollectorAway: decisions go on, what does not fit is dropped and counted, and closing ends in time.
func TestCollectorAway(t *testing.T) {
	t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", "8")
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
	stuck := stuckServer(t)
	for _, protocol := range []string{"http/protobuf", "grpc"} {
		traces, err := telemetry.NewTraces(context.Background(), telemetry.TraceOptions{Endpoint: "http://" + stuck, Protocol: protocol})
		if err != nil {
			t.Fatal(err)
		}
		s := service(t, serve.Options{Observers: []serve.Observer{traces}}, payments)
		const n = 200
		for range n {
			s.Decide(context.Background(), request(t, "acme", "finance-agent", "ledger-x", `{}`))
		}
		if _, _, dropped := traces.Counts(); dropped < n-32 {
			t.Errorf("%s: %d dropped", protocol, dropped)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		if err := traces.Close(ctx); err == nil {
			t.Errorf("%s: closed without a word", protocol)
		}
		cancel()
		exported, failed, dropped := traces.Counts()
		if exported != 0 || failed+dropped != n {
			t.Errorf("%s: exported %d, failed %d, dropped %d", protocol, exported, failed, dropped)
		}
	}
}

// stuckServer takes connections, and says nothing.
func stuckServer(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
		}
	}()
	return l.Addr().String()
}

func TestTraceOptions(t *testing.T) {
	for _, o := range []telemetry.TraceOptions{{Endpoint: "localhost:4317"}, {Endpoint: "http://ann:secret@localhost:4317"}, {Endpoint: "http://localhost:4318", Protocol: "http/json"}, {Endpoint: "unix:/x"}} {
		if _, err := telemetry.NewTraces(context.Background(), o); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v: %v", o, err)
		}
	}
	t.Setenv("OTEL_SDK_DISABLED", "true")
	if (telemetry.TraceOptions{Endpoint: "http://localhost:4318"}).Wanted() {
		t.Error("wanted, although OTEL_SDK_DISABLED")
	}
}
