package policy

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/limit"
)

// seed is the complete policy with which the language's description begins.
const seed = `agent: finance-agent
allowed_tools:
  - name: stripe-payments
    actions:
      - create_payment
    conditions:
      max_amount: 5000
      approval_needed_if: amount > 5000
`

func mustLoad(t testing.TB, text string) *Set {
	t.Helper()
	s, err := LoadText("p.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// writeFiles writes files into a new directory. A name may hold slashes.
func writeFiles(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func mustLoadFiles(t testing.TB, files map[string]string) *Set {
	t.Helper()
	s, err := Load(writeFiles(t, files))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// wantError checks that a load failed and that its message holds some words.
func wantError(t *testing.T, s *Set, err error, words string) {
	t.Helper()
	if err == nil || s != nil {
		t.Errorf("loaded; want an error with %q", words)
	} else if !strings.Contains(err.Error(), words) {
		t.Errorf("got %v; want an error with %q", err, words)
	}
}

func ids(s *Set) []string {
	var out []string
	for _, r := range s.Rules {
		out = append(out, r.ID)
	}
	return out
}

func TestSeed(t *testing.T) {
	s := mustLoad(t, seed)
	want := []string{"", "default/finance-agent#allowed_tools", "default/finance-agent#callers",
		"default/finance-agent/stripe-payments/create_payment#approval_needed_if",
		"default/finance-agent/stripe-payments/create_payment#max_amount"}
	if !slices.Equal(ids(s), want) {
		t.Errorf("rules %q", ids(s))
	}
	p := s.Policies[0]
	if p.Tenant != "default" || !slices.Equal(p.Scope.Callers, []string{"user"}) || p.Mode.Stated || p.Scope.UntilRule != NoRule {
		t.Errorf("policy %+v", p)
	}
	e := p.Entries[0]
	if !e.Grants || e.Effect != aegis.EffectUnset || e.Scope.CallersRule != NoRule || !slices.Equal(e.Names, []string{"amount"}) {
		t.Errorf("entry %+v", e)
	}
	c := e.Conditions.Args[0].Checks[0]
	if c.Op != CheckMax || c.Code != aegis.MaxExceeded || c.Type != aegis.Number || c.Num.Cmp(aegis.Int(5000)) != 0 || c.Text != "5000" {
		t.Errorf("check %+v", c)
	}
	if got := s.Rules[c.Rule]; got.Pos.String() != "p.yaml:7:7" {
		t.Errorf("the check is at %v", got.Pos)
	}
	if got := s.Rules[e.Conditions.ApprovalIf[0].Rule].Pos; got.Line != 8 {
		t.Errorf("the condition is at %v", got)
	}
}

// TestFullForm loads the full form of the language's description, word for word, beside a guardrail, a fragment, a list
// in a file, Rego, routes and schemas.
func TestFullForm(t *testing.T) {
	s, err := Load("testdata/full")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/full.rules")
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, r := range s.Rules[1:] {
		got.WriteString(r.ID + " " + r.Pos.String() + "\n")
	}
	if *update {
		if err := os.WriteFile("testdata/full.rules", []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	} else if got.String() != string(want) {
		t.Errorf("got\n%swant\n%s", got.String(), want)
	}
	if len(s.Policies) != 2 || len(s.Guardrails) != 1 || len(s.Routes) != 1 || len(s.Schemas) != 1 {
		t.Fatalf("%d policies, %d guardrails", len(s.Policies), len(s.Guardrails))
	}
	fullPolicy(t, s)
	if got := string(s.Schemas[0].JSON); !strings.Contains(got, `"maximum":18446744073709551615`) || s.Schemas[0].Tenant != "acme" {
		t.Errorf("schemas %s", got)
	}
}

func fullPolicy(t *testing.T, s *Set) {
	p := s.Policies[0]
	if !slices.Equal(p.Scope.Callers, []string{"planner-agent", "user"}) || !slices.Equal(p.Scope.Regions, []string{"eu-west-1"}) {
		t.Errorf("scope %+v", p.Scope)
	}
	if p.ID != "acme/finance-agent" || p.Meta["ticket"] != "SEC-412" || !p.Mode.Stated || p.Scope.MaxDepth != 3 {
		t.Errorf("policy %+v", p)
	}
	if end := time.UnixMicro(p.Scope.Until).UTC(); end.Format(time.DateTime) != "2027-01-01 00:00:00" {
		t.Errorf("until %v", end)
	}
	if len(p.Entries) != 3 || len(p.Custom) != 1 || p.Custom[0].File != "residency.rego" {
		t.Fatalf("%d entries", len(p.Entries))
	}
	rate, calls, cost, sum := p.Limits[0], p.Limits[1], p.Limits[2], p.Limits[3]
	if rate.Spec.Kind != limit.Rate || rate.Spec.Count != 5 || rate.Spec.Per != time.Second || rate.Spec.Ledger != "acme/finance-agent#limits[0]" {
		t.Errorf("rate %+v", rate.Spec)
	}
	if calls.Kind != LimitCalls || calls.Spec.Window != limit.Session || calls.Spec.Count != 200 || !calls.Agent {
		t.Errorf("calls %+v", calls)
	}
	if cost.Kind != LimitCost || cost.Spec.Cap != 20_000_000 || sum.Kind != LimitSum || sum.Arg[0] != "amount" || sum.By[0][0] != "currency" {
		t.Errorf("budgets %+v %+v", cost, sum)
	}
	fullEntry(t, s, p.Entries)
	g := s.Guardrails[0]
	if !g.Limits[0].PerTenant || g.Entries[0].Grants || !g.Matches("any", "agent") || g.Entries[0].Actions != nil {
		t.Errorf("guardrail %+v", g)
	}
}

func fullEntry(t *testing.T, s *Set, es []*Entry) {
	pay := es[slices.IndexFunc(es, func(e *Entry) bool { return e.ID == "acme/finance-agent/pay" })]
	if !slices.Equal(pay.Actions, []Pattern{"create_payment", "create_payout"}) || len(pay.Children) != 1 || pay.Children[0].Parent != pay {
		t.Errorf("pay %+v", pay)
	}
	names := "address amount attachment callback command currency memo notes order_id receipt_to recipient reference site tags"
	if got := strings.Join(pay.Names, " "); got != names {
		t.Errorf("names %s", got)
	}
	amount := pay.Conditions.Args[slices.IndexFunc(pay.Conditions.Args, func(c *Constraint) bool { return c.Path[0] == "amount" })]
	if amount.Type != aegis.Number || len(amount.Checks) != 3 || amount.Checks[2].Op != CheckMax {
		t.Errorf("amount %+v", amount)
	}
	if !slices.Equal(pay.Scope.Callers, []string{"planner-agent"}) || s.Rules[pay.Scope.CallersRule].ID != pay.ID+"#callers" {
		t.Errorf("scope of pay %+v", pay.Scope)
	}
	if pay.Cost.Micro != 20_000 || pay.OnFailure != FailClosed || !pay.CaseDistinct || !pay.Mode.Shadow {
		t.Errorf("pay %+v", pay)
	}
	first, second := pay.Approval[0], pay.Approval[1]
	if first.Expires != 15*time.Minute || first.Channel != "slack:#finance" || second.Quorum != 2 || second.Expires != 15*time.Minute ||
		second.When[0].Expr.String() != "amount > 20000" {
		t.Errorf("approval %+v %+v", first, second)
	}
	if !slices.Equal(pay.Sanitize[0].Redact, []string{"credit_card", "dob", "email", "health_id", "iban", "phone", "ssn"}) ||
		!slices.Equal(pay.Sanitize[0].Fields[1], []string{"notes", "**"}) || !pay.Sanitize[0].Args || pay.Sanitize[1].Match != `MRN-\d{8}` {
		t.Errorf("sanitize %+v", pay.Sanitize[0])
	}
}

func TestReferencePolicies(t *testing.T) {
	s, err := Load("testdata/reference")
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Policies) != 5 || s.Policies[4].ID != "globex/finance-agent" {
		t.Errorf("%d policies", len(s.Policies))
	}
	narrow, err := LoadOptions{Tenant: "globex"}.Load("testdata/reference")
	if err != nil || len(narrow.Policies) != 1 || len(narrow.Rules) != 10 {
		t.Errorf("%v %v", narrow, err)
	}
	_, err = LoadOptions{Tenant: "nobody"}.Load("testdata/reference")
	wantError(t, nil, err, "no policy is of the tenant nobody")
}

// TestConstraints looks at what constraints become.
func TestConstraints(t *testing.T) {
	s := mustLoad(t, `agent: a
params: {most: 7, word: "[a-z]+"}
lists: {hosts: [b.example.com, a.example.com]}
allowed_tools:
  - name: t
    conditions:
      min_n: -2.5
      args:
        n: {max: $most, optional: true, else: approval}
        i: {type: integer, in: [2, 1]}
        m: {matches: $word}
        u: {schemes: [https, http], bare: http}
        v: {hosts: $hosts, paths: [/x]}
        l: {type: list, min_length: 1, each: {args: {"a.b": {max_length: 3}}, other_args: deny}}
        "x/y": {in: ["$5", a]}
`)
	block := s.Policies[0].Entries[0].Conditions
	byName := map[string]*Constraint{}
	for _, c := range block.Args {
		byName[c.Path[0]] = c
	}
	keys := func(c *Constraint) string {
		var out []string
		for _, k := range c.Checks {
			_, key, _ := strings.Cut(s.Rules[k.Rule].ID, "#")
			out = append(out, key)
		}
		return strings.Join(out, " ")
	}
	for name, want := range map[string]string{"n": "args.n.max min_n", "i": "args.i.type args.i.in", "m": "args.m.matches",
		"u": "args.u.schemes", "v": "args.v.hosts", "l": "args.l.type args.l.min_length", "x/y": "args.x%2Fy.in"} {
		if got := keys(byName[name]); got != want {
			t.Errorf("%s: rules %s, want %s", name, got, want)
		}
	}
	n := byName["n"]
	if !n.Optional || !n.Approval || n.Checks[0].Text != "7" || n.Checks[1].Num.Text() != "-2.5" {
		t.Errorf("n %+v", n)
	}
	if i := byName["i"]; i.Checks[0].Op != CheckInteger || i.Type != aegis.Number || i.Checks[1].Text != "[2, 1]" {
		t.Errorf("i %+v", i)
	}
	want, _ := URLPattern([]string{"a.example.com", "b.example.com"}, []string{"https"}, []string{"/x"}, "")
	if v := byName["v"].Checks[0]; v.Pattern != want || v.Code != aegis.URLNotAllowed || v.Type != aegis.String {
		t.Errorf("v %+v", v)
	}
	l := byName["l"]
	inner := l.Each.Args[0]
	if l.Checks[1].Type != aegis.List || l.Each.OtherArgs == NoRule || !slices.Equal(inner.Path, []string{"l", "a.b"}) ||
		keys(inner) != "args.l.each.args.a%2Eb.max_length" || inner.Checks[0].Type != aegis.Absent {
		t.Errorf("l %+v", l)
	}
}

func TestLimits(t *testing.T) {
	s := mustLoad(t, `agent: a
limits:
  - {rate: 5/m, burst: 9, by: [b, a.c], per: tenant}
  - {calls: 3/week, tz: Europe/Berlin, per: agent}
allowed_tools: [{name: t, limits: [{budget: 0.5/hour of a.b}]}]
`)
	rate, calls, sum := s.Policies[0].Limits[0], s.Policies[0].Limits[1], s.Policies[0].Entries[0].Limits[0]
	if rate.Spec.Burst != 9 || len(rate.By) != 2 || !slices.Equal(rate.By[0], []string{"a", "c"}) || !rate.PerTenant || rate.Src != "5/m" {
		t.Errorf("rate %+v %+v", rate, rate.Spec)
	}
	if calls.Spec.Zone.String() != "Europe/Berlin" || calls.PerTenant {
		t.Errorf("calls %+v", calls.Spec)
	}
	if sum.Spec.Cap != 500_000 || !slices.Equal(sum.Arg, []string{"a", "b"}) || sum.Agent || sum.Spec.Ledger != "default/a/t#limits[0]" {
		t.Errorf("sum %+v %+v", sum, sum.Spec)
	}
}

func TestModes(t *testing.T) {
	s := mustLoad(t, `agent: a
mode: {enforce: 12.5%}
allowed_tools: [{name: t, mode: shadow}, {name: u, mode: {enforce: 100%}}]
`)
	p := s.Policies[0]
	if p.Mode != (Mode{Stated: true, Percent: 12.5}) || p.Entries[0].Mode != (Mode{Stated: true, Shadow: true}) ||
		p.Entries[1].Mode != (Mode{Stated: true, Percent: 100}) {
		t.Errorf("modes %+v %+v", p.Mode, p.Entries[0].Mode)
	}
}

func TestFeatures(t *testing.T) {
	s := mustLoad(t, `agent: a
allowed_tools:
  - name: t
    cost: 0.01 * session.count("t/x")
    conditions:
      deny_if: [session.seen("t/x"), 'session.tainted("u") && session.sum("t/x", "amount") > 5']
    approval: {when: 'session.count("t") > 1'}
`)
	var keys []string
	for _, f := range s.Features {
		keys = append(keys, f.Key())
	}
	if got := strings.Join(keys, " "); got != "t t/x t/x#amount u" {
		t.Errorf("features %s", got)
	}
}

// TestForms reads what may be written in several forms.
func TestForms(t *testing.T) {
	s := mustLoad(t, `agent: a
lists: {who: [planner, user], zones: [eu, us], words: ["$x", ""]}
params: {prefix: /srv/, on: true}
callers: $who
regions: $zones
allowed_tools:
  - name: t
    conditions:
      require: {if: urgent, message: "only what is urgent"}
      deny_if:
        - n > 3
        - {if: '"u" in tags', message: too much}
      approval_needed_if: params.on && flag
      args: {f: {under: [$prefix, /tmp/]}, g: {in: $words}, h: {in: ["", true_]}, i: {in: [true, false]}}
    sanitize: [{match: x, replace: "", where: [args, result]}, {redact: [email], where: [result]}]
    approval:
      when: [n > 1, {if: n > 2}]
      approvers: [eve, "group:b", "group:a"]
      expires: 2d
`)
	p := s.Policies[0]
	if !slices.Equal(p.Scope.Callers, []string{"planner", "user"}) || !slices.Equal(p.Scope.Regions, []string{"eu", "us"}) {
		t.Errorf("scope %+v", p.Scope)
	}
	e := p.Entries[0]
	c := e.Conditions
	for _, x := range []struct {
		c            *Condition
		id, src, msg string
	}{{c.Require[0], "require", "urgent", "only what is urgent"}, {c.DenyIf[0], "deny_if[0]", "n > 3", ""},
		{c.DenyIf[1], "deny_if[1]", `"u" in tags`, "too much"}, {e.Approval[0].When[1], "approval", "n > 2", ""}} {
		if s.Rules[x.c.Rule].ID != e.ID+"#"+x.id || x.c.Src != x.src || x.c.Message != x.msg {
			t.Errorf("%s: %+v", x.id, x.c)
		}
	}
	if under, _ := UnderPattern([]string{"/srv/", "/tmp/"}); c.Args[0].Checks[0].Pattern != under {
		t.Errorf("under %+v", c.Args[0].Checks[0])
	}
	if l := c.Args[1].Checks[0].List; l[0].Str != "$x" || l[1] != (Literal{Kind: aegis.String}) {
		t.Errorf("in %+v", l)
	}
	if c.Args[3].Type != aegis.Bool || c.Args[2].Checks[0].List[1].Str != "true_" {
		t.Errorf("args %+v", c.Args[3])
	}
	if x, y := e.Sanitize[0], e.Sanitize[1]; x.Replace != "" || !x.Args || !x.Result || y.Args || !y.Result ||
		!slices.Equal(x.Fields[0], []string{"**"}) {
		t.Errorf("sanitize %+v %+v", x, y)
	}
	tier := e.Approval[0]
	if tier.Rule != tier.When[0].Rule || len(tier.Approvers) != 3 || tier.Expires != 48*time.Hour || tier.Quorum != 1 {
		t.Errorf("approval %+v", tier)
	}
	if got := strings.Join(e.Names, " "); got != "f flag g h i n tags urgent" {
		t.Errorf("names %s", got)
	}
}

// TestNarrow keeps one tenant, and the guardrails that bound all.
func TestNarrow(t *testing.T) {
	dir := writeFiles(t, map[string]string{"a.yaml": "agent: a\ntenant: x\nallowed_tools: []\n", "b.yaml": "agent: a\ntenant: y\nallowed_tools: []\n",
		"g.yaml": "guardrail: g\ntenant: x\nregions: [eu]\n", "h.yaml": "guardrail: h\ntenant: \"*\"\nregions: [eu]\n",
		"i.yaml": "guardrail: i\ntenant: y\nregions: [eu]\n", "r.yaml": "routes: []\ntenant: y\n", "s.yaml": "schemas: {}\ntenant: x\n"})
	s, err := LoadOptions{Tenant: "x"}.Load(dir)
	if err != nil || len(s.Policies) != 1 || len(s.Guardrails) != 2 || len(s.Routes) != 0 || len(s.Schemas) != 1 {
		t.Fatal(s, err)
	}
	if got := strings.Join(ids(s), " "); got != " */guardrail:h#regions x/a#allowed_tools x/a#callers x/guardrail:g#regions" {
		t.Errorf("rules %s", got)
	}
	all, err := Load(dir)
	if err != nil || all.Version == s.Version || all.Policies[0].Digest != s.Policies[0].Digest {
		t.Errorf("another tenant changes a digest: %v", err)
	}
}
