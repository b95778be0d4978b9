package envoy_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
	"github.com/aegisctl/aegis/serve"
	"github.com/aegisctl/aegis/serve/envoy"
)

// eachLine reads a file of cases.
func eachLine(t *testing.T, path string, do func([]byte)) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		do(in.Bytes())
	}
}

// httpCase is one line of http_extauthz_cases.jsonl.
type httpCase struct {
	ID      string
	Request struct {
		Attrs struct {
			Path, Method string
			Headers      map[string]string
			Body         *string
			Size         *int64
		}
		Headers      map[string]string `json:"client_headers"`
		Multi        [][2]string       `json:"client_headers_multi"`
		HeaderRaw    string            `json:"client_header_raw"`
		BodyGen      string            `json:"body_gen"`
		Path, Method string
		HTTP2        string
	}
}

// byEnvoy are the cases that end in Envoy itself, before it asks anybody, and where they are shown.
var byEnvoy = map[string]string{
	"http-clte":        "TestEnvoy sends two lengths; Envoy answers 400",
	"http-two-cl":      "Envoy's HTTP/1 codec answers 400",
	"http-slowloris":   "request_headers_timeout of deploy/envoy",
	"http-10k-headers": "max_headers_count and max_request_headers_kb of deploy/envoy",
	"az-deadline":      "TestDeadline",
}

// passing are the cases that must pass, with what they smuggle ignored and stripped.
var passing = map[string]bool{"az-spoof-identity": true, "az-xff": true}

// TestHTTPCases sends the hostile requests through both doors. What a case leaves out is that of a request that is allowed.
func TestHTTPCases(t *testing.T) {
	h := open(t, serve.Options{}, envoy.Options{}, strings.ReplaceAll(rules, "        limits: [{calls: 3/day}]\n", ""), routes)
	seen := 0
	eachLine(t, "../../route/testdata/http_extauthz_cases.jsonl", func(line []byte) {
		var c httpCase
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		seen++
		if byEnvoy[c.ID] != "" {
			return
		}
		r := c.check(t)
		if got := says(t, h.check(t, r)); got == "ok" != passing[c.ID] {
			t.Errorf("%s: ext_authz says %s", c.ID, got)
		}
		if call := h.last(t).Call; call.Agent != "billing-agent" {
			t.Errorf("%s: the call is of %s", c.ID, call.Agent)
		}
		if c.ID == "az-length-mismatch" || strings.HasPrefix(c.ID, "az-partial") {
			return // ext_proc is sent whole bodies, or says so: TestProcessEnds
		}
		if got := c.process(t, h, r); got == "go" != passing[c.ID] {
			t.Errorf("%s: ext_proc says %s", c.ID, got)
		}
	})
	if seen != 24 {
		t.Errorf("%d cases", seen)
	}
}

// check is the case as Envoy's ext_authz sends it.
func (c *httpCase) check(t *testing.T) *auth.CheckRequest {
	q := &c.Request
	method, path, body := "POST", "/v1/payments", `{"amount":10}`
	if q.Attrs.Body != nil {
		body = *q.Attrs.Body
	}
	if q.Path != "" {
		method, path, body = "GET", q.Path, ""
	}
	if q.Method != "" {
		method, body = q.Method, ""
	}
	switch c.ID {
	case "az-no-path":
		path = ""
	case "az-gzip", "az-gzip-bomb":
		body = zipped(t, c.ID == "az-gzip-bomb")
	case "az-utf16":
		body = string([]byte{'{', 0, '"', 0, 'a', 0})
	case "az-multipart":
		body = "--x\r\nContent-Disposition: form-data; name=\"amount\"\r\n\r\n10\r\n--x--\r\n"
	}
	r := good(method, path, body)
	if q.Attrs.Size != nil {
		httpOf(r).Size = *q.Attrs.Size
	}
	for _, headers := range []map[string]string{q.Attrs.Headers, q.Headers} {
		for name, value := range headers {
			if name == "content-type" || name == "x-envoy-auth-partial-body" && c.ID == "az-partial-write" {
				remove(r, name)
			}
			add(r, name, value)
		}
	}
	if len(q.Multi) > 0 {
		remove(r, "content-type")
	}
	for _, f := range q.Multi {
		add(r, f[0], f[1])
	}
	if name, _, ok := strings.Cut(q.HeaderRaw, ": "); ok {
		add(r, name, "\xff\xfe")
	}
	return r
}

func zipped(t *testing.T, bomb bool) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	text := []byte(`{"amount":99999}`)
	if bomb {
		text = make([]byte, 64<<20) // it is never inflated; 64 MiB show it as well as 10 GB
	}
	if _, err := z.Write(text); err != nil {
		t.Fatal(err)
	}
	z.Close()
	return b.String()
}

// process sends the request of ext_authz as Envoy's ext_proc does.
func (c *httpCase) process(t *testing.T, h *house, r *auth.CheckRequest) string {
	t.Helper()
	q := httpOf(r)
	m := head(q.Method, q.Path, len(q.RawBody) == 0)
	var fields []*core.HeaderValue
	fields = append(fields, fieldsOf(":method", q.Method, ":scheme", "http", ":authority", "pay.test").Headers...)
	if q.Path != "" {
		fields = append(fields, fieldsOf(":path", q.Path).Headers...)
	}
	for _, f := range q.HeaderMap.Headers {
		if !strings.HasPrefix(f.Key, ":") && f.Key != "x-envoy-auth-partial-body" {
			fields = append(fields, f)
		}
	}
	m.GetRequestHeaders().Headers = &core.HeaderMap{Headers: fields}
	s := h.process(t, asBilling())
	out := s.must(m)
	if len(q.RawBody) > 0 && out.GetImmediateResponse() == nil {
		out = s.must(bodyOf(string(q.RawBody), true))
	}
	return tells(t, out)
}

