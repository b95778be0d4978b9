package envoy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/serve"
	"github.com/aegisctl/aegis/serve/envoy"
)

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// problemOf is the status, the code and the decision of an answer in problem details.
func problemOf(t testing.TB, code int, body []byte) string {
	t.Helper()
	var p struct {
		Status   int
		Code     string
		Decision struct{ Decision string }
	}
	if err := json.Unmarshal(body, &p); err != nil || p.Status != code {
		t.Fatalf("%d %s: %v", code, body, err)
	}
	return strings.TrimSpace(fmt.Sprint(code, " ", p.Code, " ", p.Decision.Decision))
}

func TestCheck(t *testing.T) {
	h := open(t, serve.Options{}, envoy.Options{})
	for _, c := range []struct {
		name string
		req  *auth.CheckRequest
		want string
	}{
		{"allowed", good("POST", "/v1/payments", `{"amount":50}`), "ok"},
		{"a read", good("GET", "/v1/payments", ""), "ok"},
		{"denied", good("POST", "/v1/payments", `{"amount":9001}`), "403 deny_if deny"},
		{"held, never with 2xx, 409, 429 or 503", good("POST", "/v1/payments", `{"amount":2000}`), "403 approval_required approval_needed"},
		{"malformed", good("POST", "/v1/payments", `{"amount":1,"amount":2}`), "400 malformed reject"},
		{"no argument", good("POST", "/v1/payments", `{}`), "403 expression_error deny"},
		{"unmatched", good("DELETE", "/v1/payments", ""), "403 tool_not_granted deny"},
		{"clean text", good("POST", "/mail", `{"to":"ann"}`), "ok"},
		{"to be sanitized", good("POST", "/mail", `{"to":"ann@example.com"}`), "403 cannot_sanitize_here deny"},
		{"a result to be redacted", good("GET", "/people/7", ""), "403 cannot_sanitize_here deny"},
		{"a route of the other door", good("POST", "/only", `{"to":"ann"}`), "403 tool_not_granted deny"},
		{"an entry in shadow", good("GET", "/hush", ""), "ok"},
		{"too large", good("POST", "/v1/payments", `{"amount":50,"x":"`+strings.Repeat("x", aegis.MaxBody)+`"}`), "413 malformed reject"},
		{"no request at all", &auth.CheckRequest{}, "403 token_invalid deny"},
	} {
		out := h.check(t, c.req)
		if got := says(t, out); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if r := h.last(t); r.Door != "ext_authz" {
			t.Errorf("%s: recorded of the door %q", c.name, r.Door)
		}
	}
}

// TestAnswerHeaders: the client learns what was decided, and of a held call when to come again.
func TestAnswerHeaders(t *testing.T) {
	h := open(t, serve.Options{}, envoy.Options{})
	held := map[string]string{}
	for _, f := range h.check(t, good("POST", "/v1/payments", `{"amount":2000}`)).GetDeniedResponse().GetHeaders() {
		held[f.Header.Key] = f.Header.Value
	}
	if held["x-aegis-decision"] != "approval_needed" || held["retry-after"] == "" || held["content-type"] != "application/problem+json" ||
		held["x-aegis-decision-id"] != h.last(t).ID {
		t.Errorf("%v", held)
	}
	var names []string
	for _, f := range h.check(t, good("GET", "/hush", "")).GetOkResponse().GetResponseHeadersToAdd() {
		names = append(names, f.Header.Key+"="+f.Header.Value)
	}
	if !slices.Contains(names, "x-aegis-decision=deny") || !slices.Contains(names, "x-aegis-mode=shadow") {
		t.Errorf("in shadow: %v", names)
	}
}

// TestStripped: what is ours never reaches the tool, and nobody makes Envoy send a write twice.
func TestStripped(t *testing.T) {
	h := open(t, serve.Options{}, envoy.Options{})
	for _, c := range []struct {
		req    *auth.CheckRequest
		remove []string
		set    string
	}{
		{good("POST", "/v1/payments", `{"amount":5}`), []string{"x-aegis-agent", "x-aegis-decision", "x-envoy-retry-on"}, "x-envoy-max-retries=0"},
		{good("GET", "/v1/payments", ""), []string{"x-aegis-agent", "x-aegis-decision"}, ""},
	} {
		add(c.req, "x-aegis-agent", "ops-agent")
		add(c.req, "X-Aegis-Decision", "allow")
		add(c.req, "x-envoy-retry-on", "5xx")
		add(c.req, "x-forwarded-client-cert", "By=spiffe://example.org/ops")
		ok := h.check(t, c.req).GetOkResponse()
		if got := ok.GetHeadersToRemove(); !slices.Equal(got, c.remove) {
			t.Errorf("removed: %v, want %v", got, c.remove)
		}
		set := ""
		for _, f := range ok.GetHeaders() {
			set += f.Header.Key + "=" + f.Header.Value
		}
		if set != c.set {
			t.Errorf("set: %s, want %s", set, c.set)
		}
		if r := h.last(t); r.Call.Agent != "billing-agent" || r.Call.Tenant != "acme" {
			t.Errorf("the call is of %s/%s", r.Call.Tenant, r.Call.Agent)
		}
	}
}

