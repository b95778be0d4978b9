package policy

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aegisctl/aegis"
)

func hasRule(s *Set, id string) bool { return slices.Contains(ids(s), id) }

// TestRuleIDs holds the forms of rule ids: they come from names and ids as written, never from positions.
func TestRuleIDs(t *testing.T) {
	s := mustLoadFiles(t, map[string]string{"a.yaml": `tenant: t/1
agent: ["b-*", a]
limits: [{rate: 1/s}]
allowed_tools:
  - name: [y, x]
    actions: [q, {name: p, taints: [u], conditions: {require: n.k > 0}}]
    callers: [c]
    conditions: {other_args: deny, args: {n: {args: {k: {in: [1]}}, other_args: deny}}}
  - id: pay/all
    name: z
    actions: [{name: [s, r], cost: $1}, {id: own, name: v, cost: $2}]
`, "g.yaml": `guardrail: g
agents: [a]
max_chain_depth: 0
tools: [{name: "*", conditions: {deny_if: ["true", "false"]}}]
`})
	for _, id := range []string{"t%2F1/a+b-*#limits[0]", "t%2F1/a+b-*#callers", "t%2F1/a+b-*/x+y/p+q#callers",
		"t%2F1/a+b-*/x+y/p+q#other_args", "t%2F1/a+b-*/x+y/p+q#args.n.args.k.in", "t%2F1/a+b-*/x+y/p+q#args.n.other_args",
		"t%2F1/a+b-*/x+y/p#require", "t%2F1/a+b-*/pay%2Fall/r+s#cost", "t%2F1/a+b-*/own#cost",
		"default/guardrail:g#max_chain_depth", "default/guardrail:g/*#deny_if[1]"} {
		if !hasRule(s, id) {
			t.Errorf("no rule %s in %q", id, ids(s))
		}
	}
}

// TestDuplicateIDs tells entries with one name apart by what they say, in whatever order they stand.
func TestDuplicateIDs(t *testing.T) {
	const head = "agent: a\nallowed_tools:\n"
	x := "  - {name: t, actions: [p, {name: q, cost: $1}], conditions: {max_n: 1}}\n"
	y := "  - {name: t, actions: [p, {name: q, cost: $1}], conditions: {max_n: 2}}\n"
	z := "  - {id: t/p, name: u, cost: $1}\n  - {id: q, name: t, actions: [p], cost: $1}\n"
	s, turned := mustLoad(t, head+x+y+z), mustLoad(t, head+z+y+x)
	if !slices.Equal(ids(s), ids(turned)) || s.Version != turned.Version {
		t.Errorf("order matters: %q %q", ids(s), ids(turned))
	}
	hashed := 0
	for _, id := range ids(s) {
		if regexp.MustCompile(`^default/a/t/(p\+)?q@[0-9a-f]{8}#`).MatchString(id) {
			hashed++
		}
	}
	if hashed != 4 || !hasRule(s, "default/a/t%2Fp#cost") || !hasRule(s, "default/a/q#cost") {
		t.Errorf("rules %q", ids(s))
	}
	// An id that is written stays as it is; what is derived gives way.
	s = mustLoad(t, head+"  - {id: t, name: u, cost: $1}\n  - {name: t, cost: $2}\n")
	if !hasRule(s, "default/a/t#cost") || len(s.Rules) != 5 {
		t.Errorf("rules %q", ids(s))
	}
}

