package suite

import (
	"slices"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// The outcomes of a rule on one call.
const (
	passed = iota // it was judged and had nothing to say
	fired         // it had something to say: a breach, a condition that held, a limit that was used up
	erred         // it could not be decided
)

// counts says how often a rule came to each outcome.
type counts [3]int

// trace is what the calls of one case put to work: rules by number, and policies, guardrails and entries by id.
type trace struct {
	set   *policy.Set
	rules map[policy.RuleID]*counts
	units map[string]int
}

func newTrace(set *policy.Set) trace {
	return trace{set, map[policy.RuleID]*counts{}, map[string]int{}}
}

func (t *trace) add(rule policy.RuleID, outcome int) {
	if rule <= 0 {
		return
	}
	c := t.rules[rule]
	if c == nil {
		c = new(counts)
		t.rules[rule] = c
	}
	c[outcome]++
}

// noting notes one call.
type noting struct {
	*trace
	o    *observed
	hits map[policy.RuleID][3]bool
}

// note adds what one call put to work.
func (t *trace) note(o *observed) {
	if o.plan == nil || o.outcome == aegis.Reject {
		return
	}
	n := noting{t, o, map[policy.RuleID][3]bool{}}
	for _, h := range o.hits {
		which := n.hits[h.Rule]
		if h.Code.IsError() {
			which[erred] = true
		} else {
			which[fired] = true
		}
		n.hits[h.Rule] = which
	}
	for _, g := range t.set.Guardrails {
		if g.Matches(o.call.Tenant, o.call.Agent) {
			t.units[g.ID]++
			n.scope(&g.Scope)
		}
	}
	if p := o.plan.Policy; p != nil {
		t.units[p.ID]++
		n.scope(&p.Scope)
		n.judged(p.Grant)
		for _, c := range p.Custom {
			n.judged(c.Rule)
		}
	}
	for _, e := range o.plan.Entries {
		t.units[e.ID]++
		n.entry(e)
	}
	for _, l := range o.plan.Limits {
		n.judged(l.Rule)
	}
	for _, z := range o.plan.Sanitizers {
		n.judged(z.Rule)
	}
}

// judged notes a rule that had to say something whatever the call was.
func (n *noting) judged(rule policy.RuleID) {
	which := n.hits[rule]
	for outcome := fired; outcome <= erred; outcome++ {
		if which[outcome] {
			n.add(rule, outcome)
		}
	}
	if !which[fired] && !which[erred] {
		n.add(rule, passed)
	}
}

func (n *noting) scope(s *policy.Scope) {
	for _, r := range [...]policy.RuleID{s.CallersRule, s.DepthRule, s.RegionsRule, s.UntilRule} {
		n.judged(r)
	}
}

func (n *noting) entry(e *policy.Entry) {
	n.scope(&e.Scope)
	if e.Cost != nil {
		n.judged(e.Cost.Rule)
	}
	if n.o.outcome == aegis.ApprovalNeeded {
		for _, t := range e.Approval {
			if slices.Contains(n.o.approvals, t) {
				n.add(t.Rule, fired)
			} else {
				n.add(t.Rule, passed)
			}
		}
	}
	c := e.Conditions
	if c == nil {
		return
	}
	n.judged(c.OtherArgs)
	for _, k := range slices.Concat(c.Require, c.DenyIf, c.ApprovalIf) {
		n.judged(k.Rule)
	}
	for _, a := range c.Args {
		n.constraint(a)
	}
}

func (n *noting) constraint(c *policy.Constraint) {
	values := reach(nil, n.o.call.Args, c.Path)
	for _, k := range c.Checks {
		switch {
		case n.hits[k.Rule] != [3]bool{}:
			n.judged(k.Rule)
		case slices.ContainsFunc(values, func(v aegis.Value) bool { return beyond(k, v) }):
			n.add(k.Rule, fired) // and lifted
		case len(values) > 0:
			n.add(k.Rule, passed)
		}
	}
	if c.OtherArgs > 0 && (len(values) > 0 || n.hits[c.OtherArgs] != [3]bool{}) {
		n.judged(c.OtherArgs)
	}
	if c.Each != nil {
		n.constraint(c.Each)
	}
	for _, a := range c.Args {
		n.constraint(a)
	}
}

// beyond reports whether a number breaks a bound, whatever lifts the breach.
func beyond(k *policy.Check, v aegis.Value) bool {
	x, ok := v.Num()
	return ok && (k.Op == policy.CheckMax && x.Cmp(k.Num) > 0 || k.Op == policy.CheckMin && x.Cmp(k.Num) < 0)
}

// reach appends the values at a path; the elements of a list on the way, or at its end, one by one. What is missing or
// null is none.
func reach(to []aegis.Value, v aegis.Value, path []string) []aegis.Value {
	if v.Kind() == aegis.List {
		for m := v.First(); m.Kind() != aegis.Absent; m = v.After(m) {
			to = reach(to, m, path)
		}
		return to
	}
	if len(path) > 0 {
		return reach(to, v.Get(path[0]), path[1:])
	}
	if v.Given() {
		to = append(to, v)
	}
	return to
}
