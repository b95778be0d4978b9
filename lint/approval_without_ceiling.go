package lint

import (
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var approvalWithoutCeiling = &Rule{
	ID:       "AEG010",
	Name:     "approval-without-ceiling",
	Severity: aegis.SeverityInfo,
	Summary:  "a person may approve any amount: no ceiling is written",
	Doc: `avoid: approval_needed_if: amount > 5000, and no bound on amount anywhere
prefer: deny_if: amount > 50000 beside it
why: whoever clicks at three in the morning is the only limit left. Only deny_if, require and a guardrail hold against
an approval. A max_amount in the same block is lifted by an approval that reads amount, so it is no hard ceiling
either. A first policy, of one entry and without an approval block, is left alone there.`,
	check: checkApprovalWithoutCeiling,
}

func checkApprovalWithoutCeiling(p *pass) {
	p.conditions(func(c condition) {
		if c.use != forApproval || c.unit.guardrail != nil {
			return
		}
		terms(c.Expr, true, func(x *policy.Expr, positive bool) {
			arg, ok := askedFrom(x)
			if ok && positive && !hasCeiling(p, c.unit, c.entry, arg) {
				name := strings.Join(arg, ".")
				p.reportAt(c.Pos, c.Rule, "add deny_if: "+name+" > … for what nobody may approve",
					"any %s can be approved: it has no ceiling", name)
			}
		})
	})
}

// grown reports whether a policy is more than a first one: it has several entries that write, or says who approves.
func grown(u *unit, e *policy.Entry) bool {
	tops := 0
	for _, x := range u.entries {
		if x.Parent == nil && effect(x) == aegis.Write {
			tops++
		}
	}
	return tops > 1 || len(e.Approval) > 0
}

// askedFrom returns the argument that a comparison lets through up to a number, and no further.
func askedFrom(x *policy.Expr) ([]string, bool) {
	if len(x.Sub) != 2 {
		return nil, false
	}
	arg, number := x.Sub[0], x.Sub[1]
	switch x.Op {
	case policy.OpLt, policy.OpLe:
		arg, number = number, arg
	case policy.OpGt, policy.OpGe:
	default:
		return nil, false
	}
	return arg.Fields, isArg(arg) && number.Op == policy.OpLiteral && number.Lit.Kind == aegis.Number
}

// hasCeiling reports whether any rule that applies with the entry bounds the argument: a max or a list, or a require or
// deny_if that reads it.
func hasCeiling(p *pass, u *unit, e *policy.Entry, arg []string) bool {
	with := append(u.beside(e), e)
	for _, other := range p.units {
		if other.guardrail != nil && boundsPolicy(other.guardrail, u.policy) {
			with = append(with, other.entriesFor(e)...)
		}
	}
	return slices.ContainsFunc(with, func(x *policy.Entry) bool {
		return slices.ContainsFunc(constraintsOf(x), func(c *policy.Constraint) bool {
			return slices.Equal(c.Path, arg) && slices.ContainsFunc(c.Checks, func(ch *policy.Check) bool {
				return ch.Op == policy.CheckMax && !(x == e && grown(u, e) && lifted(e.Conditions, c)) || ch.Op == policy.CheckIn
			})
		}) || slices.ContainsFunc(conditionsOf(x), func(c condition) bool {
			return (c.use == forDeny || c.use == forRequire) && boundsAbove(c, arg)
		})
	})
}

// boundsPolicy reports whether a guardrail is about some of a policy's agents.
func boundsPolicy(g *policy.Guardrail, p *policy.Policy) bool {
	return (g.Tenant == "*" || g.Tenant == p.Tenant) && (g.Agents == nil || anyPair(g.Agents, p.Agents, patternsMeet))
}

// entriesFor returns the entries of the unit that apply to some call that e, of another unit, applies to.
func (u *unit) entriesFor(e *policy.Entry) []*policy.Entry {
	var out []*policy.Entry
	for _, x := range u.entries {
		if meet(x, e) {
			out = append(out, x)
		}
	}
	return out
}
