package policy

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/aegisctl/aegis"
)

// regoEntry is an entry that matches, and every way in which it can.
type regoEntry struct {
	entry *Entry
	cases [][]string
}

// regoCover is an argument with a budget for a whole agent: the set says whether matching entries constrain it.
type regoCover struct {
	set  string
	path []string
}

// regoTools returns the ways in which a tool can be one of the patterns'.
func regoTools(ps []Pattern) [][]string {
	var cases [][]string
	for _, p := range ps {
		cases = append(cases, regoMatch("input.tool", p))
	}
	return cases
}

// regoActions returns the ways in which an action can be one of the patterns'; nil patterns let any and none pass.
func regoActions(ps []Pattern) [][]string {
	if ps == nil {
		return [][]string{nil}
	}
	var names []string
	var cases [][]string
	for _, p := range ps {
		switch m := regoMatch("input.action", p); {
		case p.Exact():
			names = append(names, string(p))
		case m == nil:
			cases = append(cases, []string{`action != ""`})
		default:
			cases = append(cases, m)
		}
	}
	if len(names) > 0 {
		cases = append([][]string{{"input.action in " + regoSet(names)}}, cases...)
	}
	return cases
}

// product returns every pair of cases, joined.
func product(as, bs [][]string) [][]string {
	var out [][]string
	for _, a := range as {
		for _, b := range bs {
			out = append(out, append(slices.Clone(a), b...))
		}
	}
	return out
}

// entry writes one entry and its actions as a set of hits, and adds that set to its owner's where the entry matches.
// The owner applies in the given cases.
func (g *regoGen) entry(b *bytes.Buffer, owner string, e *Entry, cases [][]string) {
	g.family(b, owner, e, product(regoTools(e.Tools), regoActions(e.Actions)), cases, nil)
}

// family writes an entry, or a child of one whose set is the owner.
func (g *regoGen) family(b *bytes.Buffer, owner string, e *Entry, match, cases [][]string, parent *regoNames) {
	all := product(cases, match)
	g.entries = append(g.entries, regoEntry{e, all})
	set := g.name("entry")
	in := g.part()
	defer g.done(in)
	in.WriteString("\n# " + regoQuote(e.ID) + "\n")
	start := in.Len()
	names := parent
	if names == nil {
		names = g.names(b, e)
	}
	g.scope(in, set, &e.Scope)
	if e.Conditions != nil {
		g.conditions(in, set, e.Conditions, names)
	}
	g.cost(in, set, e)
	g.limits(in, set, e.Limits)
	for _, k := range e.Children {
		g.family(in, set, k, childCases(e, k), all, names)
	}
	if in.Len() == start {
		return
	}
	for _, m := range match {
		regoRule(b, owner+" contains hit", append(slices.Clone(m), "some hit in "+set)...)
	}
	b.Write(in.Bytes())
}

// part returns an empty buffer for a part of the module, until done.
func (g *regoGen) part() *bytes.Buffer {
	n := len(g.spare)
	if n == 0 {
		return new(bytes.Buffer)
	}
	b := g.spare[n-1]
	g.spare = g.spare[:n-1]
	return b
}

func (g *regoGen) done(b *bytes.Buffer) {
	b.Reset()
	g.spare = append(g.spare, b)
}

// childCases says when an action with keys of its own matches, given that its entry does.
func childCases(e, k *Entry) [][]string {
	if slices.Equal(e.Tools, k.Tools) {
		return regoActions(k.Actions)
	}
	return product(regoTools(k.Tools), regoActions(k.Actions))
}

// regoNames is the set of top-level arguments that an entry and its matching actions name: a literal, or a rule.
type regoNames struct{ term string }

