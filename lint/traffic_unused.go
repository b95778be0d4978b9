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
		at := e.Pos
		if slices.ContainsFunc(t.Seen, func(s SeenTool) bool {
			return p.policyOf(s.Tenant, s.Agent) == u.policy && policy.MatchAny(e.Tools, s.Tool)
		}) {
			at = p.actionsAt(e) // the tool is used: it is these actions that nobody calls
		}
		p.reportAt(at, policy.NoRule, "remove it, if the traffic shows all that should be", "none of %d captured calls matches this entry", t.Calls)
	})
	p.unmatchedActions()
	p.unusedRules(quiet)
}

// unmatchedActions reports names of actions, in entries that calls match, that no call has.
func (p *pass) unmatchedActions() {
	p.seen(func(u *unit, e *policy.Entry, calls int64, _ []SeenArg) {
		for _, action := range e.Actions {
			if len(e.Actions) > 1 && !slices.ContainsFunc(p.opt.Traffic.Seen, func(s SeenTool) bool {
				return p.policyOf(s.Tenant, s.Agent) == u.policy && policy.MatchAny(e.Tools, s.Tool) && action.Match(s.Action)
			}) && !slices.ContainsFunc(e.Children, func(c *policy.Entry) bool { return slices.Contains(c.Actions, action) }) {
				p.reportAt(p.word(e.Pos, string(action)), policy.NoRule, "remove it, if the traffic shows all that should be",
					"none of %s of this entry is %s", count(calls, "captured call"), action)
			}
		}
	})
}

// unusedRules reports, for each entry and each policy at once, the rules that no call came up against.
func (p *pass) unusedRules(quiet map[string]bool) {
	calls, guards, numbers := p.callsSeen(), p.typeChecks(), p.rulesByID()
	unused := map[string][]policy.RuleID{}
	for _, id := range p.opt.Traffic.UnusedRules {
		r, known := numbers[id]
		if known && r > policy.NoPolicyRule && !quiet[id] && !guards[r] && p.set.Rules[r].Pos.File != "" {
			entry, _, _ := strings.Cut(id, "#")
			unused[entry] = append(unused[entry], r)
		}
	}
	for entry, rules := range unused {
		slices.SortFunc(rules, func(a, b policy.RuleID) int { return comparePos(p.pos(a), p.pos(b)) })
		var keys []string
		for _, r := range rules {
			keys = append(keys, p.key(r))
		}
		of := calls[entry]
		if of == 0 {
			continue // then it is the entry, or the policy, that is not used
		}
		p.report(rules[0], "look whether it is written as it is meant", "none of %s came up against %s", count(of, "captured call"), joined(keys))
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
