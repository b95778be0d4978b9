package lint

import (
	"slices"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var routeArgumentUnread = &Rule{
	ID:       "AEG083",
	Name:     "route-argument-unread",
	Severity: aegis.SeverityInfo,
	Summary:  "a route maps a header, or scales a number, that no rule reads",
	Doc: `avoid: args: {account: header.stripe-account} where no rule names account
prefer: a rule on account, or no mapping
why: whoever writes such a mapping wants a rule to see it. The rule was forgotten, or names the argument otherwise.
Mappings that only state a type are not judged.`,
	check: checkRouteArgumentUnread,
}

func checkRouteArgumentUnread(p *pass) {
	custom := slices.ContainsFunc(p.set.Policies, func(x *policy.Policy) bool { return len(x.Custom) > 0 })
	p.routes(func(r *policy.Route, es []*policy.Entry) {
		if len(es) == 0 || custom {
			return
		}
		for _, a := range r.Args {
			if a.From != policy.FromHeader && a.Scale == 0 {
				continue
			}
			if !slices.ContainsFunc(es, func(e *policy.Entry) bool { return slices.Contains(e.Names, a.Name) || whole(e) }) {
				p.reportAt(a.Pos, policy.NoRule, "write a rule on it, or leave it out", "no rule of %s reads %s", r.Call(), a.Name)
			}
		}
	})
}

// whole reports whether an entry has rules that look at all arguments.
func whole(e *policy.Entry) bool {
	return len(e.Sanitize) > 0 || e.Conditions != nil && e.Conditions.OtherArgs != policy.NoRule || len(e.Limits) > 0 || e.Cost != nil
}
