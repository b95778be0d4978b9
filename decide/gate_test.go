package decide

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// loadText loads one policy, with files beside it.
func loadText(t testing.TB, text string, beside ...string) *policy.Set {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("policy.yaml", text)
	for i := 0; i < len(beside); i += 2 {
		write(beside[i], beside[i+1])
	}
	set, err := policy.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// play sends calls, each `agent tool[/action] session second args`, through one gate and returns outcome and codes of each.
func play(t *testing.T, set *policy.Set, opt Options, calls ...string) []string {
	t.Helper()
	opt.Engine = orElse(opt.Engine, Native)
	gate, err := NewGate(set, opt)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	var s Scratch
	for _, line := range calls {
		f := strings.SplitN(line, " ", 5)
		doc, err := aegis.Parse([]byte(f[4]))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		tool, action, _ := strings.Cut(f[1], "/")
		c := &aegis.Call{Tenant: "default", Agent: f[0], Tool: tool, Action: action, Args: doc.Root(), HasTime: true}
		if f[2] != "-" {
			c.Session = f[2]
		}
		n, ok := aegis.ParseNum([]byte(f[3]))
		if !ok {
			t.Fatal(line)
		}
		c.Time = 1_772_359_200_000_000 + n.Int64()*1_000_000 // 2026-03-01T10:00:00Z
		v, err := gate.Decide(&s, gate.Engine.Plan(c.Tenant, c.Agent, c.Tool, c.Action), c, gate.Session(c.Tenant, c.Session))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		r := v.Outcome.String()
		for _, h := range v.Hits {
			r += " " + h.Code.String()
		}
		out = append(out, r)
	}
	return out
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			t.Fatalf("call %d: got %q, want %q (all: %q)", i, got[min(i, len(got)-1)], want[i], got)
		}
	}
}

func TestLimits(t *testing.T) {
	set := loadText(t, `
agent: a
limits:
  - rate: 2/s
  - budget: 100/day of amount
    by: currency
allowed_tools:
  - name: pay
    conditions:
      max_amount: 80
      args: {currency: {in: [USD, EUR]}}
    limits: [{calls: 3/session}]
  - name: look
`)
	got := play(t, set, Options{},
		`a pay s 0 {"amount":60,"currency":"USD"}`,
		`a pay s 1 {"amount":60,"currency":"USD"}`, // over the budget: nothing of it is charged
		`a pay s 2 {"amount":60,"currency":"EUR"}`, // another ledger
		`a pay s 3 {"amount":40,"currency":"USD"}`, // exactly what is left
		`a pay s 4 {"amount":0,"currency":"USD"}`,  // the session's three calls are used up
		`a pay r 5 {"amount":0.000001,"currency":"USD"}`,
		`a pay r 86400 {"amount":60,"currency":"USD"}`, // a new day
		`a look r 86401 {}`,
		`a look r 86401 {}`,
		`a look r 86401 {}`, // three in one second
		`a pay - 86403 {"amount":1,"currency":"USD"}`,
		`a pay r 86404 {"amount":1}`,
		`a pay r 86405 {"amount":-1,"currency":"USD"}`)
	expect(t, got, "allow", "deny budget_exceeded", "allow", "allow", "deny calls_exceeded", "deny budget_exceeded", "allow",
		"allow", "allow", "deny rate_exceeded", "deny expression_error", "deny argument_missing argument_missing",
		"deny number_out_of_range")
}

func TestSessionHistory(t *testing.T) {
	set := loadText(t, `
agent: a
allowed_tools:
  - {name: read, effect: read, taints: [untrusted]}
  - name: order
    conditions:
      require:
        - 'session.seen("read")'
        - 'session.count("order") < 2'
        - 'session.sum("order", "amount") + amount <= 100'
        - '!(id in session.values("order", "id"))'
  - name: mail
    conditions: {deny_if: 'session.tainted("untrusted")'}
`)
	got := play(t, set, Options{},
		`a mail s 0 {}`,
		`a order s 1 {"amount":1,"id":"x"}`, // nothing was read yet
		`a read s 2 {}`,
		`a order s 3 {"amount":60,"id":"x"}`,
		`a order s 4 {"amount":60,"id":"y"}`, // over the sum; leaves no trace
		`a order s 5 {"amount":40,"id":"x"}`, // the id was used
		`a order s 6 {"amount":40,"id":"y"}`,
		`a order s 7 {"amount":0,"id":"z"}`, // the third
		`a mail s 8 {}`,
		`a mail t 9 {}`,     // another session
		`a mail - 10 {}`,    // no session: an error
		`a mail s 86409 {}`, // forgotten after 24 idle hours
	)
	expect(t, got, "allow", "deny require_failed", "allow", "allow", "deny require_failed", "deny require_failed", "allow",
		"deny require_failed", "deny deny_if", "allow", "deny expression_error", "allow")
}

