package lint

import (
	"maps"
	"slices"

	"github.com/aegisctl/aegis/policy"
)

// schemaOf returns the schemas that a policy goes by, or nil where there are none.
func (p *pass) schemaOf(u *unit) *Schema {
	s := p.opt.Schema
	if s != nil && u.policy != nil && s.ofTenant[u.policy.Tenant] != nil {
		s = s.ofTenant[u.policy.Tenant]
	}
	if s == nil || len(s.servers) == 0 {
		return nil
	}
	return s
}

// toolsOf returns the tools whose calls an entry is about, by name. A server is a tool of the policy and its tools are
// actions; tools of a list that names no server may be either.
func (s *Schema) toolsOf(e *policy.Entry) []*toolSchema {
	var out []*toolSchema
	for _, server := range slices.Sorted(maps.Keys(s.servers)) {
		tools := s.servers[server]
		if server != "" && !policy.MatchAny(e.Tools, server) || server == "" && s.named(e) {
			continue
		}
		patterns := e.Actions
		if server == "" && e.Actions == nil {
			patterns = e.Tools
		}
		for _, name := range slices.Sorted(maps.Keys(tools)) {
			if patterns == nil || policy.MatchAny(patterns, name) {
				out = append(out, tools[name])
			}
		}
	}
	return out
}

// named reports whether all tools of an entry are servers with a list of their own.
func (s *Schema) named(e *policy.Entry) bool {
	return !slices.ContainsFunc(e.Tools, func(t policy.Pattern) bool {
		return !t.Exact() || t == "" || s.servers[string(t)] == nil
	})
}

// schemaPairs calls f for every entry of a policy and every tool whose calls it is about.
func (p *pass) schemaPairs(f func(*unit, *policy.Entry, []*toolSchema)) {
	if p.opt.Schema == nil {
		return
	}
	p.entries(func(u *unit, e *policy.Entry) {
		// A guardrail bounds whatever there is, also tools that nobody lists.
		s := p.schemaOf(u)
		if s == nil || u.guardrail != nil {
			return
		}
		if tools := s.toolsOf(e); len(tools) > 0 {
			f(u, e, tools)
		}
	})
}

// worldsOf returns what holds of every call of an entry that carries those arguments and is valid by the tool's schema:
// one world for each alternative of each argument that has several.
func (p *pass) worldsOf(u *unit, e *policy.Entry, t *toolSchema, paths [][]string) []world {
	worlds := []world{p.factsOf(u, e)}
	for _, path := range paths {
		a := t.argument(path)
		ds := a.domains()
		if ds == nil {
			continue
		}
		var next []world
		for _, w := range worlds {
			for _, d := range ds {
				next = append(next, w.with(pathKey(path), func(x *domain) {
					*x = *d
					x.given = true
				}))
			}
		}
		if len(next) > maxAlternatives {
			continue
		}
		worlds = next
	}
	return worlds
}

// possibleIn reports whether a claim can hold in one of the worlds.
func possibleIn(worlds []world, branches *int, c claim) bool {
	return slices.ContainsFunc(worlds, func(w world) bool { return w.search([]claim{c}, branches) })
}

// closest returns the candidate that is most like a name, or "" where none is close.
func closest(name string, candidates []string) string {
	best, least := "", max(1, len(name)/3)+1
	for _, c := range candidates {
		if len(name) > 64 || len(c) > 64 {
			continue
		}
		if d := edits(name, c); d < least {
			best, least = c, d
		}
	}
	return best
}

// orKnown is the hint for a name that is none of the candidates.
func orKnown(name string, candidates []string, otherwise string) string {
	if c := closest(name, candidates); c != "" {
		return "did you mean " + c + "?"
	}
	if len(candidates) > 0 && len(candidates) <= 12 {
		return otherwise + "; known here: " + joined(candidates)
	}
	return otherwise
}

// memberNames returns the members that the schema declares.
func (a argument) memberNames() []string {
	var out []string
	for _, alt := range a.alts {
		for _, v := range alt {
			props := v.Get("properties")
			for m := props.First(); m.Given(); m = props.After(m) {
				if !slices.Contains(out, m.Key()) {
					out = append(out, m.Key())
				}
			}
		}
	}
	slices.Sort(out)
	return out
}
