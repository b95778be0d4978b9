package suite

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// mutator lists the changes of one set, always in the same order. Changes are made on the typed tree: what a change
// makes is what the loader would make of the changed text, so that nothing need be read again.
type mutator struct {
	set   *policy.Set
	calls []*aegis.Call            // of the tests
	unit  string                   // at work wherever the rules that are visited are
	about func(c *aegis.Call) bool // whether they are at work on a call
	out   []change
}

// changesOf lists every change of a set, sorted by place.
func changesOf(set *policy.Set, calls []*aegis.Call) []change {
	m := &mutator{set: set, calls: calls}
	for _, p := range set.Policies {
		m.unit = p.ID
		m.about = func(c *aegis.Call) bool { return c.Tenant == p.Tenant && policy.MatchAny(p.Agents, c.Agent) }
		m.scope(&p.Scope)
		m.limits(&p.Limits)
		m.mode(ref{p.ID, p.Pos}, &p.Mode)
		for i, c := range p.Custom {
			assign(m, m.ref(c.Rule), "without "+c.File, &p.Custom, without(p.Custom, i))
		}
		m.entries(&p.Entries)
	}
	for _, g := range set.Guardrails {
		m.unit = g.ID
		m.about = func(c *aegis.Call) bool { return g.Matches(c.Tenant, c.Agent) }
		m.scope(&g.Scope)
		m.limits(&g.Limits)
		m.entries(&g.Entries)
		for i, a := range g.Agents {
			if len(g.Agents) > 1 {
				assign(m, ref{g.ID, g.Pos}, "agents without "+string(a), &g.Agents, without(g.Agents, i))
			}
		}
	}
	slices.SortStableFunc(m.out, byPlace)
	return m.out
}

// ref is what a change is about, for people.
type ref struct {
	id  string
	pos policy.Pos
}

func (m *mutator) ref(rule policy.RuleID) ref {
	r := m.set.Rules[rule]
	return ref{r.ID, r.Pos}
}

// assign notes the change that puts a value in a place of the tree.
func assign[T any](m *mutator, r ref, text string, at *T, to T) *change {
	was := *at
	m.out = append(m.out, change{
		Mutant: Mutant{Source: place(r.pos), Rule: r.id, Change: text, at: r.pos},
		unit:   m.unit,
		apply:  func() { was, *at = *at, to },
		undo:   func() { *at = was },
	})
	return &m.out[len(m.out)-1]
}

// without returns a list without one element.
func without[T any](list []T, i int) []T {
	return append(slices.Clone(list[:i]), list[i+1:]...)
}

