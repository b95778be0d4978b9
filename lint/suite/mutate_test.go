package suite

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/decide"
	"github.com/aegisctl/aegis/policy"
)

// fullPolicy uses every part of the language that can be changed.
const fullPolicy = `tenant: acme
agent: [bot, robot]
callers: [user, planner]
max_chain_depth: 2
regions: [eu, us]
until: "2030-12-31"
mode: {enforce: 25%}
limits:
  - {rate: 5/s, burst: 7}
  - {calls: 200/session}
  - {calls: 20/hour, by: city}
  - {budget: $2000.50/day, tz: Europe/Berlin}
  - {budget: 20000/week of amount, by: [currency, city]}
allowed_tools:
  - name: [pay, "refund-*"]
    effect: write
    callers: [user]
    cost: amount * 0.01
    taints: [money]
    actions: [create, {name: hold, cost: $0.02, conditions: {min_amount: 1}}, "get_*"]
    conditions:
      max_amount: 5000
      args:
        amount: {type: number, decimals: 2}
        currency: {in: [USD, EUR], else: approval}
        kind: {not_in: [3, 4], optional: true}
        fast: {in: [true]}
        reference: {matches: 'INV-[0-9]{6,8}x?y*z+', optional: true}
        callback: {hosts: [api.example.com, "*.docs.example.com"], paths: [/hooks/in], schemes: [https], bare: https}
        to: {each: {domains: [example.com, example.org]}, max_length: 3, min_length: 1}
        file: {under: [/srv/data/, /tmp/]}
        command: {commands: [git status, make test]}
        count: {type: integer, min: 1, max: 9}
        city: {min_length: 2}
        note: {type: string, optional: true}
        memo: {type: string, optional: true}
        address: {args: {country: {in: [DE, FR]}, zip: {max_length: 5, optional: true}}, other_args: deny}
      other_args: deny
      require: [amount > 0, 'size(reference) < 20 || !has(args.reference)']
      deny_if:
        - amount + 1 > 50000 && (currency == "USD" || currency != "EUR")
        - {if: 'to.exists(x, x.startsWith("a")) && to.all(x, x.contains("@"))', message: not so}
        - 'session.tainted("secret") || session.seen("look/at") || session.count("look") > 3'
        - time.hour("Europe/Berlin") < 8 || !(time.weekday("UTC") in [1, 2])
      approval_needed_if: amount > 5000
    approval:
      - {approvers: ["group:a", b], quorum: 2, expires: 15m}
      - {when: amount >= 20000, approvers: ["group:cfo"]}
    sanitize:
      - {redact: [ssn, email], fields: [memo, "notes.**"]}
      - {match: 'MRN-\d{8}', replace: '[MRN]'}
    limits: [{calls: 1/day, by: city}]
  - {name: look, effect: read, on_failure: open, mode: shadow, case_keys: distinct, taints: [secret, idle]}
`

const fullGuardrail = `guardrail: floor
tenant: "*"
agents: [bot, other]
regions: [eu, us]
limits: [{budget: $50000/month, per: tenant}]
tools:
  - {name: "*", actions: ["delete_*", purge], conditions: {deny_if: "true"}}
`

const fullCases = `test: full
defaults: {tenant: acme, agent: bot, region: eu}
calls:
  pay:
    tool: pay
    action: create
    args: {amount: 10, currency: USD, fast: true, callback: "https://api.example.com/hooks/in", to: [b@example.com], file: /srv/data/x,
      command: git status, count: 1, city: Bern, address: {country: DE}}
cases:
  - {name: plain, call: {like: pay}, expect: allow}
  - {name: reference, call: {like: pay, args: {reference: INV-123456z}}, expect: allow}
  - {name: large, call: {like: pay, args: {amount: 20000}}, expect: approval_needed}
  - {name: mail, call: {like: pay, args: {memo: a@b.example}}, expect: sanitize}
  - {name: pounds, call: {like: pay, args: {currency: GBP, amount: 49999}}, expect: deny}
  - {name: hold, call: {like: pay, action: hold}, expect: allow}
  - {name: look, call: {tool: look, args: {city: Bern}}, expect: allow}
  - {name: purge, call: {tool: look, action: purge, args: {}}, expect: deny}
  - {name: looked, before: [{call: {tool: look, args: {city: Bern}}}], call: {like: pay}, expect: deny}
`

