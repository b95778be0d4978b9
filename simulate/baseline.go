package simulate

import (
	"slices"
	"sync"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/decide"
	"github.com/aegisctl/aegis/policy"
)

// Kind says how a call fares differently under the policy than under the baseline. Outcomes fall into four classes:
// let through (allow, sanitize), held (approval_needed), blocked (deny, reject) and unknown. Every call that changes
// its class has exactly one of the kinds up to NoLongerUnknown; the other two are changes inside a class.
type Kind uint8

// The kinds of change.
const (
	Same              Kind = iota
	NewlyDenied            // blocked now; was let through or held
	NewlyAllowed           // let through now; was blocked or held
	NewlyHeld              // held now; was let through or blocked
	NewlyUnknown           // cannot be decided now; could be before
	NoLongerUnknown        // can be decided now; could not be before
	NewlySanitized         // sanitized now; was allowed as it stood
	NoLongerSanitized      // allowed as it stands now; was sanitized
	kinds
)

var kindNames = [...]string{"same", "newly_denied", "newly_allowed", "newly_held", "newly_unknown", "no_longer_unknown",
	"newly_sanitized", "no_longer_sanitized"}

// String returns the kind as the report's JSON spells it.
func (k Kind) String() string { return kindNames[k] }

// MarshalText returns String.
func (k Kind) MarshalText() ([]byte, error) { return []byte(kindNames[k]), nil }

// classes are the four that Kind speaks of, by outcome.
var classes = [aegis.Outcomes]uint8{aegis.Allow: 0, aegis.Sanitize: 0, aegis.ApprovalNeeded: 1, aegis.Deny: 2, aegis.Reject: 2,
	aegis.Unknown: 3}

// KindOf returns the kind of change from one outcome to another.
func KindOf(from, to aegis.Outcome) Kind {
	switch a, b := classes[from], classes[to]; {
	case a == b && from == aegis.Allow && to == aegis.Sanitize:
		return NewlySanitized
	case a == b && from == aegis.Sanitize && to == aegis.Allow:
		return NoLongerSanitized
	case a == b:
		return Same
	case b == 3:
		return NewlyUnknown
	case a == 3:
		return NoLongerUnknown
	default:
		return [...]Kind{NewlyAllowed, NewlyHeld, NewlyDenied}[b]
	}
}

// baseline is the policy that is compared with, at a gate of its own: its limits, histories and taints evolve as if it
// alone had judged the traffic.
type baseline struct {
	set  *policy.Set
	gate *decide.Gate

	total *changes

	mu    sync.Mutex
	cells map[sessionKey]sessionChange
	sums  changeSums // of sessions that were closed, and of calls without one
}

func newBaseline(opt Options) (*baseline, error) {
	if opt.Baseline == nil {
		return nil, nil
	}
	gate, err := decide.NewGate(opt.Baseline, decide.Options{Engine: opt.Engine, Mode: opt.Mode, Tenant: opt.Tenant, Held: opt.Held})
	if err != nil {
		return nil, err
	}
	return &baseline{set: opt.Baseline, gate: gate, total: newChanges(), cells: map[sessionKey]sessionChange{}}, nil
}

// newBaseLane returns a lane that judges by the baseline and counts nothing; nil where there is no baseline.
func (r *run) newBaseLane() *lane {
	if r.base == nil {
		return nil
	}
	return &lane{run: r, gate: r.base.gate}
}

func (b *baseline) resolve(c combo) *resolved {
	if b == nil {
		return nil
	}
	plan := b.gate.Engine.Plan(c.tenant, c.agent, c.tool, c.action)
	return &resolved{combo: c, plan: plan, commit: b.gate.NeedsCommit(plan)}
}

// verdict is what one policy says of a call.
type verdict struct {
	outcome aegis.Outcome
	hits    []aegis.Hit
}

// sessionChange counts a session's calls that both policies can decide.
type sessionChange struct {
	n, denied, allowed, held uint32
	blocked, blockedBefore   uint32
	last                     uint32 // minute of the latest call, since the epoch; 0 where none has a time
}

