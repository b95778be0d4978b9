package lint

import (
	"slices"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var deadEntry = &Rule{
	ID:       "AEG026",
	Name:     "dead-entry",
	Severity: aegis.SeverityWarning,
	Summary:  "an entry, or one of its actions, that changes nothing",
	Doc: `avoid: actions: [get_issue, close_issue] beside actions: ["get_*"]; a grant of delete_repo under deny_if: "true"
prefer: each action in one entry, with the rules that it was written for
why: grants add up, so an action that another entry grants as well has no effect, nor has effect: read where another
entry says write. And what a deny_if: "true" of another entry or a guardrail takes away is not granted. Whoever edits
such an entry later believes that it matters. (AEG054 is about whole entries that say the same.)`,
	check: checkDeadEntry,
}

func checkDeadEntry(p *pass) {
	p.entries(func(u *unit, e *policy.Entry) {
		p.looserBounds(e)
		if !e.Grants || len(e.Children) > 0 {
			return
		}
		if p.deniedAnyway(u, e) {
			return
		}
		beside := u.beside(e)
		for _, x := range beside {
			if kin(x, e) || !within(e, x) {
				continue
			}
			if plain(e) && p.addsNothing(e, x) {
				return // AEG054
			}
			if !sameTerms(e, x) || !saysNoMore(e, x) {
				continue
			}
			if within(x, e) && saysNoMore(x, e) && comparePos(e.Pos, x.Pos) < 0 {
				continue // of twins the later one is dead
			}
			p.reportAt(e.Pos, policy.NoRule, "remove it, or write into it the rules that it is for",
				"the entry changes nothing: the one at %s says as much for all of its calls", line(x.Pos, e.Pos))
			return
		}
		p.deadActions(e, beside)
	})
}

// looserBounds reports bounds of an action that its entry's own bound keeps from ever deciding.
func (p *pass) looserBounds(e *policy.Entry) {
	if e.Parent == nil {
		return
	}
	for _, c := range constraintsOf(e) {
		for _, d := range constraintsOf(e.Parent) {
			if !slices.Equal(c.Path, d.Path) || c.Approval || d.Approval || d.Optional && !c.Optional || lifted(e.Parent.Conditions, d) {
				continue
			}
			for _, x := range c.Checks {
				for _, y := range d.Checks {
					if x.Op == y.Op && (x.Op == policy.CheckMax && x.Num.Cmp(y.Num) > 0 || x.Op == policy.CheckMin && x.Num.Cmp(y.Num) < 0) {
						p.report(x.Rule, "write the stricter bound, or remove it", "%s changes nothing: the entry's %s (%s) is stricter", p.wording(x), p.wording(y),
							line(p.pos(y.Rule), p.pos(x.Rule)))
					}
				}
			}
		}
	}
}

// deniedAnyway reports an entry all of whose calls another one denies, whatever they carry.
func (p *pass) deniedAnyway(u *unit, e *policy.Entry) bool {
	for _, x := range p.around(u, e) {
		if x == e || kin(x, e) || !alwaysDenies(x) || !within(e, x) || alwaysDenies(e) {
			continue
		}
		if g := p.guardrailOf(x); g != nil && !boundsAll(g, u.policy) {
			continue
		}
		p.reportAt(e.Pos, policy.NoRule, "remove it, or narrow the entry that denies",
			"the entry grants nothing: %s denies all of its calls", line(x.Pos, e.Pos))
		return true
	}
	return false
}

func (p *pass) guardrailOf(e *policy.Entry) *policy.Guardrail {
	for _, g := range p.guardrails {
		if slices.Contains(g.entries, e) {
			return g.guardrail
		}
	}
	return nil
}

// deadActions reports actions of an entry without rules that another entry grants as well.
func (p *pass) deadActions(e *policy.Entry, beside []*policy.Entry) {
	if len(e.Actions) < 2 {
		return
	}
	for _, a := range e.Actions {
		one := *e
		one.Actions = []policy.Pattern{a}
		for _, x := range beside {
			if kin(x, e) || !within(&one, x) || !sameTerms(e, x) || !saysNoMore(e, x) {
				continue
			}
			if slices.Contains(x.Actions, a) && saysNoMore(x, e) && comparePos(e.Pos, x.Pos) < 0 {
				continue
			}
			pos := p.word(e.Pos, string(a))
			p.reportAt(pos, policy.NoRule, "name it in one of the two", "the action %s changes nothing: the entry at %s grants it as well",
				a, line(x.Pos, pos))
			break
		}
	}
}

// sameTerms reports whether two entries bind alike: a rule in shadow is no stand-in for one that is enforced.
func sameTerms(e, x *policy.Entry) bool {
	mode := func(e *policy.Entry) policy.Mode {
		for _, y := range lineage(e) {
			if y.Mode.Stated {
				return y.Mode
			}
		}
		return policy.Mode{}
	}
	a, b := mode(e), mode(x)
	return a.Shadow == b.Shadow && a.Percent == b.Percent && e.Grants == x.Grants && e.CaseDistinct == x.CaseDistinct &&
		(effect(e) == effect(x) || effect(e) == aegis.Read) && (e.OnFailure == x.OnFailure || e.OnFailure == policy.FailOpen)
}

// saysNoMore reports whether every rule of e stands in x as well.
func saysNoMore(e, x *policy.Entry) bool {
	for _, own := range lineage(e) {
		if own.Scope.CallersRule != policy.NoRule && !slices.Equal(own.Scope.Callers, x.Scope.Callers) ||
			len(own.Sanitize) > 0 || own.Cost != nil || len(own.Approval) > 0 && len(x.Approval) == 0 || len(own.Approval) > 0 ||
			slices.ContainsFunc(own.Taints, func(t string) bool { return !slices.Contains(x.Taints, t) }) ||
			slices.ContainsFunc(own.Limits, func(l *policy.Limit) bool {
				return !slices.ContainsFunc(x.Limits, func(m *policy.Limit) bool { return sameLimit(l, m) })
			}) ||
			!conditionsWithin(own, x) {
			return false
		}
	}
	return true
}

func sameLimit(l, m *policy.Limit) bool {
	return l.Src == m.Src && l.PerTenant == m.PerTenant && slices.EqualFunc(l.By, m.By, slices.Equal[[]string])
}

// conditionsWithin reports whether every condition of e stands in x as well.
func conditionsWithin(e, x *policy.Entry) bool {
	if e.Conditions == nil {
		return true
	}
	if x.Conditions == nil || e.Conditions.OtherArgs != policy.NoRule {
		return false
	}
	for _, c := range conditionsOf(e) {
		if !slices.ContainsFunc(conditionsOf(x), func(d condition) bool { return c.use == d.use && c.Expr.String() == d.Expr.String() }) {
			return false
		}
	}
	theirs := constraintsOf(x)
	return !slices.ContainsFunc(constraintsOf(e), func(c *policy.Constraint) bool {
		return !slices.ContainsFunc(theirs, func(d *policy.Constraint) bool { return sameConstraint(c, d) })
	})
}

func sameConstraint(c, d *policy.Constraint) bool {
	return slices.Equal(c.Path, d.Path) && c.Optional == d.Optional && c.Approval == d.Approval &&
		(c.Each == nil) == (d.Each == nil) && (c.OtherArgs == policy.NoRule) == (d.OtherArgs == policy.NoRule) &&
		slices.EqualFunc(c.Checks, d.Checks, sameCheck)
}

func sameCheck(a, b *policy.Check) bool {
	return a.Op == b.Op && a.Code == b.Code && a.Type == b.Type && a.N == b.N && a.Pattern == b.Pattern && a.Num.Cmp(b.Num) == 0 &&
		slices.EqualFunc(a.List, b.List, policy.Literal.Equal)
}
