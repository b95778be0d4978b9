package envoy_test

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	filter "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	proc "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/serve"
	"github.com/aegisctl/aegis/serve/envoy"
)

// asBilling is what Envoy's configuration says of streams.
func asBilling() context.Context {
	return metadata.AppendToOutgoingContext(context.Background(), "aegis-tenant", "acme", "aegis-agent", "billing-agent")
}

func fieldsOf(pairs ...string) *core.HeaderMap {
	m := &core.HeaderMap{}
	for i := 0; i < len(pairs); i += 2 {
		m.Headers = append(m.Headers, &core.HeaderValue{Key: pairs[i], RawValue: []byte(pairs[i+1])})
	}
	return m
}

// whole are the modes in which Envoy sends bodies whole.
var whole = &proc.ProtocolConfiguration{RequestBodyMode: filter.ProcessingMode_BUFFERED, ResponseBodyMode: filter.ProcessingMode_BUFFERED}

// head makes the message of a request's headers; more are names and values.
func head(method, path string, end bool, more ...string) *proc.ProcessingRequest {
	fields := append([]string{":method", method, ":scheme", "http", ":authority", "pay.test", ":path", path}, more...)
	if !end {
		fields = append(fields, "content-type", "application/json")
	}
	return &proc.ProcessingRequest{ProtocolConfig: whole, Request: &proc.ProcessingRequest_RequestHeaders{
		RequestHeaders: &proc.HttpHeaders{Headers: fieldsOf(fields...), EndOfStream: end}}}
}

func bodyOf(text string, end bool) *proc.ProcessingRequest {
	return &proc.ProcessingRequest{Request: &proc.ProcessingRequest_RequestBody{RequestBody: &proc.HttpBody{Body: []byte(text), EndOfStream: end}}}
}

func resultHead(end bool, fields ...string) *proc.ProcessingRequest {
	return &proc.ProcessingRequest{Request: &proc.ProcessingRequest_ResponseHeaders{
		ResponseHeaders: &proc.HttpHeaders{Headers: fieldsOf(fields...), EndOfStream: end}}}
}

func resultBody(text string) *proc.ProcessingRequest {
	return &proc.ProcessingRequest{Request: &proc.ProcessingRequest_ResponseBody{ResponseBody: &proc.HttpBody{Body: []byte(text), EndOfStream: true}}}
}

// tells is what an answer comes to: "go", or the status, code and decision.
func tells(t testing.TB, out *proc.ProcessingResponse) string {
	t.Helper()
	if i := out.GetImmediateResponse(); i != nil {
		return problemOf(t, int(i.GetStatus().GetCode()), i.GetBody())
	}
	return "go"
}

func set(m *proc.HeaderMutation) map[string]string {
	out := map[string]string{}
	for _, h := range m.GetSetHeaders() {
		out[h.Header.Key] = string(h.Header.RawValue)
	}
	return out
}