// fullBench loads fullPolicy and its cases.
func fullBench(t testing.TB) (*policy.Set, []*testCase, []trace) {
	t.Helper()
	tt := t.(*testing.T)
	dir := bench(tt, map[string]string{"p.yaml": fullPolicy, "g.yaml": fullGuardrail, "p_test.yaml": fullCases})
	set, err := policy.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	tests, err := read([]string{dir + "/p_test.yaml"}, set)
	if err != nil {
		t.Fatal(err)
	}
	g, err := newGates(set, decide.Both)
	if err != nil {
		t.Fatal(err)
	}
	var traces []trace
	for _, c := range tests[0].cases {
		r, tr := g.runCase(c)
		for _, f := range r.Failures {
			t.Errorf("%s: %+v", c.name, f)
		}
		traces = append(traces, tr)
	}
	return set, tests[0].cases, traces
}

// TestChangesAreSound: every change is one that the loader could have made: both evaluators take it, and say the same of
// every call. It has an effect on what is enforced, and is undone without a trace.
func TestChangesAreSound(t *testing.T) {
	set, cases, _ := fullBench(t)
	changes := changesOf(set, callsOf(cases))
	t.Logf("%d changes", len(changes))
	if len(changes) < 150 {
		t.Errorf("only %d changes of a policy that says everything", len(changes))
	}
	var s decide.Scratch
	for i := range changes {
		c := &changes[i]
		name := c.Source + " " + c.Rule + ": " + c.Change
		c.apply()
		if set.Fingerprint() == set.Version {
			t.Errorf("%s: nothing is changed", name)
		}
		if i%29 == 0 || os.Getenv("AEGIS_LONG") != "" { // OPA compiles the whole policy each time
			g, err := decide.NewGate(set, decide.Options{Engine: decide.Both})
			if err != nil {
				t.Errorf("%s: %v", name, err)
			} else {
				for _, k := range cases {
					if _, err := k.holds(g, &s); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
			}
		}
		c.undo()
		if set.Fingerprint() != set.Version {
			t.Fatalf("%s: is not undone", name)
		}
	}
	for i := range changes { // twice: a change can be made again
		changes[i].apply()
		changes[i].undo()
	}
	if set.Fingerprint() != set.Version {
		t.Error("made again, a change is not undone")
	}
}

// TestChangesOfEachKind: the kinds of change that the page promises are made on a policy that says everything.
func TestChangesOfEachKind(t *testing.T) {
	set, cases, _ := fullBench(t)
	var all []string
	for _, c := range changesOf(set, callsOf(cases)) {
		all = append(all, key(c.Rule)+"|"+c.Change)
	}
	text := "\n" + strings.Join(all, "\n") + "\n"
	for _, want := range []string{
		"callers|callers without planner", "max_chain_depth|max_chain_depth 1 instead of 2", "max_chain_depth|without max_chain_depth",
		"regions|regions without us", "regions|without regions", "until|until a day earlier", "|mode: shadow", "|mode: enforce",
		"limits[0]|one less than 5/s", "limits[0]|burst 8", "limits[0]|5/s and twice as slow", "limits[1]|without 200/session",
		"limits[2]|without by city", "limits[3]|0.01 more than $2000.50/day", "limits[3]|tz: UTC", "limits[4]|1 less than 20000/week of amount",
		"limits[0]|per agent", "cost|$0.03 instead of $0.02", "cost|amount + 0.01 instead of amount * 0.01", "|without the taint money", "|without the entry", "|any action",
		"|without the tool pay", "|without the action hold", "|effect: read", "|effect: write", "|on_failure: closed", "|without case_keys",
		"max_amount|max_amount 5000.01 instead of 5000", "args.amount.decimals|decimals 3 instead of 2", "args.amount.type|optional: true",
		"args.currency.in|args.currency.in without \"EUR\"", "args.currency.in|args.currency.in with \"GBP\"", "args.currency.in|without else: approval",
		"args.kind.not_in|args.kind.not_in without 3", "args.reference.matches|matches (?s:.*)(?:INV-[0-9]{6,8}x?y*z+)", "args.reference.matches|matches (?:INV-[0-9]{6,8}x?y*z+)(?s:.*)",
		"args.callback.hosts|hosts *.example.com instead of api.example.com", "args.callback.hosts|schemes with http", "args.callback.hosts|without paths",
		"args.callback.hosts|without bare", "args.to.max_length|args.to.max_length 4 instead of 3", "args.to.each.domains|domains without example.org",
		"args.file.under|under /srv/ instead of /srv/data/", "args.command.commands|commands git instead of git status", "args.count.type|type: number",
		"args.count.max|args.count.max 10 instead of 9", "args.address.other_args|other_args: allow", "other_args|other_args: allow",
		"require[0]|amount >= 0 instead of amount > 0", "require[0]|amount > 1 instead of amount > 0", "require[0]|without require: amount > 0",
		"deny_if[0]|amount - 1 > 50000 && (currency == \"USD\" || currency != \"EUR\") instead of amount + 1 > 50000 && (currency == \"USD\" || currency != \"EUR\")", "deny_if|false instead of true",
		"approval_needed_if|amount >= 5000 instead of amount > 5000", "approval[0]|without the approver b", "approval[0]|quorum 3 instead of 2",
		"approval[0]|expires 30m0s", "approval[1]|without when: amount >= 20000", "approval[1]|without the approval", "sanitize[0]|redact without ssn",
		"sanitize[0]|fields without memo", "sanitize[1]|replace: [MRN]X", "sanitize[1]|without the sanitizer", "|agents without bot",
	} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("no change %q", want)
		}
	}
	for _, part := range []string{"deny_if[3]|time.hour(\"UTC\") < 8", "|| ", "&& ", ".all(", "!session.seen", "!(", "{5,8}", "{7,8}", "{6,9}", "{6,7}"} {
		if !strings.Contains(text, part) {
			t.Errorf("no change holds %q", part)
		}
	}
	if t.Failed() {
		t.Log("run with -v for the changes")
		if testing.Verbose() {
			t.Log(text)
		}
	}
}

