package suite

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/aegisctl/aegis/decide"
)

// The policy of most tests here: one bound, one question, one list, one limit.
const payPolicy = `agent: bot
allowed_tools:
  - name: pay
    actions: [create]
    conditions:
      max_amount: 50
      args:
        currency: {in: [USD, EUR]}
      require: [amount > 0]
    limits: [{calls: 3/session}]
`

// bench writes files to a directory of the test's own and returns its path.
func bench(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// runCases runs the cases, given below `cases:`, on a policy.
func runCases(t *testing.T, policy, cases string, opt Options) *Report {
	t.Helper()
	dir := bench(t, map[string]string{"p.yaml": policy, "p_test.yaml": "test: t\ndefaults: {agent: bot}\ncases:\n" + cases})
	rep, err := Run(t.Context(), []string{dir}, opt)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// failures lists what failed, as "name: what".
func failures(r *Report) []string {
	var out []string
	for _, c := range r.Cases {
		for _, f := range c.Failures {
			out = append(out, c.Name+": "+f.What)
		}
	}
	return out
}

// The policy and the table of TestExpectations.
const expectPolicy = `agent: bot
mode: {enforce: 25%}
allowed_tools:
  - name: pay
    effect: write
    cost: $0.02
    conditions:
      args: {amount: {type: number, max: 50}}
      approval_needed_if: note == "odd"
    approval: [{approvers: ["group:a"], quorum: 2, expires: 1h}, {when: amount > 20, approvers: [b]}]
  - {name: read, effect: read, on_failure: open, mode: shadow}
  - name: mail
    sanitize: [{redact: [email], fields: [body]}]
`

const odd = `{tool: pay, args: {amount: 21, note: odd}}`

var expectCases = []struct {
	expect, call string
	want         string // what fails; "" is nothing
}{
	{`allow`, `{tool: read, args: {}}`, ""},
	{`deny`, `{tool: read, args: {}}`, "decision"},
	{`{decision: allow, effect: read, on_failure: open, mode: shadow}`, `{tool: read, args: {}}`, ""},
	{`{decision: allow, effect: write}`, `{tool: read, args: {}}`, "effect"},
	{`{decision: allow, on_failure: closed}`, `{tool: read, args: {}}`, "on_failure"},
	{`{decision: allow, mode: enforce}`, `{tool: read, args: {}}`, "mode"},
	{`{decision: allow, mode: mixed}`, `{tool: mail, args: {}}`, ""},
	{`{decision: allow, cost: $0.02}`, `{tool: pay, args: {amount: 1, note: x}}`, ""},
	{`{decision: allow, cost: $0.020001}`, `{tool: pay, args: {amount: 1, note: x}}`, "cost"},
	{`{decision: allow, cost: $0.5}`, `{tool: mail, cost: $0.5, args: {}}`, ""},
	{`{decision: approval_needed, approvals: [{approvers: [b], quorum: 1}, {approvers: ["group:a"], quorum: 2, expires: 1h}]}`, odd, ""},
	{`{decision: approval_needed, approvals: [{approvers: [b]}]}`, odd, "approvals"},
	{`{decision: approval_needed, approvals: [{approvers: [b], quorum: 2}, {approvers: ["group:a"]}]}`, odd, "approvals"},
	{`{decision: approval_needed, approvals: [{approvers: ["group:a"]}]}`, `{tool: pay, args: {amount: 20, note: odd}}`, ""},
	{`{decision: deny, reasons: [max_exceeded]}`, `{tool: pay, args: {amount: 51, note: x}}`, ""},
	{`{decision: deny, reasons: [args.amount.max]}`, `{tool: pay, args: {amount: 51, note: x}}`, ""},
	{`{decision: deny, reasons: ["default/bot/pay#args.amount.max"]}`, `{tool: pay, args: {amount: 51, note: x}}`, ""},
	{`{decision: deny, reasons: ["pay#args.amount.max"]}`, `{tool: pay, args: {amount: 51, note: x}}`, ""},
	{`{decision: deny, reasons: [{code: min_not_met, rule: args.amount.max}]}`, `{tool: pay, args: {amount: 51, note: x}}`, "reasons"},
	{`{decision: deny, reasons: []}`, `{tool: pay, args: {amount: 51, note: x}}`, "reasons"},
	{`{decision: deny, reasons: {include: [max_exceeded]}}`, `{tool: pay, args: {amount: 51, note: odd}}`, ""},
	{`{decision: deny, reasons: {exclude: [approval_if]}}`, `{tool: pay, args: {amount: 51, note: odd}}`, "reasons"},
	{`{decision: deny, reasons: {include: [approval_if], exclude: [max_exceeded]}}`, `{tool: pay, args: {amount: 51, note: x}}`, "reasons"},
	{`{decision: deny, reasons: []}`, `{tool: pay, args: {amount: 1}}`, "errors"},
	{`{decision: deny, reasons: [], errors: [approval_needed_if]}`, `{tool: pay, args: {amount: 1}}`, ""},
	{`{decision: deny, errors: [{code: expression_error}]}`, `{tool: pay, args: {amount: 1}}`, ""},
	{`{decision: deny, errors: []}`, `{tool: pay, args: {amount: 1}}`, "errors"},
	{`{decision: sanitize, args: {body: "[EMAIL]", n: 1.0}}`, `{tool: mail, args: {n: 1, body: a@b.example}}`, ""},
	{`{decision: sanitize, args: '{"n": 1, "body": "a@b.example"}'}`, `{tool: mail, args: {n: 1, body: a@b.example}}`, "args"},
	{`{decision: allow, args: {n: [1, 2]}}`, `{tool: mail, args: {n: [1, 2]}}`, ""},
	{`{decision: allow, args: {n: [2, 1]}}`, `{tool: mail, args: {n: [1, 2]}}`, "args"},
	{`{decision: deny, args: {}}`, `{tool: other, args: {}}`, "args"},
	{`reject`, `'{"tenant":"default","agent":"bot","tool":"mail","args":{"a":1,"a":2}}'`, ""},
	{`reject`, `{tool: mail, args: '{"a":1,"a":2}'}`, ""},
	{`reject`, `{tool: mail, args: '{"a":1e9999}'}`, ""},
	{`reject`, `{tool: mail, args: {"a": "1", "b": {"ssn": 1, "ſsn": 2}}}`, "read"},
	{`reject`, `{tool: mail, args: '{"ssn": 1, "ſsn": 2}'}`, ""},
}

// TestExpectations holds each expectation to both answers.
func TestExpectations(t *testing.T) {
	for _, k := range expectCases {
		t.Run(k.expect+" "+k.call, func(t *testing.T) {
			dir := bench(t, map[string]string{"p.yaml": expectPolicy,
				"p_test.yaml": "test: t\ndefaults: {agent: bot}\ncases:\n  - name: c\n    call: " + k.call + "\n    expect: " + k.expect + "\n"})
			for _, engine := range []decide.EngineKind{decide.Native, decide.Both} {
				rep, err := Run(t.Context(), []string{dir}, Options{Engine: engine})
				got := "read"
				if err == nil {
					got = strings.TrimPrefix(strings.Join(failures(rep), " "), "c: ")
				}
				if got != k.want {
					t.Errorf("engine %s: failed %q (%v), want %q", engine, got, err, k.want)
				}
			}
		})
	}
}

// TestEarlierCalls: cases run through one gate each, on a virtual clock, and share nothing.
func TestEarlierCalls(t *testing.T) {
	policy := `agent: bot
allowed_tools:
  - {name: look, taints: [seen], limits: [{rate: 1/m}]}
  - name: send
    conditions: {deny_if: session.tainted("seen")}
  - name: ask
    conditions: {approval_needed_if: "true"}
    limits: [{calls: 1/day}]
`
	rep := runCases(t, policy, `
  - {name: alone, call: {tool: send, args: {}}, expect: allow}
  - {name: tainted, before: [{call: {tool: look, args: {}}}], call: {tool: send, args: {}}, expect: deny}
  - {name: failed, before: [{call: {tool: look, args: {}}, outcome: error}], call: {tool: send, args: {}}, expect: allow}
  - {name: other session, before: [{call: {tool: look, session: x, args: {}}}], call: {tool: send, args: {}}, expect: allow}
  - {name: a day later, before: [{call: {tool: look, args: {}}}], wait: 24h, call: {tool: send, args: {}}, expect: allow}
  - {name: too fast, before: [{call: {tool: look, args: {}}}], wait: 59s, call: {tool: look, args: {}}, expect: deny}
  - {name: in time, before: [{call: {tool: look, args: {}}}], wait: 1m, call: {tool: look, args: {}}, expect: allow}
  - {name: every minute, before: [{call: {tool: look, args: {}}, repeat: 3, every: 1m}], wait: 1m, call: {tool: look, args: {}}, expect: allow}
  - {name: granted, before: [{call: {tool: ask, args: {}}}], call: {tool: ask, args: {}}, expect: {decision: deny, reasons: {include: [calls_exceeded]}}}
  - name: refused
    held: refused
    before: [{call: {tool: ask, args: {}}, expect: approval_needed}]
    call: {tool: ask, args: {}}
    expect: approval_needed
  - {name: a call that never was, before: [{call: {tool: shell, args: {}}}], call: {tool: send, args: {}}, expect: allow}
  - name: nor when it is refused
    held: refused
    before: [{call: {tool: ask, args: {}}}]
    call: {tool: send, args: {}}
    expect: allow
  - {name: no time, call: {tool: look, time: null, args: {}}, expect: {decision: deny, errors: [expression_error]}}
  - {name: no session, call: {tool: send, session: null, args: {}}, expect: {decision: deny, errors: [expression_error]}}
  - {name: repeats, before: [{call: {tool: look, args: {}}, repeat: 2}], call: {tool: send, args: {}}, expect: deny}
`, Options{Engine: decide.Both})
	want := []string{"a call that never was: before[0] decision", "nor when it is refused: before[0] decision",
		"repeats: before[0] repeat 2 decision"}
	if got := failures(rep); !reflect.DeepEqual(got, want) {
		t.Errorf("failed: %q, want %q", got, want)
	}
}

// TestDeterministic: the number of workers never shows, and repeated runs are alike.
func TestDeterministic(t *testing.T) {
	var first *Report
	for _, parallel := range []int{1, 2, 7, 7} {
		rep, err := Run(t.Context(), []string{"../../examples/payments/policies"}, Options{Parallel: parallel, Mutate: true})
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = rep
		} else if !reflect.DeepEqual(first, rep) {
			t.Errorf("-j %d gives another report", parallel)
		}
	}
}

// TestChoose: --run picks by file and name; a pattern that fits nothing is an error, not a success.
func TestChoose(t *testing.T) {
	dir := bench(t, map[string]string{"p.yaml": payPolicy, "a_test.yaml": `test: a
defaults: {agent: bot}
cases:
  - {name: one, call: {tool: pay, action: create, args: {amount: 1, currency: USD}}, expect: allow}
  - {name: two, call: {tool: pay, args: {}}, expect: allow}
`, "sub/b_test.json": `{"test": "b", "cases": [{"name": "one", "call": {"agent": "x", "tool": "y", "args": {}}, "expect": "deny"}]}`,
		"testdata/c_test.yaml": "nonsense", ".d_test.yaml": "nonsense"})
	for pattern, want := range map[string]int{"": 3, "one": 2, "a_test.yaml/": 2, "b_test.json/one$": 1} {
		opt := Options{Run: regexp.MustCompile(pattern)}
		rep, err := Run(t.Context(), []string{dir}, opt)
		if err != nil || len(rep.Cases) != want {
			t.Errorf("--run %q: %v %v, want %d cases", pattern, rep, err, want)
		}
	}
	if _, err := Run(t.Context(), []string{dir}, Options{Run: regexp.MustCompile("three")}); err == nil {
		t.Error("a pattern that fits no case is no error")
	}
	if _, err := Run(t.Context(), []string{filepath.Join(dir, "testdata")}, Options{}); err == nil {
		t.Error("testdata holds no policies")
	}
	cancelled, stop := context.WithCancel(t.Context())
	stop()
	if _, err := Run(cancelled, []string{dir}, Options{}); err == nil {
		t.Error("an interrupted run is no error")
	}
	for _, paths := range [][]string{{filepath.Join(dir, "a_test.yaml")}, {filepath.Join(dir, "p.yaml"), filepath.Join(dir, "a_test.yaml")}} {
		if rep, err := Run(t.Context(), paths, Options{}); err != nil || len(rep.Cases) != 2 {
			t.Errorf("%v: %v %v", paths, rep, err)
		}
	}
}

// TestStrict: a file of tests is refused where it could mean another thing than its author thinks.
func TestStrict(t *testing.T) {
	const head = "test: t\ndefaults: {agent: bot}\n"
	oneCase := func(s string) string { return head + "cases:\n  - " + s + "\n" }
	for _, k := range []struct{ text, want string }{
		{"cases: []\n", "1:1: the file does not say that it holds tests"},
		{"- a\n", "1:1: the file must be a mapping, not a list"},
		{"", "1:1: the file is empty"},
		{"test: t\n", "1:1: the file has no cases"},
		{head + "casse: []\ncases: []\n", `3:1: unknown key "casse" of the file` + "\n    hint: did you mean cases?"},
		{head + "cases: []\ncases: []\n", `4:1: the key "cases" stands twice`},
		{head + "cases: &a []\n", "3:8: an anchor stands here"},
		{head + "cases: []\n---\ntest: u\n", "a second document"},
		{oneCase(`{call: {tool: x, args: {}}, expect: allow}`), "4:5: the case has no name"},
		{oneCase(`{name: c, call: {tool: x, args: {}}}`), "4:5: the case expects nothing"},
		{oneCase(`{name: c, expect: allow}`), "4:5: exactly one of call and bytes is needed"},
		{oneCase(`{name: c, call: {tool: x, args: {}}, bytes: eA==, expect: deny}`), "exactly one of call and bytes"},
		{oneCase(`{name: c, bytes: "???", expect: deny}`), "bytes must be base64"},
		{oneCase(`{name: c, call: {tol: x, args: {}}, expect: deny}`), "unknown key \"tol\" of the call\n    hint: did you mean tool?"},
		{oneCase(`{name: c, call: {tool: x, args: {a: yes}}, expect: deny}`), "a boolean (yes) may be read in several ways"},
		{oneCase(`{name: c, call: {tool: x, args: {a: 2026-01-02}}, expect: deny}`), "may be read in several ways"},
		{oneCase(`{name: c, call: {tool: x, args: {a: 0x10}}, expect: deny}`), "may be read in several ways"},
		{oneCase(`{name: c, call: {tool: x, args: [1]}, expect: deny}`), "args must be a mapping"},
		{oneCase(`{name: c, call: {like: y, args: {}}, expect: deny}`), `no call is called "y"`},
		{oneCase(`{name: c, call: {tool: x, without: [a], args: {}}, expect: deny}`), `without: the call has no argument "a"`},
		{oneCase(`{name: c, call: {tool: x, claims: 5, args: {}}, expect: deny}`), "claims must be a mapping"},
		{oneCase(`{name: c, call: {tool: x, cost: 5, args: {}}, expect: deny}`), "cost must be an amount in $"},
		{oneCase(`{name: c, call: {tool: x, args: {}}, expect: denyy}`), "hint: did you mean deny?"},
		{oneCase(`{name: c, call: {tool: x, args: {}}, expect: {reasons: []}}`), "expect has no decision"},
		{oneCase(`{name: c, call: {tool: x, args: {}}, expect: {decision: deny, reason: []}}`), "hint: did you mean reasons?"},
		{oneCase(`{name: c, call: {tool: x, args: {}}, expect: {decision: deny, reasons: [max_exceded]}}`), "hint: did you mean max_exceeded?"},
		{oneCase(`{name: c, call: {tool: x, args: {}}, expect: {decision: deny, reasons: [{rule: max_amout}]}}`), "hint: did you mean max_amount?"},
		{oneCase(`{name: c, call: {tool: x, args: {}}, expect: {decision: deny, reasons: [{code: nope}]}}`), `no reason has the code "nope"`},
		{oneCase(`{name: c, call: {tool: x, args: {}}, expect: {decision: deny, cost: $0.0000001}}`), "at most 6 decimals"},
		{oneCase(`{name: c, wait: 5, call: {tool: x, args: {}}, expect: deny}`), "wait must be text, not a number (5)"},
		{oneCase(`{name: c, wait: 5 minutes, call: {tool: x, args: {}}, expect: deny}`), "is no span of time"},
		{oneCase(`{name: c, before: [{repeat: 0, call: {tool: x, args: {}}}], call: {tool: x, args: {}}, expect: deny}`), "repeat must be a whole number from 1 to 10000"},
		{oneCase(`{name: c, repeat: 2, call: {tool: x, args: {}}, expect: deny}`), `unknown key "repeat" of the case`},
		{oneCase(`{name: c, call: {tool: x, args: {}}, expect: deny}` + "\n  - " + `{name: c, call: {tool: x, args: {}}, expect: deny}`),
			`5:5: a case called "c" stands already in line 4`},
		{"test: t\ndefaults: {time: yesterday}\ncases: []\n", "time must be an RFC 3339 time"},
	} {
		dir := bench(t, map[string]string{"p.yaml": payPolicy, "p_test.yaml": k.text})
		_, err := Run(t.Context(), []string{dir}, Options{})
		if err == nil || !strings.Contains(err.Error(), k.want) {
			t.Errorf("%s\nerror: %v\nwant:  %s", k.text, err, k.want)
		}
	}
}

// TestManyCalls bounds what a small file can make the machine do.
func TestManyCalls(t *testing.T) {
	before := strings.Repeat("{repeat: 10000, call: {tool: x, args: {}}}, ", 21)
	dir := bench(t, map[string]string{"p.yaml": payPolicy,
		"p_test.yaml": fmt.Sprintf("test: t\ncases:\n  - {name: c, before: [%s], call: {tool: x, args: {}}, expect: deny}\n", before)})
	if _, err := Run(t.Context(), []string{dir}, Options{}); err == nil || !strings.Contains(err.Error(), "the case makes 210000 calls") {
		t.Errorf("error: %v", err)
	}
}
