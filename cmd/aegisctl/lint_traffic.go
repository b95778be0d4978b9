package main

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/decide"
	"github.com/aegisctl/aegis/lint"
	"github.com/aegisctl/aegis/policy"
	"github.com/aegisctl/aegis/simulate"
)

// trafficSeen gathers from a simulation what lint wants to know of the calls: names, types and counts, no values.
type trafficSeen struct {
	set   *policy.Set
	reads map[int32][][]string // the arguments that a rule reads
	tools map[seenKey]*seenTool
	last  struct {
		key  seenKey
		tool *seenTool
	}
	errors  map[errorKey]*lint.TrafficError
	denials map[int32]int64
	lists   map[int32]listCheck
	byCase  map[int32]int64 // denials for a value that is listed in another case
}

// listCheck is a list of texts that an argument must be in.
type listCheck struct {
	path []string
	list []policy.Literal
}

type seenKey struct{ tenant, agent, tool, action string }

type errorKey struct {
	rule int32
	why  string
}

type seenTool struct {
	calls     int64
	delegated int64
	args      map[string]*[aegis.Object + 1]int64 // by kind
}

// The names that are told apart are bounded, since those of captured calls are anyone's choice. What comes after is not
// listed.
const (
	maxSeenTools  = 10_000
	maxSeenArgs   = 500
	maxSeenErrors = 10_000
)

func newTrafficSeen(set *policy.Set) *trafficSeen {
	t := &trafficSeen{set: set, reads: map[int32][][]string{}, tools: map[seenKey]*seenTool{}, errors: map[errorKey]*lint.TrafficError{},
		denials: map[int32]int64{}, lists: map[int32]listCheck{}, byCase: map[int32]int64{}}
	for _, p := range set.Policies {
		t.readsOf(p.Entries)
	}
	for _, g := range set.Guardrails {
		t.readsOf(g.Entries)
	}
	return t
}

func (t *trafficSeen) readsOf(es []*policy.Entry) {
	for _, e := range es {
		if c := e.Conditions; c != nil {
			t.readsOfConstraints(c.Args)
			for _, x := range slices.Concat(c.Require, c.DenyIf, c.ApprovalIf) {
				t.reads[x.Rule] = x.Expr.ArgPaths()
			}
		}
		if e.Cost != nil && e.Cost.Expr != nil {
			t.reads[e.Cost.Rule] = e.Cost.Expr.ArgPaths()
		}
		for _, l := range e.Limits {
			t.reads[l.Rule] = append(append([][]string{}, l.By...), l.Arg)
		}
		t.readsOf(e.Children)
	}
}

func (t *trafficSeen) readsOfConstraints(cs []*policy.Constraint) {
	for _, c := range cs {
		for _, ch := range c.Checks {
			t.reads[ch.Rule] = [][]string{c.Path}
			if ch.Op == policy.CheckIn && ch.Type == aegis.String {
				t.lists[ch.Rule] = listCheck{c.Path, ch.List}
			}
		}
		if c.OtherArgs != policy.NoRule {
			t.reads[c.OtherArgs] = [][]string{c.Path}
		}
		if c.Each != nil {
			t.readsOfConstraints([]*policy.Constraint{c.Each})
		}
		t.readsOfConstraints(c.Args)
	}
}

// call counts one call.
func (t *trafficSeen) call(c *aegis.Call, v *decide.Verdict, seq int64) {
	if v.Outcome == aegis.Reject {
		return // its arguments could not be read
	}
	if s := t.tool(c); s != nil {
		s.calls++
		if len(c.Chain) > 0 {
			s.delegated++
		}
		for m := c.Args.First(); m.Kind() != aegis.Absent; m = c.Args.After(m) {
			s.arg(m)
		}
	}
	for _, h := range v.Hits {
		if h.Code.IsError() || lackedFacts[h.Code] != "" {
			t.failed(c, h, seq)
		} else if h.Outcome == aegis.Deny && h.Code != aegis.ToolNotGranted && h.Code != aegis.ActionNotGranted {
			t.denials[h.Rule]++
			if l, ok := t.lists[h.Rule]; ok && l.slips(c.Args) {
				t.byCase[h.Rule]++
			}
		}
	}
}

// slips reports whether the argument is a text of the list in another case.
func (l listCheck) slips(args aegis.Value) bool {
	for _, key := range l.path {
		args = args.Get(key)
	}
	if args.Kind() != aegis.String {
		return false // or a list, of which each element is judged
	}
	text := args.Str()
	return slices.ContainsFunc(l.list, func(x policy.Literal) bool { return x.Str != text && strings.EqualFold(x.Str, text) })
}

