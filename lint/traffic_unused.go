package lint

import (
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var trafficUnused = &Rule{
	ID:       "AEG070",
	Name:     "traffic-unused",
	Severity: aegis.SeverityInfo,
	Summary:  "an entry that no captured call matched, or a rule that no call came up against",
	Doc: `avoid: a grant that nobody has used in a month of traffic
prefer: no grant; what is not granted is denied
why: an unused grant is what an attacker finds beside the agent's work. An unused rule is a ceiling that was never near,
or a condition that is spelled so that nothing meets it; which of the two, only its owner knows.
Rules of an unused entry, types and guardrails are not listed.`,
	NeedsTraffic: true,
	check:        checkTrafficUnused,
}

func checkTrafficUnused(p *pass) {
	t := p.opt.Traffic
	if t == nil || t.Calls == 0 {
		return
	}
	quiet := map[string]bool{} // ids of rules of unused entries, and of guardrails
	p.entries(func(u *unit, e *policy.Entry) {
		bounds := u.guardrail != nil // for what has not happened yet
		if !bounds && !slices.Contains(t.UnusedEntries, e.ID) {
			return
		}
		for _, r := range p.set.Rules {
			if len(r.ID) > len(e.ID) && r.ID[:len(e.ID)+1] == e.ID+"#" {
				quiet[r.ID] = true
			}
		}
		if bounds || e.Parent != nil && slices.Contains(t.UnusedEntries, e.Parent.ID) {
			return
		}
		p.reportAt(e.Pos, policy.NoRule, "remove it, if the traffic shows all that should be", "none of %d captured calls matches this entry", t.Calls)
	})
	calls := map[string]int64{}
	p.seen(func(_ *unit, e *policy.Entry, n int64, _ []SeenArg) { calls[e.ID] = n })
	guards := p.typeChecks()
	numbers := p.rulesByID()
	for _, id := range t.UnusedRules {
		r, known := numbers[id]
		if !known || r <= policy.NoPolicyRule || quiet[id] || guards[r] || p.set.Rules[r].Pos.File == "" {
			continue
		}
		entry, _, _ := strings.Cut(id, "#")
		of := calls[entry]
		if of == 0 {
			of = t.Calls // of the whole policy
		}
		p.report(r, "look whether it is written as it is meant", "none of %s came up against %s", count(of, "captured call"), p.key(r))
	}
}

// typeChecks returns the rules that only say of which type an argument is: nobody expects calls to come up against them.
func (p *pass) typeChecks() map[policy.RuleID]bool {
	out := map[policy.RuleID]bool{}
	p.constraints(func(_ *unit, _ *policy.Entry, c *policy.Constraint) {
		for _, ch := range c.Checks {
			out[ch.Rule] = out[ch.Rule] || ch.Op == policy.CheckType || ch.Op == policy.CheckInteger
		}
	})
	return out
}
