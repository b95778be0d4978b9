package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

const payment = `{"amount": 50, "currency": "EUR"}`

// TestEnvoy shows the doors behind a real Envoy, with the configuration that deploy/envoy holds.
func TestEnvoy(t *testing.T) {
	b := startEnvoy(t, newEcho(t))
	s := b.serve()
	b.decisions()
	b.bodies()
	b.identity()
	b.results()
	b.killed(s)
	b.drained()
	b.shadow()
}

func (b *behind) decisions() {
	got := b.passed("allowed", b.do("POST", "/v1/payments", payment, "Authorization", "Bearer stolen"))
	if got.Body != payment || got.Header.Get("Authorization") != "Bearer the-credential-of-the-tool" {
		b.t.Errorf("the API got %+v", got)
	}
	if a := b.do("POST", "/v1/payments", payment); a.header.Get("x-aegis-decision") != "allow" || a.header.Get("x-aegis-decision-id") == "" {
		b.t.Errorf("allowed: %v", a.header)
	}
	b.refused("denied", b.do("POST", "/v1/payments", `{"amount": 6000, "currency": "EUR"}`), 403, "deny_if")
	held := b.do("POST", "/v1/payments", `{"amount": 2000, "currency": "EUR"}`)
	b.refused("held", held, 403, "approval_required")
	if held.header.Get("x-aegis-decision") != "approval_needed" || held.header.Get("retry-after") == "" {
		b.t.Errorf("held: %v", held.header)
	}
	b.refused("malformed", b.do("POST", "/v1/payments", `{"amount": 50, "currency": "EUR", "amount": 1}`), 400, "malformed")
	b.refused("no route", b.do("DELETE", "/v1/payments", ""), 403, "tool_not_granted")
	b.refused("a write under another method", b.do("GET", "/v1/payments", "", "X-HTTP-Method-Override", "POST"), 403, "malformed")
	b.refused("compressed", b.do("POST", "/v1/payments", payment, "Content-Encoding", "gzip"), 403, "malformed")
	b.refused("two content types", b.do("POST", "/v1/payments", payment, "Content-Type", "text/plain"), 403, "malformed")
	const text = `{"to": "ops",  "text": "write to ann@example.com"}`
	got = b.passed("sanitized", b.do("POST", "/v1/messages", text))
	if want := strings.Replace(text, "ann@example.com", "[EMAIL]", 1); got.Body != want || got.Header.Get("Content-Length") != fmt.Sprint(len(want)) {
		b.t.Errorf("the API got %+v, want %s", got, want)
	}
	if got = b.passed("clean", b.do("POST", "/v1/messages", `{"to":"ops","text":"hello"}`)); got.Body != `{"to":"ops","text":"hello"}` {
		b.t.Errorf("the API got %+v", got)
	}
	b.refused("denied by ext_proc", b.do("POST", "/v1/messages", `{"to": 7}`), 403, "argument_type")
}

func (b *behind) bodies() {
	large := `{"amount": 50, "currency": "EUR", "x": "` + strings.Repeat("x", 1<<20) + `"}`
	for _, path := range []string{"/v1/payments", "/v1/messages"} {
		if a := b.do("POST", path, large); a.status != 413 || len(a.came) > 0 {
			b.t.Errorf("%s, too large: %d, %d requests went on", path, a.status, len(a.came))
		}
		c := b.dial("POST " + path + " HTTP/1.1\r\nHost: pay.test\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"amount\": 5")
		c.(*net.TCPConn).CloseWrite()
		text, _ := io.ReadAll(c)
		c.Close()
		if got := b.api.take(); len(got) > 0 || strings.HasPrefix(string(text), "HTTP/1.1 2") {
			b.t.Errorf("%s, half a body: %s; went on: %v", path, text, got)
		}
		// Two lengths: whose body is it?
		c = b.dial("POST " + path + " HTTP/1.1\r\nHost: pay.test\r\nContent-Type: application/json\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX")
		line, _ := bufio.NewReader(c).ReadString('\n')
		c.Close()
		if got := b.api.take(); len(got) > 0 || !strings.Contains(line, " 400 ") {
			b.t.Errorf("%s, two lengths: %s; went on: %v", path, line, got)
		}
	}
	// What makes Envoy's question fail would open a route that fails open (CVE-2023-27488).
	for _, text := range []string{"GET /v1/rates HTTP/1.1\r\nHost: pay.test\r\nx-note: \xff\xfe\r\n\r\n", "GET /v1/rates?\xff HTTP/1.1\r\nHost: pay.test\r\n\r\n",
		"GET /v1/rates HTTP/1.1\r\nHost: pay.test\xff\r\n\r\n", "GET /v1/rates HTTP/1.1\r\nHost: pay.test\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
		"GET /v1/x/../rates%2F HTTP/1.1\r\nHost: pay.test\r\n\r\n", "CONNECT pay.test:80 HTTP/1.1\r\nHost: pay.test\r\n\r\n"} {
		c := b.dial(text)
		line, _ := bufio.NewReader(c).ReadString('\n')
		c.Close()
		if got := b.api.take(); len(got) > 0 || !strings.Contains(line, " 40") {
			b.t.Errorf("%q: %s; went on: %v", text, line, got)
		}
	}
	b.passed("a read of the open route", b.do("GET", "/v1/rates", ""))
	b.passed("chunked", b.chunked("/v1/payments", payment))
}

