package lint

import (
	"slices"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var budgetWithoutCost = &Rule{
	ID:       "AEG091",
	Name:     "budget-without-cost",
	Severity: aegis.SeverityInfo,
	Summary:  "a budget in dollars, and no entry says what its calls cost",
	Doc: `avoid: limits: [{budget: $20/day}] where no entry has cost:
prefer: cost: $0.02, or cost: tokens * 0.000002, on the entries that cost something
why: a budget is charged with the estimated cost of each call. An entry that states none charges what the client
reports, and nothing where it reports nothing.`,
	check: checkBudgetWithoutCost,
}

func checkBudgetWithoutCost(p *pass) {
	costs := func(u *unit) bool {
		return slices.ContainsFunc(u.entries, func(e *policy.Entry) bool { return e.Cost != nil })
	}
	for _, u := range p.units {
		over := []*unit{u}
		if u.guardrail != nil {
			over = append(p.below(u.guardrail), u)
			if len(over) == 1 && len(u.entries) == 0 {
				continue // linted alone
			}
		}
		for _, l := range u.limits {
			if l.Kind == policy.LimitCost && !slices.ContainsFunc(over, costs) {
				p.report(l.Rule, "add cost: to the entries that cost something", "no entry states a cost: the budget is charged with what clients report")
			}
		}
		for _, e := range u.entries {
			for _, l := range e.Limits {
				if l.Kind == policy.LimitCost && !slices.ContainsFunc(p.around(u, e), func(x *policy.Entry) bool { return x.Cost != nil }) {
					p.report(l.Rule, "add cost: to the entry", "the entry states no cost: the budget is charged with what clients report")
				}
			}
		}
	}
}
