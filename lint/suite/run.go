package suite

import (
	"fmt"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/decide"
	"github.com/aegisctl/aegis/policy"
)

// gates makes a gate for each case: one engine, and no state that two cases share.
type gates struct {
	set    *policy.Set
	engine decide.EngineKind
	gate   *decide.Gate
}

func newGates(set *policy.Set, engine decide.EngineKind) (*gates, error) {
	if engine == "" {
		engine = decide.Native
	}
	g, err := decide.NewGate(set, decide.Options{Engine: engine})
	if err != nil {
		return nil, err
	}
	return &gates{set, engine, g}, nil
}

// observed is what the gate said of one call, as far as anything can be expected of it.
type observed struct {
	call      *aegis.Call // nil: malformed
	plan      *decide.Plan
	outcome   aegis.Outcome
	hits      []aegis.Hit
	args      aegis.Value // forwarded; absent where nothing is
	cost      int64
	approvals []*policy.Tier
}

// play takes the calls of a case through the gate, in order, until visit returns false. The times of repeats are
// counted from 0. An error is a defect, such as a difference between the engines.
func (c *testCase) play(g *decide.Gate, s *decide.Scratch, visit func(st *step, repeat int, o *observed) bool) error {
	g = g.Fresh(c.held)
	s.Clock = 0
	now := c.begin
	for _, st := range append(c.before[:len(c.before):len(c.before)], c.final) {
		for i := range st.repeat {
			if i == 0 {
				now += st.wait.Microseconds()
			} else {
				now += st.every.Microseconds()
			}
			if st.timed && st.call != nil && st.call.HasTime {
				now = st.call.Time
			}
			s.Clock = max(s.Clock, now)
			o, err := st.take(g, s, now)
			if err != nil {
				return fmt.Errorf("%s: %w", place(st.at.Pos()), err)
			}
			if !visit(st, i, o) {
				return nil
			}
		}
	}
	return nil
}

// take judges one call and lets the gate remember it.
func (st *step) take(g *decide.Gate, s *decide.Scratch, now int64) (*observed, error) {
	if st.call == nil {
		v := g.Malformed(s)
		return &observed{outcome: v.Outcome, hits: v.Hits}, nil
	}
	call := *st.call
	if !st.timed {
		call.Time, call.HasTime = now, true
	}
	plan := g.Engine.Plan(call.Tenant, call.Agent, call.Tool, call.Action)
	session := g.Session(call.Tenant, call.Session)
	v, err := g.Judge(s, plan, &call, session)
	if err != nil {
		return nil, err
	}
	o := &observed{call: &call, plan: plan}
	if v.Outcome == aegis.ApprovalNeeded {
		o.approvals = s.Approvals(nil)
	}
	if g.NeedsCommit(plan) {
		if err := g.Commit(s, session, !st.failed); err != nil {
			return nil, err
		}
		v = s.Verdict()
	}
	o.outcome, o.hits, o.cost = v.Outcome, v.Hits, v.Cost
	switch {
	case v.Outcome == aegis.Sanitize:
		o.args = v.Args
	case v.Outcome == aegis.Allow:
		o.args = call.Args
	}
	return o, nil
}

// runCase runs a case and says what differed from what it expects, and which rules it saw at work.
func (g *gates) runCase(c *testCase) (Result, trace) {
	r := Result{File: c.file, Name: c.name, Source: place(c.at.Pos()), Line: c.at.Pos().Line}
	t := newTrace(g.set)
	err := c.play(g.gate, new(decide.Scratch), func(st *step, repeat int, o *observed) bool {
		t.note(o)
		label := ""
		if st != c.final {
			label = fmt.Sprintf("before[%d] ", indexOf(c.before, st))
			if st.repeat > 1 {
				label += fmt.Sprintf("repeat %d ", repeat+1)
			}
		} else {
			r.Decision, r.Reasons = o.outcome.String(), g.cite(o.hits)
		}
		for _, what := range st.unmet(o, false) {
			r.Failures = append(r.Failures, g.failure(st, o, label, what))
		}
		return len(r.Failures) < maxFailures
	})
	if err != nil {
		r.Failures = append(r.Failures, Failure{What: "error", Expected: "a decision", Got: err.Error(), Source: r.Source})
	}
	r.Pass = len(r.Failures) == 0
	return r, t
}

// maxFailures bounds what one case reports.
const maxFailures = 20

func indexOf(steps []*step, st *step) int {
	for i, s := range steps {
		if s == st {
			return i
		}
	}
	return -1
}

// unmet names what differs from the expectation of a step; with first, the first difference only. An earlier call that
// expects nothing must be let through, or the case would rest on a call that never was.
func (st *step) unmet(o *observed, first bool) []string {
	e := st.expect
	if e == nil {
		if o.outcome <= aegis.Sanitize || o.outcome == aegis.ApprovalNeeded && !st.refused {
			return nil
		}
		return []string{"decision"}
	}
	var out []string
	for _, k := range [...]struct {
		what string
		ok   func() bool
	}{
		{"decision", func() bool { return o.outcome == e.outcome }},
		{"reasons", func() bool { return e.reasons == nil || e.reasons.met(split(o.hits, false)) }},
		{"errors", func() bool { return e.errorsMet(o.hits) }},
		{"args", func() bool { return !given(e.args) || same(e.argsDoc, o.args) }},
		{"cost", func() bool { return e.cost < 0 || e.cost == o.cost }},
		{"effect", func() bool { return e.effect == aegis.EffectUnset || o.plan != nil && o.plan.Effect == e.effect }},
		{"mode", func() bool { return e.mode == "" || e.mode == modeOf(o.plan) }},
		{"on_failure", func() bool { return e.onFailure == "" || e.onFailure == failureOf(o.plan) }},
		{"approvals", func() bool { return e.approvals == nil || approvalsMet(*e.approvals, o.approvals) }},
	} {
		if !k.ok() {
			out = append(out, k.what)
			if first {
				break
			}
		}
	}
	return out
}

