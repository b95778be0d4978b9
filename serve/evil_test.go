package serve_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
	"github.com/aegisctl/aegis/serve"
	"github.com/aegisctl/aegis/serve/authzen"
	"github.com/aegisctl/aegis/serve/native"
)

// evilCall is one line of calls_evil.jsonl.
type evilCall struct {
	ID, Class, Why string
	Expect         []string
	Raw            *string
	RawB64         string `json:"raw_b64"`
	RawGen         *struct {
		Prefix, Repeat, Mid, Suffix string
		RepeatClose                 string `json:"repeat_close"`
		Times                       int
	} `json:"raw_gen"`
}

func (c *evilCall) body(t *testing.T) []byte {
	t.Helper()
	switch {
	case c.Raw != nil:
		return []byte(*c.Raw)
	case c.RawGen != nil:
		g := c.RawGen
		return []byte(g.Prefix + strings.Repeat(g.Repeat, g.Times) + g.Mid + strings.Repeat(g.RepeatClose, g.Times) + g.Suffix)
	}
	b, err := base64.StdEncoding.DecodeString(c.RawB64)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func evilCalls(t *testing.T) (out []evilCall) {
	t.Helper()
	f, err := os.Open("../testdata/redteam/calls_evil.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var c evilCall
		read(t, in.Bytes(), &c)
		out = append(out, c)
	}
	if len(out) < 159 {
		t.Fatalf("only %d cases", len(out))
	}
	return out
}

// listening serves a service as aegisctl does, on a listener of its own, and returns the address.
func listening(t testing.TB, s *serve.Service, auth serve.Authenticator) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	web := &serve.Web{Auth: auth, Slots: serve.NewSlots(64)}
	native.New(s, web).Register(mux)
	authzen.New(s, web).Register(mux)
	var srv serve.Server
	srv.HTTP("data", l, mux)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Run(ctx, 0, 5*time.Second) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// otherInAuthZEN are the cases that mean something else in AuthZEN's envelope, and what they come to there.
var otherInAuthZEN = map[string]string{
	"CP058": "a tenant that is left out is the tenant default, so that the call is denied and not rejected",
}

// TestEvilCalls sends every hostile call through both HTTP doors. What a door cannot take for a call is 400, what is denied is
// 200; both doors refuse the same calls in the same way.
func TestEvilCalls(t *testing.T) {
	set, err := policy.Load("../testdata/redteam/policies")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range evilCalls(t) {
		s := serve.New(serve.Options{Tenant: "acme"}) // each has its budget
		if err := s.Install([]serve.Source{{Name: "reference", Set: set}}); err != nil {
			t.Fatal(err)
		}
		url := "http://" + listening(t, s, serve.NoAuth{})
		body := c.body(t)
		first := evilNative(t, url, &c, body)
		second := evilAuthZEN(t, url, &c, body)
		if !slices.Contains(c.Expect, first) || !slices.Contains(c.Expect, second) {
			t.Errorf("%s (%s): native %s, AuthZEN %s, want one of %v", c.ID, c.Why, first, second, c.Expect)
		}
		if (first != second) != (otherInAuthZEN[c.ID] != "") {
			t.Errorf("%s (%s): native %s, AuthZEN %s %s", c.ID, c.Why, first, second, otherInAuthZEN[c.ID])
		}
		s.Close()
	}
}

func evilNative(t *testing.T, url string, c *evilCall, body []byte) string {
	t.Helper()
	status, h, text := post(t, url+"/v1/decide", body)
	if status == http.StatusRequestEntityTooLarge {
		return tooLarge(t, c, h, text, len(body))
	}
	var d wireDecision
	read(t, text, &d)
	if want := map[bool]int{true: 400, false: 200}[d.Decision == "reject"]; status != want || d.Decision != "allow" && len(d.Reasons)+len(d.Errors) == 0 {
		t.Errorf("%s: %d %s", c.ID, status, text)
	}
	return d.Decision
}

// tooLarge checks the answer to a body over the limit: problem details, which reject.
func tooLarge(t *testing.T, c *evilCall, h http.Header, text []byte, n int) string {
	t.Helper()
	if n <= aegis.MaxBody || h.Get("Content-Type") != "application/problem+json" || !strings.Contains(string(text), `"too_large"`) {
		t.Errorf("%s: %d bytes: %s", c.ID, n, text)
	}
	return "reject"
}

func evilAuthZEN(t *testing.T, url string, c *evilCall, body []byte) string {
	t.Helper()
	status, h, text := post(t, url+"/access/v1/evaluation", inAuthZEN(body))
	switch status {
	case http.StatusRequestEntityTooLarge:
		return tooLarge(t, c, h, text, len(body))
	case http.StatusBadRequest:
		if !strings.Contains(string(text), `"code":"malformed"`) {
			t.Errorf("%s: %s", c.ID, text)
		}
		return "reject"
	}
	var e wireEvaluation
	read(t, text, &e)
	if status != 200 || e.Context.Aegis == nil || e.Decision != (e.Context.Aegis.Decision == "allow") {
		t.Fatalf("%s: %d %s", c.ID, status, text)
	}
	return e.Context.Aegis.Decision
}

// inAuthZEN writes a native envelope in AuthZEN's words, member by member, with keys and values as they stand: what stands
// twice stands twice, and what is no JSON stays none. A text that is not even a sequence of members becomes the arguments.
func inAuthZEN(raw []byte) []byte {
	members, ok := split(raw)
	if !ok {
		return fmt.Appendf(nil, `{"subject":{"type":"agent","id":"finance-agent","properties":{"tenant":"acme"}},"resource":{"type":"tool",`+
			`"id":"stripe-payments"},"action":{"name":"create_payment","properties":{"args":%s}}}`, raw)
	}
	parts := map[string][]string{}
	for _, m := range members {
		var key string
		if json.Unmarshal([]byte(m.key), &key) != nil {
			key = ""
		}
		switch key {
		case "tenant":
			parts["props"] = append(parts["props"], `"tenant":`+m.value)
		case "agent":
			parts["subject"] = append(parts["subject"], `"id":`+m.value)
		case "tool":
			parts["resource"] = append(parts["resource"], `"id":`+m.value)
		case "action":
			parts["action"] = append(parts["action"], `"name":`+m.value)
		case "session", "region", "chain", "effect", "approval", "time", "dry_run":
			parts["context"] = append(parts["context"], m.key+":"+m.value)
		default: // arguments, and what would be such
			parts["aprops"] = append(parts["aprops"], m.key+":"+m.value)
		}
	}
	join := func(part string, more ...string) string { return strings.Join(append(parts[part], more...), ",") }
	return fmt.Appendf(nil, `{"subject":{%s},"resource":{%s},"action":{%s},"context":{%s}}`,
		join("subject", `"type":"agent"`, `"properties":{`+join("props")+`}`), join("resource", `"type":"tool"`),
		join("action", `"properties":{`+join("aprops")+`}`), join("context"))
}

type rawMember struct{ key, value string }

// split cuts an object into its members without judging what they hold. It is false where the text is not that.
func split(raw []byte) (out []rawMember, ok bool) {
	if len(raw) < 2 || raw[0] != '{' || raw[len(raw)-1] != '}' {
		return nil, false
	}
	depth, inString, from, colon := 0, false, 1, -1
	for i := 1; i < len(raw); i++ {
		switch b := raw[i]; {
		case inString && b == '\\':
			i++
		case b == '"':
			inString = !inString
		case inString:
		case b == '{' || b == '[':
			depth++
		case b == ':' && depth == 0 && colon < 0:
			colon = i
		case b == ',' && depth == 0, b == '}' && depth == 0:
			if colon < 0 || b == '}' && i != len(raw)-1 {
				return nil, false
			}
			out = append(out, rawMember{string(bytes.TrimSpace(raw[from:colon])), string(raw[colon+1 : i])})
			from, colon = i+1, -1
		case b == '}' || b == ']':
			depth--
		}
	}
	return out, depth == 0 && !inString && from == len(raw)
}
