package lint

import (
	"fmt"
	"slices"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var trafficUngranted = &Rule{
	ID:       "AEG071",
	Name:     "traffic-ungranted",
	Severity: aegis.SeverityInfo,
	Summary:  "captured calls of a tool or an action that nothing grants",
	Doc: `avoid: enforcing a policy that knows nothing of a tool that its agent uses every day
prefer: an entry for the tool, or the decision that it is to be denied
why: what nothing grants is denied. Captured traffic shows what agents do today, attacks among it: whether a call should
be granted is for its owner to say.`,
	NeedsTraffic: true,
	check:        checkTrafficUngranted,
}

func checkTrafficUngranted(p *pass) {
	if p.opt.Traffic == nil {
		return
	}
	type missing struct{ tenant, agent, tool, action string }
	calls := map[missing]int64{}
	var order []missing
	for _, s := range p.opt.Traffic.Seen {
		if x := p.policyOf(s.Tenant, s.Agent); x != nil && slices.ContainsFunc(x.Entries, func(e *policy.Entry) bool { return e.Matches(s.Tool, s.Action) }) {
			continue
		}
		m := missing{s.Tenant, s.Agent, s.Tool, s.Action}
		if calls[m] == 0 {
			order = append(order, m)
		}
		calls[m] += s.Calls
	}
	for _, m := range order {
		name := m.tool
		if m.action != "" {
			name += "/" + m.action
		}
		x := p.policyOf(m.tenant, m.agent)
		if x == nil {
			p.reportAt(p.somewhere(), policy.NoRule, "write a policy for the agent, if it is to call anything", "no policy covers agent %s/%s: %s of %s",
				m.tenant, m.agent, count(calls[m], "call"), name)
			continue
		}
		p.reportAt(x.Pos, policy.NoRule, "grant it, if it is meant", "nothing grants %s, which %s called: %s", name, m.agent,
			count(calls[m], "captured call"))
	}
}

// somewhere is the place of findings about what no policy says: the first policy's.
func (p *pass) somewhere() policy.Pos {
	if len(p.set.Policies) == 0 {
		return policy.Pos{}
	}
	return slices.MinFunc(p.set.Policies, func(a, b *policy.Policy) int { return comparePos(a.Pos, b.Pos) }).Pos
}

func count(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
