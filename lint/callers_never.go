package lint

import (
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var callersNever = &Rule{
	ID:       "AEG038",
	Name:     "callers-never",
	Severity: aegis.SeverityWarning,
	Summary:  "callers that the policy, a guardrail or the depth of the chain rules out",
	Doc: `avoid: callers: [planner-agent] on an entry of a policy that has no callers of its own, which means [user]
prefer: callers: [user, planner-agent] at the top; callers: [planner-agent] on the entry
why: the callers of an entry narrow those of its policy. Where the two have none in common the entry's calls are all
denied. A caller that is an agent makes the chain one deep, which max_chain_depth: 0 refuses.`,
	check: checkCallersNever,
}

func checkCallersNever(p *pass) {
	for _, u := range p.units {
		if u.policy == nil {
			continue
		}
		top, depth := u.policy.Scope, u.policy.Scope.DepthRule
		zero := depth != policy.NoRule && u.policy.Scope.MaxDepth == 0
		from := slices.Clone(top.Callers)
		for _, g := range p.guardrails {
			if s := g.guardrail.Scope; boundsAll(g.guardrail, u.policy) {
				if s.DepthRule != policy.NoRule && s.MaxDepth == 0 {
					zero, depth = true, s.DepthRule
				}
				if s.CallersRule != policy.NoRule {
					from = meetOf(from, s.Callers)
				}
			}
		}
		if len(from) == 0 {
			p.report(top.CallersRule, "name a caller that the guardrail lets through", "a guardrail lets none of these callers through: %s",
				strings.Join(top.Callers, ", "))
			continue
		}
		if zero && !slices.Contains(from, "user") {
			p.report(top.CallersRule, "raise max_chain_depth to 1, or add user", "max_chain_depth: 0 (%s) refuses every call that %s makes",
				line(p.pos(depth), p.pos(top.CallersRule)), strings.Join(top.Callers, ", "))
			continue
		}
		p.narrowedCallers(u, from, zero)
	}
}

// narrowedCallers looks at the entries' own callers.
func (p *pass) narrowedCallers(u *unit, from []string, zero bool) {
	for _, e := range u.entries {
		if e.Scope.CallersRule == policy.NoRule {
			continue
		}
		left := meetOf(e.Scope.Callers, from)
		if e.Parent != nil && e.Parent.Scope.CallersRule != policy.NoRule {
			left = meetOf(left, e.Parent.Scope.Callers)
		}
		names := strings.Join(e.Scope.Callers, ", ")
		switch {
		case len(left) == 0:
			p.report(e.Scope.CallersRule, "add them to the callers at the top of the policy", "%s cannot call this agent: its callers are %s",
				names, strings.Join(from, ", "))
		case zero && !slices.Contains(left, "user"):
			p.report(e.Scope.CallersRule, "raise max_chain_depth to 1", "max_chain_depth: 0 refuses every call that %s makes", names)
		}
	}
}

func meetOf(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return !slices.Contains(b, s) })
}