func TestHeldCalls(t *testing.T) {
	set := loadText(t, `
agent: a
allowed_tools:
  - name: pay
    taints: [paid]
    conditions: {approval_needed_if: amount > 10}
    limits: [{budget: 100/day of amount}]
  - name: after
    conditions: {deny_if: 'session.tainted("paid")'}
`)
	calls := []string{`a pay s 0 {"amount":90}`, `a after s 1 {}`, `a pay s 2 {"amount":90}`}
	expect(t, play(t, set, Options{}, calls...), "approval_needed approval_if", "deny deny_if", "deny approval_if budget_exceeded")
	expect(t, play(t, set, Options{Held: Refused}, calls...), "approval_needed approval_if", "allow", "approval_needed approval_if")
	// A shadow server lets all through: history follows what really happened, limits what the policy would have done.
	expect(t, play(t, set, Options{Mode: aegis.Shadow, Held: Refused}, calls...), "approval_needed approval_if", "deny deny_if",
		"approval_needed approval_if")
}

func TestSanitize(t *testing.T) {
	set := loadText(t, `
agent: a
allowed_tools:
  - name: note
    conditions:
      args: {text: {max_length: 20}, ref: {matches: '[A-Z]+-[0-9]+', optional: true}}
    sanitize:
      - {redact: [email], fields: [text, "deep.**"]}
      - {match: 'MRN-\d{4}', replace: 'x', fields: [ref]}
`)
	gate, err := NewGate(set, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, want, rewritten string }{
		{`{"text":"hello"}`, "allow", ""},
		{`{"text":"a@b.example"}`, "sanitize", `{"text":"[EMAIL]"}`},
		{`{ "text" : "a@b.example", "n": 1.50, "deep":{"x":["é a@b.example"]}, "other":"a@b.example"}`, "sanitize",
			`{ "text" : "[EMAIL]", "n": 1.50, "deep":{"x":["é [EMAIL]"]}, "other":"a@b.example"}`},
		{`{"text":"x","ref":"MRN-1234"}`, "deny", ""}, // what is left no longer fits the policy
	} {
		doc, err := aegis.Parse([]byte(c.args))
		if err != nil {
			t.Fatal(err)
		}
		var s Scratch
		call := &aegis.Call{Tenant: "default", Agent: "a", Tool: "note", Args: doc.Root()}
		v, err := gate.Decide(&s, gate.Engine.Plan("default", "a", "note", ""), call, nil)
		if err != nil {
			t.Fatal(err)
		}
		if v.Outcome.String() != c.want {
			t.Errorf("%s: %s %v, want %s", c.args, v.Outcome, gate.Engine.Canon(v.Hits), c.want)
		}
		if c.rewritten != "" && string(v.Args.Text()) != c.rewritten {
			t.Errorf("%s: forwarded %s, want %s", c.args, v.Args.Text(), c.rewritten)
		}
	}
}

func TestCaseVariants(t *testing.T) {
	set := loadText(t, `
agent: a
allowed_tools:
  - name: env
    case_keys: distinct
    conditions: {args: {name: {in: [x]}, vars: {type: object, optional: true}}}
  - {name: strict}
`)
	gate, err := NewGate(set, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ tool, args, want string }{
		{"env", `{"name":"x","vars":{"Path":1,"PATH":2}}`, "allow"},
		{"env", `{"name":"x","Name":"y"}`, "reject"},
		{"strict", `{"vars":{"Path":1,"PATH":2}}`, "reject"},
	} {
		text := `{"tenant":"default","agent":"a","tool":"` + c.tool + `","args":` + c.args + `}`
		if got := decideText(t, gate, []byte(text)); got != c.want {
			t.Errorf("%s: %s, want %s", text, got, c.want)
		}
	}
	if got := decideText(t, gate, []byte(`{"tenant":"default","agent":"a","Agent":"b","tool":"env","args":{}}`)); got != "reject" {
		t.Errorf("variants in the envelope: %s", got)
	}
}

