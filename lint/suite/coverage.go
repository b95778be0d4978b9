package suite

import (
	"cmp"
	"slices"
	"strings"

	"github.com/aegisctl/aegis/policy"
)

// Coverage says which rules the cases saw at work, and to which outcomes they came.
type Coverage struct {
	Outcomes     int    `json:"outcomes"` // that rules should be seen to come to
	Covered      int    `json:"covered"`
	Rate         Rate   `json:"rate"`  // of outcomes
	Lines        int    `json:"lines"` // that state a rule or an entry
	CoveredLines int    `json:"covered_lines"`
	Rules        []Rule `json:"rules"` // by place
}

// Rate is a share from 0 to 1. Of nothing at all it is 1.
type Rate float64

func rate(part, whole int) Rate {
	if whole == 0 {
		return 1
	}
	return Rate(float64(int64(part)*1_000_000/int64(whole)) / 1e6) // rounded down: only all is 1
}

// Rule is one rule of the policies, or an entry as a whole, and how often it came to each outcome.
type Rule struct {
	Rule    string   `json:"rule"`
	Source  string   `json:"source"`
	Pass    int      `json:"pass"`  // judged, nothing to say; of an entry: calls that it matched
	Fire    int      `json:"fire"`  // a breach, a condition that held, a limit used up
	Error   int      `json:"error"` // could not be decided
	Missing []string `json:"missing,omitempty"`

	at policy.Pos
}

// wants says which outcomes a rule must be seen to come to.
type wants struct{ pass, fire, err bool }

// outline lists everything that can be covered.
type outline struct {
	set   *policy.Set
	rules map[policy.RuleID]wants
	units []Rule
}

func cover(set *policy.Set, traces []trace) Coverage {
	o := outlineOf(set)
	total, units := sum(traces)
	cov := Coverage{Rules: []Rule{}}
	for _, u := range o.units {
		u.Pass = units[u.Rule]
		if u.Pass == 0 {
			u.Missing = []string{"pass"}
		}
		cov.Outcomes++
		cov.Rules = append(cov.Rules, u)
	}
	for id, w := range o.rules {
		r := Rule{Rule: set.Rules[id].ID, Source: place(set.Rules[id].Pos), at: set.Rules[id].Pos}
		if c := total[id]; c != nil {
			r.Pass, r.Fire, r.Error = c[passed], c[fired], c[erred]
		}
		for _, k := range [...]struct {
			name   string
			wanted bool
			seen   int
		}{{"pass", w.pass, r.Pass}, {"fire", w.fire, r.Fire}, {"error", w.err, r.Error}} {
			if k.wanted {
				cov.Outcomes++
				if k.seen == 0 {
					r.Missing = append(r.Missing, k.name)
				}
			}
		}
		cov.Rules = append(cov.Rules, r)
	}
	slices.SortFunc(cov.Rules, func(a, b Rule) int {
		return cmp.Or(strings.Compare(a.at.File, b.at.File), cmp.Compare(a.at.Line, b.at.Line), cmp.Compare(a.at.Col, b.at.Col),
			strings.Compare(a.Rule, b.Rule))
	})
	cov.finish()
	return cov
}

func (c *Coverage) finish() {
	c.Covered = c.Outcomes
	lines := map[policy.Pos]bool{}
	for _, r := range c.Rules {
		c.Covered -= len(r.Missing)
		line := policy.Pos{File: r.at.File, Line: r.at.Line}
		whole, seen := lines[line]
		lines[line] = (whole || !seen) && r.Missing == nil
	}
	for _, whole := range lines {
		c.Lines++
		if whole {
			c.CoveredLines++
		}
	}
	c.Rate = rate(c.Covered, c.Outcomes)
}

func sum(traces []trace) (map[policy.RuleID]*counts, map[string]int) {
	rules, units := map[policy.RuleID]*counts{}, map[string]int{}
	for _, t := range traces {
		for id, c := range t.rules {
			if rules[id] == nil {
				rules[id] = new(counts)
			}
			for i, n := range c {
				rules[id][i] += n
			}
		}
		for id, n := range t.units {
			units[id] += n
		}
	}
	return rules, units
}

func outlineOf(set *policy.Set) *outline {
	o := &outline{set: set, rules: map[policy.RuleID]wants{}}
	both := wants{pass: true, fire: true}
	for _, p := range set.Policies {
		o.scope(&p.Scope, p.Pos)
		o.want(p.Grant, both)
		for _, c := range p.Custom {
			o.want(c.Rule, both)
		}
		o.limits(p.Limits)
		o.entries(p.Entries)
	}
	for _, g := range set.Guardrails {
		o.scope(&g.Scope, g.Pos)
		o.limits(g.Limits)
		o.entries(g.Entries)
	}
	return o
}

func (o *outline) want(rule policy.RuleID, w wants) {
	if rule > 0 {
		o.rules[rule] = w
	}
}

// scope wants what is written: the callers that a policy leaves out stand at its agent.
func (o *outline) scope(s *policy.Scope, owner policy.Pos) {
	both := wants{pass: true, fire: true}
	if s.CallersRule > 0 && o.set.Rules[s.CallersRule].Pos != owner {
		o.want(s.CallersRule, both)
	}
	o.want(s.DepthRule, both)
	o.want(s.RegionsRule, both)
	o.want(s.UntilRule, both)
}

func (o *outline) limits(ls []*policy.Limit) {
	for _, l := range ls {
		o.want(l.Rule, wants{pass: true, fire: true})
	}
}

func (o *outline) entries(es []*policy.Entry) {
	for _, e := range es {
		o.units = append(o.units, Rule{Rule: e.ID, Source: place(e.Pos), at: e.Pos})
		o.scope(&e.Scope, policy.Pos{})
		o.limits(e.Limits)
		if e.Cost != nil {
			o.want(e.Cost.Rule, wants{pass: true})
		}
		for _, z := range e.Sanitize {
			if z.Args {
				o.want(z.Rule, wants{pass: true, fire: true})
			}
		}
		for _, t := range e.Approval {
			o.want(t.Rule, wants{pass: t.When != nil, fire: true})
		}
		if e.Conditions != nil {
			o.conditions(e.Conditions)
		}
		o.entries(e.Children)
	}
}

func (o *outline) conditions(c *policy.Conditions) {
	o.want(c.OtherArgs, wants{pass: true, fire: true})
	for _, ks := range [][]*policy.Condition{c.Require, c.DenyIf, c.ApprovalIf} {
		for _, k := range ks {
			w := wants{pass: true, fire: true}
			if k.Expr.Op == policy.OpLiteral { // a constant comes to one outcome only
				w.pass = k.Expr.Lit.Bool == (len(c.Require) > 0 && &ks[0] == &c.Require[0])
				w.fire = !w.pass
			}
			o.want(k.Rule, w)
		}
	}
	for _, a := range c.Args {
		o.constraint(a)
	}
}

func (o *outline) constraint(c *policy.Constraint) {
	for _, k := range c.Checks {
		w := wants{pass: true, fire: true}
		if k.Op == policy.CheckType || k.Op == policy.CheckInteger { // a breach of a type is an error
			w = wants{pass: true, err: true}
		}
		o.want(k.Rule, w)
	}
	o.want(c.OtherArgs, wants{pass: true, fire: true})
	if c.Each != nil {
		o.constraint(c.Each)
	}
	for _, a := range c.Args {
		o.constraint(a)
	}
}
