package lint

import (
	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var deniesEverything = &Rule{
	ID:       "AEG052",
	Name:     "denies-everything",
	Severity: aegis.SeverityWarning,
	Summary:  "deny_if denies all that the constraints let through",
	Doc: `avoid: min_amount: 100 with deny_if: amount >= 50
prefer: bounds and a deny_if that leave some calls between them
why: a call must get past the constraints, every require and every deny_if, those of an action and those of its entry.
Where nothing can, the entry grants in words and denies in fact. Intervals, lists and texts decide; what they
cannot decide is not reported.`,
	check: checkDeniesEverything,
}

func checkDeniesEverything(p *pass) {
	p.entries(func(u *unit, e *policy.Entry) {
		if e.Conditions == nil || len(e.Conditions.DenyIf) == 0 {
			return
		}
		w, branches := p.factsOf(u, e), maxBranches
		var before, bs []barrier
		if e.Parent != nil {
			before = barriersOf(p, e.Parent)
		}
		for _, b := range barriersOf(p, e) {
			if b.ask == nil || b.ask[0].want {
				before = append(before, b)
			} else {
				bs = append(bs, b)
			}
		}
		for _, b := range bs {
			if !w.past([]barrier{b}, &branches) {
				return // AEG018 speaks of a deny_if that is always true
			}
		}
		if !w.past(before, &branches) {
			return // said of the constraints, or of what is required
		}
		for _, b := range bs {
			if before = append(before, b); !w.past(before, &branches) {
				p.reportAt(b.pos, b.rule, "leave room between the constraints and deny_if, or remove the entry",
					"%s denies every call that the other rules here let through", p.key(b.rule))
				return
			}
		}
	})
}