func (t *trafficSeen) tool(c *aegis.Call) *seenTool {
	k := seenKey{c.Tenant, c.Agent, c.Tool, c.Action}
	if t.last.tool != nil && t.last.key == k {
		return t.last.tool
	}
	s := t.tools[k]
	if s == nil {
		if len(t.tools) >= maxSeenTools {
			return nil
		}
		k = seenKey{strings.Clone(k.tenant), strings.Clone(k.agent), strings.Clone(k.tool), strings.Clone(k.action)}
		s = &seenTool{args: map[string]*[aegis.Object + 1]int64{}}
		t.tools[k] = s
	}
	t.last.key, t.last.tool = k, s
	return s
}

func (s *seenTool) arg(m aegis.Value) {
	kinds := s.args[m.Key()]
	if kinds == nil {
		if len(s.args) >= maxSeenArgs {
			return
		}
		kinds = new([aegis.Object + 1]int64)
		s.args[strings.Clone(m.Key())] = kinds
	}
	kinds[m.Kind()]++
}

func (t *trafficSeen) failed(c *aegis.Call, h aegis.Hit, seq int64) {
	k := errorKey{h.Rule, t.why(c, h)}
	e := t.errors[k]
	if e == nil {
		if len(t.errors) >= maxSeenErrors {
			return
		}
		e = &lint.TrafficError{Rule: t.set.Rules[h.Rule].ID, Why: k.why, Session: strings.Clone(c.Session), Seq: seq}
		t.errors[k] = e
	}
	e.Calls++
}

// lackedFacts are the facts whose lack leaves a rule undecided, and live denies. Arguments that a capture left out or
// redacted are the capture's lack, and not the calls'.
var lackedFacts = map[aegis.Code]string{aegis.NoTime: "the call has no time", aegis.NoSession: "the call has no session",
	aegis.NoRegion: "the call has no region", aegis.NoClaims: "the call has no claims"}

// why says in names and types why a rule could not be decided: what is missing, else of which types what it reads is.
func (t *trafficSeen) why(c *aegis.Call, h aegis.Hit) string {
	if lacked := lackedFacts[h.Code]; lacked != "" {
		return lacked
	}
	var missing, there []string
	for _, path := range t.reads[h.Rule] {
		if len(path) == 0 {
			continue
		}
		v, name := c.Args, strings.Join(path, ".")
		for _, key := range path {
			v = v.Get(key)
		}
		switch _, inRange := v.Num(); {
		case !v.Given():
			missing = append(missing, name+" is "+v.Kind().String())
		case v.Kind() == aegis.Number && (!inRange || h.Code == aegis.NumberOutOfRange):
			missing = append(missing, name+" is a number out of range")
		case v.Kind() == aegis.Number && h.Code == aegis.ArgumentType:
			missing = append(missing, name+" is a number, and no integer")
		case v.Kind() == aegis.List && h.Code != aegis.ExpressionError:
			there = append(there, name+" is a list, or has an element of another type")
		default:
			there = append(there, name+" is of type "+v.Kind().String())
		}
	}
	switch {
	case len(missing) > 0:
		return strings.Join(missing, ", ")
	case len(there) > 0 && h.Code != aegis.ExpressionError:
		return there[len(there)-1] // of a limit: the argument that it sums, and not what it is kept by
	case len(there) > 0:
		return strings.Join(there, ", ")
	}
	return "a fact that it reads is not there"
}

// summary is what lint is given.
func (t *trafficSeen) summary(rep *simulate.Report) *lint.Traffic {
	out := &lint.Traffic{Calls: rep.Calls, UnusedRules: rep.UnusedRules, UnusedEntries: rep.UnusedEntries}
	for k, s := range t.tools {
		tool := lint.SeenTool{Tenant: k.tenant, Agent: k.agent, Tool: k.tool, Action: k.action, Calls: s.calls, Delegated: s.delegated}
		for _, name := range slices.Sorted(maps.Keys(s.args)) {
			a := lint.SeenArg{Name: name}
			for kind, n := range s.args[name] {
				if n > 0 {
					a.Calls += n
					a.Kinds = append(a.Kinds, aegis.Kind(kind).String())
				}
			}
			tool.Args = append(tool.Args, a)
		}
		out.Seen = append(out.Seen, tool)
	}
	slices.SortFunc(out.Seen, func(a, b lint.SeenTool) int {
		return cmp.Or(strings.Compare(a.Tenant, b.Tenant), strings.Compare(a.Agent, b.Agent), strings.Compare(a.Tool, b.Tool), strings.Compare(a.Action, b.Action))
	})
	out.Denials, out.CaseOnly = t.byRule(t.denials), t.byRule(t.byCase)
	for _, e := range t.errors {
		out.Errors = append(out.Errors, *e)
	}
	slices.SortFunc(out.Errors, func(a, b lint.TrafficError) int {
		return cmp.Or(strings.Compare(a.Rule, b.Rule), strings.Compare(a.Why, b.Why))
	})
	return out
}

func (t *trafficSeen) byRule(calls map[int32]int64) (out []lint.RuleCalls) {
	for _, r := range slices.Sorted(maps.Keys(calls)) {
		out = append(out, lint.RuleCalls{Rule: t.set.Rules[r].ID, Calls: calls[r]})
	}
	return out
}
