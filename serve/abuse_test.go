package serve_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aegisctl/aegis/serve"
)

// counting counts decisions.
type counting struct{ n atomic.Int64 }

func (c *counting) Observe(context.Context, *serve.Record) { c.n.Add(1) }

// plainPost is a request that is in order, but for what a case changes.
func plainPost(path, headers, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s", path, headers, len(body), body)
}

// raw sends bytes over a connection of its own, ends its sending side where asked, and returns the statuses of the answers.
func raw(t *testing.T, addr, text string, end bool) (statuses []int) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second)) // so that a test that fails ends
	go func() {
		io.WriteString(c, text) // the server may have hung up
		if end {
			c.(*net.TCPConn).CloseWrite()
		}
	}()
	in := bufio.NewReader(c)
	for {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			return statuses
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.StatusCode != http.StatusContinue {
			statuses = append(statuses, res.StatusCode)
		}
	}
}

// TestAbuse sends what no client of ours sends. Each case says which answers come, and how many decisions are made.
func TestAbuse(t *testing.T) {
	made := &counting{}
	s := service(t, serve.Options{Observers: []serve.Observer{made}}, payments)
	addr := listening(t, s, serve.NoAuth{})
	body := call("ledger", `{}`)
	chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	const head = "POST /v1/decide HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
	for _, c := range []struct {
		what, text string
		statuses   []int // of answers in their order
		decisions  int64
	}{
		{"in order", plainPost("/v1/decide", "", body), []int{200}, 1},
		{"GET", "GET /v1/decide HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", []int{405}, 0},
		{"PUT", "PUT" + strings.TrimPrefix(plainPost("/v1/decide", "", body), "POST"), []int{405}, 0},
		{"a method in small letters", "post" + strings.TrimPrefix(plainPost("/v1/decide", "", body), "POST"), []int{405}, 0},
		{"a method that another header names", plainPost("/v1/status", "X-HTTP-Method-Override: GET\r\n", body), []int{404}, 0},
		{"a slash at the end", plainPost("/v1/decide/", "", body), []int{404}, 0},
		{"a slash too many", plainPost("//v1/decide", "", body), []int{307}, 0},
		{"dots", plainPost("/v1/x/../decide", "", body), []int{307}, 0},
		{"another case", plainPost("/V1/decide", "", body), []int{404}, 0},
		{"an escaped letter is the letter", plainPost("/v1/%64ecide", "", body), []int{200}, 1},
		{"an escaped slash", plainPost("/v1%2fdecide", "", body), []int{404}, 0},
		{"a zero byte", plainPost("/v1/decide%00", "", body), []int{404}, 0},
		{"a query counts for nothing", plainPost("/v1/decide?tenant=x&dry_run=true", "", body), []int{200}, 1},
		{"another host in the target", plainPost("http://evil.example/v1/decide", "", body), []int{403}, 0},
		{"no host", strings.Replace(plainPost("/v1/decide", "", body), "Host: 127.0.0.1\r\n", "", 1), []int{400}, 0},
		{"two hosts", plainPost("/v1/decide", "Host: evil.example\r\n", body), []int{400}, 0},
		{"two content types", plainPost("/v1/decide", "Content-Type: text/plain\r\n", body), []int{415}, 0},
		{"two encodings", plainPost("/v1/decide", "Content-Encoding: identity\r\nContent-Encoding: gzip\r\n", body), []int{415}, 0},
		{"HTTP/1.0", strings.Replace(plainPost("/v1/decide", "", body), "HTTP/1.1", "HTTP/1.0", 1), []int{200}, 1},
		{"HTTP/1.0 without a host", "POST /v1/decide HTTP/1.0\r\nContent-Type: application/json\r\n\r\n", []int{403}, 0},
		{"HTTP/3.0", strings.Replace(plainPost("/v1/decide", "", body), "HTTP/1.1", "HTTP/3.0", 1), []int{505}, 0},
		{"HTTP/2 in plain text", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", []int{400}, 0},
		{"an upgrade to it is not taken", plainPost("/v1/decide", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n", body), []int{200}, 1},
		{"in chunks", head + "Transfer-Encoding: chunked\r\n\r\n" + chunked, []int{200}, 1},
		{"chunks that are none", head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", []int{400}, 0},
		{"chunks that do not end", head + "Transfer-Encoding: chunked\r\n\r\n" + strings.TrimSuffix(chunked, "0\r\n\r\n"), []int{400}, 0},
		{"another transfer encoding", head + "Transfer-Encoding: gzip, chunked\r\n\r\n" + chunked, []int{501}, 0},
		{"two lengths", plainPost("/v1/decide", "Content-Length: 5\r\n", body), []int{400}, 0},
		{"a length below zero", head + "Content-Length: -5\r\n\r\n", []int{400}, 0},
		{"a length that is no number", head + "Content-Length: 5, 5\r\n\r\n{}", []int{400}, 0},
		{"a body that ends early", head + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body)+9, body), []int{400}, 0},
		{"a body that goes on is another request", head + fmt.Sprintf("Content-Length: %d\r\n\r\n%s{\"x\":1}\r\n\r\n", len(body), body), []int{200, 400}, 1},
		{"two requests at once", plainPost("/v1/decide", "", body) + plainPost("/v1/decide", "", body), []int{200, 200}, 2},
		{"a request behind one that is refused", plainPost("/v1/decide", "Origin: https://evil.example\r\n", body) + plainPost("/v1/decide", "", body), []int{403, 200}, 1},
		{"large headers", plainPost("/v1/decide", "X: "+strings.Repeat("x", 80<<10)+"\r\n", body), []int{431}, 0},
		{"many headers", plainPost("/v1/decide", strings.Repeat("X: y\r\n", 20<<10), body), []int{431}, 0},
		{"a header folded over lines", plainPost("/v1/decide", "X: a\r\n b\r\n", body), []int{200}, 1},
		{"a control character in a header", plainPost("/v1/decide", "X: a\x00b\r\n", body), []int{400}, 0},
		{"a space before the colon", plainPost("/v1/decide", "Content-Length : 5\r\n", body), []int{400}, 0},
		{"a length announced that nobody takes", head + "Content-Length: 99999999999\r\n\r\n", []int{413}, 0},
		{"expecting to continue", plainPost("/v1/decide", "Expect: 100-continue\r\n", body), []int{200}, 1},
		{"a forged identity", plainPost("/v1/decide", "X-Forwarded-Client-Cert: By=x\r\nX-Aegis-Tenant: evil\r\nX-Forwarded-For: 10.0.0.1\r\n", body), []int{200}, 1},
		{"no HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", []int{400}, 0},
	} {
		before := made.n.Load()
		got := raw(t, addr, c.text, true)
		if n := made.n.Load() - before; !slices.Equal(got, c.statuses) || n != c.decisions {
			t.Errorf("%s: answers %v and %d decisions, want %v and %d", c.what, got, n, c.statuses, c.decisions)
		}
	}
}

// TestSlowBodies: bodies that do not come hold up neither other calls nor the end of the server, and are not decided.
func TestSlowBodies(t *testing.T) {
	made := &counting{}
	s := service(t, serve.Options{Observers: []serve.Observer{made}}, payments)
	addr := listening(t, s, serve.NoAuth{})
	for range 40 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "POST /v1/decide HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
	}
	if got := raw(t, addr, plainPost("/v1/decide", "", call("ledger", `{}`)), true); !slices.Equal(got, []int{200}) {
		t.Errorf("%v", got)
	}
	if made.n.Load() != 1 {
		t.Errorf("%d decisions", made.n.Load())
	}
}