func (c *sessionChange) add(o sessionChange) {
	c.n, c.denied, c.allowed, c.held = c.n+o.n, c.denied+o.denied, c.allowed+o.allowed, c.held+o.held
	c.blocked, c.blockedBefore, c.last = c.blocked+o.blocked, c.blockedBefore+o.blockedBefore, max(c.last, o.last)
}

func (c *sessionChange) count(from, to aegis.Outcome) {
	if from == aegis.Unknown || to == aegis.Unknown {
		return
	}
	c.n++
	switch KindOf(from, to) {
	case NewlyDenied:
		c.denied++
	case NewlyAllowed:
		c.allowed++
	case NewlyHeld:
		c.held++
	}
	if classes[to] == 2 {
		c.blocked++
	}
	if classes[from] == 2 {
		c.blockedBefore++
	}
}

// changeSums are what the intervals need of finished sessions.
type changeSums struct {
	denied, allowed, held Moments
	blocked               PairMoments
}

func (s *changeSums) add(c sessionChange) {
	s.denied.Add(int64(c.n), int64(c.denied))
	s.allowed.Add(int64(c.n), int64(c.allowed))
	s.held.Add(int64(c.n), int64(c.held))
	s.blocked.Add(int64(c.n), int64(c.blocked), int64(c.blockedBefore))
}

func (s *changeSums) merge(o *changeSums) {
	s.denied.Merge(o.denied)
	s.allowed.Merge(o.allowed)
	s.held.Merge(o.held)
	s.blocked.Merge(o.blocked)
}

