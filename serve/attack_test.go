package serve_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
	"github.com/aegisctl/aegis/serve"
)

// ask takes an envelope past a service's doors.
func ask(t testing.TB, s *serve.Service, envelope string) *serve.Answer {
	t.Helper()
	c, err := aegis.DecodeCall([]byte(envelope))
	if err != nil {
		t.Fatalf("%s: %v", envelope, err)
	}
	return s.Decide(context.Background(), &serve.Request{Call: c, Rewrites: true})
}

func codes(d *aegis.Decision) string {
	out := d.Decision
	for _, r := range append(d.Errors, d.Reasons...) {
		out += " " + r.Code.String()
	}
	return out
}

const tainting = `
agent: a
allowed_tools:
  - {name: read, effect: read, taints: [untrusted]}
  - {name: send, conditions: {deny_if: 'session.tainted("untrusted")'}}
`

// TestDryRunsForgetNothing: who may ask about another time cannot make a session forget that it was tainted.
func TestDryRunsForgetNothing(t *testing.T) {
	s := service(t, serve.Options{}, tainting)
	envelope := func(tool, more string) string {
		return `{"tenant":"default","agent":"a","tool":"` + tool + `","session":"s","args":{}` + more + `}`
	}
	if got := codes(ask(t, s, envelope("read", "")).Decision); got != "allow" {
		t.Fatal(got)
	}
	later := time.Now().Add(48 * time.Hour).UTC().Format(time.RFC3339)
	if got := codes(ask(t, s, envelope("send", `,"dry_run":true,"time":"`+later+`"`)).Decision); got != "allow" {
		t.Fatalf("two days later: %s", got)
	}
	if got := codes(ask(t, s, envelope("send", "")).Decision); got != "deny deny_if" {
		t.Fatalf("after a dry run: %s", got)
	}
	for i := range 100 {
		ask(t, s, strings.Replace(envelope("send", `,"dry_run":true`), `"s"`, fmt.Sprintf(`"s%d"`, i), 1))
	}
	if n := s.Sessions(); n != 1 {
		t.Errorf("dry runs left %d sessions behind", n-1)
	}
}

// TestFailedOpenIsSanitized: a read that goes ahead unrecorded goes with the arguments that its policy lets through.
func TestFailedOpenIsSanitized(t *testing.T) {
	disk := &failing{}
	disk.fail.Store(true)
	s := service(t, serve.Options{Recorders: []serve.Recorder{disk}}, `
agent: a
allowed_tools: [{name: crm, effect: read, on_failure: open, sanitize: [{redact: [email]}]}]
`)
	a := ask(t, s, `{"tenant":"default","agent":"a","tool":"crm","args":{"q":"ann@example.com"}}`)
	if !a.Passes || string(a.Args) != `{"q":"[EMAIL]"}` || codes(a.Decision) != "sanitize audit_unavailable failed_open" ||
		a.Decision.Args == nil || string(*a.Decision.Args) != string(a.Args) || !a.Decision.Enforced {
		t.Errorf("passes %v with %s: %+v", a.Passes, a.Args, a.Decision)
	}
}

