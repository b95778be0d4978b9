package lint

import (
	"fmt"
	"maps"
	"slices"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var nameTypo = &Rule{
	ID:       "AEG024",
	Name:     "name-typo",
	Severity: aegis.SeverityWarning,
	Summary:  "a tool, action or caller is named once, and a name almost like it elsewhere",
	Doc: `avoid: actions: [craete_payment] beside create_payment; callers: [planer-agent] where the agent is planner-agent
prefer: one spelling, the tool's own
why: any name is legal. A tool or action that does not exist grants nothing, and a caller that does not exist calls
nobody, so the calls that were meant are denied, or miss the rules that were meant for them.`,
	check: checkNameTypo,
}

// naming is a place that names a tool, an action or an agent.
type naming struct {
	unit   *unit
	from   policy.Pos // from where on the name stands
	about  policy.RuleID
	region bool
}

// nameIndex is the names that policies of one tenant use.
type nameIndex struct {
	tools   map[string]map[string][]naming            // by tenant and tool
	actions map[string]map[string]map[string][]naming // by tenant, tool and action
	agents  map[string][]policy.Pattern               // by tenant
}

func (u *unit) tenant() string {
	if u.policy != nil {
		return u.policy.Tenant
	}
	return u.guardrail.Tenant
}

// namesOf collects the names once for all rules that ask.
func (p *pass) namesOf() *nameIndex { return p.naming() }

func (p *pass) indexNames() *nameIndex {
	n := &nameIndex{map[string]map[string][]naming{}, map[string]map[string]map[string][]naming{}, map[string][]policy.Pattern{}}
	for _, u := range p.units {
		t := u.tenant()
		if n.tools[t] == nil {
			n.tools[t], n.actions[t] = map[string][]naming{}, map[string]map[string][]naming{}
		}
		if u.policy != nil {
			n.agents[t] = append(n.agents[t], u.policy.Agents...)
		}
		for _, e := range u.entries {
			n.add(t, naming{u, e.Pos, policy.NoRule, false}, e)
		}
	}
	return n
}

func (n *nameIndex) add(tenant string, at naming, e *policy.Entry) {
	for _, tool := range e.Tools {
		if e.Parent == nil {
			n.tools[tenant][string(tool)] = append(n.tools[tenant][string(tool)], at)
		}
		if n.actions[tenant][string(tool)] == nil {
			n.actions[tenant][string(tool)] = map[string][]naming{}
		}
		for _, a := range e.Actions {
			own := slices.ContainsFunc(e.Children, func(c *policy.Entry) bool { return slices.Contains(c.Actions, a) })
			if !own {
				n.actions[tenant][string(tool)][string(a)] = append(n.actions[tenant][string(tool)][string(a)], at)
			}
		}
	}
}

func checkNameTypo(p *pass) {
	n := p.namesOf()
	for _, t := range slices.Sorted(maps.Keys(n.tools)) {
		p.nameSlips("tool", n.tools[t])
		for _, tool := range slices.Sorted(maps.Keys(n.actions[t])) {
			p.nameSlips("action", n.actions[t][tool])
		}
	}
	for _, u := range p.units {
		p.callerSlips(n, u)
	}
	p.nameSlips("region", p.regions())
}

// nameSlips looks for names that stand once and are almost another.
func (p *pass) nameSlips(what string, named map[string][]naming) {
	if len(named) < 2 || len(named) > maxNames {
		return
	}
	sorted := slices.Sorted(maps.Keys(named))
	for _, name := range sorted {
		if len(named[name]) > 1 {
			continue
		}
		at, best := named[name][0], ""
		for _, other := range sorted {
			if other != name && slip(name, other) && likelierName(name, other, at, named[other]) && len(named[other]) > len(named[best]) {
				best = other
			}
		}
		if best != "" {
			pos := p.word(at.from, name)
			p.reportAt(pos, at.about, fmt.Sprintf("did you mean %s?", best), "the %s %s is named only here, and %s is almost the same (%s)",
				what, name, best, line(p.word(named[best][0].from, best), pos))
		}
	}
}

// likelierName reports whether a name that stands once is the slip, and the other the name.
func likelierName(name, other string, at naming, others []naming) bool {
	if known := knownName(other); known != knownName(name) && len(others) == 1 {
		return known
	}
	if at.region && len(others) == 1 {
		return at.unit.policy != nil && others[0].unit.guardrail != nil // the floor says it right
	}
	return len(others) > 1 || at.unit == others[0].unit && comparePos(others[0].from, at.from) < 0
}

// regions collects the regions that policies and guardrails name.
func (p *pass) regions() map[string][]naming {
	out := map[string][]naming{}
	for _, u := range p.units {
		var s policy.Scope
		if u.policy != nil {
			s = u.policy.Scope
		} else {
			s = u.guardrail.Scope
		}
		for _, r := range s.Regions {
			out[r] = append(out[r], naming{u, p.pos(s.RegionsRule), s.RegionsRule, true})
		}
	}
	return out
}

// callerSlips looks at callers that are no agent of the set, where an agent is almost called so.
func (p *pass) callerSlips(n *nameIndex, u *unit) {
	t, agents := u.tenant(), []policy.Pattern(nil)
	if t == "*" {
		for _, as := range n.agents {
			agents = append(agents, as...)
		}
	} else {
		agents = n.agents[t]
	}
	look := func(s policy.Scope) {
		for _, c := range s.Callers {
			if policy.MatchAny(agents, c) || s.CallersRule == policy.NoRule {
				continue
			}
			candidates := append([]policy.Pattern{"user"}, agents...)
			for _, a := range candidates {
				if c != "user" && (slip(c, string(a)) || edits(c, string(a)) == 1 && a == "user") {
					p.reportAt(p.word(p.pos(s.CallersRule), c), s.CallersRule, fmt.Sprintf("did you mean %s?", a),
						"no agent is called %s, and %s is almost the same", c, a)
					break
				}
			}
		}
	}
	if u.policy != nil {
		look(u.policy.Scope)
	} else {
		look(u.guardrail.Scope)
	}
	for _, e := range u.entries {
		look(e.Scope)
	}
}
