package decide

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// benchPolicy has what a policy for payments usually has.
const benchPolicy = `agent: finance-agent
tenant: acme
callers: [user, planner-agent]
max_chain_depth: 3
limits: [{calls: 200/session}]
allowed_tools:
  - name: stripe-payments
    actions: [create_payment, create_payout]
    conditions:
      max_amount: 5000
      args:
        amount: {type: number, decimals: 2}
        currency: {in: [USD, EUR]}
        recipient: {matches: 'acct_[a-z0-9]{10}'}
        memo: {optional: true, max_length: 200}
      other_args: deny
      require: [amount > 0, '!chain.exists(c, c == "intern-agent")']
      deny_if: amount > 50000
      approval_needed_if: amount > 5000 && currency == "USD"
  - {name: stripe-payments, actions: ["get_*"], effect: read}
  - {name: mail, actions: [send], conditions: {args: {to: {domains: [example.com]}}}}
`

func benchSet(b testing.TB) *policy.Set {
	s, err := policy.LoadText("bench.yaml", benchPolicy)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// benchCalls are calls that the policy allows, holds, denies and does not grant.
var benchCalls = map[string]string{
	"allow":      `{"amount":4999.99,"currency":"EUR","recipient":"acct_1f3a9c2e77","memo":"invoice 7"}`,
	"approval":   `{"amount":6000,"currency":"USD","recipient":"acct_1f3a9c2e77","memo":"invoice 7"}`,
	"deny":       `{"amount":60000,"currency":"GBP","recipient":"x","memo":"invoice 7","extra":1}`,
	"error":      `{"amount":"5000","currency":null}`,
	"notgranted": `{}`,
}

func benchCall(b testing.TB, name string) *aegis.Call {
	doc, err := aegis.Parse([]byte(benchCalls[name]))
	if err != nil {
		b.Fatal(err)
	}
	c := &aegis.Call{Tenant: "acme", Agent: "finance-agent", Tool: "stripe-payments", Action: "create_payment",
		Args: doc.Root(), Chain: []string{"planner-agent"}, Time: 1_700_000_000_000_000, HasTime: true}
	if name == "notgranted" {
		c.Tool = "ledger"
	}
	return c
}

// BenchmarkOPA is the baseline that the native engine is measured against.
func BenchmarkOPA(b *testing.B) {
	o, err := NewOPA(benchSet(b))
	if err != nil {
		b.Fatal(err)
	}
	for name := range benchCalls {
		b.Run(name, func(b *testing.B) {
			c, f := benchCall(b, name), &Facts{}
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := o.Evaluate(c, f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// compiled prepares data.aegis.decision of modules.
func compiled(t *testing.T, modules []policy.Module, options ...func(*rego.Rego)) rego.PreparedEvalQuery {
	options = append(options, rego.Query("data.aegis.decision"))
	for _, m := range modules {
		options = append(options, rego.Module(m.Path, m.Text))
	}
	q, err := rego.New(options...).PrepareForEval(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// TestRegoIsClean compiles generated Rego as strictly as OPA can, and reformats it.
func TestRegoIsClean(t *testing.T) {
	r := newDiffRand(5, 0)
	for i := range 6 {
		s := exprSet(r.admitted(anyCondition, 100))
		if i%2 == 0 {
			if _, s = r.set(t.TempDir()); s == nil {
				continue
			}
		}
		modules := policy.Rego(s)
		compiled(t, modules, rego.Strict(true))
		if again := policy.Rego(s); !slices.Equal(modules, again) {
			t.Error("the same set comes out as other text")
		}
		for _, m := range modules {
			if _, err := format.SourceWithOpts(m.Path, []byte(m.Text), format.Opts{RegoVersion: ast.RegoV1}); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestRegoDecision holds the decision object against the hits that make it, in the form that a bundle has: with the
// places of rules as data, and policies' own Rego.
func TestRegoDecision(t *testing.T) {
	s := benchSet(t)
	p := s.Policies[0]
	p.Custom = []*policy.Custom{{File: "own.rego", Rule: policy.RuleID(len(s.Rules)),
		Source: "package aegis.custom\n\nimport rego.v1\n\napproval_needed contains \"big\" if input.args.amount > 4000\n"}}
	s.Rules = append(s.Rules, policy.Rule{ID: "acme/finance-agent#rego[0]"})
	own, err := s.CustomRego()
	if err != nil {
		t.Fatal(err)
	}
	modules := append(policy.Rego(s), policy.CustomHits(s, own))
	for _, m := range own {
		modules = append(modules, m.Module)
	}
	sources := map[string]any{}
	for _, r := range s.Rules {
		sources[r.ID] = r.Pos.String()
	}
	q := compiled(t, modules, rego.Store(inmem.NewFromObject(map[string]any{"aegis": map[string]any{"sources": sources}})))
	e, err := newEngines(s)
	if err != nil {
		t.Fatal(err)
	}
	for name := range benchCalls {
		c := benchCall(t, name)
		rs, err := q.Eval(t.Context(), rego.EvalParsedInput(newInputs(s).of(c, &Facts{})))
		if err != nil || len(rs) != 1 {
			t.Fatal(rs, err)
		}
		v := e.native.Evaluate(new(Scratch), e.native.Plan(c.Tenant, c.Agent, c.Tool, c.Action), c, &Facts{})
		reasons, errs := e.native.Explain(c, v)
		want := map[string]any{"decision": v.Outcome.String(), "policy_version": s.Version, "reasons": e.written(v, reasons), "errors": e.written(v, errs)}
		if got := rs[0].Expressions[0].Value; !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\ngot  %v\nwant %v", name, got, want)
		}
	}
}

// written turns reasons into what Rego says of them.
func (e *engines) written(v *Verdict, reasons []aegis.Reason) []any {
	list := []any{}
	for _, r := range reasons {
		for _, h := range v.Hits {
			if e.set.Rules[h.Rule].ID == r.Rule && h.Code == r.Code {
				list = append(list, map[string]any{"rule": r.Rule, "code": r.Code.String(), "outcome": h.Outcome.String(),
					"source": e.set.Rules[h.Rule].Pos.String()})
			}
		}
	}
	return list
}

// TestRegoOddInput gives the generated Rego what a stock OPA may be asked: envelopes with parts left out or of another
// type. There is always a decision; what is left out means what it means to every door, and nothing odd is allowed.
func TestRegoOddInput(t *testing.T) {
	q := compiled(t, policy.Rego(benchSet(t)))
	const call = `"tenant":"acme","agent":"finance-agent","tool":"stripe-payments","action":"create_payment"`
	args := `"args":` + benchCalls["allow"]
	for _, c := range []struct{ input, want string }{
		{`{` + call + `,` + args + `,"chain":[],"facts":{}}`, "allow"},
		{`{` + call + `,` + args + `}`, "allow"},
		{`{` + call + `,` + args + `,"chain":null}`, "deny"},
		{`{` + call + `,` + args + `,"chain":"user"}`, "deny"},
		{`{` + call + `,` + args + `,"chain":{"a":"user"}}`, "deny"},
		{`{` + call + `,` + args + `,"chain":[null]}`, "deny"},
		{`{` + call + `,` + args + `,"chain":["user",["user"]]}`, "deny"},
		{`{` + call + `}`, "deny"},
		{`{` + call + `,"args":null}`, "deny"},
		{`{` + call + `,"args":[]}`, "deny"},
		{`{` + call + `,"args":"x"}`, "deny"},
		{`{` + args + `}`, "deny"},
		{`{}`, "deny"},
		{`[]`, "deny"},
		{`null`, "deny"},
		{`{"tenant":"acme","agent":"finance-agent","tool":"stripe-payments","action":"get_x"}`, "allow"},
		{`{"tenant":"acme","agent":"finance-agent","tool":"stripe-payments"}`, "deny"},
		{`{"tenant":"acme","agent":"finance-agent","tool":"stripe-payments","action":["get_x"]}`, "deny"},
		{`{"tenant":["acme"],"agent":"finance-agent","tool":"stripe-payments","action":"get_x"}`, "deny"},
	} {
		input, err := ast.ValueFromReader(strings.NewReader(c.input))
		if err != nil {
			t.Fatal(err)
		}
		rs, err := q.Eval(t.Context(), rego.EvalParsedInput(input))
		if err != nil || len(rs) != 1 {
			t.Fatal(c.input, rs, err)
		}
		if got := rs[0].Expressions[0].Value.(map[string]any)["decision"]; got != c.want {
			t.Errorf("%s: %v, want %s", c.input, got, c.want)
		}
	}
}

// TestCustomRegoIsCancelled runs policies' own Rego that would run for hours: at its deadline it fails, and that denies.
func TestCustomRegoIsCancelled(t *testing.T) {
	for _, body := range []string{
		"deny contains \"x\" if count([1 | some i in numbers.range(1, 100000); some j in numbers.range(1, 100000); i == j]) > 0\n",
		"x := [y | some i in numbers.range(1, 100000000); y := sprintf(\"%d\", [i])]\n\ndeny contains \"x\" if count(x) > 0\n",
	} {
		s := benchSet(t)
		s.Policies[0].Custom = []*policy.Custom{{File: "own.rego", Rule: 1, Source: "package aegis.custom\n\n" + body}}
		c, err := newCustoms(s)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		hits := c.hitsWithin(ctx, 0, newInputs(s).of(benchCall(t, "allow"), &Facts{}))
		if want := []aegis.Hit{{Rule: 1, Code: aegis.CustomError, Outcome: aegis.Deny}}; !slices.Equal(hits, want) {
			t.Errorf("%s: %v", body, hits)
		}
	}
}

// TestCustomRegoIsBounded refuses modules that define or reach what they may not.
func TestCustomRegoIsBounded(t *testing.T) {
	for _, c := range []struct{ source, want string }{
		{"package aegis.custom\n\ndeny contains \"x\" if input.args.amount > 5\n", ""},
		{"package aegis.custom\n\ndeny contains x if {\n\tsome x in data.tenants.globex\n}\n", ""},
		{"package aegis.custom\n\ndecision := \"allow\"\n", "nothing uses decision"},
		{"package aegis.custom\n\ndeny := true\n", "must be a set"},
		{"package aegis.custom\n\ndeny[x] := 1 if some x in [1]\n", "must be a set"},
		{"package aegis\n\nallow := true\n", "must be aegis.custom"},
		{"package aegis.custom\n\nimport data.aegis.hits\n\ndeny contains x if some x in hits\n", "imported"},
		{"package aegis.custom\n\ndeny contains \"x\" if http.send({\"method\": \"get\", \"url\": \"http://x/\"}).status_code == 200\n", "undefined function http.send"},
		{"package aegis.custom\n\ndeny contains \"x\" if rand.intn(\"s\", 2) == 1\n", "undefined function rand.intn"},
		{"package aegis.custom\n\ndeny contains x if x := opa.runtime().env\n", "undefined function opa.runtime"},
		{"package aegis.custom\n\ndeny contains \"x\" if time.now_ns() > 0\n", "undefined function time.now_ns"},
		{"package aegis.custom\n\ndeny contains \"x\" if trace(\"x\")\n", "undefined function trace"},
	} {
		err := policy.CheckCustom("own.rego", c.source)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.source, err, c.want)
		}
	}
}

// TestOPAConcurrently is for the race detector: evaluations share constants.
func TestOPAConcurrently(t *testing.T) {
	s := benchSet(t)
	e, err := newEngines(s)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			scratch := new(Scratch)
			for range 20 {
				for name := range benchCalls {
					if native, opa, _, err := e.judge(scratch, benchCall(t, name), &Facts{}); err != nil || native != opa {
						t.Errorf("native %s, opa %s, %v", native, opa, err)
					}
				}
			}
		})
	}
	wg.Wait()
}
