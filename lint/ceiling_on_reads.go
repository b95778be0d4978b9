package lint

import (
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var ceilingOnReads = &Rule{
	ID:       "AEG007",
	Name:     "ceiling-on-reads",
	Severity: aegis.SeverityWarning,
	Summary:  "actions that only look are held to an argument that they hardly carry",
	Doc: `avoid: actions: [create_payment, get_payment] with max_amount: 5000
prefer: an entry of its own for get_payment; or the conditions on the action: {name: create_payment, conditions: …};
or args: {amount: {max: 5000, optional: true}}
why: a constraint on an argument that is missing is an error, and an error denies. get_payment has no amount, so
every call of it is denied.`,
	check: checkCeilingOnReads,
}

func checkCeilingOnReads(p *pass) {
	p.entries(func(u *unit, e *policy.Entry) {
		if u.guardrail != nil || e.Conditions == nil || effect(e) == aegis.Read {
			return
		}
		looking := readsUnder(u, e)
		if len(looking) == 0 {
			return
		}
		for _, c := range e.Conditions.Args {
			if bound := numericBound(c); bound != nil && !c.Optional && !hasWord(c.Path[0], pageWords) {
				p.report(bound.Rule, "give them an entry of their own, or write optional: true",
					"%s applies to %s too, and is an error where %s is missing", p.key(bound.Rule), listed(looking), c.Path[0])
			}
		}
	})
}

// readsUnder returns the actions with names of reads that an entry for other actions applies to as well: its own, and
// those that another entry grants where this one is for any action.
func readsUnder(u *unit, e *policy.Entry) []string {
	var looking []string
	others := e.Actions == nil
	for _, a := range e.Actions {
		if reads(a) {
			looking = append(looking, string(a))
		} else {
			others = true
		}
	}
	if !others {
		return nil // the author knows what these reads carry
	}
	for _, x := range u.beside(e) {
		if kin(x, e) {
			continue
		}
		for _, a := range x.Actions {
			if reads(a) && (e.Actions == nil || anyPair([]policy.Pattern{a}, e.Actions, patternsMeet)) {
				looking = append(looking, string(a))
			}
		}
	}
	return looking
}

// numericBound returns the first check that makes the argument a number within bounds.
func numericBound(c *policy.Constraint) *policy.Check {
	for _, op := range []policy.CheckOp{policy.CheckMax, policy.CheckMin, policy.CheckDecimals} {
		if i := slices.IndexFunc(c.Checks, func(ch *policy.Check) bool { return ch.Op == op }); i >= 0 {
			return c.Checks[i]
		}
	}
	return nil
}

// listed joins names, three at most.
func listed(names []string) string {
	if len(names) > 3 {
		return strings.Join(names[:3], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}
