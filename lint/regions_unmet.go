package lint

import (
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var regionsUnmet = &Rule{
	ID:       "AEG034",
	Name:     "regions-unmet",
	Severity: aegis.SeverityWarning,
	Summary:  "regions that no call can be in",
	Doc: `avoid: regions: [us-east-1] under a guardrail with regions: [eu-west-1]; require: region == "eu-west-2" beside them
prefer: regions that overlap with those of every guardrail, spelt as the agent's token spells them
why: a call has one region, and every list must hold it. Where they have none in common every call is denied, and so is
a call without a region: it comes from the token's claim, or from the caller where there are no tokens.`,
	check: checkRegionsUnmet,
}

func checkRegionsUnmet(p *pass) {
	for _, u := range p.units {
		if u.policy == nil {
			continue
		}
		scopes := []policy.Scope{u.policy.Scope}
		for _, g := range p.guardrails {
			if boundsPolicy(g.guardrail, u.policy) {
				scopes = append(scopes, g.guardrail.Scope)
			}
		}
		var left []string
		last := policy.NoRule
		for _, s := range scopes {
			if s.RegionsRule == policy.NoRule {
				continue
			}
			if last == policy.NoRule {
				left, last = s.Regions, s.RegionsRule
				continue
			}
			both := slices.DeleteFunc(slices.Clone(left), func(r string) bool { return !slices.Contains(s.Regions, r) })
			if len(both) == 0 {
				p.report(last, "name a region that both lists have", "no call can be in these regions (%s) and in those of %s (%s)",
					strings.Join(left, ", "), line(p.pos(s.RegionsRule), p.pos(last)), strings.Join(s.Regions, ", "))
			}
			left = both
		}
		if last != policy.NoRule && len(left) > 0 {
			p.foreignRegions(u, left)
		}
	}
}

// foreignRegions looks for conditions that compare the region with one that is ruled out.
func (p *pass) foreignRegions(u *unit, regions []string) {
	for _, e := range u.entries {
		for _, c := range conditionsOf(e) {
			c.Expr.Walk(func(x *policy.Expr) {
				left, op, lit, ok := comparisonWith(x)
				if ok && left.Op == policy.OpPath && left.Root == policy.RootRegion && lit.Kind == aegis.String &&
					(op == policy.OpEq || op == policy.OpNe) && !slices.Contains(regions, lit.Str) {
					p.reportAt(c.Pos, c.Rule, "the policy's regions are "+strings.Join(regions, ", "),
						"region is never %s here: regions rules it out", lit.Str)
				}
			})
		}
	}
}
