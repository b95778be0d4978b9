package simulate

import (
	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/capture"
	"github.com/aegisctl/aegis/decide"
)

// lane evaluates batches, one at a time, and counts on its own. Lanes share the gate and the table.
type lane struct {
	run     *run
	gate    *decide.Gate
	base    *lane    // judges the same calls by the baseline; nil where there is none, or another goroutine does
	changes *changes // what differs from the baseline; nil where there is none
	scratch decide.Scratch
	doc     aegis.Doc
	call    aegis.Call
	tally   tally

	batch    *batch
	labels   []capture.StringColumn
	counts   [][]*Counts // by label, by dictionary index + 1
	combos   comboCache
	known    map[combo]*resolved
	cells    batchCells
	sessions []*decide.Session // by dictionary index, for tenant sessionsOf
	tenantOf []int32
	results  []result // of the batch, where decisions are written
}

// batch is one group of rows, and the file it comes from.
type batch struct {
	capture.Batch
	file   int                    // spooled for rows that were put in order
	labels []capture.StringColumn // of spooled rows, by traffic.labels
}

// spooled is the file of a batch whose rows come from several places and were noted before.
const spooled = -1

// minute returns the minute of row i's time since the epoch, 0 where it has none (or one before the epoch).
func (b *batch) minute(i int) uint32 {
	if b.TimeNull[i] || b.Time[i] < 0 {
		return 0
	}
	return uint32(min(b.Time[i]/60_000_000, 1<<31))
}

// succeeded reports that the tool did not fail, as far as the capture says.
func (b *batch) succeeded(i int) bool {
	o := b.Outcome.At(i)
	return o == "" || o == "ok"
}

func (r *run) newLane() *lane {
	l := &lane{run: r, gate: r.gate, tally: newTally(len(r.set.Rules), len(r.src.labels)), known: map[combo]*resolved{}}
	if r.base != nil {
		l.changes = newChanges()
	}
	return l
}

// resolved is what the lane knows of a tenant, agent, tool and action that occur together.
type resolved struct {
	combo   combo
	plan    *decide.Plan
	counts  *Counts
	tool    int32 // in the table
	commit  bool
	base    *resolved // under the baseline: plan and commit only
	changed *kindCounts
}

// comboCache finds what is known of a row by its four dictionary indexes. It is direct-mapped: a miss costs a look-up by
// name, nothing else.
type comboCache [1024]struct {
	key    [4]int32
	of     *resolved
	shapes *aegis.Shapes // of the arguments of such calls
}

// resolve returns what is known of row i's names, and the shapes of such calls' arguments.
func (l *lane) resolve(i int) (*resolved, *aegis.Shapes) {
	b := l.batch
	key := [4]int32{b.Tenant.Index[i], b.Agent.Index[i], b.Tool.Index[i], b.Action.Index[i]}
	h := uint32(key[0])*31 + uint32(key[1])*131 + uint32(key[2])*524287 + uint32(key[3])*8191
	e := &l.combos[(h^h>>10)%uint32(len(l.combos))]
	if e.of == nil || e.key != key {
		e.key, e.of = key, l.lookup(combo{l.run.src.tenant(b.Tenant.At(i)), b.Agent.At(i), b.Tool.At(i), b.Action.At(i)})
		if e.shapes == nil {
			e.shapes = new(aegis.Shapes)
		}
	}
	return e.of, e.shapes
}

func (l *lane) lookup(c combo) *resolved {
	if r := l.known[c]; r != nil {
		return r
	}
	plan := l.run.gate.Engine.Plan(c.tenant, c.agent, c.tool, c.action)
	r := &resolved{combo: c, plan: plan, counts: new(Counts), tool: l.run.table.tool(aegis.EscapeName(c.tool)),
		commit: l.run.gate.NeedsCommit(plan), base: l.run.base.resolve(c)}
	l.known[c], l.tally.combos[c] = r, r.counts
	return r
}

// begin readies the lane for a batch: dictionary indexes of the last one mean nothing now.
func (l *lane) begin(b *batch) {
	l.batch = b
	for i := range l.combos {
		l.combos[i].of = nil // the shapes may serve again
	}
	n := len(b.Session.Dict)
	l.sessions = append(l.sessions[:0], make([]*decide.Session, n)...)
	l.tenantOf = append(l.tenantOf[:0], make([]int32, n)...)
	l.labels, l.counts = l.labels[:0], l.counts[:0]
	for _, name := range l.run.src.labels {
		col := l.run.src.labelColumn(b, name)
		l.labels = append(l.labels, col)
		l.counts = append(l.counts, make([]*Counts, len(col.Dict)+1))
	}
	l.results = l.results[:0]
	l.cells.begin(n)
	l.changes.begin(b)
}

// evaluate judges and counts every call of a batch, in its order.
func (l *lane) evaluate(b *batch) error {
	l.begin(b)
	if l.base != nil {
		l.base.begin(b)
	}
	for i := range b.Rows {
		if b.Rejected[i] != capture.Accepted {
			continue
		}
		if i&0x3fff == 0 {
			if err := l.run.ctx.Err(); err != nil {
				return err
			}
		}
		e, shapes := l.resolve(i)
		bad := b.parse(i, &l.doc, shapes)
		l.fill(&l.call, e, i, &l.doc)
		v, err := l.judge(e, i, &l.call, bad)
		if err != nil {
			return err
		}
		var old *decide.Verdict
		if l.base != nil {
			if old, err = l.base.judge(e.base, i, &l.call, bad); err != nil {
				return err
			}
		}
		l.count(e, v.Outcome, v.Hits, i)
		if old != nil {
			l.compare(e, i, &l.call, verdict{old.Outcome, old.Hits}, verdict{v.Outcome, v.Hits})
		}
	}
	l.cells.flush(l)
	l.changes.flush(l)
	return nil
}

