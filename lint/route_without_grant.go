package lint

import (
	"slices"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var routeWithoutGrant = &Rule{
	ID:       "AEG080",
	Name:     "route-without-grant",
	Severity: aegis.SeverityInfo,
	Summary:  "a route leads to a tool or an action that no policy grants",
	Doc: `avoid: call: stripe/create_payments where policies grant stripe/create_payment
prefer: the names that policies grant
why: requests become calls of that name, and all of them are denied. Names compare byte for byte.
It is only information: routes drafted for a whole API name much that no agent may do. Routes of a tenant that has no
policy here are not judged.`,
	check: checkRouteWithoutGrant,
}

// maxUngranted is how many routes of one file are named one by one.
const maxUngranted = 10

func checkRouteWithoutGrant(p *pass) {
	tenants := map[string]bool{}
	for _, x := range p.set.Policies {
		tenants[x.Tenant] = true
	}
	ungranted := map[string][]*policy.Route{} // by file
	p.routes(func(r *policy.Route, es []*policy.Entry) {
		granted := slices.ContainsFunc(es, func(e *policy.Entry) bool { return e.Grants })
		if r.Body == policy.BodyMCP {
			granted = slices.ContainsFunc(p.set.Policies, func(x *policy.Policy) bool {
				return x.Tenant == r.Tenant && slices.ContainsFunc(x.Entries, func(e *policy.Entry) bool { return policy.MatchAny(e.Tools, r.Tool) })
			})
		}
		if !granted && tenants[r.Tenant] {
			ungranted[r.Pos.File] = append(ungranted[r.Pos.File], r)
		}
	})
	for _, rs := range ungranted {
		if len(rs) > maxUngranted {
			p.reportAt(rs[0].Pos, policy.NoRule, "grant what is needed, and remove the other routes",
				"no policy grants the calls of %d routes of this file, such as %s: their requests are denied", len(rs), rs[0].Call())
			continue
		}
		for _, r := range rs {
			p.reportAt(r.Pos, policy.NoRule, "grant it, or remove the route", "no policy grants %s: every request of this route is denied", r.Call())
		}
	}
}