// closeIdle does for changes what table.closeIdle does for decisions.
func (b *baseline) closeIdle(now uint32) {
	if b == nil || len(b.cells) < manyCells {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for k, c := range b.cells {
		if c.last > 0 && c.last+24*60 < now {
			b.sums.add(c)
			delete(b.cells, k)
		}
	}
}

// changes is what one lane has counted of changes.
type changes struct {
	matrix [aegis.Outcomes]Counts // by the baseline's outcome
	combos map[combo]*kindCounts
	groups map[groupKey]*changeGroup
	loose  changeSums // of calls without a session, each a cluster of its own

	slots []sessionSlot // by session in the batch's dictionary
}

type kindCounts [kinds]int64

// sessionSlot gathers the counts of one session of a batch.
type sessionSlot struct {
	tenant int32
	sessionChange
}

func newChanges() *changes {
	return &changes{combos: map[combo]*kindCounts{}, groups: map[groupKey]*changeGroup{}}
}

// begin readies for a batch. It and flush do nothing where there is no baseline.
func (c *changes) begin(b *batch) {
	if c != nil {
		c.slots = append(c.slots[:0], make([]sessionSlot, len(b.Session.Dict))...)
	}
}

// flush adds the batch's sessions to the baseline's.
func (c *changes) flush(l *lane) {
	if c == nil {
		return
	}
	l.run.base.mu.Lock()
	defer l.run.base.mu.Unlock()
	for i := range c.slots {
		c.spill(l, i)
	}
}

// spill adds one session to the baseline's, whose lock is held.
func (c *changes) spill(l *lane, i int) {
	s := &c.slots[i]
	if s.n == 0 {
		return
	}
	tenant := ""
	if s.tenant >= 0 {
		tenant = l.batch.Tenant.Dict[s.tenant]
	}
	k := l.run.table.key(l.run.src.tenant(tenant), l.batch.Session.Dict[i])
	all := l.run.base.cells[k]
	all.add(s.sessionChange)
	l.run.base.cells[k] = all
	s.sessionChange = sessionChange{}
}

// compare counts a call that both policies judged. Its decision has just been counted.
func (l *lane) compare(e *resolved, i int, call *aegis.Call, old, new verdict) {
	c := l.changes
	c.matrix[old.outcome][new.outcome]++
	if l.run.out != nil {
		l.results[len(l.results)-1].Baseline = old.outcome.String()
	}
	c.session(l, i, old.outcome, new.outcome)
	kind := KindOf(old.outcome, new.outcome)
	if kind == Same {
		return
	}
	if e.changed == nil {
		e.changed = made(c.combos, e.combo)
	}
	e.changed[kind]++
	k := keyOf(kind, e.plan, old, new)
	g := made(c.groups, k)
	g.calls++
	if l.run.opt.Examples {
		g.offer(l, e, i, call)
	}
}

// made returns the map's value for a key, made where there is none.
func made[K comparable, V any](m map[K]*V, k K) *V {
	v := m[k]
	if v == nil {
		v = new(V)
		m[k] = v
	}
	return v
}

func (c *changes) session(l *lane, i int, from, to aegis.Outcome) {
	k := l.batch.Session.Index[i]
	if k < 0 {
		var one sessionChange
		one.count(from, to)
		c.loose.add(one)
		return
	}
	s, tenant := &c.slots[k], l.batch.Tenant.Index[i]
	if s.tenant != tenant {
		l.run.base.mu.Lock()
		c.spill(l, int(k))
		l.run.base.mu.Unlock()
		s.tenant = tenant
	}
	s.count(from, to)
	s.last = max(s.last, l.batch.minute(i))
}

// merge adds what a lane has counted.
func (b *baseline) merge(c *changes) {
	if b == nil || c == nil {
		return
	}
	t := b.total
	for i := range c.matrix {
		t.matrix[i].add(c.matrix[i])
	}
	for k, n := range c.combos {
		to := made(t.combos, k)
		for i := range n {
			to[i] += n[i]
		}
	}
	for k, g := range c.groups {
		to := made(t.groups, k)
		to.calls += g.calls
		if g.example != nil && (to.example == nil || g.example.compare(to.example) < 0) {
			to.example = g.example
		}
	}
	t.loose.merge(&c.loose)
}

// cited is how many reasons of each side tell groups of changes apart: enough to name what decided, few enough that
// traffic cannot make as many groups as there are subsets of rules.
const cited = 3

// groupKey tells groups of changes apart: the outcomes, what decided them, and the grant that is new.
type groupKey struct {
	kind     Kind
	from, to aegis.Outcome
	old, new decisive
	grant    *policy.Entry
}

// decisive holds the first reasons of a verdict's own outcome, in the order of the policy's rules.
type decisive struct {
	hits [cited]ruleCode
	n    uint8 // of hits
	more bool  // there are others
}

type ruleCode struct {
	rule policy.RuleID
	code aegis.Code
}

func (r ruleCode) compare(o ruleCode) int {
	if r.rule != o.rule {
		return int(r.rule) - int(o.rule)
	}
	return int(r.code) - int(o.code)
}

func decisiveOf(v verdict) decisive {
	var d decisive
	if v.outcome == aegis.Allow {
		return d
	}
	for _, h := range v.hits {
		if h.Outcome != v.outcome {
			continue
		}
		x, at := ruleCode{h.Rule, h.Code}, int(d.n)
		for at > 0 && x.compare(d.hits[at-1]) < 0 {
			at--
		}
		if d.n == cited {
			d.more = true
		} else {
			d.n++
		}
		if at < cited {
			copy(d.hits[at+1:d.n], d.hits[at:])
			d.hits[at] = x
		}
	}
	return d
}

// notGranted reports that the verdict rests on nothing granting the call.
func (d *decisive) notGranted() bool {
	return slices.ContainsFunc(d.hits[:d.n], func(h ruleCode) bool {
		return h.code == aegis.NoPolicy || h.code == aegis.ToolNotGranted || h.code == aegis.ActionNotGranted
	})
}

func keyOf(kind Kind, plan *decide.Plan, old, new verdict) groupKey {
	k := groupKey{kind: kind, from: old.outcome, to: new.outcome, old: decisiveOf(old), new: decisiveOf(new)}
	if k.old.notGranted() && !k.new.notGranted() {
		for _, e := range plan.Entries {
			if e.Parent == nil && e.Grants {
				k.grant = e
				break
			}
		}
	}
	return k
}
