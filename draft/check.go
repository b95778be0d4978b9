package draft

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/capture"
	"github.com/aegisctl/aegis/decide"
	"github.com/aegisctl/aegis/policy"
)

// drafts are the policies of one profile, by tenant and agent.
type drafts struct {
	by map[[2]string]*drafted
	k  int
}

// drafted is one policy with the gate that judges by it.
type drafted struct {
	plan    *plan
	how     how
	owners  []owner
	text    string
	set     *policy.Set
	gate    *decide.Gate
	relaxed bool // since it was written
}

// draft plans, writes and loads the policies of a profile.
func (d *drafter) draft(p *profile, h how) (*drafts, error) {
	ds := &drafts{by: map[[2]string]*drafted{}, k: p.k}
	b := &builder{k: p.k, looks: d.looks}
	for key, a := range p.agents {
		if a.calls == 0 {
			continue
		}
		x := &drafted{plan: b.plan(key, a), how: h}
		if err := x.load(); err != nil {
			return nil, err
		}
		ds.by[key] = x
	}
	return ds, nil
}

// load writes the policy and reads it back. A policy that is too large with its comments goes without.
func (x *drafted) load() error {
	t := x.plan.write(x.how)
	if t.Len() > policy.MaxSource {
		x.how.plain = true
		if t = x.plan.write(x.how); t.Len() > policy.MaxSource {
			return &TooLargeError{x.plan.tenant, x.plan.agent, t.Len()}
		}
	}
	set, err := policy.LoadText(x.plan.agent+".yaml", t.String())
	if err != nil {
		return &DefectError{fmt.Sprintf("the policy for %s/%s does not load: %v", x.plan.tenant, x.plan.agent, err)}
	}
	gate, err := decide.NewGate(set, decide.Options{})
	if err != nil {
		return &DefectError{err.Error()}
	}
	x.set, x.gate, x.owners, x.text, x.relaxed = set, gate, t.owners, t.String(), false
	return nil
}

// maxRounds is how often the check is repeated after something was relaxed.
const maxRounds = 8

// check drafts twice, from the training share and from all, and takes every call through the gate: the held-out ones
// through the first draft, which has not seen them, for the false-deny rate; all of them through the second, which must
// deny none. A rule that denies one nevertheless is taken out, and counted as a defect in the report.
func (d *drafter) check() (err error) {
	if d.opt.Holdout > 0 {
		if d.measured, err = d.draft(d.train, how{}); err != nil {
			return err
		}
	}
	d.all = d.train
	d.all.merge(d.held)
	if d.final, err = d.draft(d.all, how{hourly: true}); err != nil {
		return err
	}
	for round := range maxRounds {
		j := &judge{d: d, measures: map[[2]string]*measure{}, first: round == 0, looks: map[[4]int32]*looked{}}
		if err := d.each(j, func(string) {}, d.src.rows); err != nil {
			return err
		}
		if j.first {
			d.report.measures = j.measures
		}
		if !j.relaxed {
			if left := d.report.Skipped[skipMany]; j.left > left {
				return &DefectError{fmt.Sprintf("%d calls are not granted, and %d were left out", j.left, left)}
			}
			return nil
		}
		for _, x := range d.final.by {
			if x.relaxed {
				if err := x.load(); err != nil {
					return err
				}
			}
		}
	}
	return &DefectError{"it denies calls that it was drafted from"}
}

// judge is the second pass.
type judge struct {
	d        *drafter
	doc      aegis.Doc
	scratch  decide.Scratch
	looks    map[[4]int32]*looked // of one batch
	measures map[[2]string]*measure
	first    bool
	relaxed  bool
	left     int64 // calls that are not granted
}

// looked is what the names of a call lead to.
type looked struct {
	skip            bool
	final, measured *drafted
	plans           [2]*decide.Plan // of the two
	measure         *measure
}

func (j *judge) begin(*capture.Batch) { clear(j.looks) }

