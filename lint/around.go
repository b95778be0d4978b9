package lint

import (
	"slices"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// around returns every entry whose rules hold of some call that e applies to: e itself, those beside it, and those of
// guardrails.
func (p *pass) around(u *unit, e *policy.Entry) []*policy.Entry {
	with := append(u.beside(e), e)
	if u.policy != nil {
		for _, g := range p.guardrails {
			if boundsPolicy(g.guardrail, u.policy) {
				with = append(with, g.entriesFor(e)...)
			}
		}
	}
	return with
}

// limitsOver returns the limits that a call of the entry is charged on: its own, its policy's and those of guardrails.
func (p *pass) limitsOver(u *unit, e *policy.Entry) []*policy.Limit {
	limits := slices.Clone(u.limits)
	for _, x := range p.around(u, e) {
		limits = append(limits, x.Limits...)
	}
	if u.policy != nil {
		for _, g := range p.guardrails {
			if boundsPolicy(g.guardrail, u.policy) {
				limits = append(limits, g.limits...)
			}
		}
	}
	return limits
}

// alwaysDenies reports whether the entry's own conditions deny every call that it matches, and whatever the mode.
func alwaysDenies(e *policy.Entry) bool {
	if e.Conditions == nil || shadowed(e) {
		return false
	}
	return slices.ContainsFunc(e.Conditions.DenyIf, func(c *policy.Condition) bool {
		v, constant := constantOf(c.Expr)
		return constant && v
	})
}

// comparisonWith reads a comparison of something with a constant, turned so that the constant is on the right.
func comparisonWith(x *policy.Expr) (left *policy.Expr, op policy.Op, lit policy.Literal, ok bool) {
	if _, known := flipped[x.Op]; !known || len(x.Sub) != 2 {
		return nil, 0, policy.Literal{}, false
	}
	a, b, op := x.Sub[0], x.Sub[1], x.Op
	if a.Op == policy.OpLiteral {
		a, b, op = b, a, flipped[op]
	}
	if b.Op != policy.OpLiteral || a.Op == policy.OpLiteral {
		return nil, 0, policy.Literal{}, false
	}
	return a, op, b.Lit, true
}

// reportAs is reportAt with another severity than the rule's.
func (p *pass) reportAs(s aegis.Severity, pos policy.Pos, about policy.RuleID, hint, format string, args ...any) {
	p.reportAt(pos, about, hint, format, args...)
	p.found[len(p.found)-1].Severity = s
}