// TestLacking: what a capture lacks makes a call unknown, unless something known denies it.
func TestLacking(t *testing.T) {
	set := loadText(t, `
agent: a
regions: [eu]
allowed_tools:
  - name: pay
    conditions: {max_amount: 10, args: {memo: {optional: true, max_length: 5}}}
    limits: [{calls: 5/day}]
  - name: free
    conditions: {other_args: deny}
`)
	gate, err := NewGate(set, Options{})
	if err != nil {
		t.Fatal(err)
	}
	doc, _ := aegis.Parse([]byte(`{"amount":5}`))
	over, _ := aegis.Parse([]byte(`{"amount":50}`))
	for _, c := range []struct {
		name  string
		tool  string
		args  aegis.Value
		lacks aegis.Lack
		want  string
	}{
		{"all there", "pay", doc.Root(), 0, "allow []"},
		{"no region", "pay", doc.Root(), aegis.LacksRegion, "unknown no_region"},
		{"no region, and over", "pay", over.Root(), aegis.LacksRegion, "deny no_region max_exceeded"},
		{"no arguments", "pay", aegis.Value{}, aegis.LacksArgs, "unknown args_absent"},
		{"redacted", "pay", aegis.Value{}, aegis.LacksRedacted, "unknown args_redacted"},
		{"other_args", "free", aegis.Value{}, aegis.LacksArgs, "unknown args_absent"},
		{"no time", "pay", doc.Root(), aegis.LacksTime, "unknown no_time"},
		{"ungranted", "gone", aegis.Value{}, aegis.LacksArgs, "deny tool_not_granted"},
	} {
		call := &aegis.Call{Tenant: "default", Agent: "a", Tool: c.tool, Args: c.args, Lacks: c.lacks, Region: "eu",
			Time: 1, HasTime: c.lacks&aegis.LacksTime == 0}
		if c.lacks&aegis.LacksRegion != 0 {
			call.Region = ""
		}
		var s Scratch
		v, err := gate.Decide(&s, gate.Engine.Plan("default", "a", c.tool, ""), call, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := v.Outcome.String()
		codes := map[string]bool{}
		for _, h := range v.Hits {
			codes[h.Code.String()] = true
		}
		for _, code := range strings.Fields(c.want)[1:] {
			if code != "[]" && !codes[code] {
				t.Errorf("%s: %v, want %s", c.name, gate.Engine.Canon(v.Hits), code)
			}
		}
		if got != strings.Fields(c.want)[0] {
			t.Errorf("%s: %s %v, want %s", c.name, got, gate.Engine.Canon(v.Hits), c.want)
		}
	}
}

// TestDoubt: after a call of which nobody knows whether it was let through, what it may have changed is not known.
func TestDoubt(t *testing.T) {
	set := loadText(t, `
agent: a
allowed_tools:
  - {name: read, effect: read, taints: [phi], conditions: {max_n: 5}}
  - {name: log, taints: [phi]}
  - name: web
    conditions: {deny_if: 'session.tainted("phi")'}
  - name: pay
    conditions: {require: ['session.sum("pay", "n") <= 10', 'session.count("pay") < 9']}
`)
	for _, engine := range []EngineKind{Native, Both} {
		gate, err := NewGate(set, Options{Engine: engine})
		if err != nil {
			t.Fatal(err)
		}
		var s Scratch
		for i, c := range []struct {
			tool  string
			lacks aegis.Lack
			want  string
		}{
			{"web", 0, "allow"}, {"read", aegis.LacksRedacted, "unknown"}, {"web", 0, "unknown"}, {"log", 0, "allow"}, {"web", 0, "deny"},
			{"pay", 0, "allow"}, {"pay", aegis.LacksRedacted, "allow"}, {"pay", 0, "unknown"},
		} {
			doc, err := aegis.Parse([]byte(`{"n":1}`))
			if err != nil {
				t.Fatal(err)
			}
			call := &aegis.Call{Tenant: "default", Agent: "a", Tool: c.tool, Session: "s", Args: doc.Root(), Lacks: c.lacks}
			if c.lacks != 0 {
				call.Args = aegis.Value{}
			}
			v, err := gate.Decide(&s, gate.Engine.Plan("default", "a", c.tool, ""), call, gate.Session("default", "s"))
			if err != nil {
				t.Fatal(err)
			}
			if v.Outcome.String() != c.want {
				t.Errorf("%s, call %d, %s: %s %s, want %s", engine, i, c.tool, v.Outcome, gate.Engine.Canon(v.Hits), c.want)
			}
		}
	}
}
