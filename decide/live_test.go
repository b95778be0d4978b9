package decide

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// live is a gate whose calls come one after the other, each a second later.
type live struct {
	t       *testing.T
	gate    *Gate
	opt     Options
	s       Scratch
	at      int64
	ruling  Ruling
	tickets []*Ticket
}

func newLive(t *testing.T, set *policy.Set, opt Options) *live {
	opt.Sessions = NewSessions()
	l := &live{t: t, opt: opt, at: 1_772_359_200_000_000}
	l.replace(set)
	return l
}

// replace puts another policy in force; what was spent and remembered stays.
func (l *live) replace(set *policy.Set) {
	l.t.Helper()
	if l.gate != nil {
		l.opt.Ledger, l.opt.ShadowLedger = l.gate.ledger, l.gate.shadow
	}
	gate, err := NewGate(set, l.opt)
	if err != nil {
		l.t.Fatal(err)
	}
	l.gate = gate
}

// call sends `agent tool[/action] session args [dry]` and returns what became of it.
func (l *live) call(line string) string {
	l.t.Helper()
	f := strings.SplitN(line, " ", 4)
	args, dry := strings.CutSuffix(f[3], " dry")
	doc, err := aegis.Parse([]byte(args))
	if err != nil {
		l.t.Fatalf("%s: %v", line, err)
	}
	l.at += 1_000_000
	tool, action, _ := strings.Cut(f[1], "/")
	c := &aegis.Call{Tenant: "default", Agent: f[0], Tool: tool, Action: action, Args: doc.Root(), HasTime: true, Time: l.at, DryRun: dry}
	if f[2] != "-" {
		c.Session = f[2]
	}
	r, err := l.gate.Rule(&l.s, l.gate.Engine.Plan(c.Tenant, c.Agent, c.Tool, c.Action), c)
	if err != nil {
		l.t.Fatalf("%s: %v", line, err)
	}
	l.ruling, l.tickets = r, append(l.tickets, r.Ticket)
	out := r.Verdict.Outcome.String()
	for _, h := range r.Verdict.Hits {
		out += " " + h.Code.String()
	}
	out += " " + r.Mode.String()
	if r.Passes {
		out += " passes"
	}
	if r.Enforced {
		out += " enforced"
	}
	if r.Args.Kind() == aegis.Object {
		out += " " + string(r.Args.Text())
	}
	return out
}

// each checks calls and what becomes of them, pair by pair.
func (l *live) each(pairs ...string) {
	l.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if got := l.call(pairs[i]); got != pairs[i+1] {
			l.t.Fatalf("%s:\n got %s\nwant %s", pairs[i], got, pairs[i+1])
		}
	}
}

const modesPolicy = `
agent: a
limits: [{calls: 2/session}]
allowed_tools:
  - {name: pay, conditions: {max_amount: 10}}
  - {name: mail, mode: shadow, conditions: {args: {to: {domains: [example.com]}}}}
  - {name: both, conditions: {max_amount: 10}}
  - {name: "bo*", mode: shadow, conditions: {max_amount: 5}}
  - {name: half, mode: {enforce: 50%}, conditions: {max_amount: 10}}
  - {name: acts, actions: [x, {name: y, mode: shadow}], conditions: {max_amount: 10}}
`

