package lint

import (
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var schemaImpossibleValue = &Rule{
	ID:       "AEG063",
	Name:     "schema-impossible-value",
	Severity: aegis.SeverityWarning,
	Summary:  "a rule waits for a value that the tool's schema rules out",
	Doc: `avoid: in: [Prod] where the schema's enum is [prod, dev]; deny_if: amount > 5000 where its maximum is 1000
prefer: values that the tool can be called with, as the schema spells them
why: a value that cannot occur makes a list longer and nothing else; in a deny_if it is a hole: what it should catch is
spelled otherwise. A bound that no valid value satisfies denies every call.
Judged are enum, const, bounds, lengths and patterns that RE2 reads in the same way.`,
	NeedsSchema: true,
	check:       checkSchemaImpossibleValue,
}

func checkSchemaImpossibleValue(p *pass) {
	p.schemaPairs(func(u *unit, e *policy.Entry, tools []*toolSchema) {
		// Where an entry is about several tools, a value must be impossible for all that have the argument.
		votes, voters := map[string]int{}, map[string]int{}
		var order []placed
		for _, t := range tools {
			for _, f := range p.impossible(u, e, t, voters) {
				if votes[f.place()+f.Message]++; votes[f.place()+f.Message] == 1 {
					order = append(order, f)
				}
			}
		}
		for _, f := range order {
			if votes[f.place()+f.Message] == voters[f.place()] {
				p.found = append(p.found, f)
			}
		}
	})
}

// place names what a finding is about.
func (f placed) place() string { return f.pos.String() + f.Rule }

// impossible returns what one tool's schema rules out, and counts the tool as a voter for every place that it judges.
func (p *pass) impossible(u *unit, e *policy.Entry, t *toolSchema, voters map[string]int) []placed {
	before := len(p.found)
	judged := map[string]bool{}
	judge := func(pos policy.Pos, rule policy.RuleID) { judged[pos.String()+p.id(rule)] = true }
	p.againstSchema(t, e, func(c *policy.Constraint, a argument) {
		ds := a.domains()
		for _, ch := range c.Checks {
			judge(p.pos(ch.Rule), ch.Rule)
			if len(ds) > 0 && !slices.ContainsFunc(ds, func(d *domain) bool { return d.kind != aegis.Absent && ch.Type != aegis.Absent && d.kind != ch.Type }) {
				p.impossibleCheck(c, ch, ds)
			}
		}
	})
	for _, c := range conditionsOf(e) {
		if slices.ContainsFunc(c.Expr.ArgPaths(), func(path []string) bool { return t.argument(path).known }) {
			judge(c.Pos, c.Rule)
		}
		terms(c.Expr, true, func(x *policy.Expr, _ bool) { p.impossibleTerm(u, t, c, x) })
	}
	for key := range judged {
		voters[key]++
	}
	out := slices.Clone(p.found[before:])
	p.found = p.found[:before]
	return out
}

const correctValue = "write it as the schema does, or remove it"

// impossibleCheck reports values of a list that cannot occur, and a check that no possible value passes.
func (p *pass) impossibleCheck(c *policy.Constraint, ch *policy.Check, ds []*domain) {
	name := strings.Join(c.Path, ".")
	if ch.Op == policy.CheckIn || ch.Op == policy.CheckNotIn {
		var gone []string
		for _, l := range ch.List {
			if !canBe(ds, func(d *domain) { d.among([]policy.Literal{l}, literalText(l)) }) {
				gone = append(gone, literalText(l))
			}
		}
		if len(gone) > 0 {
			p.report(ch.Rule, knownValues(ds), "%s can never be %s: the schema does not allow it", name, listed(gone))
		}
		return
	}
	if !canBe(ds, func(d *domain) { d.addOf(c, ch, p.wording(ch)) }) {
		d := *ds[0]
		d.addOf(c, ch, p.wording(ch))
		p.report(ch.Rule, "let through what the tool takes", "no value of %s that the schema allows passes %s: %s", name, p.key(ch.Rule), d.empty())
	}
}

// canBe reports whether one of the domains has a value that is left after narrowing.
func canBe(ds []*domain, narrow func(*domain)) bool {
	return slices.ContainsFunc(ds, func(d *domain) bool {
		x := *d
		narrow(&x)
		return x.empty() == ""
	})
}

// knownValues is the hint that lists what an enum allows.
func knownValues(ds []*domain) string {
	var values []string
	for _, d := range ds {
		if d.in == nil {
			return correctValue
		}
		for _, l := range d.in {
			values = append(values, literalText(l))
		}
	}
	if len(values) == 0 || len(values) > 12 {
		return correctValue
	}
	return "the schema allows " + joined(values)
}

// impossibleTerm reports a comparison that asks for what the schema rules out.
func (p *pass) impossibleTerm(u *unit, t *toolSchema, c condition, x *policy.Expr) {
	paths := x.ArgPaths()
	if len(paths) == 0 || x.Op == policy.OpHas {
		return
	}
	for _, path := range paths {
		if a := t.argument(path); !a.known || a.open || mistypedAnywhere(a, x, pathKey(path)) {
			return
		}
	}
	worlds, branches := p.worldsOf(u, c.entry, t, paths), maxBranches
	for _, y := range valuesAskedFor(x) {
		if !possibleIn(worlds, &branches, claim{y, true}) {
			hint := correctValue
			if len(paths) == 1 {
				hint = knownValues(t.argument(paths[0]).domains())
			}
			p.reportAt(c.Pos, c.Rule, hint, "%s: the tool's schema rules out that %s", p.key(c.Rule), y)
		}
	}
}

func mistypedAnywhere(a argument, x *policy.Expr, key string) bool {
	return slices.ContainsFunc(a.domains(), func(d *domain) bool { return mistyped(d, x, key) })
}

// valuesAskedFor returns the comparisons of which each should be able to hold for a term to make sense: each value of a
// list, the value of an inequality, and else the term itself.
func valuesAskedFor(x *policy.Expr) []*policy.Expr {
	switch {
	case x.Op == policy.OpIn && x.Sub[1].Op == policy.OpList:
		var out []*policy.Expr
		for _, l := range x.Sub[1].List {
			out = append(out, &policy.Expr{Op: policy.OpEq, Sub: []*policy.Expr{x.Sub[0], {Op: policy.OpLiteral, Lit: l}}})
		}
		return out
	case x.Op == policy.OpNe:
		return []*policy.Expr{{Op: policy.OpEq, Sub: x.Sub}}
	case x.Op == policy.OpPath:
		return nil
	}
	return []*policy.Expr{x}
}
