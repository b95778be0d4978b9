package serve_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
	"github.com/aegisctl/aegis/serve"
	"github.com/aegisctl/aegis/serve/native"
)

const payments = `
tenant: acme
agent: finance-agent
limits: [{calls: 3/day}]
allowed_tools:
  - name: pay
    conditions: {max_amount: 5000}
  - {name: ledger, effect: read, on_failure: open, conditions: {args: {q: {type: string, optional: true}}}}
  - {name: mail, sanitize: [{redact: [email]}]}
`

func load(t testing.TB, text string) *policy.Set {
	t.Helper()
	set, err := policy.LoadText("policy.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func service(t testing.TB, opt serve.Options, texts ...string) *serve.Service {
	t.Helper()
	s := serve.New(opt)
	t.Cleanup(s.Close)
	install(t, s, texts...)
	return s
}

func install(t testing.TB, s *serve.Service, texts ...string) {
	t.Helper()
	var src []serve.Source
	for i, text := range texts {
		src = append(src, serve.Source{Name: fmt.Sprint("source ", i), Set: load(t, text)})
	}
	if err := s.Install(src); err != nil {
		t.Fatal(err)
	}
}

// door serves a service's native door and returns a client of it.
func door(t testing.TB, s *serve.Service, auth serve.Authenticator) func(path, body string, headers ...string) (int, map[string]any, http.Header) {
	t.Helper()
	mux := http.NewServeMux()
	native.New(s, &serve.Web{Auth: auth}).Register(mux)
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return func(path, body string, headers ...string) (int, map[string]any, http.Header) {
		t.Helper()
		req, err := http.NewRequest(http.MethodPost, srv.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		for i := 0; i < len(headers); i += 2 {
			if headers[i] == "Host" {
				req.Host = headers[i+1]
			} else {
				req.Header.Set(headers[i], headers[i+1])
			}
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		var out map[string]any
		if len(text) > 0 {
			if err := json.Unmarshal(text, &out); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
		}
		return res.StatusCode, out, res.Header
	}
}

func call(tool, args string, more ...string) string {
	return `{"tenant":"acme","agent":"finance-agent","tool":"` + tool + `","args":` + args + strings.Join(append([]string{""}, more...), ",") + `}`
}

func TestNativeDoor(t *testing.T) {
	s := service(t, serve.Options{Tenant: "acme"}, payments)
	post := door(t, s, serve.NewSecret("open sesame"))
	bearer := []string{"Authorization", "Bearer open sesame"}
	for _, c := range []struct {
		name, body string
		headers    []string
		status     int
		key, want  string
	}{
		{"allowed", call("pay", `{"amount":50}`), bearer, 200, "decision", "allow"},
		{"denied", call("pay", `{"amount":5000.01}`), bearer, 200, "decision", "deny"},
		{"sanitized", call("mail", `{"to":"ann@example.com"}`), bearer, 200, "decision", "sanitize"},
		{"another tenant", strings.Replace(call("pay", `{}`), "acme", "evil", 1), bearer, 200, "decision", "deny"},
		{"malformed", `{"tenant":"acme","tenant":"acme"}`, bearer, 400, "decision", "reject"},
		{"keys that differ in case", call("pay", `{"amount":1,"Amount":9}`), bearer, 400, "decision", "reject"},
		{"no token", call("pay", `{}`), nil, 401, "code", "token_invalid"},
		{"wrong token", call("pay", `{}`), []string{"Authorization", "Bearer open sesamf"}, 401, "code", "token_invalid"},
		{"another host", call("pay", `{}`), append([]string{"Host", "evil.example"}, bearer...), 403, "code", "forbidden"},
		{"a web page", call("pay", `{}`), append([]string{"Origin", "https://evil.example"}, bearer...), 403, "code", "forbidden"},
		{"a form", call("pay", `{}`), append([]string{"Content-Type", "text/plain"}, bearer...), 415, "code", "unsupported_media_type"},
		{"compressed", call("pay", `{}`), append([]string{"Content-Encoding", "gzip"}, bearer...), 415, "code", "unsupported_encoding"},
		{"too large", strings.Repeat(" ", aegis.MaxBody+1), bearer, 413, "code", "too_large"},
	} {
		status, body, _ := post("/v1/decide", c.body, c.headers...)
		if status != c.status || body[c.key] != c.want {
			t.Errorf("%s: %d %v, want %d %s %s", c.name, status, body, c.status, c.key, c.want)
		}
	}
}

func TestOutcomes(t *testing.T) {
	s := service(t, serve.Options{}, `
agent: a
limits: [{budget: $1/day}]
allowed_tools: [{name: llm, cost: $0.40}]
`)
	post := door(t, s, serve.NoAuth{})
	decide := func(want string) string {
		t.Helper()
		_, body, h := post("/v1/decide", `{"tenant":"default","agent":"a","tool":"llm","args":{}}`)
		if body["decision"] != want {
			t.Fatalf("%v, want %s", body, want)
		}
		return h.Get("Aegis-Decision-Id")
	}
	outcome := func(body string, want int) {
		t.Helper()
		if status, got, _ := post("/v1/outcome", body); status != want {
			t.Fatalf("%s: %d %v, want %d", body, status, got, want)
		}
	}
	first := decide("allow")
	second := decide("allow")
	decide("deny") // $0.80 are spent
	outcome(`{"decision_id":"`+first+`","outcome":"ok","cost":0.1}`, 204)
	outcome(`{"decision_id":"`+first+`","outcome":"ok","cost":0}`, 404)
	third := decide("allow") // $0.90
	outcome(`{"decision_id":"`+second+`","outcome":"ok","cost":-1}`, 400)
	outcome(`{"decision_id":"`+second+`","outcome":"perhaps"}`, 400)
	outcome(`{"decision_id":"`+second+`","outcome":"ok","cost":3}`, 204) // it was dearer: the truth is spent
	outcome(`{"decision_id":"`+third+`","outcome":"failed"}`, 204)       // and a failed call stays charged
	decide("deny")
}

// failing is a recorder whose disk is full.
type failing struct{ fail atomic.Bool }

func (f *failing) Record(context.Context, *serve.Record) error {
	if f.fail.Load() {
		return errors.New("no space left")
	}
	return nil
}

// TestRecordFirst: what cannot be recorded is denied and was never charged; reads that fail open go ahead.
func TestRecordFirst(t *testing.T) {
	disk := &failing{}
	s := service(t, serve.Options{Recorders: []serve.Recorder{disk}}, payments)
	post := door(t, s, serve.NoAuth{})
	reasons := func(body map[string]any) (codes string) {
		for _, r := range body["reasons"].([]any) {
			codes += " " + r.(map[string]any)["code"].(string)
		}
		return body["decision"].(string) + codes
	}
	expect := func(body, want string) {
		t.Helper()
		_, got, _ := post("/v1/decide", body)
		if reasons(got) != want {
			t.Fatalf("%s: %s, want %s", body, reasons(got), want)
		}
	}
	disk.fail.Store(true)
	for range 5 {
		expect(call("pay", `{"amount":1}`), "deny audit_unavailable")
	}
	expect(call("ledger", `{}`), "allow audit_unavailable failed_open")
	expect(call("ledger", `{}`, `"effect":"write"`), "deny audit_unavailable")
	expect(call("ledger", `{"q":1}`), "deny audit_unavailable") // it would be denied anyway
	disk.fail.Store(false)
	for range 2 { // the read that went ahead was the first of three
		expect(call("pay", `{"amount":1}`), "allow")
	}
	expect(call("pay", `{"amount":1}`), "deny calls_exceeded")
}

// TestReplaceUnderLoad: replacing policies fails no call, and each call is judged by one of them.
func TestReplaceUnderLoad(t *testing.T) {
	const template = "agent: a\nallowed_tools: [{name: x, conditions: {max_n: %d, deny_if: 'n > %d'}}]\n"
	texts := []string{fmt.Sprintf(template, 10, 10), fmt.Sprintf(template, 20, 20)}
	s := service(t, serve.Options{}, texts[0])
	versions := map[string]bool{}
	for _, text := range texts {
		versions[load(t, text).Version] = true
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				c, err := aegis.DecodeCall(fmt.Appendf(nil, `{"tenant":"default","agent":"a","tool":"x","session":"s%d","args":{"n":15}}`, n%9))
				if err != nil {
					t.Error(err)
					return
				}
				a := s.Decide(context.Background(), &serve.Request{Call: c})
				// Under the first policy both rules deny, under the second neither: never one alone.
				d := a.Decision
				if !versions[d.PolicyVersion] || len(d.Reasons) != 0 && len(d.Reasons) != 2 {
					t.Errorf("%+v", d)
					return
				}
			}
		}()
	}
	for i := range 200 {
		install(t, s, texts[i%2])
	}
	close(stop)
	wg.Wait()
}

func TestOneTenantTwice(t *testing.T) {
	s := service(t, serve.Options{}, payments)
	before := s.Units()[0]
	err := s.Install([]serve.Source{{Name: "one", Set: load(t, payments)}, {Name: "two", Set: load(t, payments)}})
	if !errors.Is(err, serve.ErrOneTenantTwice) || s.Units()[0] != before {
		t.Errorf("%v, in force: %v", err, s.Units()[0].Name)
	}
}

// TestDryRun: a dry run may ask about another time, and changes nothing.
func TestDryRun(t *testing.T) {
	s := service(t, serve.Options{Now: func() time.Time { return time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC) }}, `
agent: a
until: "2026-12-31"
limits: [{calls: 1/day}]
allowed_tools: [{name: x}]
`)
	decide := func(more string) string {
		var b bytes.Buffer
		fmt.Fprintf(&b, `{"tenant":"default","agent":"a","tool":"x","args":{}%s}`, more)
		c, err := aegis.DecodeCall(b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		return s.Decide(context.Background(), &serve.Request{Call: c}).Decision.Decision
	}
	for _, step := range [][2]string{
		{`,"dry_run":true`, "allow"}, {`,"dry_run":true,"time":"2027-01-01T00:00:00Z"`, "deny"},
		{`,"time":"2027-01-01T00:00:00Z"`, "allow"}, {``, "deny"}, {`,"dry_run":true`, "deny"},
	} {
		if got := decide(step[0]); got != step[1] {
			t.Errorf("%s: %s, want %s", step[0], got, step[1])
		}
	}
}
