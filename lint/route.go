package lint

import (
	"slices"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// routes calls f for every route of the set with the entries that apply to its calls, of policies and of guardrails. Of the
// calls of body: mcp the action is not known, and only entries about all actions are sure to apply.
func (p *pass) routes(f func(*policy.Route, []*policy.Entry)) {
	for _, file := range p.set.Routes {
		for _, r := range file.Routes {
			var es []*policy.Entry
			for _, u := range p.units {
				if u.policy != nil && u.policy.Tenant != r.Tenant || u.guardrail != nil && u.guardrail.Tenant != "*" && u.guardrail.Tenant != r.Tenant {
					continue
				}
				for _, about := range [][]*policy.Entry{u.exact[policy.Pattern(r.Tool)], u.globs} {
					for _, e := range about {
						if e.Matches(r.Tool, r.Action) {
							es = append(es, e)
						}
					}
				}
			}
			f(r, es)
		}
	}
}

// argOfRoute returns how a route gives an argument that it maps, or that is a parameter of its path.
func argOfRoute(r *policy.Route, name string) (*policy.RouteArg, bool) {
	if i := slices.IndexFunc(r.Args, func(a *policy.RouteArg) bool { return a.Name == name }); i >= 0 {
		return r.Args[i], true
	}
	return &policy.RouteArg{Name: name, From: policy.FromPath, Key: name, Pos: r.Pos},
		slices.ContainsFunc(r.Path, func(s policy.Segment) bool { return s.Param && s.Text == name })
}

// kindOfRoute returns the kind that an argument has in the route's calls, where it is there: Absent where that depends on
// the request. A member of a JSON body that is not mapped may be of any kind; all else that is not mapped is text.
func kindOfRoute(r *policy.Route, name string) (aegis.Kind, *policy.RouteArg) {
	a, ok := argOfRoute(r, name)
	switch {
	case ok && a.From != policy.FromBody && a.Type == aegis.Absent:
		return aegis.String, a
	case ok:
		return a.Type, a
	case slices.ContainsFunc(r.Args, func(a *policy.RouteArg) bool { return a.Key == name }):
		return aegis.Absent, nil // it goes by another name
	case r.Body == policy.BodyForm:
		return aegis.String, &policy.RouteArg{Name: name, From: policy.FromForm, Key: name, Pos: r.Pos}
	case r.Body == policy.BodyNone:
		return aegis.String, &policy.RouteArg{Name: name, From: policy.FromQuery, Key: name, Pos: r.Pos}
	}
	return aegis.Absent, nil
}