func (j *judge) look(r *row) *looked {
	l := j.looks[r.indexes]
	if l != nil {
		return l
	}
	l = &looked{}
	j.looks[r.indexes] = l
	ok := j.d.looks
	if l.skip = !ok.name(r.tenant) || !ok.name(r.agent) || r.agent == "user" || !ok.target(r.tool) || r.action != "" && !ok.target(r.action); l.skip {
		return l
	}
	key := [2]string{strings.Clone(r.tenant), strings.Clone(r.agent)}
	if l.final = j.d.final.by[key]; l.final != nil {
		l.plans[0] = l.final.gate.Engine.Plan(r.tenant, r.agent, r.tool, r.action)
	}
	if j.d.measured == nil {
		return l
	}
	if l.measured = j.d.measured.by[key]; l.measured != nil {
		l.plans[1] = l.measured.gate.Engine.Plan(r.tenant, r.agent, r.tool, r.action)
	}
	if l.measure = j.measures[key]; l.measure == nil {
		l.measure = newMeasure(j.d.opt.Holdout)
		j.measures[key] = l.measure
	}
	return l
}

func (j *judge) call(r *row) error {
	l := j.look(r)
	if l.skip || !j.d.looks.name(r.caller()) {
		return nil
	}
	redacted := r.batch.Coverage[r.i] != capture.CoverageFull
	if !redacted && !r.parse(&j.doc) {
		return nil
	}
	c := r.judged(j.doc.Root())
	if r.held && j.first && l.measure != nil {
		if err := j.measure(l, r, *c); err != nil {
			return err
		}
	}
	if l.final == nil {
		j.left++
		return nil
	}
	v, err := l.final.gate.Judge(&j.scratch, l.plans[0], c, nil)
	if err != nil {
		return err
	}
	if v.Outcome >= aegis.Deny {
		return j.denied(l.final, v)
	}
	return nil
}

// judged makes the call that the gate judges.
func (r *row) judged(args aegis.Value) *aegis.Call {
	c := new(aegis.Call)
	r.batch.Call(r.i, args, c)
	c.Tenant, c.Agent, c.Tool, c.Action = r.tenant, r.agent, r.tool, r.action
	return c
}

// measure takes a held-out call through the draft that has not seen it.
func (j *judge) measure(l *looked, r *row, c aegis.Call) error {
	if l.measured == nil {
		l.measure.count(r.session, true, []aegis.Hit{{Code: aegis.NoPolicy}})
		return nil
	}
	g := l.measured.gate
	session := g.Session(r.tenant, r.text)
	v, err := g.Judge(&j.scratch, l.plans[1], &c, session)
	if err == nil && g.NeedsCommit(l.plans[1]) {
		err = g.Commit(&j.scratch, session, true)
		v = j.scratch.Verdict()
	}
	if err != nil {
		return err
	}
	l.measure.count(r.session, v.Outcome >= aegis.Deny, v.Hits)
	return nil
}

// denied looks at a call that the final draft denies: it was left out, or a rule is wrong and is taken out.
func (j *judge) denied(x *drafted, v *decide.Verdict) error {
	for _, h := range v.Hits {
		switch h.Code {
		case aegis.ToolNotGranted, aegis.ActionNotGranted, aegis.CallerNotAllowed, aegis.NoPolicy:
			j.left++
			return nil
		}
	}
	for _, h := range v.Hits {
		pos := x.set.Rules[h.Rule].Pos
		if pos.Line < 1 || pos.Line > len(x.owners) || x.owners[pos.Line-1].entry == nil {
			return &DefectError{fmt.Sprintf("%s denies a call that it was drafted from", x.set.Rules[h.Rule].ID)}
		}
		x.owners[pos.Line-1].relax()
		x.relaxed, j.relaxed = true, true
		j.d.report.Relaxed++
	}
	return nil
}

// relax takes the rule of a line out.
func (o owner) relax() {
	switch {
	case o.arg == nil:
		o.entry.open = true
		o.entry.bare = len(o.entry.args) == 0
	default:
		*o.arg = constraint{name: o.arg.name, optional: true, seen: "values that no rule could be found for", grants: "anything"}
	}
}

// result writes the policies for the last time, now that it is known what to say of false denials.
func (d *drafter) result() (*Result, error) {
	res := &Result{Report: d.report}
	names := map[string]bool{}
	for _, key := range slices.SortedFunc(maps.Keys(d.final.by), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
		x := d.final.by[key]
		x.plan.measured = d.report.measures[key]
		version := x.set.Version
		if err := x.load(); err != nil {
			return nil, err
		}
		if x.set.Version != version {
			return nil, &DefectError{"comments changed its meaning"}
		}
		res.Policies = append(res.Policies, Policy{key[0], key[1], fileName(key, names), x.text, x.set})
	}
	d.report.finish(d, res.Policies)
	return res, nil
}