// TestSurvivors: what survives is what no case notices, and what a case notices is killed.
func TestSurvivors(t *testing.T) {
	for _, k := range []struct {
		name, cases string
		killed      []string
	}{
		{"one call", `  - {name: a, call: {tool: pay, action: create, args: {amount: 1, currency: USD}}, expect: allow}`,
			[]string{"without the entry", "without \"USD\"", "amount <= 0", "!(amount > 0)", "amount > 1 instead"}},
		{"the bound", `  - {name: a, call: {tool: pay, action: create, args: {amount: 50, currency: EUR}}, expect: allow}
  - {name: b, call: {tool: pay, action: create, args: {amount: 51, currency: EUR}}, expect: deny}`,
			[]string{"max_amount 49", "max_amount 51", "without max_amount", "without \"EUR\""}},
		{"the limit", `  - name: a
    before: [{call: {tool: pay, action: create, args: {amount: 1, currency: USD}}, repeat: 2}]
    call: {tool: pay, action: create, args: {amount: 1, currency: USD}}
    expect: allow
  - name: b
    before: [{call: {tool: pay, action: create, args: {amount: 1, currency: USD}}, repeat: 3}]
    call: {tool: pay, action: create, args: {amount: 1, currency: USD}}
    expect: deny`,
			[]string{"one less than 3/session", "one more than 3/session", "without 3/session"}},
		{"what is not granted", `  - {name: a, call: {tool: pay, action: drop, args: {amount: 1, currency: USD}}, expect: deny}`, []string{"any action"}},
	} {
		t.Run(k.name, func(t *testing.T) {
			rep := runCases(t, payPolicy, k.cases, Options{Mutate: true})
			survived := fmt.Sprint(rep.Mutation.Survivors)
			for _, change := range k.killed {
				if strings.Contains(survived, change) {
					t.Errorf("%q survived", change)
				}
			}
			all := runCases(t, payPolicy, `  - {name: a, call: {tool: none, args: {}}, expect: deny}`, Options{Mutate: true})
			if all.Mutation.Killed != 0 || all.Mutation.Score != 0 || all.Mutation.Mutants != rep.Mutation.Mutants+rep.Mutation.Equivalent {
				t.Errorf("a case about nothing: %+v", all.Mutation)
			}
			for _, change := range k.killed {
				if change != "amount <= 0" && !strings.Contains(fmt.Sprint(all.Mutation.Survivors), change) {
					t.Errorf("there is no change %q", change)
				}
			}
		})
	}
}

