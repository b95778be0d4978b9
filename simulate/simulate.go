// Package simulate shows what a policy would do to captured traffic: it replays the calls in event time through the
// same Gate that enforces, with a virtual clock, and counts.
//
// It promises that every row is accounted for (decided, unknown with its reason, or rejected with its reason), that
// nothing is guessed, that limits, budgets, taints and approvals are simulated and not skipped, and that memory does
// not grow with the number of rows.
package simulate

import (
	"context"
	"runtime"
	"slices"
	"time"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/decide"
	"github.com/aegisctl/aegis/policy"
)

// Options of a simulation.
type Options struct {
	Traffic   []string // Parquet files
	Engine    decide.EngineKind
	Mode      aegis.Mode  // Enforce, or Shadow: as a shadow server would see it
	Held      decide.Held // what becomes of held calls; Granted where empty
	Tenant    string      // the one tenant believed; "" believes every tenant
	Label     string      // count by this label
	GroupBy   []string    // further groups: tenant, region, session, or a label
	Decisions string      // write one row per call to this Parquet file
	Progress  func(done, total int64)
	Baseline  *policy.Set // compare with what this policy says of the same calls; nil: no comparison
	Examples  bool        // keep the smallest call of each kind of change
	Workers   int         // 0: one for each processor
	SpillRows int64       // rows sorted in memory at most before sorting goes to disk; 0: a default

	// Each is called for every call in event order, from one goroutine; the explorer uses it. May be nil.
	Each func(c *aegis.Call, v *decide.Verdict)

	// EachSeq is Each with the call's place in its session as captured; -1 where the capture does not say.
	EachSeq func(c *aegis.Call, v *decide.Verdict, seq int64)
}

// Run simulates a policy set on captured traffic.
func Run(ctx context.Context, set *policy.Set, opt Options) (*Report, error) {
	start := time.Now()
	opt.Workers = max(1, orElse(opt.Workers, runtime.GOMAXPROCS(0)))
	gate, err := decide.NewGate(set, decide.Options{Engine: opt.Engine, Mode: opt.Mode, Tenant: opt.Tenant, Held: opt.Held})
	if err != nil {
		return nil, err
	}
	src, err := openTraffic(opt)
	if err != nil {
		return nil, err
	}
	defer src.close()
	r := &run{ctx: ctx, gate: gate, set: set, opt: opt, src: src, table: newTable(src.rows)}
	if r.base, err = newBaseline(opt); err != nil {
		return nil, err
	}
	if err := r.openDecisions(); err != nil {
		return nil, err
	}
	if r.stateful() {
		err = r.inOrder()
	} else {
		err = r.inParallel()
	}
	if err = r.closeDecisions(err); err != nil {
		return nil, err
	}
	rep := r.report()
	if rep.Changes, err = r.base.report(r); err != nil {
		return nil, err
	}
	rep.ElapsedSeconds = time.Since(start).Seconds()
	rep.CallsPerSecond = finite(float64(rep.Calls) / rep.ElapsedSeconds)
	return rep, nil
}

func orElse[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}

// stateful reports whether any verdict can depend on an earlier call.
func (r *run) stateful() bool {
	return r.opt.Each != nil || r.opt.EachSeq != nil || remembers(r.set) || r.base != nil && remembers(r.base.set)
}

// remembers reports whether any verdict by the set can depend on an earlier call.
func remembers(set *policy.Set) bool {
	if len(set.Features) > 0 {
		return true
	}
	limited := func(ls []*policy.Limit, es []*policy.Entry) bool {
		return len(ls) > 0 || slices.ContainsFunc(es, func(e *policy.Entry) bool {
			return len(e.Limits) > 0 || slices.ContainsFunc(e.Children, func(k *policy.Entry) bool { return len(k.Limits) > 0 })
		})
	}
	for _, p := range set.Policies {
		if limited(p.Limits, p.Entries) {
			return true
		}
	}
	for _, g := range set.Guardrails {
		if limited(g.Limits, g.Entries) {
			return true
		}
	}
	return false
}

// run is one simulation under way.
type run struct {
	ctx   context.Context
	gate  *decide.Gate
	set   *policy.Set
	opt   Options
	src   *traffic
	table *table
	total tally
	out   *decisions
	base  *baseline // nil: there is none

	reordered bool
	earliest  int64 // time of the earliest call with one; 0 where there is none. The virtual clock begins there
	done      int64
}

