package serve

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aegisctl/aegis/decide"
	"github.com/aegisctl/aegis/limit"
	"github.com/aegisctl/aegis/policy"
	"github.com/aegisctl/aegis/route"
)

// state is the policies in force. It is immutable: a call keeps the one it began with.
type state struct {
	units   []*Unit
	tenants map[string]*Unit
}

// unit returns the policies of a tenant. Where none are stated for it, guardrails for all tenants and the reason come
// from the first.
func (st *state) unit(tenant string) *Unit {
	if u := st.tenants[tenant]; u != nil {
		return u
	}
	if len(st.units) > 0 {
		return st.units[0]
	}
	return nil
}

// Source is the content of one bundle, or of one directory of policies.
type Source struct {
	Name   string // where it came from, for people
	Set    *policy.Set
	Serial int64 // of the bundle; 0: none
	Signed bool  // its signature was verified

	// FreshUntil is when it expires, or was signed too long ago; zero: never. Writes are denied from then on, unless
	// Options.KeepStale.
	FreshUntil time.Time
}

// Stale reports whether a source is no longer fresh.
func (s *Source) Stale(now time.Time) bool {
	return !s.FreshUntil.IsZero() && !now.Before(s.FreshUntil)
}

// Unit is one source in force.
type Unit struct {
	Source
	Since time.Time
	set   *policy.Set
	gate  *decide.Gate

	routes map[string]*route.Table // by tenant; what turns HTTP requests into calls
}

// Tenants lists the tenants that a source states policies for.
func (s *Source) Tenants() []string {
	var out []string
	for _, p := range s.Set.Policies {
		if !slices.Contains(out, p.Tenant) {
			out = append(out, p.Tenant)
		}
	}
	slices.Sort(out)
	return out
}

// ErrOneTenantTwice is the error of Install for a tenant that two sources state policies for.
var ErrOneTenantTwice = errors.New("two sources state policies for one tenant")

// Install puts sources in force, instead of what was, all or none. Calls that are under way keep what they began with;
// what was spent and remembered stays.
func (s *Service) Install(sources []Source) error {
	return s.InstallIf(sources, func() error { return nil })
}

// InstallIf is Install under a last condition, which is asked when nothing else can fail; its error stops the change.
func (s *Service) InstallIf(sources []Source, last func() error) error {
	s.install.Lock()
	defer s.install.Unlock()
	next := &state{tenants: map[string]*Unit{}}
	old := s.live.Load()
	for _, src := range sources {
		u := old.same(&src)
		if u == nil {
			gate, err := decide.NewGate(src.Set, decide.Options{Engine: s.opt.Engine, Mode: s.opt.Mode, Tenant: s.opt.Tenant,
				Ledger: s.ledger, ShadowLedger: s.shadow, Sessions: s.sessions})
			if err != nil {
				return fmt.Errorf("%s: %w", src.Name, err)
			}
			u = &Unit{Source: src, Since: s.opt.Now(), set: src.Set, gate: gate, routes: s.tables(src.Set)}
		}
		for _, t := range u.Tenants() {
			if other := next.tenants[t]; other != nil {
				return fmt.Errorf("%w: %s, in %s and %s", ErrOneTenantTwice, t, other.Name, src.Name)
			}
			next.tenants[t] = u
		}
		next.units = append(next.units, u)
	}
	if err := bounded(next.units); err != nil {
		return err
	}
	if err := last(); err != nil {
		return err
	}
	s.live.Store(next)
	for _, u := range next.units {
		s.opt.Log.Info("policies in force", "source", u.Name, "policy_version", u.set.Version, "serial", u.Serial,
			"tenants", strings.Join(u.Tenants(), ","))
	}
	return nil
}

// ErrGuardrailElsewhere is the error of Install for a guardrail that bounds a tenant whose policies come from a source that
// does not have it: calls are judged by one source, so that it would bind nobody there.
var ErrGuardrailElsewhere = errors.New("a guardrail is missing beside the policies that it bounds")

// bounded looks for guardrails that other sources' policies would escape from.
func bounded(units []*Unit) error {
	for _, u := range units {
		for _, g := range u.set.Guardrails {
			for _, other := range units {
				same := func(o *policy.Guardrail) bool { return o.ID == g.ID }
				bounds := func(tenant string) bool { return g.Tenant == "*" || g.Tenant == tenant }
				if other == u || !slices.ContainsFunc(other.Tenants(), bounds) || slices.ContainsFunc(other.set.Guardrails, same) {
					continue
				}
				return fmt.Errorf("%w: %s of %s bounds tenants of %s too; compile both with it", ErrGuardrailElsewhere, g.ID, u.Name, other.Name)
			}
		}
	}
	return nil
}

// same returns the unit that a source already is, so that its compiled plans are kept.
func (st *state) same(src *Source) *Unit {
	for _, u := range st.units {
		if u.Source == *src {
			return u
		}
	}
	return nil
}

// Units returns what is in force.
func (s *Service) Units() []*Unit { return s.live.Load().units }

// Mode returns the server's mode.
func (s *Service) Mode() string { return s.opt.Mode.String() }

// Sessions returns how many sessions are remembered.
func (s *Service) Sessions() int { return s.sessions.Len() }

// Usage returns how far limits are used up: those that bind, and those that are only tried out. Limits with more than most
// keys are left out.
func (s *Service) Usage(most int) (bound, shadow []limit.Usage) {
	now := s.opt.Now().UnixMicro()
	return s.ledger.Usage(now, most), s.shadow.Usage(now, most)
}
