package lint

import (
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var budgetOfNothing = &Rule{
	ID:       "AEG023",
	Name:     "budget-of-nothing",
	Severity: aegis.SeverityWarning,
	Summary:  "a policy's budget of an argument that none of its entries constrains",
	Doc: `avoid: limits: [{budget: 20000/day of amount}] at the top, and no entry with a constraint on amount
prefer: max_amount, or args: {amount: {type: number}}, on each entry that the budget is for
why: a budget of a whole policy covers the entries that constrain its argument. Where there is none it is never
charged, and limits nothing.`,
	check: checkBudgetOfNothing,
}

func checkBudgetOfNothing(p *pass) {
	for _, u := range p.units {
		for _, l := range u.limits {
			if l.Kind != policy.LimitSum || u.guardrail != nil && p.constrainedBelow(u.guardrail, l.Arg) ||
				slices.ContainsFunc(u.entries, func(e *policy.Entry) bool { return namesInConstraint(e, l.Arg) }) {
				continue
			}
			name := strings.Join(l.Arg, ".")
			p.report(l.Rule, "constrain "+name+" on the entries that it is for: args: {"+name+": {type: number}}",
				"the budget covers the entries that constrain %s, and none does", name)
		}
	}
}

// constrainedBelow reports whether a policy that the guardrail bounds constrains the argument.
func (p *pass) constrainedBelow(g *policy.Guardrail, arg []string) bool {
	return slices.ContainsFunc(p.units, func(u *unit) bool {
		return u.policy != nil && boundsPolicy(g, u.policy) &&
			slices.ContainsFunc(u.entries, func(e *policy.Entry) bool { return namesInConstraint(e, arg) })
	})
}

func namesInConstraint(e *policy.Entry, arg []string) bool {
	return slices.ContainsFunc(constraintsOf(e), func(c *policy.Constraint) bool { return slices.Equal(c.Path, arg) })
}
