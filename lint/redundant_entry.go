package lint

import (
	"slices"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var redundantEntry = &Rule{
	ID:       "AEG054",
	Name:     "redundant-entry",
	Severity: aegis.SeverityWarning,
	Summary:  "an entry that adds nothing to another one",
	Doc: `avoid: an entry for "get_*", and a second one for get_user that says nothing more
prefer: one entry; or conditions that are the reason for the second
why: every entry that matches applies, so an entry matters by the calls that it grants or by what it adds. One whose
calls another grants, and whose rules that other has as strict or stricter, does neither; who edits it changes nothing.
Left alone: an entry of another file (a fragment), and whatever is not decidable: expressions that differ, limits.`,
	check: checkRedundantEntry,
}

func checkRedundantEntry(p *pass) {
	p.entries(func(u *unit, e *policy.Entry) {
		if u.guardrail != nil || e.Parent != nil || len(e.Children) > 0 || !plain(e) {
			return
		}
		for _, x := range u.beside(e) {
			if x.Parent == nil && len(x.Children) == 0 && x.Pos.File == e.Pos.File && within(e, x) && (!within(x, e) || comparePos(x.Pos, e.Pos) < 0) && p.addsNothing(e, x) {
				p.reportAt(e.Pos, policy.NoRule, "remove it", "this entry adds nothing to the one at %s, which matches all of its calls",
					line(x.Pos, e.Pos))
				return
			}
		}
	})
}

// plain reports whether an entry says nothing but which calls it grants and their conditions, so that it can be
// compared.
func plain(e *policy.Entry) bool {
	return len(e.Sanitize) == 0 && len(e.Taints) == 0 && len(e.Limits) == 0 && e.Cost == nil && len(e.Approval) == 0 &&
		e.Scope.CallersRule == policy.NoRule && (e.Conditions == nil || e.Conditions.OtherArgs == policy.NoRule)
}

// addsNothing reports whether x, which matches all calls of e, has all that e says.
func (p *pass) addsNothing(e, x *policy.Entry) bool {
	if effect(e) != effect(x) || e.Mode != x.Mode || e.OnFailure != x.OnFailure || e.CaseDistinct != x.CaseDistinct {
		return false
	}
	a, b := e.Conditions, x.Conditions
	if a == nil {
		// Arguments that an entry names count under other_args: deny of that entry only, so granting is all there is.
		return true
	}
	if b == nil {
		return len(a.Args)+len(a.Require)+len(a.DenyIf)+len(a.ApprovalIf) == 0
	}
	sameConditions := func(as, bs []*policy.Condition) bool {
		return !slices.ContainsFunc(as, func(c *policy.Condition) bool {
			return !slices.ContainsFunc(bs, func(d *policy.Condition) bool { return c.Expr.String() == d.Expr.String() && c.Message == d.Message })
		})
	}
	// What approvals of one block lift must be the same in the other, or neither may have any.
	if len(a.ApprovalIf) != len(b.ApprovalIf) || !sameConditions(b.ApprovalIf, a.ApprovalIf) {
		return false
	}
	return sameConditions(a.Require, b.Require) && sameConditions(a.DenyIf, b.DenyIf) && sameConditions(a.ApprovalIf, b.ApprovalIf) &&
		!slices.ContainsFunc(a.Args, func(c *policy.Constraint) bool {
			return !slices.ContainsFunc(b.Args, func(d *policy.Constraint) bool { return covered(c, d) })
		})
}

// covered reports whether the constraint d lets through nothing that c would not, and asks where c would.
func covered(c, d *policy.Constraint) bool {
	if !slices.Equal(c.Path, d.Path) || c.Approval != d.Approval || d.Optional && !c.Optional || c.Each != nil || len(c.Args) > 0 ||
		c.OtherArgs != policy.NoRule {
		return false
	}
	return !slices.ContainsFunc(c.Checks, func(x *policy.Check) bool {
		length := x.Op == policy.CheckMaxLength || x.Op == policy.CheckMinLength
		return length && d.Each != nil || !slices.ContainsFunc(d.Checks, func(y *policy.Check) bool { return asStrict(y, x) })
	})
}

// asStrict reports whether whatever passes y passes x.
func asStrict(y, x *policy.Check) bool {
	if x.Op != y.Op || x.Type != y.Type {
		return false
	}
	switch x.Op {
	case policy.CheckMax:
		return y.Num.Cmp(x.Num) <= 0
	case policy.CheckMin:
		return y.Num.Cmp(x.Num) >= 0
	case policy.CheckIn:
		return subset(y.List, x.List)
	case policy.CheckNotIn:
		return subset(x.List, y.List)
	case policy.CheckDecimals, policy.CheckMaxLength:
		return y.N <= x.N
	case policy.CheckMinLength:
		return y.N >= x.N
	case policy.CheckPattern:
		return x.Code == y.Code && x.Pattern == y.Pattern
	}
	return true
}

func subset(as, bs []policy.Literal) bool {
	return !slices.ContainsFunc(as, func(a policy.Literal) bool { return !slices.ContainsFunc(bs, a.Equal) })
}
