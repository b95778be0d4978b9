package lint

import (
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var trafficDeniesAll = &Rule{
	ID:       "AEG075",
	Name:     "traffic-denies-all",
	Severity: aegis.SeverityWarning,
	Summary:  "one rule denies every captured call that it applies to",
	Doc: `avoid: regions: [eu-west-1] where every call comes from westeurope; in: [web, api] where calls say Web and Api
prefer: the names and values that real calls carry
why: a grant of which one rule denies all real use is no grant. Most often the rule is spelled in another way than the
calls, or its bound is in another unit. So is a rule about chains that denies all that other agents asked for.
Rules that merely could not be decided are told by AEG073. At least three calls must show it.`,
	NeedsTraffic: true,
	check:        checkTrafficDeniesAll,
}

// fewCalls is how many calls prove nothing.
const fewCalls = 3

func checkTrafficDeniesAll(p *pass) {
	if p.opt.Traffic == nil {
		return
	}
	numbers, of, delegated := p.rulesByID(), p.callsSeen(), p.delegated()
	for _, d := range p.opt.Traffic.Denials {
		r, known := numbers[d.Rule]
		entry, _, _ := strings.Cut(d.Rule, "#")
		if known && r > policy.NoPolicyRule && d.Calls >= fewCalls && d.Calls == of[entry] {
			p.report(r, "compare it with what the calls carry", "%s denies every captured call that it applies to: %d", p.key(r), d.Calls)
		} else if known && r > policy.NoPolicyRule && d.Calls >= fewCalls && d.Calls == delegated[r] {
			p.report(r, "compare it with the chains of the calls", "%s denies every captured call that another agent made: %d", p.key(r), d.Calls)
		}
	}
}

// delegated returns, for each rule about chains that is meant to let other agents' calls through, how many of them there
// are.
func (p *pass) delegated() map[policy.RuleID]int64 {
	out := map[policy.RuleID]int64{}
	for _, s := range p.opt.Traffic.Seen {
		x := p.policyOf(s.Tenant, s.Agent)
		if x == nil || s.Delegated == 0 {
			continue
		}
		if x.Scope.DepthRule > policy.NoPolicyRule && x.Scope.MaxDepth > 0 {
			out[x.Scope.DepthRule] += s.Delegated
		}
		if x.Scope.CallersRule > policy.NoPolicyRule && slices.ContainsFunc(x.Scope.Callers, func(c string) bool { return c != "user" }) {
			out[x.Scope.CallersRule] += s.Delegated
		}
	}
	return out
}

// callsSeen returns how many captured calls each entry and each policy is about, by id.
func (p *pass) callsSeen() map[string]int64 {
	of := map[string]int64{}
	p.seen(func(_ *unit, e *policy.Entry, calls int64, _ []SeenArg) { of[e.ID] = calls })
	for _, s := range p.opt.Traffic.Seen {
		if x := p.policyOf(s.Tenant, s.Agent); x != nil && slices.ContainsFunc(x.Entries, func(e *policy.Entry) bool { return e.Matches(s.Tool, s.Action) }) {
			of[x.ID] += s.Calls
		}
	}
	return of
}
