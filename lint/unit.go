package lint

import (
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// unit is a policy or a guardrail. Entries of one unit can apply to one call; so can those of guardrails, but
// bounding what others grant is what a guardrail is for, and no mistake.
type unit struct {
	policy    *policy.Policy    // or nil
	guardrail *policy.Guardrail // or nil
	limits    []*policy.Limit   // of the whole unit
	entries   []*policy.Entry   // each followed by its actions with keys of their own

	exact map[policy.Pattern][]*policy.Entry // entries by the tools they name
	globs []*policy.Entry                    // entries of which a tool ends in a star
}

func unitsOf(set *policy.Set) []*unit {
	var units []*unit
	for _, p := range set.Policies {
		units = append(units, (&unit{policy: p, limits: p.Limits}).index(p.Entries))
	}
	for _, g := range set.Guardrails {
		units = append(units, (&unit{guardrail: g, limits: g.Limits}).index(g.Entries))
	}
	return units
}

func (u *unit) index(entries []*policy.Entry) *unit {
	u.exact = map[policy.Pattern][]*policy.Entry{}
	for _, e := range entries {
		u.entries = append(append(u.entries, e), e.Children...)
	}
	for _, e := range u.entries {
		if slices.ContainsFunc(e.Tools, func(t policy.Pattern) bool { return !t.Exact() }) {
			u.globs = append(u.globs, e)
			continue
		}
		for _, t := range e.Tools {
			u.exact[t] = append(u.exact[t], e)
		}
	}
	return u
}

// beside returns the other entries of the unit that apply to some call that e applies to, in the order of entries.
func (u *unit) beside(e *policy.Entry) []*policy.Entry {
	var out []*policy.Entry
	seen := map[*policy.Entry]bool{e: true}
	add := func(candidates []*policy.Entry) {
		for _, c := range candidates {
			if !seen[c] && meet(c, e) {
				seen[c] = true
				out = append(out, c)
			}
		}
	}
	if slices.ContainsFunc(e.Tools, func(t policy.Pattern) bool { return !t.Exact() }) {
		add(u.entries)
		return out
	}
	for _, t := range e.Tools {
		add(u.exact[t])
	}
	add(u.globs)
	return out
}

// lineage returns an entry and, where it is an action of one, that one. What both say holds of every call that the
// action matches.
func lineage(e *policy.Entry) []*policy.Entry {
	if e.Parent == nil {
		return []*policy.Entry{e}
	}
	return []*policy.Entry{e, e.Parent}
}

// kin reports whether two entries are the same, or one of them is an action of the other.
func kin(a, b *policy.Entry) bool { return a == b || a.Parent == b || b.Parent == a }

// effect returns what the entry's calls do. An action's own effect replaces that of its entry, and unset is write.
func effect(e *policy.Entry) aegis.Effect {
	for _, x := range lineage(e) {
		if x.Effect != aegis.EffectUnset {
			return x.Effect
		}
	}
	return aegis.Write
}

func shadowed(e *policy.Entry) bool {
	for _, x := range lineage(e) {
		if x.Mode.Stated {
			return x.Mode.Shadow
		}
	}
	return false
}

// meet reports whether some call matches both entries.
func meet(a, b *policy.Entry) bool {
	return anyPair(a.Tools, b.Tools, patternsMeet) &&
		(a.Actions == nil || b.Actions == nil || anyPair(a.Actions, b.Actions, patternsMeet))
}

// within reports whether every call that matches a matches b.
func within(a, b *policy.Entry) bool {
	covered := func(as, bs []policy.Pattern) bool {
		return !slices.ContainsFunc(as, func(x policy.Pattern) bool {
			return !slices.ContainsFunc(bs, func(y policy.Pattern) bool { return patternCovers(y, x) })
		})
	}
	return covered(a.Tools, b.Tools) && (b.Actions == nil || a.Actions != nil && covered(a.Actions, b.Actions))
}

func anyPair(as, bs []policy.Pattern, f func(a, b policy.Pattern) bool) bool {
	return slices.ContainsFunc(as, func(a policy.Pattern) bool {
		return slices.ContainsFunc(bs, func(b policy.Pattern) bool { return f(a, b) })
	})
}

func patternsMeet(a, b policy.Pattern) bool {
	return patternCovers(a, b) || patternCovers(b, a)
}

// patternCovers reports whether every name that fits b fits a.
func patternCovers(a, b policy.Pattern) bool {
	prefix, glob := strings.CutSuffix(string(a), "*")
	if !glob {
		return a == b
	}
	return strings.HasPrefix(strings.TrimSuffix(string(b), "*"), prefix)
}

// use is what an expression is for.
type use uint8

const (
	forRequire use = iota
	forDeny
	forApproval
	forTier // `when` of an approval
)

// condition is one expression of the set and where it stands.
type condition struct {
	*policy.Condition
	use   use
	unit  *unit
	entry *policy.Entry
}

// conditions calls f for every condition of the set.
func (p *pass) conditions(f func(condition)) {
	for _, c := range p.known.conditions {
		f(c)
	}
}

// conditionsOf returns an entry's own conditions.
func conditionsOf(e *policy.Entry) []condition {
	var out []condition
	add := func(as use, cs []*policy.Condition) {
		for _, c := range cs {
			out = append(out, condition{Condition: c, use: as, entry: e})
		}
	}
	if c := e.Conditions; c != nil {
		add(forRequire, c.Require)
		add(forDeny, c.DenyIf)
		add(forApproval, c.ApprovalIf)
	}
	for _, t := range e.Approval {
		add(forTier, t.When)
	}
	return out
}

// entries calls f for every entry and every action with keys of its own.
func (p *pass) entries(f func(*unit, *policy.Entry)) {
	for _, u := range p.units {
		for _, e := range u.entries {
			f(u, e)
		}
	}
}

// constraints calls f for every constraint of the set, those of elements and members included.
func (p *pass) constraints(f func(*unit, *policy.Entry, *policy.Constraint)) {
	p.entries(func(u *unit, e *policy.Entry) {
		for _, c := range constraintsOf(e) {
			f(u, e, c)
		}
	})
}

// constraintsOf returns an entry's own constraints, those of elements and members included.
func constraintsOf(e *policy.Entry) []*policy.Constraint {
	if e.Conditions == nil {
		return nil
	}
	var out []*policy.Constraint
	var visit func([]*policy.Constraint)
	visit = func(cs []*policy.Constraint) {
		for _, c := range cs {
			out = append(out, c)
			if c.Each != nil {
				visit([]*policy.Constraint{c.Each})
			}
			visit(c.Args)
		}
	}
	visit(e.Conditions.Args)
	return out
}

// terms calls f for the parts of a condition that and, or, not and the quantifiers join, with whether a part that is
// true speaks for the whole being true.
func terms(e *policy.Expr, positive bool, f func(x *policy.Expr, positive bool)) {
	switch e.Op {
	case policy.OpAnd, policy.OpOr:
		terms(e.Sub[0], positive, f)
		terms(e.Sub[1], positive, f)
	case policy.OpNot:
		terms(e.Sub[0], !positive, f)
	case policy.OpExists, policy.OpAll:
		terms(e.Sub[1], positive, f)
	default:
		f(e, positive)
	}
}

// permits reports whether a part of c that is true speaks for letting the call through.
func (c condition) permits(positive bool) bool { return (c.use == forRequire) == positive }

// argOf returns the dotted name of the argument that x reads, directly or in another form of the same text.
func argOf(x *policy.Expr) (string, bool) {
	switch x.Op {
	case policy.OpPath:
		return strings.Join(x.Fields, "."), x.Root == policy.RootArgs
	case policy.OpLower, policy.OpHost, policy.OpDomain:
		return argOf(x.Sub[0])
	}
	return "", false
}