// names writes the rule for the arguments that an entry and its matching actions name, if anything asks for it.
func (g *regoGen) names(b *bytes.Buffer, e *Entry) *regoNames {
	closed := func(e *Entry) bool { return e.Conditions != nil && e.Conditions.OtherArgs > 0 }
	named := func(k *Entry) bool { return len(k.Names) > 0 }
	switch {
	case !closed(e) && !slices.ContainsFunc(e.Children, closed):
		return &regoNames{}
	case !slices.ContainsFunc(e.Children, named):
		return &regoNames{regoSet(e.Names)}
	}
	set := g.name("named")
	regoRule(b, set+" contains name", "some name in "+regoSet(e.Names))
	for _, k := range e.Children {
		for _, c := range childCases(e, k) {
			regoRule(b, set+" contains name", append(slices.Clone(c), "some name in "+regoSet(k.Names))...)
		}
	}
	return &regoNames{set}
}

// conditions writes one conditions block.
func (g *regoGen) conditions(b *bytes.Buffer, set string, cs *Conditions, names *regoNames) {
	blk := regoBlock{set: set, cs: cs}
	for _, c := range cs.ApprovalIf {
		yes := g.hit(c.Rule, aegis.ApprovalIf, aegis.ApprovalNeeded)
		blk.approval = append(blk.approval, yes)
		blk.lift = append(blk.lift, g.condition(b, set, c, yes, regoPass))
	}
	for _, c := range cs.Args {
		g.constraint(b, c, regoPlace{root: "input.args", given: "has_args"}.at(c.Path), blk, false)
	}
	for _, c := range cs.Require {
		g.condition(b, set, c, regoPass, g.hit(c.Rule, aegis.RequireFailed, aegis.Deny))
	}
	for _, c := range cs.DenyIf {
		g.condition(b, set, c, g.hit(c.Rule, aegis.DenyIf, aegis.Deny), regoPass)
	}
	if cs.OtherArgs > 0 {
		g.add(b, set, cs.OtherArgs, aegis.ArgumentMissing, aegis.Deny, "not has_args")
		g.add(b, set, cs.OtherArgs, aegis.UnnamedArgument, aegis.Deny,
			"count(object.keys(input.args) - "+names.term+") > 0")
	}
}

// regoPass is the value of a condition that has nothing to say.
const regoPass = "false"

// condition writes an expression as a rule whose value is what to say of it, and adds that to the set. What is proven
// neither true nor false is an error.
func (g *regoGen) condition(b *bytes.Buffer, set string, c *Condition, yes, no string) string {
	name := g.name("condition")
	x := &regoExpr{g: g, out: b, name: name}
	var cases []regoCase
	for _, alt := range x.rail(c.Expr, true) {
		cases = append(cases, regoCase{yes, orTrue(alt)})
	}
	for _, alt := range x.rail(c.Expr, false) {
		cases = append(cases, regoCase{no, orTrue(alt)})
	}
	cases = append(cases, regoCase{g.hit(c.Rule, aegis.ExpressionError, aegis.Deny), nil})
	regoRule(b, set+" contains "+name, name)
	regoChain(b, name, cases)
	return name
}

// cost writes the error of a cost that is no amount. A cost that an action states replaces its entry's.
func (g *regoGen) cost(b *bytes.Buffer, set string, e *Entry) {
	if e.Cost == nil || e.Cost.Expr == nil {
		return
	}
	name := g.name("cost")
	x := &regoExpr{g: g, out: b, name: name}
	body, term, ok := x.operand(e.Cost.Expr, aegis.Number)
	if ok {
		regoRule(b, name, append(body, term+" >= 0", "micro("+term+")")...)
	}
	for _, k := range e.Children {
		if k.Cost == nil {
			continue
		}
		ok = true
		for _, c := range childCases(e, k) {
			regoRule(b, name, orTrue(c)...)
		}
	}
	if !ok {
		g.add(b, set, e.Cost.Rule, aegis.ExpressionError, aegis.Deny)
		return
	}
	g.add(b, set, e.Cost.Rule, aegis.ExpressionError, aegis.Deny, "not "+name)
}

