package lint

import (
	"slices"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var guardrailIdle = &Rule{
	ID:       "AEG043",
	Name:     "guardrail-idle",
	Severity: aegis.SeverityWarning,
	Summary:  "a guardrail that bounds nothing",
	Doc: `avoid: guardrail: floor with agents: [fiance-*] where the agents are finance-*; a guardrail without any rule
prefer: tenant and agents as the policies spell them; the rules that it was written for
why: a guardrail bounds the policies of its tenant whose agents it names. One that matches none is a floor under nobody.
Left alone where no policy is linted beside it.`,
	check: checkGuardrailIdle,
}

func checkGuardrailIdle(p *pass) {
	for _, u := range p.guardrails {
		g := u.guardrail
		if len(p.set.Policies) > 0 && !slices.ContainsFunc(p.set.Policies, func(x *policy.Policy) bool { return boundsPolicy(g, x) }) {
			var known []string
			for _, x := range p.set.Policies {
				known = append(known, x.Tenant)
				if x.Tenant == g.Tenant || g.Tenant == "*" {
					for _, a := range x.Agents {
						known = append(known, string(a))
					}
				}
			}
			hint := "name the tenant and the agents as their policies do"
			for _, a := range append([]policy.Pattern{policy.Pattern(g.Tenant)}, g.Agents...) {
				if !slices.Contains(known, string(a)) {
					hint = didYouMean(string(a), known, hint)
				}
			}
			p.reportAt(g.Pos, policy.NoRule, hint, "the guardrail bounds no policy: none is of its tenant and agents")
			continue
		}
		s := g.Scope
		states := s.CallersRule != policy.NoRule || s.DepthRule != policy.NoRule || s.RegionsRule != policy.NoRule || s.UntilRule != policy.NoRule
		if !states && len(g.Limits) == 0 && !slices.ContainsFunc(u.entries, bounds) {
			p.reportAt(g.Pos, policy.NoRule, "write the rules that it is for: limits, regions, conditions", "the guardrail has no rule: it bounds nothing")
			continue
		}
		for _, e := range u.entries {
			if !bounds(e) && len(e.Children) == 0 {
				p.reportAt(e.Pos, policy.NoRule, "a guardrail grants nothing: add conditions, or remove it", "this entry of a guardrail has no rule")
			}
		}
	}
}

// bounds reports whether an entry of a guardrail has a rule.
func bounds(e *policy.Entry) bool {
	c := e.Conditions
	return c != nil && (len(c.Args) > 0 || c.OtherArgs != policy.NoRule || len(c.Require)+len(c.DenyIf)+len(c.ApprovalIf) > 0) ||
		len(e.Sanitize)+len(e.Limits)+len(e.Taints)+len(e.Approval) > 0 || e.Cost != nil || e.Scope.CallersRule != policy.NoRule
}