// judge takes the call of row i along the gate's path, unless its arguments are bad.
func (l *lane) judge(e *resolved, i int, c *aegis.Call, bad bool) (*decide.Verdict, error) {
	var v *decide.Verdict
	if bad {
		v = l.gate.Malformed(&l.scratch)
	} else {
		var err error
		session := l.session(e, i)
		if v, err = l.gate.Judge(&l.scratch, e.plan, c, session); err != nil {
			return nil, err
		}
		if e.commit {
			if err = l.gate.Commit(&l.scratch, session, l.batch.succeeded(i)); err != nil {
				return nil, err
			}
			v = l.scratch.Verdict()
		}
	}
	if l.run.opt.Each != nil && l.gate == l.run.gate {
		l.run.opt.Each(c, v)
	}
	if l.run.opt.EachSeq != nil && l.gate == l.run.gate {
		seq := int64(-1)
		if !l.batch.SeqNull[i] {
			seq = l.batch.Seq[i]
		}
		l.run.opt.EachSeq(c, v, seq)
	}
	return v, nil
}

// session returns the gate's session of a row, looked up once for each session of a batch.
func (l *lane) session(e *resolved, i int) *decide.Session {
	if !e.commit && !e.plan.NeedsSession {
		return nil
	}
	k := l.batch.Session.Index[i]
	if k < 0 {
		return nil
	}
	tenant := l.batch.Tenant.Index[i]
	if s := l.sessions[k]; s != nil && l.tenantOf[k] == tenant {
		return s
	}
	s := l.gate.Session(e.combo.tenant, l.batch.Session.Dict[k])
	l.sessions[k], l.tenantOf[k] = s, tenant
	return s
}

// parse reads the arguments of row i into doc, unless the capture lacks them, and reports whether they are bad.
func (b *batch) parse(i int, doc *aegis.Doc, shapes *aegis.Shapes) (bad bool) {
	if b.Coverage[i] != capture.CoverageFull {
		return false
	}
	text := b.ArgsData[b.ArgsStart[i]:b.ArgsEnd[i]]
	return doc.ParseLike(text, aegis.MaxBody, shapes) != nil || doc.Root().Kind() != aegis.Object
}

// fill makes the call of row i.
func (l *lane) fill(c *aegis.Call, e *resolved, i int, doc *aegis.Doc) {
	l.batch.Call(i, doc.Root(), c)
	c.Tenant, c.Agent, c.Tool, c.Action = e.combo.tenant, e.combo.agent, e.combo.tool, e.combo.action
}

// count adds a decision to every group that it belongs to.
func (l *lane) count(e *resolved, o aegis.Outcome, hits []aegis.Hit, i int) {
	t, b := &l.tally, l.batch
	t.decisions[o]++
	e.counts[o]++
	for j, h := range hits {
		if !citedBefore(hits[:j], func(p aegis.Hit) bool { return p.Rule == h.Rule }) {
			t.rules[h.Rule][o]++
		}
		if !citedBefore(hits[:j], func(p aegis.Hit) bool { return p.Code == h.Code }) {
			t.reasons[h.Code][o]++
		}
	}
	if !b.TimeNull[i] {
		if t.timed == 0 || b.Time[i] < t.first {
			t.first = b.Time[i]
		}
		if t.timed == 0 || b.Time[i] > t.last {
			t.last = b.Time[i]
		}
		t.timed++
	}
	l.countLabels(o, i)
	if k := b.Session.Index[i]; k >= 0 {
		l.cells.count(k, b.Tenant.Index[i], e.tool, o, b.minute(i))
	} else {
		l.countLoose(e, o)
	}
	if l.run.out != nil {
		l.results = append(l.results, l.run.out.result(l, e, o, hits, i))
	}
}

func citedBefore(hits []aegis.Hit, same func(aegis.Hit) bool) bool {
	for _, p := range hits {
		if same(p) {
			return true
		}
	}
	return false
}

func (l *lane) countLabels(o aegis.Outcome, i int) {
	for j := range l.labels {
		k := l.labels[j].Index[i]
		c := l.counts[j][k+1]
		if c == nil {
			value := "(none)"
			switch {
			case k >= 0:
				value = l.labels[j].Dict[k]
			case l.run.src.labels[j] == "tenant":
				value = l.run.src.tenant("")
			}
			c = bump(l.tally.labels[j], value)
			l.counts[j][k+1] = c
		}
		c[o]++
	}
}

// countLoose counts a call without a session: a cluster of its own.
func (l *lane) countLoose(e *resolved, o aegis.Outcome) {
	var c cell
	c.count(o)
	if c.n == 0 {
		return
	}
	t := &l.tally.loose
	t.block.Add(1, int64(c.block))
	t.hold.Add(1, int64(c.hold))
	name := aegis.EscapeName(e.combo.tool)
	m := t.tools[name]
	if m == nil {
		m = new([2]Moments)
		t.tools[name] = m
	}
	m[0].Add(1, int64(c.block))
	m[1].Add(1, int64(c.hold))
}