// sample returns the indexes of the elements that are dropped one by one: of a long list, which is data rather than a
// rule, the first, the middle and the last.
func sample(n int) []int {
	const most = 8
	if n > most {
		return []int{0, n / 2, n - 1}
	}
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func (m *mutator) scope(s *policy.Scope) {
	if s.CallersRule > 0 {
		m.words(m.ref(s.CallersRule), "callers", &s.Callers, callerOf)
	}
	if s.DepthRule > 0 {
		r := m.ref(s.DepthRule)
		m.count(r, "max_chain_depth", &s.MaxDepth, 0, aegis.MaxChain)
		assign(m, r, "without max_chain_depth", &s.DepthRule, policy.NoRule)
	}
	if s.RegionsRule > 0 {
		r := m.ref(s.RegionsRule)
		m.words(r, "regions", &s.Regions, regionOf)
		assign(m, r, "without regions", &s.RegionsRule, policy.NoRule)
	}
	if s.UntilRule > 0 {
		const day = 24 * 3600 * 1_000_000
		r := m.ref(s.UntilRule)
		assign(m, r, "until a day earlier", &s.Until, s.Until-day)
		assign(m, r, "until a day later", &s.Until, s.Until+day)
		assign(m, r, "without until", &s.UntilRule, policy.NoRule)
	}
}

// words drops each of a list of names, and adds one that the tests use.
func (m *mutator) words(r ref, key string, at *[]string, of func(*aegis.Call) string) {
	for _, i := range sample(len(*at)) {
		if len(*at) > 1 {
			assign(m, r, key+" without "+(*at)[i], at, without(*at, i))
		}
	}
	for _, c := range m.calls {
		if s := of(c); s != "" && m.about(c) && !slices.Contains(*at, s) {
			more := append(slices.Clone(*at), s)
			slices.Sort(more)
			assign(m, r, key+" with "+s, at, more)
			return
		}
	}
}

// count moves a whole number by one.
func (m *mutator) count(r ref, key string, at *int, least, most int) {
	for _, to := range [...]int{*at - 1, *at + 1} {
		if to >= least && to <= most {
			assign(m, r, fmt.Sprintf("%s %d instead of %d", key, to, *at), at, to)
		}
	}
}

func (m *mutator) mode(r ref, at *policy.Mode) {
	if !at.Stated {
		return
	}
	if !at.Shadow {
		assign(m, r, "mode: shadow", at, policy.Mode{Stated: true, Shadow: true})
	}
	if at.Shadow || at.Percent > 0 {
		assign(m, r, "mode: enforce", at, policy.Mode{Stated: true})
	}
}

func (m *mutator) entries(at *[]*policy.Entry) {
	owner, about := m.unit, m.about
	for i, e := range *at {
		m.unit = e.ID
		m.about = func(c *aegis.Call) bool { return about(c) && e.Matches(c.Tool, c.Action) }
		r := ref{e.ID, e.Pos}
		assign(m, r, "without the entry", at, without(*at, i))
		m.names(r, e)
		m.scope(&e.Scope)
		m.mode(r, &e.Mode)
		m.effects(r, e)
		if e.Conditions != nil {
			m.conditions(e.Conditions)
		}
		for j, z := range e.Sanitize {
			m.sanitizer(z)
			assign(m, m.ref(z.Rule), "without the sanitizer", &e.Sanitize, without(e.Sanitize, j))
		}
		for j, t := range e.Taints {
			assign(m, r, "without the taint "+t, &e.Taints, without(e.Taints, j)).same = m.unasked(t)
		}
		m.limits(&e.Limits)
		m.cost(e)
		m.approvals(e)
		m.entries(&e.Children)
		m.unit, m.about = owner, about
	}
}

// unasked proves that no expression asks for a taint.
func (m *mutator) unasked(taint string) func() bool {
	return func() bool {
		return !slices.ContainsFunc(m.set.Features, func(f policy.Feature) bool {
			return f.Kind == policy.FeatureTaint && f.Taint == taint
		})
	}
}

// names drops tools and actions, and lets an entry be about any action.
func (m *mutator) names(r ref, e *policy.Entry) {
	for i, t := range e.Tools {
		if len(e.Tools) > 1 && e.Parent == nil {
			assign(m, r, "without the tool "+string(t), &e.Tools, without(e.Tools, i))
		}
	}
	for i, a := range e.Actions {
		if len(e.Actions) > 1 {
			assign(m, r, "without the action "+string(a), &e.Actions, without(e.Actions, i))
		}
	}
	if e.Actions != nil && e.Parent == nil {
		assign(m, r, "any action", &e.Actions, nil).unit = ""
	}
}

func (m *mutator) effects(r ref, e *policy.Entry) {
	switch e.Effect {
	case aegis.Read:
		assign(m, r, "effect: write", &e.Effect, aegis.Write)
	case aegis.Write:
		assign(m, r, "effect: read", &e.Effect, aegis.Read)
	}
	if e.OnFailure == policy.FailOpen {
		assign(m, r, "on_failure: closed", &e.OnFailure, policy.FailClosed)
	}
	if e.CaseDistinct {
		assign(m, r, "without case_keys", &e.CaseDistinct, false)
	}
}

func (m *mutator) sanitizer(z *policy.Sanitizer) {
	r := m.ref(z.Rule)
	for i, k := range z.Redact {
		if len(z.Redact) > 1 {
			assign(m, r, "redact without "+k, &z.Redact, without(z.Redact, i))
		}
	}
	for i, f := range z.Fields {
		if len(z.Fields) > 1 {
			assign(m, r, "fields without "+strings.Join(f, "."), &z.Fields, without(z.Fields, i))
		}
	}
	if z.Redact == nil {
		assign(m, r, "replace: "+z.Replace+"X", &z.Replace, z.Replace+"X")
	}
}

func processors() int { return runtime.GOMAXPROCS(0) }