func TestModeBelongsToTheEntry(t *testing.T) {
	set := loadText(t, modesPolicy)
	l := newLive(t, set, Options{})
	l.each(
		`a pay s {"amount":5}`, "allow enforce passes enforced",
		`a pay s {"amount":50}`, "deny max_exceeded enforce enforced",
		`a mail s {"to":"x@evil.com"}`, "deny domain_not_allowed shadow passes",
		`a both s {"amount":7}`, "deny max_exceeded enforce passes",
		`a both s2 {"amount":70}`, "deny max_exceeded max_exceeded enforce enforced",
		`a acts s3 {"amount":70}`, "deny action_not_granted enforce enforced",
		`a acts/x s3 {"amount":70}`, "deny max_exceeded enforce enforced",
		`a acts/y s3 {"amount":70}`, "deny max_exceeded shadow passes",
		`a nothing s4 {}`, "deny tool_not_granted enforce enforced",
		`b pay s {}`, "deny no_policy enforce enforced",
		`a half - {"amount":50}`, "deny max_exceeded expression_error enforce enforced",
	)
	enforced := 0
	for i := range 400 {
		l.call(fmt.Sprintf(`a half h%d {"amount":50}`, i))
		if l.ruling.Enforced {
			enforced++
		} else if l.ruling.Mode != aegis.Shadow || !l.ruling.Passes {
			t.Fatalf("session %d is neither enforced nor let through", i)
		}
	}
	if enforced < 160 || enforced > 240 {
		t.Errorf("%d of 400 sessions are enforced, at 50%%", enforced)
	}
	shadow := newLive(t, set, Options{Mode: aegis.Shadow})
	shadow.each(
		`a pay s {"amount":50}`, "deny max_exceeded shadow passes",
		`b pay s {}`, "deny no_policy shadow passes",
	)
	foreign := newLive(t, set, Options{Mode: aegis.Shadow, Tenant: "other"})
	foreign.each(`a pay s {"amount":5}`, "deny tenant_mismatch enforce enforced")
}

// TestShadowLedger: enforced calls charge the ledger, and every call the shadow ledger as the policy would decide.
func TestShadowLedger(t *testing.T) {
	shadowed := loadText(t, `
agent: a
mode: shadow
limits: [{calls: 2/day}]
allowed_tools: [{name: pay}]
`)
	enforced := loadText(t, `
agent: a
limits: [{calls: 2/day}]
allowed_tools: [{name: pay}]
`)
	l := newLive(t, shadowed, Options{})
	l.each(
		`a pay s {} dry`, "allow dry-run passes",
		`a pay s {}`, "allow shadow passes",
		`a pay s {}`, "allow shadow passes",
		`a pay s {}`, "deny calls_exceeded shadow passes",
	)
	// Promotion opens the real ledger, which nothing was spent from.
	l.replace(enforced)
	l.each(
		`a pay s {}`, "allow enforce passes enforced",
		`a pay s {} dry`, "allow dry-run passes",
		`a pay s {}`, "allow enforce passes enforced",
		`a pay s {}`, "deny calls_exceeded enforce enforced",
		`a pay s {} dry`, "deny calls_exceeded dry-run",
	)
	// A call that is not answered was never made.
	l.tickets[len(l.tickets)-3].Release()
	l.tickets[len(l.tickets)-3].Release()
	l.each(`a pay s {}`, "allow enforce passes enforced", `a pay s {}`, "deny calls_exceeded enforce enforced")
}

const historyPolicy = `
agent: a
allowed_tools:
  - {name: read, taints: [untrusted]}
  - {name: note}
  - name: send
    conditions:
      deny_if: ['session.tainted("untrusted")', 'session.sum("note", "n") > 10']
`

// TestOutcomesAreTakenBack: what a failed call left behind is gone, what others left stays.
func TestOutcomesAreTakenBack(t *testing.T) {
	l := newLive(t, loadText(t, historyPolicy), Options{})
	settle := func(back int, failed bool) {
		t.Helper()
		if err := l.tickets[len(l.tickets)-back].Settle(failed, nil); err != nil {
			t.Fatal(err)
		}
	}
	l.each(`a note s {"n":6}`, "allow enforce passes enforced", `a read s {}`, "allow enforce passes enforced",
		`a note s {"n":7}`, "allow enforce passes enforced",
		`a send s {}`, "deny deny_if deny_if enforce enforced")
	settle(3, true) // the read
	l.each(`a send s {}`, "deny deny_if enforce enforced")
	settle(5, false) // n: 6 stays
	settle(3, true)  // n: 7 does not
	l.each(`a send s {}`, "allow enforce passes enforced", `a note s {"n":5}`, "allow enforce passes enforced",
		`a send s {}`, "deny deny_if enforce enforced")
}