func loadFiles(t testing.TB, docs ...string) *policy.Set {
	t.Helper()
	dir := t.TempDir()
	for i, doc := range docs {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.yaml", i)), []byte(doc), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	set, err := policy.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestGuardrailsOfOtherSources: a guardrail for all tenants that a tenant's own source lacks would bind nobody there.
func TestGuardrailsOfOtherSources(t *testing.T) {
	s := service(t, serve.Options{}, payments)
	before := s.Units()[0]
	floor := "guardrail: floor\ntenant: \"%s\"\ntools: [{name: \"*\", conditions: {deny_if: \"true\"}}]\n"
	own := "tenant: other\nagent: a\nallowed_tools: [{name: x}]\n"
	source := func(name string, docs ...string) serve.Source {
		return serve.Source{Name: name, Set: loadFiles(t, docs...)}
	}
	for _, tenant := range []string{"*", "acme"} {
		g := fmt.Sprintf(floor, tenant)
		err := s.Install([]serve.Source{source("org", g, own), source("team", payments)})
		if !errors.Is(err, serve.ErrGuardrailElsewhere) || s.Units()[0] != before {
			t.Errorf("tenant %s: %v", tenant, err)
		}
		if err := s.Install([]serve.Source{source("org", g, own), source("team", payments, g)}); err != nil {
			t.Errorf("both have it: %v", err)
		}
		if got := codes(ask(t, s, call("pay", `{"amount":1}`)).Decision); got != "deny deny_if" {
			t.Errorf("tenant %s: %s", tenant, got)
		}
		if err := s.Install([]serve.Source{before.Source}); err != nil {
			t.Fatal(err)
		}
		before = s.Units()[0]
	}
	if err := s.Install([]serve.Source{source("org", fmt.Sprintf(floor, "third"), own), source("team", payments)}); err != nil {
		t.Errorf("a guardrail of neither: %v", err)
	}
}

// TestDeadline: a decision that took too long, or that nobody waits for, is a denial that charges nothing.
func TestDeadline(t *testing.T) {
	s := service(t, serve.Options{Deadline: time.Nanosecond}, payments)
	for range 5 {
		if got := codes(ask(t, s, call("pay", `{"amount":1}`)).Decision); got != "deny deadline" {
			t.Fatal(got)
		}
	}
	if got := codes(ask(t, s, call("pay", `{"amount":5001}`)).Decision); got != "deny max_exceeded" {
		t.Errorf("what is denied anyway: %s", got)
	}
	if bound, _ := s.Usage(9); len(bound) != 1 || bound[0].Spent != 0 {
		t.Errorf("%+v", bound)
	}
	if got := codes(ask(t, s, call("ledger", `{}`)).Decision); got != "allow deadline failed_open" {
		t.Errorf("a read that fails open: %s", got)
	}
}

// TestStress: every way into a service at once. What is let through never exceeds the limit, and nothing races.
func TestStress(t *testing.T) {
	texts := []string{
		"agent: a\nlimits: [{calls: 200/day}]\nallowed_tools: [{name: x, taints: [t]}, {name: y, conditions: {deny_if: 'session.sum(\"x\", \"n\") > 1000000'}}]\n",
		"agent: a\nlimits: [{calls: 200/day}]\nallowed_tools: [{name: x}, {name: y, conditions: {deny_if: 'session.tainted(\"t\")'}}]\n",
	}
	s := service(t, serve.Options{}, texts[0])
	var passed sync.Map
	var wg sync.WaitGroup
	for g := range 6 {
		wg.Go(func() {
			for i := range 200 {
				dry := ""
				if i%7 == 3 {
					dry = `,"dry_run":true`
				}
				a := ask(t, s, fmt.Sprintf(`{"tenant":"default","agent":"a","tool":"%s","session":"s%d","args":{"n":%d}%s}`, []string{"x", "y"}[i%2], (g+i)%3, i, dry))
				if !a.Passes || dry != "" {
					continue
				}
				passed.Store(a.ID, true)
				switch cost := int64(7); i % 3 {
				case 0:
					s.Outcome(a.ID, "default", true, nil)
				case 1:
					s.Outcome(a.ID, "", false, &cost)
					if err := s.Outcome(a.ID, "", false, nil); !errors.Is(err, serve.ErrUnknownDecision) {
						t.Error("settled twice")
					}
				default:
					if err := s.Outcome(a.ID, "evil", true, nil); !errors.Is(err, serve.ErrUnknownDecision) {
						t.Error("another tenant's")
					}
				}
			}
		})
	}
	wg.Go(func() {
		for i := range 60 {
			install(t, s, texts[i%2])
			s.Usage(10)
			s.Sessions()
		}
	})
	wg.Wait()
	n := int64(0)
	passed.Range(func(any, any) bool { n++; return true })
	bound, _ := s.Usage(10)
	if n == 0 || n > 200 || len(bound) != 1 || bound[0].Spent != n {
		t.Errorf("%d went ahead, %+v", n, bound)
	}
}
