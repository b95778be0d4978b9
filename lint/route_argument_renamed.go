package lint

import (
	"slices"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var routeArgumentRenamed = &Rule{
	ID:       "AEG082",
	Name:     "route-argument-renamed",
	Severity: aegis.SeverityWarning,
	Summary:  "a rule names an argument to which the route gives another name",
	Doc: `avoid: max_amount: 5000 and args: {total: form.amount} in the route
prefer: args: {amount: {from: form.amount, type: number}}
why: a part of a request that a route maps is an argument under the mapped name alone. A rule on the old name finds
nothing: it denies every request of the route or, where the argument is optional, lets all pass.`,
	check: checkRouteArgumentRenamed,
}

func checkRouteArgumentRenamed(p *pass) {
	p.routes(func(r *policy.Route, es []*policy.Entry) {
		for _, a := range r.Args {
			old := a.Key
			if a.From == policy.FromBody && len(a.Pointer) == 1 {
				old = a.Pointer[0]
			}
			if _, given := argOfRoute(r, old); old == "" || old == a.Name || given || a.From == policy.FromHeader {
				continue
			}
			if i := slices.IndexFunc(es, func(e *policy.Entry) bool { return slices.Contains(e.Names, old) }); i >= 0 {
				p.reportAt(a.Pos, policy.NoRule, "call it "+old+" here, or "+a.Name+" in the policy",
					"%s is the argument %s by this route, and a rule (%s) names %s", a.Where(), a.Name, es[i].ID, old)
			}
		}
	})
}
