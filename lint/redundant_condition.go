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
approval that was planned, or a bound on the wrong argument. So is an approval_needed_if that the constraints make
true of every call. A condition that reads anything else than constrained arguments is not reported.`,
	check: checkRedundantCondition,
}

func checkRedundantCondition(p *pass) {
	p.entries(func(u *unit, e *policy.Entry) {
		if e.Conditions == nil || len(e.Conditions.DenyIf)+len(e.Conditions.Require)+len(e.Conditions.ApprovalIf) == 0 {
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
			bites := claim{c.Expr, c.use == forDeny} // what it takes for the condition to deny, or for nobody to be asked
			if c.use == forTier || writtenWithNames(c) || !w.settles(c.Expr) ||
				!facts.search([]claim{bites}, &branches) || w.search([]claim{bites}, &branches) ||
				!w.search([]claim{{c.Expr, !bites.want}}, &branches) {
				continue
			}
			if c.use == forApproval {
				p.reportAt(c.Pos, c.Rule, `write "true", if every call is meant to ask`,
					"%s always holds: the constraints on %s leave nothing else, so every call asks", p.key(c.Rule), names(c.Expr.ArgPaths()))
				continue
			}
			p.reportAt(c.Pos, c.Rule, "remove it, or the constraint that makes it superfluous",
				"%s makes no difference: the constraints on %s deny every call that it would deny", p.key(c.Rule), names(c.Expr.ArgPaths()))
		}
	})
}

// settles reports whether an expression is made of comparisons and tests of arguments, and the world knows that those
// arguments are there and of the right kind, so that the expression is no error.
func (w world) settles(e *policy.Expr) bool {
	switch e.Op {
	case policy.OpAnd, policy.OpOr, policy.OpNot:
		return !slices.ContainsFunc(e.Sub, func(s *policy.Expr) bool { return !w.settles(s) })
	case policy.OpIn:
		return e.Sub[1].Op == policy.OpList && w.knows(e.Sub[0], listKind(e.Sub[1].List))
	case policy.OpStarts, policy.OpEnds, policy.OpContains, policy.OpMatches:
		return w.knows(e.Sub[0], aegis.String)
	case policy.OpEq, policy.OpNe, policy.OpLt, policy.OpLe, policy.OpGt, policy.OpGe:
		a, b := e.Sub[0], e.Sub[1]
		if a.Op == policy.OpLiteral {
			a, b = b, a
		}
		return b.Op == policy.OpLiteral && w.knows(a, b.Lit.Kind)
	}
	return false
}

// knows reports whether an expression has a value of that kind in every call of the world.
func (w world) knows(e *policy.Expr, kind aegis.Kind) bool {
	switch {
	case kind == aegis.Absent:
		return false
	case e.Op == policy.OpSize:
		return kind == aegis.Number && w.knows(e.Sub[0], aegis.String)
	case e.Op == policy.OpLower:
		return kind == aegis.String && w.knows(e.Sub[0], aegis.String)
	case !isArg(e):
		return false
	}
	d := w[termKey(e)]
	return d != nil && d.given && d.kind == kind
}