// TestWho: a client cannot say who it is; its certificate, Envoy's configuration or a token can, and they may not differ.
func TestWho(t *testing.T) {
	const name = "spiffe://example.org/billing"
	principal, agent, err := envoy.ParsePrincipal(name + "=acme/billing-agent")
	if err != nil || principal != name {
		t.Fatal(principal, err)
	}
	certs := envoy.Who{Principals: map[string]envoy.Agent{name: agent}}
	tokens := envoy.Who{Token: func(_ context.Context, token string) (serve.Principal, error) {
		if token != "good" {
			return serve.Principal{}, fmt.Errorf("the token is not valid")
		}
		return serve.Principal{Name: "token", Verified: true, Tenant: "acme", Agent: "billing-agent", Session: "s1"}, nil
	}}
	for _, c := range []struct {
		name      string
		who       envoy.Who
		says      map[string]string
		principal string
		headers   []string
		want      string
	}{
		{"Envoy's configuration", envoy.Who{}, billing, "", nil, "ok"},
		{"its tenant is the server's", envoy.Who{Tenant: "acme"}, map[string]string{"aegis-agent": "billing-agent"}, "", nil, "ok"},
		{"nobody", envoy.Who{Tenant: "acme"}, nil, "", nil, "token_invalid"},
		{"a header", envoy.Who{Tenant: "acme"}, nil, "", []string{"x-aegis-agent", "billing-agent", "aegis-agent", "billing-agent"}, "token_invalid"},
		{"a certificate in a header", certs, nil, "", []string{"x-forwarded-client-cert", "URI=" + name}, "token_invalid"},
		{"a certificate", certs, nil, name, nil, "ok"},
		{"another certificate", certs, nil, name + "2", nil, "token_invalid"},
		{"no certificate, where they are needed", certs, billing, "", nil, "token_invalid"},
		{"a certificate and another agent", certs, map[string]string{"aegis-agent": "ops"}, name, nil, "token_invalid"},
		{"a token that nobody verifies", envoy.Who{}, billing, "", []string{"x-aegis-token", "x"}, "token_invalid"},
		{"a token", tokens, nil, "", []string{"x-aegis-token", "good"}, "ok"},
		{"a bad token, beside what would do", tokens, billing, "", []string{"x-aegis-token", "bad"}, "token_invalid"},
		{"two tokens", tokens, nil, "", []string{"x-aegis-token", "good", "x-aegis-token", "good"}, "token_invalid"},
		{"a token and another agent", tokens, map[string]string{"aegis-agent": "ops"}, "", []string{"x-aegis-token", "good"}, "token_invalid"},
		{"no name", envoy.Who{}, map[string]string{"aegis-tenant": "acme", "aegis-agent": "a b"}, "", nil, "token_invalid"},
		{"two sessions", envoy.Who{}, map[string]string{"aegis-tenant": "acme", "aegis-agent": "billing-agent", "aegis-session-header": "s"}, "",
			[]string{"s", "1", "S", "2"}, "token_invalid"},
	} {
		h := open(t, serve.Options{}, envoy.Options{Who: c.who})
		r := good("GET", "/v1/payments", "")
		r.Attributes.ContextExtensions = c.says
		r.Attributes.Source = &auth.AttributeContext_Peer{Principal: c.principal}
		for i := 0; i < len(c.headers); i += 2 {
			add(r, c.headers[i], c.headers[i+1])
		}
		if got := says(t, h.check(t, r)); got != c.want && got != "403 "+c.want+" deny" {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestInitialMetadata: what Envoy sends with every call counts, and a route's context extensions before it.
func TestInitialMetadata(t *testing.T) {
	h := open(t, serve.Options{}, envoy.Options{})
	ctx := metadata.AppendToOutgoingContext(context.Background(), "aegis-tenant", "acme", "aegis-agent", "other", "aegis-session-header", "X-Session")
	r := good("GET", "/v1/payments", "")
	r.Attributes.ContextExtensions = map[string]string{"aegis-agent": "billing-agent"}
	add(r, "x-session", "task-7")
	out, err := auth.NewAuthorizationClient(h.conn).Check(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	if got := says(t, out); got != "ok" {
		t.Error(got)
	}
	if c := h.last(t).Call; c.Agent != "billing-agent" || c.Session != "task-7" {
		t.Errorf("%+v", c)
	}
}

// TestShadow: nothing is blocked but what is no call and whom nobody knows, and the true decision is recorded.
func TestShadow(t *testing.T) {
	h := open(t, serve.Options{Mode: aegis.Shadow}, envoy.Options{})
	partial := good("POST", "/v1/payments", `{"amount":5}`)
	add(partial, "x-envoy-auth-partial-body", "true")
	nobody := good("GET", "/v1/payments", "")
	nobody.Attributes.ContextExtensions = nil
	for _, c := range []struct {
		name     string
		req      *auth.CheckRequest
		want     string
		recorded aegis.Outcome
	}{
		{"denied", good("POST", "/v1/payments", `{"amount":9001}`), "ok", aegis.Deny},
		{"held", good("POST", "/v1/payments", `{"amount":2000}`), "ok", aegis.ApprovalNeeded},
		{"unmatched", good("DELETE", "/v1/payments", ""), "ok", aegis.Deny},
		{"partial", partial, "ok", aegis.Deny},
		{"to be sanitized", good("POST", "/mail", `{"to":"ann@example.com"}`), "ok", aegis.Sanitize},
		{"a result to be redacted", good("GET", "/people/7", ""), "ok", aegis.Allow},
		{"malformed", good("POST", "/v1/payments", `{"amount":1,"amount":2}`), "400 malformed reject", aegis.Reject},
		{"nobody", nobody, "403 token_invalid deny", aegis.Deny},
	} {
		if got := says(t, h.check(t, c.req)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		r := h.last(t)
		if r.Answer.Outcome != c.recorded {
			t.Errorf("%s: recorded as %s", c.name, r.Answer.Outcome)
		}
		if blocked := c.recorded == aegis.Deny && c.want == "ok"; r.Answer.Decision.WouldBlock != blocked {
			t.Errorf("%s: would_block is %v", c.name, r.Answer.Decision.WouldBlock)
		}
	}
}

// TestSettledAtEstimate: a call through ext_authz counts at once, and nobody need report its outcome.
func TestSettledAtEstimate(t *testing.T) {
	h := open(t, serve.Options{}, envoy.Options{})
	for range 3 {
		if got := says(t, h.check(t, good("POST", "/v1/payments", `{"amount":5}`))); got != "ok" {
			t.Fatal(got)
		}
		if err := h.service.Outcome(h.last(t).ID, "", true, nil); err == nil {
			t.Error("an outcome is still waited for")
		}
	}
	if got := says(t, h.check(t, good("POST", "/v1/payments", `{"amount":5}`))); got != "403 calls_exceeded deny" {
		t.Error(got)
	}
}

// TestDeadline: a caller that is gone is charged nothing.
func TestDeadline(t *testing.T) {
	h := open(t, serve.Options{}, envoy.Options{})
	ctx, cancel := context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
	defer cancel()
	for range 4 {
		out, err := h.door.Check(ctx, good("POST", "/v1/payments", `{"amount":5}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := says(t, out); got != "403 deadline deny" {
			t.Error(got)
		}
	}
	for range 3 {
		if got := says(t, h.check(t, good("POST", "/v1/payments", `{"amount":5}`))); got != "ok" {
			t.Error(got)
		}
	}
}

// TestBusy: where no decision can be taken on, Envoy hears an error, and its failure mode decides.
func TestBusy(t *testing.T) {
	slots := serve.NewSlots(1)
	h := open(t, serve.Options{}, envoy.Options{Slots: slots})
	slots.Take()
	_, err := auth.NewAuthorizationClient(h.conn).Check(context.Background(), good("GET", "/v1/payments", ""))
	if status.Code(err) != codes.ResourceExhausted {
		t.Error(err)
	}
	slots.Give()
	if got := says(t, h.check(t, good("GET", "/v1/payments", ""))); got != "ok" {
		t.Error(got)
	}
}

// TestJoinedHeaders: without encode_raw_headers Envoy joins what stood twice, which nobody can tell from one value.
func TestJoinedHeaders(t *testing.T) {
	h := open(t, serve.Options{}, envoy.Options{}, rules, `
tenant: acme
routes: [{match: GET pay.test/v1/payments, call: pay/list, args: {account: header.account}}]
`)
	for _, c := range []struct{ name, value, want string }{
		{"account", "a", "ok"}, {"account", "a,b", "403 malformed deny"}, {"other", "a,b", "ok"},
		{"content-type", "application/json,text/plain", "403 malformed deny"}} {
		r := good("GET", "/v1/payments", "")
		httpOf(r).HeaderMap = nil
		httpOf(r).Headers = map[string]string{":method": "GET", ":path": "/v1/payments", c.name: c.value}
		if got := says(t, h.check(t, r)); got != c.want {
			t.Errorf("%s: %s: %s, want %s", c.name, c.value, got, c.want)
		}
	}
}
