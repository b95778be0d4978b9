package lint

import (
	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var negativeCeiling = &Rule{
	ID:       "AEG002",
	Name:     "negative-ceiling",
	Severity: aegis.SeverityWarning,
	Summary:  "a maximum below zero, with no minimum below it",
	Doc: `avoid: max_amount: -1
prefer: the greatest amount that may pass; to switch an action off, do not grant it
why: elsewhere -1 often means "no limit". Here it is a bound like any other, so every usual value is denied.
A band that lies below zero (a temperature) states its min as well, and is left alone.`,
	check: checkNegativeCeiling,
}

func checkNegativeCeiling(p *pass) {
	p.constraints(func(_ *unit, _ *policy.Entry, c *policy.Constraint) {
		var ceiling *policy.Check
		for _, ch := range c.Checks {
			switch ch.Op {
			case policy.CheckMax:
				if ch.Num.Cmp(aegis.Int(0)) < 0 {
					ceiling = ch
				}
			case policy.CheckMin:
				return
			}
		}
		if ceiling != nil {
			p.report(ceiling.Rule, "leave the key out for no limit; to switch the action off, do not grant it",
				"%s is %s: no value of zero or more passes", p.key(ceiling.Rule), ceiling.Num.Text())
		}
	})
}