// errorsMet holds errors to what is expected of them. An exact list of reasons is the whole of what a case expects.
func (e *expectation) errorsMet(hits []aegis.Hit) bool {
	switch {
	case e.errors != nil:
		return e.errors.met(split(hits, true))
	case e.reasons != nil && e.reasons.exact:
		return len(split(hits, true)) == 0
	}
	return true
}

func split(hits []aegis.Hit, errors bool) []aegis.Hit {
	var out []aegis.Hit
	for _, h := range hits {
		if h.Code.IsError() == errors {
			out = append(out, h)
		}
	}
	return out
}

func approvalsMet(want []approval, got []*policy.Tier) bool {
	if len(want) != len(got) {
		return false
	}
	used := make([]bool, len(got))
next:
	for i := range want {
		for j, t := range got {
			if !used[j] && want[i].fits(t) {
				used[j] = true
				continue next
			}
		}
		return false
	}
	return true
}

// modeOf says whether decisions on a plan's calls bind: of every granting entry, as its action, itself or its policy
// states it. A share of sessions is mixed.
func modeOf(p *decide.Plan) string {
	if p == nil || p.Policy == nil {
		return "enforce"
	}
	enforce, shadow := false, false
	for _, e := range p.Entries {
		if e.Parent != nil || !e.Grants {
			continue
		}
		m := e.Mode
		for _, k := range p.Entries {
			if k.Parent == e && k.Mode.Stated {
				m = k.Mode
			}
		}
		if !m.Stated {
			m = p.Policy.Mode
		}
		enforce, shadow = enforce || !m.Shadow, shadow || m.Shadow || m.Percent > 0 && m.Percent < 100
	}
	switch {
	case enforce && shadow:
		return "mixed"
	case shadow:
		return "shadow"
	}
	return "enforce"
}

func failureOf(p *decide.Plan) string {
	if p != nil && p.OnFailure == policy.FailOpen {
		return "open"
	}
	return "closed"
}

// failure puts one difference into words.
func (g *gates) failure(st *step, o *observed, label, what string) Failure {
	e := st.expect
	if e == nil {
		return Failure{What: label + what, Expected: "a call that is let through (or expect: deny)",
			Got: strings.TrimSpace(o.outcome.String() + " " + strings.Join(g.brief(o.hits), ", ")), Source: place(st.at.Pos()),
			Rule: g.where(o.hits)}
	}
	f := Failure{What: label + what, Source: place(e.at.Pos())}
	switch what {
	case "decision":
		f.Expected, f.Got, f.Rule = e.outcome.String(), o.outcome.String(), g.where(o.hits)
		if st.bad != nil {
			f.Got += " (malformed: " + st.bad.Error() + ")"
		}
	case "reasons":
		f.Expected, f.Got, f.Source = e.reasons.String(), list(g.brief(split(o.hits, false))), place(e.reasons.at.Pos())
		f.Rule = g.where(split(o.hits, false))
	case "errors":
		f.Expected, f.Got, f.Rule = "[]", list(g.brief(split(o.hits, true))), g.where(split(o.hits, true))
		if e.errors != nil {
			f.Expected, f.Source = e.errors.String(), place(e.errors.at.Pos())
		}
	case "args":
		f.Expected, f.Got, f.Source = string(e.argsDoc.Text()), "nothing is forwarded", place(e.args.Pos())
		if o.args.Kind() == aegis.Object {
			f.Got = string(o.args.Text())
		}
	case "cost":
		f.Expected, f.Got = "$"+aegis.FormatMicro(e.cost), "$"+aegis.FormatMicro(o.cost)
	case "effect":
		f.Expected, f.Got = e.effect.String(), "none: the call is malformed"
		if o.plan != nil {
			f.Got = o.plan.Effect.String()
		}
	case "mode":
		f.Expected, f.Got = e.mode, modeOf(o.plan)
	case "on_failure":
		f.Expected, f.Got = e.onFailure, failureOf(o.plan)
	case "approvals":
		f.Expected, f.Got, f.Source = approvalTexts(*e.approvals), tierTexts(o.approvals), place(e.approvalN.Pos())
	}
	return f
}

func list(ss []string) string { return "[" + strings.Join(ss, ", ") + "]" }

func approvalTexts(as []approval) string {
	var out []string
	for i := range as {
		out = append(out, as[i].String())
	}
	return list(out)
}

func tierTexts(ts []*policy.Tier) string {
	var out []string
	for _, t := range ts {
		out = append(out, (&approval{t.Approvers, t.Quorum, t.Expires}).String())
	}
	return list(out)
}