// TestMutateLimit: a limit tries so many, spread over the policy, and says how many it left out.
func TestMutateLimit(t *testing.T) {
	cases := `  - {name: a, call: {tool: none, args: {}}, expect: deny}`
	all := runCases(t, payPolicy, cases, Options{Mutate: true}).Mutation
	some := runCases(t, payPolicy, cases, Options{Mutate: true, MutateLimit: 5}).Mutation
	if some.Mutants != 5 || some.Skipped != all.Mutants-5 || some.Survivors[0].Change != all.Survivors[0].Change {
		t.Errorf("%+v of %+v", some, all)
	}
	if got := pickEvenly(10, 3); !reflect.DeepEqual(got, []int{0, 3, 6}) {
		t.Errorf("picked %v", got)
	}
	failing := runCases(t, payPolicy, `  - {name: a, call: {tool: none, args: {}}, expect: allow}`, Options{Mutate: true})
	if failing.Mutation != nil || failing.Failed != 1 {
		t.Errorf("a suite that fails has a score: %+v", failing)
	}
}

// TestLiftedProof: a bound that is said to be moved without effect says the same of every number, on the gate itself.
func TestLiftedProof(t *testing.T) {
	proved := 0
	rapid.Check(t, func(t *rapid.T) {
		op := func(name string) string {
			return rapid.SampledFrom([]string{"<", "<=", ">", ">=", "==", "!="}).Draw(t, name)
		}
		num := func(name string) int { return rapid.IntRange(0, 6).Draw(t, name) }
		when := fmt.Sprintf("x %s %d", op("a"), num("m"))
		switch rapid.IntRange(0, 3).Draw(t, "shape") {
		case 0:
			when = fmt.Sprintf("%s && %d %s x", when, num("n"), op("b"))
		case 1:
			when = fmt.Sprintf("%s || x %s %d.5", when, op("b"), num("n"))
		case 2:
			when = fmt.Sprintf("!(%s)", when)
		}
		set, err := policy.LoadText("p.yaml", fmt.Sprintf("agent: a\nallowed_tools:\n  - name: t\n    conditions:\n      %s_x: %d\n"+
			"      approval_needed_if: '%s'\n", rapid.SampledFrom([]string{"max", "min"}).Draw(t, "bound"), num("bound"), when))
		if err != nil {
			t.Skip(err.Error())
		}
		for _, c := range changesOf(set, nil) {
			if c.same == nil || !c.same() {
				continue
			}
			proved++
			before := verdicts(t, set)
			c.apply()
			if after := verdicts(t, set); !reflect.DeepEqual(before, after) {
				t.Fatalf("%s changes %v to %v", c.Change, before, after)
			}
			c.undo()
		}
	})
	if proved == 0 {
		t.Error("no change was proved to have no effect")
	}
}

// verdicts judges numbers on and around all small ones.
func verdicts(t *rapid.T, set *policy.Set) []string {
	g, err := decide.NewGate(set, decide.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var s decide.Scratch
	var out []string
	plan := g.Engine.Plan("default", "a", "t", "")
	for half := -3; half <= 16; half++ {
		for _, d := range []string{"0", "25"} {
			doc, err := aegis.Parse(fmt.Appendf(nil, `{"x":%d.%d%s}`, half/2, 5*(half&1), d))
			if err != nil {
				continue // a minus before half of nothing
			}
			v, err := g.Judge(&s, plan, &aegis.Call{Tenant: "default", Agent: "a", Tool: "t", Args: doc.Root()}, nil)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, g.Engine.Canon(v.Hits))
		}
	}
	return out
}

// BenchmarkMutate reports how many mutants of the payments example are decided in a second, by one worker.
func BenchmarkMutate(b *testing.B) {
	path := "../../examples/payments/policies"
	mutants := 0
	for b.Loop() {
		rep, err := Run(b.Context(), []string{path}, Options{Mutate: true, Parallel: 1})
		if err != nil {
			b.Fatal(err)
		}
		mutants += rep.Mutation.Mutants + rep.Mutation.Equivalent
	}
	b.ReportMetric(float64(mutants)/b.Elapsed().Seconds(), "mutants/s")
}
