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
calls, or its bound is in another unit.
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
	numbers, of := p.rulesByID(), p.callsSeen()
	for _, d := range p.opt.Traffic.Denials {
		r, known := numbers[d.Rule]
		entry, _, _ := strings.Cut(d.Rule, "#")
		if known && r > policy.NoPolicyRule && d.Calls >= fewCalls && d.Calls == of[entry] {
			p.report(r, "compare it with what the calls carry", "%s denies every captured call that it applies to: %d", p.key(r), d.Calls)
		}
	}
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
