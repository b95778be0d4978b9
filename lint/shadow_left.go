package lint

import (
	"slices"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var shadowLeft = &Rule{
	ID:       "AEG017",
	Name:     "shadow-left",
	Severity: aegis.SeverityInfo,
	Summary:  "nothing of the policy is enforced: all of it is in shadow",
	Doc: `avoid: mode: shadow at the top of a policy, for longer than its trial
prefer: mode: {enforce: 25%}, or mode: shadow on the entries still on trial
why: in shadow every call is let through, and only counted. It is the right way to begin, and easy to forget.`,
	check: checkShadowLeft,
}

// barely is the percentage of sessions below which a policy is as good as in shadow.
const barely = 5

func checkShadowLeft(p *pass) {
	for _, u := range p.units {
		if u.guardrail != nil || len(u.entries) == 0 {
			continue
		}
		enforced := func(e *policy.Entry) bool {
			for _, x := range lineage(e) {
				if x.Mode.Stated {
					return !x.Mode.Shadow
				}
			}
			return !u.policy.Mode.Shadow
		}
		if m := u.policy.Mode; m.Percent > 0 && m.Percent < barely {
			p.reportAt(p.word(policy.Pos{File: u.policy.Pos.File, Line: 1, Col: 1}, "mode"), policy.NoRule, "raise the share as the trial goes well",
				"%v%% of sessions are enforced: the calls of all others are let through", m.Percent)
			continue
		}
		if !slices.ContainsFunc(u.entries, enforced) {
			from := u.entries[0].Pos
			if u.policy.Mode.Stated {
				from = policy.Pos{File: u.policy.Pos.File, Line: 1, Col: 1}
			}
			p.reportAt(p.word(from, "mode"), policy.NoRule, "when the trial is over write mode: enforce, or {enforce: 25%} of sessions",
				"every entry is in shadow: its calls are let through whatever the rules say")
		}
	}
}