// TestBomb: a compressed body is refused as it is, and costs what it is long.
func TestBomb(t *testing.T) {
	h := open(t, serve.Options{}, envoy.Options{})
	r := good("POST", "/v1/payments", zipped(t, true))
	add(r, "content-encoding", "gzip")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got := says(t, h.check(t, r))
	runtime.ReadMemStats(&after)
	if got != "403 malformed deny" || after.TotalAlloc-before.TotalAlloc > 8<<20 {
		t.Errorf("%s, %d bytes", got, after.TotalAlloc-before.TotalAlloc)
	}
}

// evilCall is one line of calls_evil.jsonl.
type evilCall struct {
	ID, Why string
	Expect  []string
	Raw     *string
	RawB64  string `json:"raw_b64"`
	RawGen  *struct {
		Prefix, Repeat, Mid, Suffix string
		RepeatClose                 string `json:"repeat_close"`
		Times                       int
	} `json:"raw_gen"`
}

func (c *evilCall) text(t *testing.T) string {
	switch {
	case c.Raw != nil:
		return *c.Raw
	case c.RawGen != nil:
		g := c.RawGen
		return g.Prefix + strings.Repeat(g.Repeat, g.Times) + g.Mid + strings.Repeat(g.RepeatClose, g.Times) + g.Suffix
	}
	b, err := base64.StdEncoding.DecodeString(c.RawB64)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// envelope takes an envelope apart without reading it: what it says is the case.
var envelope = regexp.MustCompile(`(?s)^\{"tenant":"acme","agent":"([^"]+)","tool":"([^"]+)",(?:"action":("[^"]+"),)?"args":(.*)\}$`)

// evilRoutes has an MCP endpoint for every tool of the reference policies, and a plain one for calls without an action.
func evilRoutes(t *testing.T, set *policy.Set) string {
	var tools []string
	for _, p := range set.Policies {
		for _, e := range p.Entries {
			for _, tool := range e.Tools {
				if tool.Exact() && !slices.Contains(tools, string(tool)) {
					tools = append(tools, string(tool))
				}
			}
		}
	}
	var b strings.Builder
	b.WriteString("tenant: acme\nroutes:\n")
	for _, tool := range tools {
		fmt.Fprintf(&b, "  - {match: POST pay.test/mcp/%s, call: %s, body: mcp}\n  - {match: POST pay.test/plain/%s, call: %s}\n", tool, tool, tool, tool)
	}
	return b.String()
}

// TestEvilCalls sends the hostile calls as MCP messages through both doors. An envelope cannot be sent here: who calls, the
// request does not say, and lines that abuse those members have no form as HTTP. They are counted.
func TestEvilCalls(t *testing.T) {
	const dir = "../../testdata/redteam/policies"
	set, err := policy.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	both := t.TempDir()
	if err := os.CopyFS(both, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(both, "routes.yaml"), evilRoutes(t, set))
	if set, err = policy.Load(both); err != nil {
		t.Fatal(err)
	}
	seen, apart := 0, 0
	eachLine(t, "../../testdata/redteam/calls_evil.jsonl", func(line []byte) {
		var c evilCall
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		seen++
		m := envelope.FindStringSubmatch(c.text(t))
		call, bad := aegis.DecodeCallWithin([]byte(c.text(t)), aegis.GreatestBody)
		if m == nil || !utf8.ValidString(m[1]+m[2]) || bad == nil && (len(call.Args.Text()) != len(m[4]) || call.Action == "" && m[3] != "") {
			apart++
			return
		}
		h := openSet(t, serve.Options{Tenant: "acme"}, envoy.Options{Who: envoy.Who{Tenant: "acme"}}, set) // the expectations suppose unspent budgets
		c.send(t, h, m[1], m[2], m[3], m[4])
	})
	if seen < 159 || apart != 23 {
		t.Errorf("%d cases, of which %d have no form as HTTP", seen, apart)
	}
	t.Logf("%d of %d cases have no form as HTTP", apart, seen)
}

func (c *evilCall) send(t *testing.T, h *house, agent, tool, action, args string) {
	t.Helper()
	path, body := "/plain/"+tool, args
	if action != "" {
		path, body = "/mcp/"+tool, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":`+action+`,"arguments":`+args+`}}`
	}
	if len(body) > aegis.GreatestBody {
		if _, err := auth.NewAuthorizationClient(h.conn).Check(t.Context(), good("POST", path, body)); status.Code(err) != codes.ResourceExhausted {
			t.Errorf("%s: %v", c.ID, err)
		}
		return
	}
	r := good("POST", path, body)
	r.Attributes.ContextExtensions = map[string]string{"aegis-agent": agent}
	answers := []string{says(t, h.check(t, r))}
	if aegis.ValidName(agent) { // gRPC carries no other in its metadata
		s := h.process(t, metadata.AppendToOutgoingContext(t.Context(), "aegis-agent", agent))
		out := s.must(head("POST", path, false))
		if out.GetImmediateResponse() == nil {
			out = s.must(bodyOf(body, true))
		}
		answers = append(answers, tells(t, out))
	}
	for i, got := range answers {
		kind := got[strings.LastIndexByte(got, ' ')+1:]
		if kind == "ok" || kind == "go" {
			kind = h.kept.records[i].Answer.Decision.Decision
		}
		refused := kind == "deny" || kind == "reject"
		if !slices.Contains(c.Expect, kind) && !(refused && (slices.Contains(c.Expect, "deny") || slices.Contains(c.Expect, "reject"))) {
			t.Errorf("%s (%s): door %d says %s, want one of %v", c.ID, c.Why, i, got, c.Expect)
		}
	}
}