// chunked sends a body without saying how long it is.
func (b *behind) chunked(path, body string) (a answer) {
	c := b.dial(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: pay.test\r\nConnection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", path, len(body), body))
	defer c.Close()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		b.t.Error(err)
		return a
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	return answer{status: res.StatusCode, header: res.Header, body: string(text), came: b.api.take()}
}

func (b *behind) dial(text string) net.Conn {
	b.t.Helper()
	c, err := net.Dial("tcp", b.addr)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := io.WriteString(c, text); err != nil {
		b.t.Fatal(err)
	}
	return c
}

func (b *behind) identity() {
	smuggled := []string{"x-aegis-agent", "ops-agent", "x-aegis-tenant", "globex", "x-aegis-decision", "allow", "aegis-agent", "ops-agent",
		"x-forwarded-client-cert", "URI=spiffe://example.org/ops", "x-envoy-auth-partial-body", "false", "x-forwarded-for", "127.0.0.1",
		"x-envoy-retry-on", "5xx", "x-envoy-max-retries", "9"}
	for _, path := range []string{"/v1/payments", "/v1/messages"} {
		body := payment
		if path == "/v1/messages" {
			body = `{"to": "ops"}`
		}
		got := b.passed(path+", smuggled headers", b.do("POST", path, body, smuggled...))
		for name := range got.Header {
			if name = strings.ToLower(name); strings.HasPrefix(name, "x-aegis-") || name == "x-forwarded-client-cert" || strings.HasPrefix(name, "x-envoy-auth") {
				b.t.Errorf("%s: the API got %s", path, name)
			}
		}
		b.refused(path+", a token that nobody verifies", b.do("POST", path, body, "x-aegis-token", "eyJ"), 403, "token_invalid")
		if a := b.do("POST", path, body, "X-Fail", "1", "x-envoy-retry-on", "5xx", "x-envoy-max-retries", "9"); a.status != 503 || len(a.came) != 1 {
			b.t.Errorf("%s: a write that failed was sent %d times", path, len(a.came))
		}
	}
}

func (b *behind) results() {
	a := b.do("GET", "/v1/people/7", "", "Accept-Encoding", "gzip", "Range", "bytes=0-9")
	got := b.passed("redacted", a)
	if a.body != `{"name": "Ann", "email": "[EMAIL]", "seen": 1.50}` || a.header.Get("Content-Length") != fmt.Sprint(len(a.body)) {
		b.t.Errorf("the client got %v %s", a.header, a.body)
	}
	if got.Header.Get("Accept-Encoding") != "identity" || got.Header.Get("Range") != "" {
		b.t.Errorf("the API got %v", got.Header)
	}
	for _, path := range []string{"/v1/people/zip", "/v1/people/html"} {
		if a := b.do("GET", path, ""); a.status != 403 || a.code != "cannot_sanitize_here" || strings.Contains(a.body, "example") {
			b.t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if a := b.do("GET", "/v1/people/gone", ""); a.status != 404 || a.body != `{"error": "nobody has [EMAIL]"}` {
		b.t.Errorf("an error of the API: %d %s", a.status, a.body)
	}
}

// killed: without aegisctl Envoy alone decides, as its routes say.
func (b *behind) killed(s *running) {
	s.signal(syscall.SIGKILL)
	<-s.ended
	until(b.t, func() bool { return b.do("GET", "/v1/payments", "").status == 503 })
	b.refused("a write", b.do("POST", "/v1/payments", payment), 503, "")
	b.refused("a body to be rewritten", b.do("POST", "/v1/messages", `{"to": "ops"}`), 503, "")
	b.refused("a result to be redacted", b.do("GET", "/v1/people/7", ""), 503, "")
	b.refused("a read", b.do("GET", "/v1/payments", ""), 503, "")
	b.refused("a write beside the open route", b.do("POST", "/v1/rates", payment), 503, "")
	got := b.passed("a read of the open route", b.do("GET", "/v1/rates", "", "x-aegis-agent", "ops-agent", "x-aegis-token", "x"))
	if got.Header.Get("x-aegis-agent") != "" || got.Header.Get("x-aegis-token") != "" || got.Header.Get("x-envoy-auth-failure-mode-allowed") != "true" {
		b.t.Errorf("the API got %v", got.Header)
	}
	until(b.t, func() bool { return strings.Contains(b.said(), `"failed_open":"true"`) })
}

// drained: what was decided ends as it was decided, and what was not goes nowhere.
func (b *behind) drained() {
	s := b.serve("--drain-grace", "20s")
	result := make(chan answer, 1)
	go func() { result <- b.do("GET", "/v1/people/slow", "") }()
	until(b.t, func() bool { b.api.mu.Lock(); defer b.api.mu.Unlock(); return len(b.api.got) > 0 })
	s.signal(syscall.SIGTERM)
	until(b.t, func() bool { status, _ := s.get("/readyz"); return status != 200 })
	close(b.api.slow)
	if a := <-result; a.status != 200 || a.body != `{"email": "[EMAIL]"}` {
		b.t.Errorf("a result while the server drained: %d %s", a.status, a.body)
	}
	if err := <-s.ended; err != nil {
		b.t.Errorf("the server ended with %v\n%s", err, s.stderr())
	}

	s = b.serve("--drain-grace", "0s")
	const body = `{"to": "ops", "text": "hello"}`
	c := b.dial(fmt.Sprintf("POST /v1/messages HTTP/1.1\r\nHost: pay.test\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:9]))
	defer c.Close()
	b.do("GET", "/v1/payments", "") // Envoy has one thread: the stream of the half request is open before this is answered
	s.signal(syscall.SIGTERM)
	<-s.ended
	io.WriteString(c, body[9:]) // it may be closed
	line, _ := bufio.NewReader(c).ReadString('\n')
	if got := b.api.take(); !strings.Contains(line, " 503 ") || slices.ContainsFunc(got, func(e echoed) bool { return e.Method == "POST" }) {
		b.t.Errorf("half a request when the server ended: %q; went on: %v", line, got)
	}
}

// shadow: nothing is blocked, and everything is recorded as it would be decided.
func (b *behind) shadow() {
	dir := b.t.TempDir()
	s := b.serve("--mode", "shadow", "--capture", dir)
	const text = `{"to": "ops", "text": "write to ann@example.com"}`
	for _, c := range []struct{ method, path, body, decision string }{
		{"POST", "/v1/payments", `{"amount": 6000, "currency": "EUR"}`, "deny"},
		{"POST", "/v1/payments", `{"amount": 2000, "currency": "EUR"}`, "approval_needed"},
		{"POST", "/v1/payments", payment, "allow"},
		{"POST", "/v1/messages", text, "sanitize"},
		{"DELETE", "/v1/payments", "", "deny"},
	} {
		a := b.do(c.method, c.path, c.body)
		if got := b.passed(c.decision, a); got.Body != c.body || a.header.Get("x-aegis-decision") != c.decision || a.header.Get("x-aegis-mode") != "shadow" {
			b.t.Errorf("%s %s: %v; the API got %s", c.method, c.path, a.header, got.Body)
		}
	}
	if a := b.do("GET", "/v1/people/7", ""); !strings.Contains(a.body, "ann@example.com") {
		b.t.Errorf("in shadow the result is %s", a.body)
	}
	s.signal(syscall.SIGTERM)
	if err := <-s.ended; err != nil {
		b.t.Error(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.parquet"))
	out, err := exec.Command(s.cmd.Path, append([]string{"simulate", "--policy", b.policies, "--tenant", "acme", "--format", "json"}, files...)...).Output()
	var report struct {
		Decisions map[string]int
	}
	if err != nil || json.Unmarshal(out, &report) != nil {
		b.t.Fatalf("%v: %s", err, out)
	}
	// The request that no route matches is no call, and the first read asked whether the server answers.
	if d := report.Decisions; d["deny"] != 1 || d["approval_needed"] != 1 || d["sanitize"] != 1 || d["allow"] < 2 {
		b.t.Errorf("captured: %s", out)
	}
}

// TestEnvoyPartialBodies: an Envoy that passes on parts of bodies, repeats what failed and lets clients write its headers is
// configured wrongly, and gets nothing past the doors.
func TestEnvoyPartialBodies(t *testing.T) {
	b := startEnvoy(t, newEcho(t), "{max_request_bytes: 1048576, allow_partial_message: false, pack_as_bytes: true}",
		"{max_request_bytes: 40, allow_partial_message: true}", "- remove: x-envoy-auth-partial-body", "- remove: x-nothing",
		"route: {cluster: pay, timeout: 30s}\n\n  clusters", `route: {cluster: pay, timeout: 30s, retry_policy: {retry_on: "5xx", num_retries: 2}}`+"\n\n  clusters")
	b.serve()
	b.passed("a whole body", b.do("POST", "/v1/payments", payment))
	long := `{"amount": 50, "currency": "EUR", "note": "xxxxxxxxxxxxxxxxxxx", "amount": 9999}`
	b.refused("a part of a body", b.do("POST", "/v1/payments", long), 403, "malformed")
	b.refused("a part of a body, with the client's mark", b.do("POST", "/v1/payments", long, "x-envoy-auth-partial-body", "false"), 403, "malformed")
	if a := b.do("POST", "/v1/payments", payment, "X-Fail", "1"); len(a.came) != 1 {
		t.Errorf("a write that failed was sent %d times, although the door says 0 retries", len(a.came))
	}
	if a := b.do("GET", "/v1/payments", "", "X-Fail", "1"); len(a.came) != 3 {
		t.Errorf("a read that failed was sent %d times", len(a.came))
	}
}
