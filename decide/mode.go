package decide

import (
	"crypto/sha256"
	"encoding/binary"
	"math"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// Which rules bind a live call. The mode belongs to the entry, with its matching actions: the true decision is over all
// entries, what is enforced is over the enforcing ones. Guardrails always bind, and what a policy states for all its
// entries binds with any of them. A server in shadow binds nobody, save to send well-formed calls.

// entryMode is the mode of one entry for the calls of a plan.
type entryMode struct {
	entry *policy.Entry
	mode  policy.Mode
}

// modes settles the modes of a policy's matching entries. That of an action replaces its entry's; of several matching
// actions, the one that enforces more calls counts.
func (b *planner) modes(p *policy.Policy) {
	for _, e := range b.p.Entries {
		if e.Parent != nil || !e.Grants {
			continue
		}
		m, own := e.Mode, false
		for _, k := range e.Children {
			if k.Mode.Stated && k.Matches(b.tool, b.action) && (!own || share(k.Mode) > share(m)) {
				m, own = k.Mode, true
			}
		}
		if !m.Stated {
			m = p.Mode
		}
		b.p.modes = append(b.p.modes, entryMode{e, m})
	}
}

// share is the part of sessions that a mode enforces.
func share(m policy.Mode) float64 {
	switch {
	case m.Shadow:
		return 0
	case m.Percent == 0:
		return 1
	}
	return m.Percent / 100
}

// sampled reports whether a mode binds the calls of a session: by SHA-256, so that every replica picks the same ones. A
// call without a session is always bound, unless the mode is shadow.
func sampled(m policy.Mode, c *aegis.Call) bool {
	part := share(m)
	if part == 0 || part >= 1 || c.Session == "" {
		return part > 0
	}
	sum := sha256.Sum256([]byte(c.Tenant + "\x00" + c.Agent + "\x00" + c.Session))
	return float64(binary.BigEndian.Uint64(sum[:8])) < part*math.MaxUint64
}

// force says which rules bind one call.
type force struct {
	engine  *Engine
	nobody  bool   // the server is in shadow
	policy  bool   // what the policy states as a whole binds
	entries uint64 // bit i: the plan's i-th entry binds; from the 64th on all do
	plan    *Plan
}

func (g *Gate) force(p *Plan, c *aegis.Call) force {
	f := force{engine: g.Engine, plan: p, nobody: g.opt.Mode != aegis.Enforce}
	for i, m := range p.modes {
		if i >= 64 {
			f.policy = true
		} else if sampled(m.mode, c) {
			f.entries |= 1 << i
			f.policy = true
		}
	}
	if len(p.modes) == 0 {
		f.policy = p.Policy == nil || sampled(p.Policy.Mode, c)
	}
	return f
}

// binds reports whether what a rule says is enforced.
func (f *force) binds(rule policy.RuleID) bool {
	switch x := &f.engine.about[rule]; {
	case f.nobody:
		return false
	case x.guardrail:
		return true
	case x.entry == nil:
		return f.policy
	default:
		for i, m := range f.plan.modes {
			if m.entry == x.entry {
				return i >= 64 || f.entries&(1<<i) != 0
			}
		}
		return true
	}
}

// outcome is the strongest of the hits that bind.
func (f *force) outcome(hits []aegis.Hit) aegis.Outcome {
	o := aegis.Allow
	for _, h := range hits {
		// Who calls, and whether the call can be read, is no matter of policy.
		identity := h.Rule == policy.NoPolicyRule && h.Code != aegis.NoPolicy
		if identity || f.binds(h.Rule) {
			o = max(o, h.Outcome)
		}
	}
	return o
}

// any reports whether anything at all would bind the call.
func (f *force) any() bool { return !f.nobody && f.policy }