func TestProcess(t *testing.T) {
	h := open(t, serve.Options{}, envoy.Options{})
	for _, c := range []struct {
		name, method, path, body string
		want                     string
		forwarded                string // "" is as it came
	}{
		{"allowed", "POST", "/v1/payments", `{"amount":50}`, "go", ""},
		{"a read", "GET", "/v1/payments", "", "go", ""},
		{"denied", "POST", "/v1/payments", `{"amount":9001}`, "403 deny_if deny", ""},
		{"held", "POST", "/v1/payments", `{"amount":2000}`, "403 approval_required approval_needed", ""},
		{"malformed", "POST", "/v1/payments", `{"amount":1,"amount":2}`, "400 malformed reject", ""},
		{"unmatched", "DELETE", "/v1/payments", "", "403 tool_not_granted deny", ""},
		{"sanitized", "POST", "/mail", `{"to":"ann@example.com", "n": 1.50}`, "go", `{"to":"[EMAIL]", "n": 1.50}`},
		{"clean", "POST", "/mail", `{"to":"ann"}`, "go", ""},
		{"its own route", "POST", "/only", `{"to":"ann@example.com"}`, "go", `{"to":"[EMAIL]"}`},
		{"what cannot be rewritten", "GET", "/search?q=ann%40example.com", "", "403 cannot_sanitize_here deny", ""},
		{"too large", "POST", "/v1/payments", `{"amount":50,"x":"` + strings.Repeat("x", aegis.MaxBody) + `"}`, "413 malformed reject", ""},
	} {
		s := h.process(t, asBilling())
		out := s.must(head(c.method, c.path, c.body == "", "x-aegis-agent", "ops", "x-envoy-retry-on", "5xx"))
		if c.body != "" {
			if out.GetRequestHeaders() == nil {
				t.Fatalf("%s: the headers alone are answered %v", c.name, out)
			}
			out = s.must(bodyOf(c.body, true))
		}
		if got := tells(t, out); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if c.want != "go" {
			if _, err := s.Recv(); !errors.Is(err, io.EOF) {
				t.Errorf("%s: after the answer: %v", c.name, err)
			}
			continue
		}
		common := out.GetRequestBody().GetResponse()
		if c.body == "" {
			common = out.GetRequestHeaders().GetResponse()
		}
		if got := string(common.GetBodyMutation().GetBody()); got != c.forwarded {
			t.Errorf("%s: forwarded %q, want %q", c.name, got, c.forwarded)
		}
		headers := set(common.GetHeaderMutation())
		if c.forwarded != "" && headers["content-length"] != strconv.Itoa(len(c.forwarded)) {
			t.Errorf("%s: %v", c.name, headers)
		}
		removed := strings.Join(common.GetHeaderMutation().GetRemoveHeaders(), " ")
		if write := c.method == "POST"; write != (headers["x-envoy-max-retries"] == "0") || write != strings.Contains(removed, "x-envoy-retry-on") ||
			!strings.Contains(removed, "x-aegis-agent") {
			t.Errorf("%s: set %v, removed %s", c.name, headers, removed)
		}
		if r := h.last(t); r.Door != "ext_proc" || r.Call.Agent != "billing-agent" {
			t.Errorf("%s: recorded of %s, %s", c.name, r.Door, r.Call.Agent)
		}
	}
	// What could not be forwarded was not charged either.
	if r := h.last(t); r.Answer.Decision.Decision != "reject" {
		t.Errorf("the last is %s", r.Answer.Decision.Decision)
	}
}

