package serve

import (
	"github.com/aegisctl/aegis/policy"
	"github.com/aegisctl/aegis/route"
)

// Snapshot is the policies that were in force at one moment. A door that asks their routes what a request is, hands the same
// snapshot on, so that one version both names the call and decides it.
type Snapshot struct{ state *state }

// Snapshot returns the policies in force.
func (s *Service) Snapshot() Snapshot { return Snapshot{s.live.Load()} }

// Routes returns the routes of a tenant; where none are stated, a table that matches nothing.
func (s Snapshot) Routes(tenant string) *route.Table {
	if u := s.state.unit(tenant); u != nil {
		if t := u.routes[tenant]; t != nil {
			return t
		}
	}
	return noRoutes
}

var noRoutes = route.New(new(policy.Set), "")

// tables makes the tables of a set's tenants.
func (s *Service) tables(set *policy.Set) map[string]*route.Table {
	out := map[string]*route.Table{}
	for _, file := range set.Routes {
		for _, r := range file.Routes {
			if out[r.Tenant] == nil {
				t := route.New(set, r.Tenant)
				if s.opt.MaxBody != 0 {
					t.MaxBody = s.opt.MaxBody
				}
				out[r.Tenant] = t
			}
		}
	}
	return out
}
