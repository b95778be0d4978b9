package route

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/aegisctl/aegis"
)

const redteamRoutes = `
tenant: acme
routes:
  - {match: POST pay.test/v1/payments, call: pay/create, body: json}
  - {match: GET pay.test/v1/payments, call: pay/list}
  - {match: "GET pay.test/v1/{x}", call: pay/any}
  - {match: "GET pay.test/v1/{x}/{y}", call: pay/any}
  - {match: POST pay.test/form, call: pay/form, body: form}
  - {match: POST pay.test/mcp, call: pay, body: mcp}
`

func lines(t *testing.T, file string) (out []json.RawMessage) {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		out = append(out, json.RawMessage(bytes.Clone(s.Bytes())))
	}
	return out
}

// byDoors are the cases that only a server can show: it reads sockets, has callers, or waits.
var byDoors = map[string]bool{"az-deadline": true, "az-spoof-identity": true, "az-xff": true, "http-slowloris": true, "http-two-cl": true,
	"http-clte": true, "az-gzip-bomb": true, "http-10k-headers": true}

// reasons says for each case why it is refused, so that none is for another fault of its request.
var reasons = map[string]string{
	"az-partial-write": "a part of the body", "az-partial-spoof": "x-envoy-auth-partial-body stands twice", "az-nobody-write": "a value is missing",
	"az-length-mismatch": "not seen to its end", "az-gzip": "only identity", "az-utf16": "text in UTF-8", "az-dup-ct": "content-type stands twice",
	"az-nonutf8-header": "x-note is not valid UTF-8", "az-no-path": "has no path", "az-dotdot": "a segment ..", "az-escaped-slash": "%2F",
	"az-fragment": "'#'", "az-method-override": "x-http-method-override", "az-multipart": "multipart/form-data", "az-semicolon": "';'",
	"az-trace-connect": "no route matches \"CONNECT\"",
}

// httpCase is one case: what differs from a request that is a call.
type httpCase struct {
	ID      string
	Request struct {
		Attrs struct {
			Path, Method string
			Headers      map[string]string
			Body         *string
			Size         *int
		}
		Headers map[string]string `json:"client_headers"`
		Multi   [][2]string       `json:"client_headers_multi"`
		Raw     string            `json:"client_header_raw"`
		Path    string
		Method  string
		HTTP2   string
	}
}

func goodRequest() *Request {
	return &Request{Method: "POST", Scheme: "https", Host: "pay.test", Path: "/v1/payments", BodyComplete: true,
		Header: []Field{{"content-type", "application/json"}}, Body: []byte(`{"amount":10}`)}
}

func (c *httpCase) request() *Request {
	r, q := goodRequest(), &c.Request
	if q.Attrs.Body != nil {
		r.Body = []byte(*q.Attrs.Body)
	}
	if q.Attrs.Size != nil {
		r.BodyComplete = *q.Attrs.Size == len(r.Body)
	}
	if q.Path != "" {
		r.Method, r.Path, r.Body = "GET", q.Path, nil
	}
	if q.HTTP2 != "" {
		r.Path = ""
	}
	if q.Method != "" {
		r.Method, r.Body = q.Method, nil
	}
	c.headers(r)
	return r
}

func (c *httpCase) headers(r *Request) {
	q := &c.Request
	for _, headers := range []map[string]string{q.Attrs.Headers, q.Headers} {
		for k, v := range headers {
			if k == "content-type" {
				r.Header = r.Header[1:]
			}
			r.Header = append(r.Header, Field{k, v})
		}
	}
	if c.ID == "az-partial-spoof" {
		r.Header = append(r.Header, Field{"x-envoy-auth-partial-body", "false"})
	}
	if len(q.Multi) > 0 {
		r.Header = nil
	}
	for _, f := range q.Multi {
		r.Header = append(r.Header, Field{f[0], f[1]})
	}
	if name, _, ok := strings.Cut(q.Raw, ": "); ok {
		r.Header = append(r.Header, Field{name, "\xff\xfe"})
	}
}

// TestHTTPCases: none of the hostile requests becomes a call. What a case leaves out is that of a request which does.
func TestHTTPCases(t *testing.T) {
	tab := table(t, redteamRoutes)
	var m Matched
	if err := tab.Match(goodRequest(), &m); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, line := range lines(t, "http_extauthz_cases.jsonl") {
		var c httpCase
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		if byDoors[c.ID] {
			continue
		}
		seen++
		err := tab.Match(c.request(), &m)
		if err == nil {
			t.Errorf("%s: it is the call %s", c.ID, call(&m))
		} else if why := reasons[c.ID]; why == "" || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: refused because %q, want %q", c.ID, err, why)
		}
	}
	if seen != len(reasons) {
		t.Errorf("%d cases were tried", seen)
	}
}

// mcpRequests are the cases of one message that a client sends, and what becomes of it: the call, or the refusal's status.
// All others need a server: the answers of servers, sessions, several messages at once.
var mcpRequests = map[string]string{
	"mcp-batch-mixed": "400", "mcp-id-null": "400", "mcp-notify-call": "400", "mcp-dup-method": "400", "mcp-case-method": "400",
	"mcp-args-string": "400", "mcp-toolname-space": "403", "mcp-header-body": "400",
	"mcp-resources-read": "pay/mcp:resources/read", "mcp-prompts-get": "pay/mcp:prompts/get",
	"mcp-token-passthrough": "pay/create_payment",
}

func TestMCPCases(t *testing.T) {
	tab := table(t, redteamRoutes)
	seen := 0
	for _, line := range lines(t, "mcp_cases.jsonl") {
		var c struct {
			ID    string
			Steps struct {
				Messages []json.RawMessage `json:"c2p"`
				Raw      []string          `json:"c2p_raw"`
				Headers  map[string]string `json:"c2p_headers"`
			}
		}
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		want, ok := mcpRequests[c.ID]
		if !ok {
			continue
		}
		seen++
		r := &Request{Method: "POST", Host: "pay.test", Path: "/mcp", BodyComplete: true, Header: []Field{{"Content-Type", "application/json"}}}
		for k, v := range c.Steps.Headers {
			r.Header = append(r.Header, Field{k, v})
		}
		if len(c.Steps.Raw) > 0 {
			r.Body = []byte(c.Steps.Raw[0])
		} else {
			r.Body = c.Steps.Messages[0]
		}
		var m Matched
		err := tab.Match(r, &m)
		if refused, isRefused := err.(*Refusal); isRefused {
			if got := map[int]string{400: "400", 403: "403"}[refused.Status]; got != want {
				t.Errorf("%s: %s %v, want %s", c.ID, got, err, want)
			}
		} else if got := m.Call.Tool + "/" + m.Call.Action; got != want {
			t.Errorf("%s: %s, %v, want %s", c.ID, got, err, want)
		}
	}
	if seen != len(mcpRequests) {
		t.Errorf("%d of %d cases were tried", seen, len(mcpRequests))
	}
}

// TestBatch refuses a batch of any length at once.
func TestBatch(t *testing.T) {
	tab := table(t, redteamRoutes)
	var m Matched
	one := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_payment"}}`
	r := &Request{Method: "POST", Host: "pay.test", Path: "/mcp", BodyComplete: true, Header: []Field{{"content-type", "application/json"}},
		Body: []byte("[" + strings.Repeat(one+",", 9_999) + one + "]")}
	checkRefusal(t, "batch", tab.Match(r, &m), "400 malformed", "batch")
	if len(r.Body) > aegis.MaxBody {
		t.Error("the batch is refused for its size")
	}
}
