package lint

import (
	"time"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var expired = &Rule{
	ID:       "AEG037",
	Name:     "expired",
	Severity: aegis.SeverityWarning,
	Summary:  "until lies in the past, or (as info) within a month",
	Doc: `avoid: until: "2020-12-31"
prefer: a day to come; or no until, where the grant has no end
why: after that day every call of the agent is denied. Shortly before it is the time to ask whether it is still needed.`,
	check: checkExpired,
}

// soon is how long before its end a policy is worth a word.
const soon = 30 * 24 * time.Hour

func checkExpired(p *pass) {
	if p.opt.Now.IsZero() {
		return
	}
	look := func(s policy.Scope) {
		if s.UntilRule == policy.NoRule {
			return
		}
		end := time.UnixMicro(s.Until).UTC()
		switch day := end.AddDate(0, 0, -1).Format(time.DateOnly); {
		case !p.opt.Now.Before(end):
			p.report(s.UntilRule, "write a day to come, or remove the policy", "%s is over: every call is denied", day)
		case end.Sub(p.opt.Now) <= soon:
			p.reportAs(aegis.SeverityInfo, p.pos(s.UntilRule), s.UntilRule, "move the day if the grant is still needed",
				"after %s every call is denied", day)
		}
	}
	for _, u := range p.units {
		if u.policy != nil {
			look(u.policy.Scope)
		} else {
			look(u.guardrail.Scope)
		}
	}
}