// limits writes what limits require of the arguments. Whether a ledger is used up is among the facts.
func (g *regoGen) limits(b *bytes.Buffer, set string, ls []*Limit) {
	for _, l := range ls {
		var when [][]string // the limit concerns the call
		switch {
		case l.Kind != LimitSum:
			when = [][]string{nil}
		case !l.Agent:
			when = [][]string{nil}
			g.fail(b, set, []RuleID{l.Rule}, g.spend(l.Arg, false))
		default:
			c := g.cover(l.Arg)
			term := regoPath("input.args", l.Arg)
			needed := []string{`"required" in ` + c}
			spare := []string{`not "required" in ` + c, `"optional" in ` + c}
			when = [][]string{needed, append(slices.Clone(spare), term+" != null"),
				append(slices.Clone(spare), "not has_args")}
			g.fail(b, set, []RuleID{l.Rule}, g.spend(l.Arg, false), needed...)
			g.fail(b, set, []RuleID{l.Rule}, g.spend(l.Arg, true), spare...)
		}
		for _, by := range l.By {
			for _, w := range when {
				g.fail(b, set, []RuleID{l.Rule}, g.scalar(by), w...)
			}
		}
	}
}

// spend returns a shared rule that holds, with the code for why, where an argument is no amount to charge.
func (g *regoGen) spend(path []string, optional bool) string {
	term := regoPath("input.args", path)
	n := g.number(term)
	return g.once("spend", strconv.FormatBool(optional)+term, func(name string) {
		b := &g.values
		regoRule(b, name+"_ok", n+" >= 0", "micro("+n+")")
		regoRule(b, name+" := "+name+"_code", "not "+name+"_ok")
		cases := []regoCase{{`problem(` + term + `, "number")`, []string{"true"}}, {`"argument_missing"`, nil}}
		if optional {
			cases[0].body = []string{term + " != null"}
			cases[1].body = []string{"not has_args"}
		}
		regoChain(b, name+"_code", cases)
	})
}

// scalar returns a shared rule that holds, with the code for why, where an argument cannot name a ledger.
func (g *regoGen) scalar(path []string) string {
	term := regoPath("input.args", path)
	n := g.number(term)
	return g.once("scalar", term, func(name string) {
		b := &g.values
		for _, ok := range []string{"is_string(" + term + ")", "is_boolean(" + term + ")", "is_number(" + n + ")"} {
			regoRule(b, name+"_ok", ok)
		}
		regoRule(b, name+" := "+name+"_code", "not "+name+"_ok")
		regoChain(b, name+"_code", []regoCase{{`"number_out_of_range"`, []string{"is_number(" + term + ")"}},
			{`problem(` + term + `, "scalar")`, []string{"true"}}, {`"argument_missing"`, nil}})
	})
}

// cover returns the set that says whether matching entries constrain an argument: it may hold required and optional.
func (g *regoGen) cover(path []string) string {
	return g.once("cover", regoPath("", path), func(name string) {
		g.covers = append(g.covers, &regoCover{name, path})
	})
}

// coverage writes the sets that cover asked for, once every entry is known.
func (g *regoGen) coverage() {
	for _, c := range g.covers {
		any := false
		for _, e := range g.entries {
			for _, word := range e.constrains(c.path) {
				for _, body := range e.cases {
					any = true
					regoRule(&g.values, c.set+" contains "+regoQuote(word), orTrue(body)...)
				}
			}
		}
		if !any {
			g.values.WriteString("\n" + c.set + " := set()\n")
		}
	}
}

// constrains lists how the entry constrains an argument: required, optional.
func (e regoEntry) constrains(path []string) []string {
	var words []string
	var look func(cs []*Constraint)
	look = func(cs []*Constraint) {
		for _, c := range cs {
			if slices.Equal(c.Path, path) {
				words = append(words, map[bool]string{false: "required", true: "optional"}[c.Optional])
			}
			look(c.Args)
		}
	}
	if e.entry.Conditions != nil {
		look(e.entry.Conditions.Args)
	}
	slices.Sort(words)
	return slices.Compact(words)
}
