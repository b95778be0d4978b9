package decide

import (
	"github.com/aegisctl/aegis/limit"
	"github.com/aegisctl/aegis/policy"
)

// Fresh returns a gate round the same engine that has seen nothing yet: no sessions, and a ledger of its own. Held calls
// fare as told.
func (g *Gate) Fresh(held Held) *Gate {
	opt := g.opt
	opt.Held = orElse(held, Granted)
	return &Gate{Engine: g.Engine, opt: opt, opa: g.opa, ledger: limit.New(), shadow: limit.New(), tracks: g.tracks,
		serial: gateSerials.Add(1), sessions: NewSessions()}
}

// tier is an approval with its conditions, ready to evaluate.
type tier struct {
	*policy.Tier
	when []*condition
}

// Approvals appends the approvals that the call which was judged last needs if it is held: those of matching entries
// whose conditions hold. One that cannot be decided is needed. It must follow Judge and precede Commit.
func (s *Scratch) Approvals(to []*policy.Tier) []*policy.Tier {
	for _, t := range s.plan.tiers {
		needed := true
		for _, c := range t.when {
			needed = needed && c.eval(s) != no
		}
		if needed {
			to = append(to, t.Tier)
		}
	}
	return to
}