// report turns what was counted into the report.
func (r *run) report() *Report {
	t := &r.total
	rep := &Report{Schema: 1, PolicyVersion: r.set.Version, Engine: string(orElse(r.opt.Engine, decide.Native)),
		Mode: r.opt.Mode.String(), Held: string(orElse(r.opt.Held, decide.Granted)), RejectedRows: r.src.rejectedRows,
		Rejected: orEmpty(r.src.rejected), Decisions: t.decisions, Calls: t.decisions.Total(), By: map[string][]Row{},
		LabelKey: r.opt.Label, Reordered: r.reordered, FirstTime: t.first, LastTime: t.last, Timed: t.timed,
		Traffic: r.opt.Traffic, Assumed: orEmpty(r.src.assumed), Unknown: []Row{}}
	block, hold, tools := r.table.moments(&t.loose)
	rep.Sessions = r.table.sessions()
	known := t.decisions.Known()
	rep.WouldBlock = rate(t.decisions.Blocked(), known, block)
	rep.WouldHold = rate(t.decisions.Held(), known, hold)
	r.groups(rep)
	r.unused(rep)
	r.rollout(rep, tools)
	return rep
}

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// groups fills Report.By, Labels and Unknown.
func (r *run) groups(rep *Report) {
	t := &r.total
	agents, tools, actions := map[string]*Counts{}, map[string]*Counts{}, map[string]*Counts{}
	for k, c := range t.combos {
		bump(agents, aegis.EscapeName(k.tenant)+"/"+aegis.EscapeName(k.agent)).add(*c)
		bump(tools, aegis.EscapeName(k.tool)).add(*c)
		bump(actions, aegis.EscapeName(k.tool)+"/"+aegis.EscapeName(k.action)).add(*c)
	}
	rep.By["agent"], rep.By["tool"], rep.By["action"] = rows(agents), rows(tools), rows(actions)
	rules, reasons := map[string]*Counts{}, map[string]*Counts{}
	for i, c := range t.rules {
		if id := r.set.Rules[i].ID; id != "" && c.Total() > 0 {
			bump(rules, id).add(c)
		}
	}
	for code, c := range t.reasons {
		if c.Total() == 0 {
			continue
		}
		name := aegis.Code(code).String()
		bump(reasons, name).add(c)
		if aegis.Code(code) >= aegis.ArgsRedacted && c[aegis.Unknown] > 0 {
			rep.Unknown = append(rep.Unknown, Row{name, Counts{aegis.Unknown: c[aegis.Unknown]}})
		}
	}
	rep.By["rule"], rep.By["reason"] = rows(rules), rows(reasons)
	sortRows(rep.Unknown)
	for i, name := range r.src.labels {
		by := rows(t.labels[i])
		if name == r.opt.Label {
			rep.Labels = map[string]Row{}
			for _, row := range by {
				rep.Labels[row.Key] = row
			}
		}
		if slices.Contains(r.opt.GroupBy, name) {
			rep.By[name] = by
		}
	}
}

func bump(m map[string]*Counts, key string) *Counts {
	c := m[key]
	if c == nil {
		c = new(Counts)
		m[key] = c
	}
	return c
}

func rows(m map[string]*Counts) []Row {
	out := []Row{}
	for k, c := range m {
		out = append(out, Row{k, *c})
	}
	sortRows(out)
	return out
}

// unused lists the rules that no call cited and the entries that no call matched.
func (r *run) unused(rep *Report) {
	matched := map[*policy.Entry]bool{}
	for k := range r.total.combos {
		for _, e := range r.gate.Engine.Plan(k.tenant, k.agent, k.tool, k.action).Entries {
			matched[e] = true
		}
	}
	rep.UnusedRules, rep.UnusedEntries = []string{}, []string{}
	implied := map[policy.RuleID]bool{policy.NoPolicyRule: true}
	var entries func(es []*policy.Entry)
	entries = func(es []*policy.Entry) {
		for _, e := range es {
			if !matched[e] {
				rep.UnusedEntries = append(rep.UnusedEntries, e.ID)
			}
			if e.Cost != nil {
				implied[e.Cost.Rule] = true // a cost is a figure, not a test
			}
			for _, t := range e.Approval {
				implied[t.Rule] = true // it says who is asked, not whether
			}
			entries(e.Children)
		}
	}
	for _, p := range r.set.Policies {
		entries(p.Entries)
		implied[p.Grant] = true
		if slices.Equal(p.Scope.Callers, []string{"user"}) {
			implied[p.Scope.CallersRule] = true
		}
	}
	for _, g := range r.set.Guardrails {
		entries(g.Entries)
	}
	for i, rule := range r.set.Rules {
		if !implied[policy.RuleID(i)] && (i >= len(r.total.rules) || r.total.rules[i].Total() == 0) {
			rep.UnusedRules = append(rep.UnusedRules, rule.ID)
		}
	}
	slices.Sort(rep.UnusedRules)
	slices.Sort(rep.UnusedEntries)
}

func (r *run) rollout(rep *Report, tools map[string]Moments) {
	rep.Rollout = Rollout{EnforceNow: []ToolPlan{}, KeepInShadow: []ToolPlan{}}
	for _, row := range rep.By["tool"] {
		p, safe := planTool(row.Key, row.Counts, tools[row.Key])
		if safe {
			rep.Rollout.EnforceNow = append(rep.Rollout.EnforceNow, p)
		} else {
			rep.Rollout.KeepInShadow = append(rep.Rollout.KeepInShadow, p)
		}
	}
	// Days are those the timed calls span, and only the whole traffic's being timed makes a rate of them.
	if rep.Timed == rep.Calls && rep.Calls > 0 {
		const day = 24 * 3600 * 1e6
		rep.Rollout.Days = max(1, float64(rep.LastTime-rep.FirstTime)/day)
		rep.Rollout.ApprovalsPerDay = float64(rep.WouldHold.Count) / rep.Rollout.Days
	}
}
