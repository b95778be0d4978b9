package lint

import (
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var budgetWithoutType = &Rule{
	ID:       "AEG022",
	Name:     "budget-without-type",
	Severity: aegis.SeverityInfo,
	Summary:  "a budget of an argument that no constraint makes a number",
	Doc: `avoid: limits: [{budget: 20000/day of amount}] on an entry without a constraint on amount
prefer: args: {amount: {type: number, min: 0, decimals: 2}} beside it
why: the budget needs the argument on every call and denies one that is missing or no number, which is easier to
see where it is stated. A constraint also says which amounts are sensible at all.`,
	check: checkBudgetWithoutType,
}

func checkBudgetWithoutType(p *pass) {
	p.entries(func(u *unit, e *policy.Entry) {
		for _, l := range e.Limits {
			if l.Kind != policy.LimitSum {
				continue
			}
			if !slices.ContainsFunc(append(u.beside(e), e), func(x *policy.Entry) bool { return constrains(x, l.Arg) }) {
				name := strings.Join(l.Arg, ".")
				p.report(l.Rule, "add args: {"+name+": {type: number, min: 0}}", "no constraint says what %s is", name)
			}
		}
	})
}

// constrains reports whether the entry's own constraints make the argument a number.
func constrains(e *policy.Entry, arg []string) bool {
	return slices.ContainsFunc(constraintsOf(e), func(c *policy.Constraint) bool {
		return slices.Equal(c.Path, arg) && c.Type == aegis.Number
	})
}
