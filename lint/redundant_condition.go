package lint

import (
	"slices"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var redundantCondition = &Rule{
	ID:       "AEG053",
	Name:     "redundant-condition",
	Severity: aegis.SeverityInfo,
	Summary:  "a condition that the constraints beside it have already decided",
	Doc: `avoid: max_amount: 5000 with deny_if: amount > 50000, and nothing that lifts the maximum
prefer: the one that is meant; or approval_needed_if: amount > 5000, which lifts the maximum and needs the ceiling
why: the constraint denies every call that the condition could deny. Two bounds where one rules are often the rest of an
approval that was planned, or a bound on the wrong argument. Intervals and lists decide; a condition that reads anything
else than constrained arguments is not reported.`,
	check: checkRedundantCondition,
}

func checkRedundantCondition(p *pass) {
	p.entries(func(u *unit, e *policy.Entry) {
		if e.Conditions == nil || len(e.Conditions.DenyIf)+len(e.Conditions.Require) == 0 {
			return
		}
		facts, branches := p.factsOf(u, e), maxBranches
		w := p.factsOf(u, e)
		for _, x := range lineage(e) {
			if !w.bind(p, x.Conditions) {
				return // AEG003
			}
		}
		for _, c := range conditionsOf(e) {
			bites := claim{c.Expr, c.use == forDeny} // what it takes for the condition to deny
			if c.use != forDeny && c.use != forRequire || writtenWithNames(c) || !w.settles(c.Expr) ||
				!facts.search([]claim{bites}, &branches) || w.search([]claim{bites}, &branches) ||
				!w.search([]claim{{c.Expr, !bites.want}}, &branches) {
				continue
			}
			p.reportAt(c.Pos, c.Rule, "remove it, or the constraint that makes it superfluous",
				"%s makes no difference: the constraints on %s deny every call that it would deny", p.key(c.Rule), names(c.Expr.ArgPaths()))
		}
	})
}

// settles reports whether an expression is made of comparisons of arguments with constants, and the world knows that
// those arguments are there and of the right kind, so that the expression is no error.
func (w world) settles(e *policy.Expr) bool {
	switch e.Op {
	case policy.OpAnd, policy.OpOr, policy.OpNot:
		return !slices.ContainsFunc(e.Sub, func(s *policy.Expr) bool { return !w.settles(s) })
	case policy.OpIn:
		return e.Sub[1].Op == policy.OpList && w.knows(e.Sub[0], listKind(e.Sub[1].List))
	case policy.OpEq, policy.OpNe, policy.OpLt, policy.OpLe, policy.OpGt, policy.OpGe:
		a, b := e.Sub[0], e.Sub[1]
		if a.Op == policy.OpLiteral {
			a, b = b, a
		}
		return b.Op == policy.OpLiteral && w.knows(a, b.Lit.Kind)
	}
	return false
}

func (w world) knows(e *policy.Expr, kind aegis.Kind) bool {
	if !isArg(e) {
		return false
	}
	d := w[termKey(e)]
	return d != nil && d.given && d.kind == kind && kind != aegis.Absent
}