// TestRuleNumbers checks that every number in the tree leads to its own rule, and that all ids differ.
func TestRuleNumbers(t *testing.T) {
	s, err := Load("testdata/full")
	if err != nil {
		t.Fatal(err)
	}
	sorted := ids(s)
	slices.Sort(sorted)
	if len(slices.Compact(sorted)) != len(s.Rules) {
		t.Error("two rules have one id")
	}
	s.eachEntry(func(e *Entry) {
		under := func(id RuleID, key string) {
			if s.Rules[id].ID != e.ID+"#"+key {
				t.Errorf("rule %d of %s is %s, not %s", id, e.ID, s.Rules[id].ID, key)
			}
		}
		for i, x := range e.Limits {
			under(x.Rule, indexed("limits", i))
		}
		for i, x := range e.Sanitize {
			under(x.Rule, indexed("sanitize", i))
		}
		for i, x := range e.Approval {
			under(x.Rule, indexed("approval", i))
			for _, c := range x.When {
				under(c.Rule, indexed("approval", i))
			}
		}
		if e.Cost != nil {
			under(e.Cost.Rule, "cost")
		}
	})
}

// TestFragments copies entries into each policy that uses them: ids are the policy's, places the fragment's.
func TestFragments(t *testing.T) {
	files := map[string]string{
		"f.yaml": "fragment: look\nparams: {most: 3}\nlists: {l: [a]}\nallowed_tools:\n" +
			"  - {name: t, conditions: {max_n: $most, args: {x: {in: $l}}}}\n",
		"a.yaml": "agent: a\nuse: [look]\n",
		"b.yaml": "agent: b\ntenant: acme\nuse: [look]\nallowed_tools: [{name: u}]\n",
	}
	s := mustLoadFiles(t, files)
	if !hasRule(s, "default/a/t#max_n") || !hasRule(s, "acme/b/t#args.x.in") || len(s.Policies) != 2 {
		t.Errorf("rules %q", ids(s))
	}
	p := s.Policies[1]
	if p.ID != "default/a" || !p.Entries[0].Grants || !strings.HasSuffix(p.Entries[0].Pos.File, "f.yaml") {
		t.Errorf("policy %+v", p)
	}
	if a, b := s.Policies[0].Entries[0], p.Entries[0]; a == b || a.Conditions == b.Conditions {
		t.Error("two policies share an entry")
	}
	// The fragment is checked even where nothing uses it, and its names are its own.
	files["f.yaml"] = "fragment: other\nallowed_tools: [{name: t, conditions: {max_n: $most}}]\n"
	files["a.yaml"], files["b.yaml"] = "agent: a\nparams: {most: 3}\nallowed_tools: []\n", "agent: b\nallowed_tools: []\n"
	set, err := Load(writeFiles(t, files))
	wantError(t, set, err, "no param is called most")
	files["g.yaml"] = files["f.yaml"]
	set, err = Load(writeFiles(t, files))
	wantError(t, set, err, "fragment other stands already")
}

// TestParams puts other values in the place of params.
func TestParams(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"a.yaml":       "agent: a\nparams: {most: 3, word: x}\nallowed_tools: [{name: t, conditions: {max_n: $most, deny_if: n > params.most}}]\n",
		"sub/ps.yaml":  "most: 7\n",
		"sub/bad.yaml": "most: seven\n",
		"sub/odd.yaml": "least: 1\n",
	})
	at := func(name string) string { return dir + "/" + name }
	plain, err := Load(at("a.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	values, err := LoadParams(at("sub/ps.yaml"))
	if err != nil || values["most"].Num.Cmp(aegis.Int(7)) != 0 {
		t.Fatal(values, err)
	}
	s, err := LoadOptions{Params: values}.Load(at("a.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	block := s.Policies[0].Entries[0].Conditions
	if block.Args[0].Checks[0].Num.Cmp(aegis.Int(7)) != 0 || block.DenyIf[0].Expr.String() != "n > 7" || s.Version == plain.Version {
		t.Errorf("conditions %+v", block)
	}
	for name, words := range map[string]string{"sub/bad.yaml": "is a string", "sub/odd.yaml": "which no policy declares"} {
		values, err := LoadParams(at(name))
		if err != nil {
			t.Fatal(err)
		}
		set, err := LoadOptions{Params: values}.Load(at("a.yaml"))
		wantError(t, set, err, words)
	}
}
