package lint

import (
	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var routeWrongType = &Rule{
	ID:       "AEG081",
	Name:     "route-wrong-type",
	Severity: aegis.SeverityError,
	Summary:  "a rule needs an argument to be of another type than the route gives it",
	Doc: `avoid: max_amount: 5000 and a route with body: form that says nothing of amount
prefer: args: {amount: {from: form.amount, type: number}} in the route
why: what comes from a form, a path, a query or a header is text unless the route says more. A rule on an argument of
another type is an error, and an error denies: every request of the route that carries the argument is denied.`,
	check: checkRouteWrongType,
}

func checkRouteWrongType(p *pass) {
	p.routes(func(r *policy.Route, es []*policy.Entry) {
		said := map[string]bool{}
		report := func(path []string, need aegis.Kind, rule policy.RuleID) {
			if len(path) == 0 || need == aegis.Absent || said[path[0]] {
				return
			}
			if len(path) > 1 {
				need = aegis.Object
			}
			has, a := kindOfRoute(r, path[0])
			if has == aegis.Absent || has == need {
				return
			}
			said[path[0]] = true
			hint := "say its type in the route: {from: " + a.Where() + ", type: " + need.String() + "}"
			if need > aegis.String {
				hint = "such a value comes from a JSON body only"
			}
			p.reportAt(a.Pos, rule, hint, "%s is a %s by this route (%s), and %s needs a %s: every request that carries it is denied",
				path[0], has, a.Where(), p.key(rule), need)
		}
		for _, e := range es {
			for _, c := range topConstraints(e) {
				for _, ch := range c.Checks {
					report(c.Path, ch.Type, ch.Rule)
				}
			}
			for _, c := range conditionsOf(e) {
				terms(c.Expr, true, func(x *policy.Expr, _ bool) {
					for _, path := range x.ArgPaths() {
						report(path, neededKind(x, pathKey(path)), c.Rule)
					}
				})
			}
		}
	})
}

// topConstraints returns an entry's own constraints of arguments, without those of elements and members.
func topConstraints(e *policy.Entry) []*policy.Constraint {
	if e.Conditions == nil {
		return nil
	}
	return e.Conditions.Args
}