// TestPolicyReplacedInSession: what nobody watched for before is in doubt, and doubt denies.
func TestPolicyReplacedInSession(t *testing.T) {
	l := newLive(t, loadText(t, "agent: a\nallowed_tools: [{name: read}, {name: note}, {name: send}]\n"), Options{})
	l.each(`a read old {}`, "allow enforce passes enforced")
	l.replace(loadText(t, historyPolicy))
	l.each(`a send old {}`, "deny expression_error expression_error enforce enforced",
		`a send new {}`, "allow enforce passes enforced", `a note new {"n":6}`, "allow enforce passes enforced")
	l.replace(loadText(t, strings.Replace(historyPolicy, "> 10", "> 5", 1)))
	l.each(`a send new {}`, "deny deny_if enforce enforced")
	// The failure is reported after the policy was replaced: the sum cannot be told any more.
	if err := l.tickets[len(l.tickets)-2].Settle(true, nil); err != nil {
		t.Fatal(err)
	}
	l.each(`a send new {}`, "deny expression_error enforce enforced")
}

// TestSanitizersBind: a shadow entry's sanitizer changes nothing that goes upstream.
func TestSanitizersBind(t *testing.T) {
	l := newLive(t, loadText(t, `
agent: a
allowed_tools:
  - {name: crm, sanitize: [{redact: [email]}]}
  - {name: "crm*", mode: shadow, sanitize: [{match: 'MRN-\d{4}', replace: '[MRN]'}]}
  - {name: quiet, mode: shadow, sanitize: [{redact: [email]}]}
`), Options{})
	l.each(
		`a crm s {"t":"ann@example.com"}`, `sanitize sanitized enforce passes enforced {"t":"[EMAIL]"}`,
		`a crm s {"t":"ann@example.com MRN-1234"}`, `sanitize sanitized sanitized enforce passes enforced {"t":"[EMAIL] MRN-1234"}`,
		`a quiet s {"t":"ann@example.com"}`, `sanitize sanitized shadow passes`,
	)
}

// TestSessionsAreBounded: one session too many is an error of the store, those that are remembered go on.
func TestSessionsAreBounded(t *testing.T) {
	l := newLive(t, loadText(t, historyPolicy), Options{})
	l.opt.Sessions.most = 2
	l.call(`a read one {}`)
	l.call(`a read two {}`)
	c := &aegis.Call{Tenant: "default", Agent: "a", Tool: "read", Session: "three", HasTime: true, Time: l.at}
	_, err := l.gate.Rule(&l.s, l.gate.Engine.Plan("default", "a", "read", ""), c)
	var store *StoreError
	if !errors.Is(err, ErrSessions) || !errors.As(err, &store) {
		t.Errorf("a third session: %v", err)
	}
	l.each(`a send one {}`, "deny deny_if enforce enforced", `a send - {}`, "deny expression_error expression_error enforce enforced")
	l.at += idle
	l.gate.Forget(l.at)
	l.each(`a send three {}`, "allow enforce passes enforced")
}

// TestStoreErrors: a ledger that fails opens nothing that the rules forbid.
func TestStoreErrors(t *testing.T) {
	l := newLive(t, loadText(t, `
agent: a
limits: [{calls: 2/day}]
allowed_tools: [{name: look, effect: read, on_failure: open, conditions: {deny_if: n > 5}}]
`), Options{})
	l.at = 1 << 62 // no time that a ledger knows
	l.each(`a look s {"n":6}`, "deny deny_if enforce enforced")
	doc, err := aegis.Parse([]byte(`{"n":5}`))
	if err != nil {
		t.Fatal(err)
	}
	c := &aegis.Call{Tenant: "default", Agent: "a", Tool: "look", Args: doc.Root(), HasTime: true, Time: l.at}
	_, err = l.gate.Rule(&l.s, l.gate.Engine.Plan("default", "a", "look", ""), c)
	if store := (*StoreError)(nil); !errors.As(err, &store) {
		t.Errorf("%v", err)
	}
}
