package lint

import (
	"maps"
	"slices"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// Traffic is what a simulation of the policies on captured calls showed, as far as lint needs it: counts and names, and
// never an argument's value.
type Traffic struct {
	Calls         int64
	Seen          []SeenTool
	UnusedRules   []string // ids of rules that no call was stopped, held or changed by
	UnusedEntries []string // ids of entries that no call matched
	Errors        []TrafficError
	Denials       []RuleCalls // of rules that were decided, and denied
	CaseOnly      []RuleCalls // of these, for a value that differs from a listed one in case only
}

// RuleCalls is a rule, by its id, and a number of calls.
type RuleCalls struct {
	Rule  string
	Calls int64
}

// SeenTool is what was seen of one agent's calls of a tool and action.
type SeenTool struct {
	Tenant, Agent, Tool, Action string
	Calls                       int64
	Delegated                   int64 // of these, that another agent made: with a chain
	Args                        []SeenArg
}

// SeenArg is a top-level argument of calls.
type SeenArg struct {
	Name  string
	Calls int64
	Kinds []string // JSON types, sorted
}

// TrafficError says that a rule could not be decided on captured calls.
type TrafficError struct {
	Rule    string // id
	Why     string // names and types only
	Calls   int64
	Session string // of the first such call; "" where it has none
	Seq     int64  // the first such call's place in its session; -1 where the capture does not say
}

// rulesByID returns the numbers of rules by their ids.
func (p *pass) rulesByID() map[string]policy.RuleID {
	out := map[string]policy.RuleID{}
	for i, r := range p.set.Rules {
		out[r.ID] = policy.RuleID(i)
	}
	return out
}

// seen calls f for every entry of a policy and what was seen of its calls: the names of arguments, with how many calls
// carried each, over all agents, tools and actions that the entry matches.
func (p *pass) seen(f func(u *unit, e *policy.Entry, calls int64, args []SeenArg)) {
	if p.opt.Traffic == nil {
		return
	}
	byTenant := map[string][]SeenTool{}
	for _, s := range p.opt.Traffic.Seen {
		byTenant[s.Tenant] = append(byTenant[s.Tenant], s)
	}
	p.entries(func(u *unit, e *policy.Entry) {
		if u.guardrail != nil {
			return
		}
		calls, args := int64(0), map[string]*SeenArg{}
		for _, s := range byTenant[u.policy.Tenant] {
			if p.policyOf(s.Tenant, s.Agent) != u.policy || !e.Matches(s.Tool, s.Action) {
				continue
			}
			calls += s.Calls
			for _, a := range s.Args {
				if args[a.Name] == nil {
					args[a.Name] = &SeenArg{Name: a.Name}
				}
				x := args[a.Name]
				x.Calls += a.Calls
				x.Kinds = slices.Compact(slices.Sorted(slices.Values(append(x.Kinds, a.Kinds...))))
			}
		}
		if calls > 0 {
			var list []SeenArg
			for _, name := range slices.Sorted(maps.Keys(args)) {
				list = append(list, *args[name])
			}
			f(u, e, calls, list)
		}
	})
}

// policyOf returns the policy of an agent: its exact name, else the longest matching prefix; nil where there is none.
func (p *pass) policyOf(tenant, agent string) *policy.Policy {
	var best *policy.Policy
	length := -1
	for _, x := range p.set.Policies {
		for _, a := range x.Agents {
			n := len(a)
			if a.Exact() {
				n = aegis.MaxName + 2 // no prefix is as good as the name itself
			}
			if x.Tenant == tenant && a.Match(agent) && n > length {
				best, length = x, n
			}
		}
	}
	return best
}

// actionsAt returns where an entry names its actions, or the entry's place where it is for any.
func (p *pass) actionsAt(e *policy.Entry) policy.Pos {
	if len(e.Actions) == 0 || e.Parent != nil {
		return e.Pos
	}
	return p.word(p.word(e.Pos, "actions"), string(e.Actions[0]))
}
