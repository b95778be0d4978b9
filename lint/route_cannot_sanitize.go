package lint

import (
	"slices"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var routeCannotSanitize = &Rule{
	ID:       "AEG084",
	Name:     "route-cannot-sanitize",
	Severity: aegis.SeverityWarning,
	Summary:  "calls that would be sanitized come through a door that cannot change them",
	Doc: `avoid: door: ext_authz on a route to an entry that sanitizes
prefer: door: ext_proc
why: ext_authz sees a request and cannot change its body. Where something is found, it denies the call
(cannot_sanitize_here); of results it sees nothing at all.`,
	check: checkRouteCannotSanitize,
}

func checkRouteCannotSanitize(p *pass) {
	p.routes(func(r *policy.Route, es []*policy.Entry) {
		if i := slices.IndexFunc(es, func(e *policy.Entry) bool { return len(e.Sanitize) > 0 }); i >= 0 && r.Door == policy.ExtAuthz {
			p.reportAt(r.Pos, es[i].Sanitize[0].Rule, "write door: ext_proc", "%s is sanitized, and ext_authz cannot change a request", r.Call())
		}
	})
}