// TestProcessEnds: no stream ends cleanly before the decision, and nothing is decided of a part.
func TestProcessEnds(t *testing.T) {
	h := open(t, serve.Options{}, envoy.Options{})
	s := h.process(t, asBilling())
	s.must(head("POST", "/v1/payments", false))
	s.CloseSend()
	if _, err := s.Recv(); status.Code(err) != codes.Aborted {
		t.Errorf("closed before the body: %v", err)
	}
	streamed := head("POST", "/v1/payments", false)
	streamed.ProtocolConfig = &proc.ProtocolConfiguration{RequestBodyMode: filter.ProcessingMode_STREAMED}
	unknown := head("POST", "/v1/payments", false)
	unknown.ProtocolConfig = nil
	for name, m := range map[string]*proc.ProcessingRequest{"streamed": streamed, "unknown": unknown} {
		if got := tells(t, h.process(t, asBilling()).must(m)); got != "403 malformed deny" {
			t.Errorf("%s body: %s", name, got)
		}
	}
	s = h.process(t, asBilling())
	s.must(head("POST", "/v1/payments", false))
	if got := tells(t, s.must(bodyOf(`{"amount":1}`, false))); got != "403 malformed deny" {
		t.Errorf("a part of the body: %s", got)
	}
	watched := head("GET", "/v1/payments", true)
	watched.ObservabilityMode = true
	for name, ms := range map[string][]*proc.ProcessingRequest{
		"body first":    {bodyOf("{}", true)},
		"trailers":      {head("POST", "/v1/payments", false), {Request: &proc.ProcessingRequest_RequestTrailers{}}},
		"headers twice": {head("POST", "/v1/payments", false), head("GET", "/v1/payments", true)},
		"again":         {head("GET", "/v1/payments", true), head("GET", "/people/1", true)},
		"two bodies":    {head("POST", "/v1/payments", false), bodyOf(`{"amount":1}`, true), bodyOf(`{"amount":1}`, true)},
		"empty":         {{}},
		"observability": {watched},
	} {
		s := h.process(t, asBilling())
		var err error
		for _, m := range ms {
			_, err = s.ask(m)
		}
		if status.Code(err) != codes.FailedPrecondition {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestProcessWho: the names of the certificate that Envoy verified, in the order of ext_authz.
func TestProcessWho(t *testing.T) {
	_, agent, _ := envoy.ParsePrincipal("spiffe://x/b=acme/billing-agent")
	h := open(t, serve.Options{}, envoy.Options{Who: envoy.Who{Principals: map[string]envoy.Agent{"spiffe://x/b": agent}}})
	for _, c := range []struct {
		uri, subject, want string
	}{{"spiffe://x/b", "CN=ops", "go"}, {"spiffe://x/c", "spiffe://x/b", "403 token_invalid deny"}, {"", "spiffe://x/b", "go"},
		{"", "", "403 token_invalid deny"}} {
		m := head("GET", "/v1/payments", true, "x-forwarded-client-cert", "URI=spiffe://x/b")
		m.Attributes = map[string]*structpb.Struct{"envoy.filters.http.ext_proc": {Fields: map[string]*structpb.Value{
			"connection.uri_san_peer_certificate": structpb.NewStringValue(c.uri), "connection.subject_peer_certificate": structpb.NewStringValue(c.subject)}}}
		if got := tells(t, h.process(t, context.Background()).must(m)); got != c.want {
			t.Errorf("%q, %q: %s, want %s", c.uri, c.subject, got, c.want)
		}
	}
}

// TestResults: what the policy says of results is done, or the result is withheld.
func TestResults(t *testing.T) {
	h := open(t, serve.Options{}, envoy.Options{})
	const withheld = "403 cannot_sanitize_here"
	for _, c := range []struct {
		name   string
		header []string
		body   string
		want   string
	}{
		{"JSON", []string{"content-type", "application/json; charset=utf-8"}, ` {"a":"ann@example.com", "b": 1e2} `, ` {"a":"[EMAIL]", "b": 1e2} `},
		{"a list", []string{"content-type", "application/fhir+json"}, `["x","ann@example.com"]`, `["x","[EMAIL]"]`},
		{"a lone text", []string{"content-type", "application/json"}, `"ann\u0040example.com"`, `"[EMAIL]"`},
		{"clean", []string{"content-type", "application/json"}, `{"a":"b"}`, `{"a":"b"}`},
		{"text", []string{"content-type", "text/plain"}, "write to ann@example.com", "write to [EMAIL]"},
		{"not strict", []string{"content-type", "application/json"}, `{"a":"x","a":"ann@example.com"}`, withheld},
		{"cut off", []string{"content-type", "application/json"}, `{"a":"ann@example.com`, withheld},
		{"no UTF-8", []string{"content-type", "text/plain"}, "ann@example.com\xff", withheld},
		{"compressed", []string{"content-type", "application/json", "content-encoding", "gzip"}, "", withheld},
		{"another charset", []string{"content-type", "text/plain; charset=utf-16"}, "", withheld},
		{"HTML", []string{"content-type", "text/html"}, "", withheld},
		{"events", []string{"content-type", "text/event-stream"}, "", withheld},
		{"no type", nil, "", withheld},
		{"two types", []string{"content-type", "application/json", "content-type", "text/html"}, "", withheld},
		{"too large", []string{"content-type", "text/plain"}, strings.Repeat("x", aegis.MaxBody+1), withheld},
	} {
		s := h.process(t, asBilling())
		asked := s.must(head("GET", "/people/7", true)).GetRequestHeaders().GetResponse().GetHeaderMutation()
		if set(asked)["accept-encoding"] != "identity" || !strings.Contains(strings.Join(asked.RemoveHeaders, " "), "range") {
			t.Errorf("%s: asked for with %v", c.name, asked)
		}
		out := s.must(resultHead(false, append([]string{":status", "200"}, c.header...)...))
		if out.GetImmediateResponse() == nil {
			out = s.must(resultBody(c.body))
		}
		if i := out.GetImmediateResponse(); i != nil {
			if got := problemOf(t, int(i.GetStatus().GetCode()), i.GetBody()); got != c.want {
				t.Errorf("%s: %s, want %s", c.name, got, c.want)
			}
			continue
		}
		common := out.GetResponseBody().GetResponse()
		if got := string(common.GetBodyMutation().GetBody()); got != c.want || set(common.GetHeaderMutation())["content-length"] != strconv.Itoa(len(got)) {
			t.Errorf("%s: %q with %v, want %q", c.name, got, set(common.GetHeaderMutation()), c.want)
		}
	}
}

// TestResultsUnseen: where Envoy would not send the result, the call is denied before it is made.
func TestResultsUnseen(t *testing.T) {
	h := open(t, serve.Options{}, envoy.Options{})
	m := head("GET", "/people/7", true)
	m.ProtocolConfig = &proc.ProtocolConfiguration{RequestBodyMode: filter.ProcessingMode_BUFFERED}
	if got := tells(t, h.process(t, asBilling()).must(m)); got != "403 cannot_sanitize_here deny" {
		t.Error(got)
	}
	// Without the headers nobody knows what the body is.
	s := h.process(t, asBilling())
	s.must(head("GET", "/people/7", true))
	if got := tells(t, s.must(resultBody(`{"a":"ann@example.com"}`))); got != "403 cannot_sanitize_here" {
		t.Errorf("a result without headers: %s", got)
	}
	// Envoy's own answer to a request that went nowhere is not the tool's.
	s = h.process(t, asBilling())
	s.must(head("POST", "/mail", false))
	if out := s.must(resultHead(false, ":status", "413")); out.GetResponseHeaders() == nil {
		t.Errorf("Envoy's answer: %v", out)
	}
}

// TestOutcome: the outcome is that of the response; the session forgets a call that the tool refused, and no other.
func TestOutcome(t *testing.T) {
	h := open(t, serve.Options{}, envoy.Options{}, `
tenant: acme
agent: billing-agent
allowed_tools:
  - {name: pay, conditions: {deny_if: session.count("pay/create") >= 1}}
`, routes)
	for _, c := range []struct {
		status, want string
	}{{"200", "403 deny_if deny"}, {"404", "go"}, {"503", "403 deny_if deny"}, {"", "403 deny_if deny"}} {
		ctx := metadata.AppendToOutgoingContext(asBilling(), "aegis-session-header", "s")
		session := "status " + c.status
		s := h.process(t, ctx)
		s.must(head("POST", "/v1/payments", false, "s", session))
		if got := tells(t, s.must(bodyOf(`{}`, true))); got != "go" {
			t.Fatal(got)
		}
		if c.status != "" {
			s.must(resultHead(true, ":status", c.status))
		}
		s.CloseSend()
		if _, err := s.Recv(); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		s = h.process(t, ctx)
		s.must(head("POST", "/v1/payments", false, "s", session))
		if got := tells(t, s.must(bodyOf(`{}`, true))); got != c.want {
			t.Errorf("after %q: %s, want %s", c.status, got, c.want)
		}
	}
}
