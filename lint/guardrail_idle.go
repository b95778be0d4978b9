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
			at, top := "agents", policy.Pos{File: g.Pos.File, Line: 1, Col: 1}
			if g.Tenant != "*" && !slices.ContainsFunc(p.set.Policies, func(x *policy.Policy) bool { return x.Tenant == g.Tenant }) {
				at = "tenant"
			}
			pos := p.word(top, at)
			if pos == top {
				pos = g.Pos
			}
			p.reportAt(pos, policy.NoRule, hint, "the guardrail bounds no policy: none is of its tenant and agents")
			continue
		}
		s := g.Scope
		states := s.CallersRule != policy.NoRule || s.DepthRule != policy.NoRule || s.RegionsRule != policy.NoRule || s.UntilRule != policy.NoRule
		if !states && len(g.Limits) == 0 && !slices.ContainsFunc(u.entries, bounds) {
			p.reportAt(g.Pos, policy.NoRule, "write the rules that it is for: limits, regions, conditions", "the guardrail has no rule: it bounds nothing")
			continue
		}
		p.noSuchTools(u)
		for _, e := range u.entries {
			if !bounds(e) && len(e.Children) == 0 {
				p.reportAt(e.Pos, policy.NoRule, "a guardrail grants nothing: add conditions, or remove it", "this entry of a guardrail has no rule")
			}
		}
	}
}

// noSuchTools reports entries of a guardrail whose tools no policy below it grants. An entry that denies everything is a
// precaution, and left alone.
func (p *pass) noSuchTools(u *unit) {
	below := p.below(u.guardrail)
	if len(below) == 0 {
		return
	}
	var granted []string
	for _, x := range below {
		for _, e := range x.entries {
			for _, t := range e.Tools {
				granted = append(granted, string(t))
			}
		}
	}
	for _, e := range u.entries {
		if e.Parent != nil || alwaysDenies(e) || slices.ContainsFunc(e.Children, alwaysDenies) || slices.ContainsFunc(e.Tools, func(t policy.Pattern) bool {
			return slices.ContainsFunc(granted, func(g string) bool { return patternsMeet(t, policy.Pattern(g)) })
		}) {
			continue
		}
		name := string(e.Tools[0])
		p.reportAt(p.word(e.Pos, name), policy.NoRule, didYouMean(name, granted, "name the tools as the policies do"), "no policy below the guardrail grants %s", name)
	}
}

// below returns the policies that a guardrail bounds.
func (p *pass) below(g *policy.Guardrail) []*unit {
	return slices.DeleteFunc(slices.Clone(p.units), func(u *unit) bool { return u.policy == nil || !boundsPolicy(g, u.policy) })
}

// bounds reports whether an entry of a guardrail has a rule.
func bounds(e *policy.Entry) bool {
	c := e.Conditions
	return c != nil && (len(c.Args) > 0 || c.OtherArgs != policy.NoRule || len(c.Require)+len(c.DenyIf)+len(c.ApprovalIf) > 0) ||
		len(e.Sanitize)+len(e.Limits)+len(e.Taints)+len(e.Approval) > 0 || e.Cost != nil || e.Scope.CallersRule != policy.NoRule
}
