package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var sessionNever = &Rule{
	ID:       "AEG025",
	Name:     "session-never",
	Severity: aegis.SeverityWarning,
	Summary:  "session.* asks for a call that nothing grants, or a taint that nothing sets",
	Doc: `avoid: deny_if: session.tainted("untrusted"), and no entry with taints: [untrusted]
prefer: the tool, action and taint as the entries of the tenant's policies spell them
why: a session's history holds calls that were let through. Of one that no policy of the tenant grants there is none,
so seen is false and count is 0 for ever. Lint the whole directory: sub-agents share their caller's session.`,
	check: checkSessionNever,
}

func checkSessionNever(p *pass) {
	known := map[string]bool{} // features of a tenant that were asked for already
	p.conditions(func(c condition) {
		c.Expr.Walk(func(x *policy.Expr) {
			if x.Op < policy.OpCount || x.Op > policy.OpTainted {
				return
			}
			tenant := c.unit.tenant()
			key := fmt.Sprintf("%s\x00%d\x00%s\x00%t", tenant, x.Feature.Kind, x.Feature.Key(), x.Feature.Any)
			possible, asked := known[key]
			if !asked {
				possible = p.happens(tenant, *x.Feature)
				known[key] = possible
			}
			if possible {
				p.summed(c, *x.Feature)
				return
			}
			if f := x.Feature; f.Kind == policy.FeatureTaint {
				p.reportAt(c.Pos, c.Rule, didYouMean(f.Taint, p.taints(tenant), "add taints: ["+f.Taint+"] to the entries whose calls bring it"),
					"no entry sets the taint %s", f.Taint)
			} else {
				name := f.Tool
				if !f.Any {
					name += "/" + f.Action
				}
				p.reportAt(c.Pos, c.Rule, didYouMean(name, p.calls(tenant), "name a tool and action that a policy grants"),
					"no policy grants %s, so no session has a call of it", name)
			}
		})
	})
}

// summed reports a sum over an argument that no rule of the summed calls names, where one is a number.
func (p *pass) summed(c condition, f policy.Feature) {
	if f.Kind != policy.FeatureSum {
		return
	}
	number := ""
	for _, u := range p.units {
		if u.tenant() != c.unit.tenant() {
			continue
		}
		for _, e := range u.entries {
			if !policy.MatchAny(e.Tools, f.Tool) || !f.Any && e.Actions != nil && !policy.MatchAny(e.Actions, f.Action) {
				continue
			}
			if slices.Contains(e.Names, f.Arg) {
				return
			}
			for _, k := range constraintsOf(e) {
				if k.Type == aegis.Number {
					number = k.Path[0]
				}
			}
		}
	}
	if number != "" {
		p.reportAt(c.Pos, c.Rule, "did you mean "+number+"?", "no rule of %s/%s names %s, so its sum may be 0 for ever", f.Tool, f.Action, f.Arg)
	}
}

// happens reports whether some entry of the tenant grants the call, or sets the taint, that a feature asks for.
func (p *pass) happens(tenant string, f policy.Feature) bool {
	for _, u := range p.units {
		if tenant != "*" && u.tenant() != tenant && u.tenant() != "*" {
			continue
		}
		for _, e := range u.entries {
			if f.Kind == policy.FeatureTaint {
				for _, t := range e.Taints {
					if t == f.Taint {
						return true
					}
				}
				continue
			}
			if e.Grants && policy.MatchAny(e.Tools, f.Tool) && (f.Any || e.Actions == nil || policy.MatchAny(e.Actions, f.Action)) {
				return true
			}
		}
	}
	return false
}

// calls and taints list what a tenant's entries name, for hints.
func (p *pass) calls(tenant string) []string {
	var out []string
	for _, u := range p.units {
		if tenant != "*" && u.tenant() != tenant {
			continue
		}
		for _, e := range u.entries {
			for _, t := range e.Tools {
				out = append(out, string(t))
				for _, a := range e.Actions {
					out = append(out, string(t)+"/"+string(a))
				}
			}
		}
	}
	return out
}

func (p *pass) taints(tenant string) []string {
	var out []string
	for _, u := range p.units {
		if tenant == "*" || u.tenant() == tenant {
			for _, e := range u.entries {
				out = append(out, e.Taints...)
			}
		}
	}
	return out
}

// didYouMean returns the hint for a name that is none of the candidates.
func didYouMean(name string, candidates []string, otherwise string) string {
	best, least := "", max(2, len(name)/4)+1
	for _, c := range candidates {
		if d := edits(name, c); d < least && !strings.HasSuffix(c, "*") {
			best, least = c, d
		}
	}
	if best == "" {
		return otherwise
	}
	return fmt.Sprintf("did you mean %s?", best)
}
