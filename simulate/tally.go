package simulate

import (
	"hash/maphash"
	"sync"

	"github.com/aegisctl/aegis"
)

// combo is a tenant, agent, tool and action that occur together.
type combo struct{ tenant, agent, tool, action string }

// tally is what one lane has counted. Lanes are merged when all is read.
type tally struct {
	decisions Counts
	combos    map[combo]*Counts
	rules     []Counts
	reasons   [aegis.Codes]Counts
	labels    []map[string]*Counts // by traffic.labels
	first     int64
	last      int64
	timed     int64
	loose     loose
}

// loose holds the moments of calls without a session: each is a cluster of its own.
type loose struct {
	block, hold Moments
	tools       map[string]*[2]Moments
}

func newTally(rules, labels int) tally {
	t := tally{combos: map[combo]*Counts{}, rules: make([]Counts, rules), labels: make([]map[string]*Counts, labels)}
	for i := range t.labels {
		t.labels[i] = map[string]*Counts{}
	}
	t.loose.tools = map[string]*[2]Moments{}
	return t
}

func (t *tally) merge(o *tally) {
	t.decisions.add(o.decisions)
	for k, c := range o.combos {
		if t.combos[k] == nil {
			t.combos[k] = new(Counts)
		}
		t.combos[k].add(*c)
	}
	for i := range o.rules {
		t.rules[i].add(o.rules[i])
	}
	for i := range o.reasons {
		t.reasons[i].add(o.reasons[i])
	}
	for i := range o.labels {
		for k, c := range o.labels[i] {
			bump(t.labels[i], k).add(*c)
		}
	}
	if o.timed > 0 {
		if t.timed == 0 || o.first < t.first {
			t.first = o.first
		}
		if t.timed == 0 || o.last > t.last {
			t.last = o.last
		}
		t.timed += o.timed
	}
	t.loose.block.Merge(o.loose.block)
	t.loose.hold.Merge(o.loose.hold)
	for k, m := range o.loose.tools {
		if t.loose.tools[k] == nil {
			t.loose.tools[k] = new([2]Moments)
		}
		t.loose.tools[k][0].Merge(m[0])
		t.loose.tools[k][1].Merge(m[1])
	}
}

// sessionKey names a session, or a session's calls of one tool, by a hash: intervals do not need the name. Among ten
// million sessions, two share a hash with a chance of three in a million; they would be taken for one.
type sessionKey uint64

// cell counts the calls of a session that could be decided, and how many of them would be blocked and held.
type cell struct {
	n, block, hold uint32
	tool           int32  // index into table.tools, or -1 for the session as a whole
	last           uint32 // minute of the latest call, since the epoch; 0 where none has a time
}

func (c *cell) count(o aegis.Outcome) {
	switch o {
	case aegis.Unknown:
		return
	case aegis.Deny, aegis.Reject:
		c.block++
	case aegis.ApprovalNeeded:
		c.hold++
	}
	c.n++
}

// table counts by session, and by session and tool. It holds about 50 bytes for each pair of session and tool.
type table struct {
	mu    sync.Mutex
	seed  maphash.Seed
	cells map[sessionKey]cell
	tools map[string]int32
	names []string
	n     int64

	block, hold Moments // of sessions that were closed
	byTool      []Moments
}

// manyCells is the size from which idle sessions are closed.
const manyCells = 2 << 20

// closeIdle makes sums of the sessions whose latest call was a day before the minute now, where there are so many that
// holding them all would cost too much memory. Calls must come in event order. One that comes back is a new session to
// the intervals, as it is to the gate.
func (t *table) closeIdle(now uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.cells) < manyCells {
		return
	}
	for k, c := range t.cells {
		if c.last > 0 && c.last+24*60 < now {
			t.sum(c)
			delete(t.cells, k)
		}
	}
}

// sum adds a session's counts to the moments.
func (t *table) sum(c cell) {
	switch {
	case c.n == 0:
	case c.tool < 0:
		t.block.Add(int64(c.n), int64(c.block))
		t.hold.Add(int64(c.n), int64(c.hold))
	default:
		for len(t.byTool) <= int(c.tool) {
			t.byTool = append(t.byTool, Moments{})
		}
		t.byTool[c.tool].Add(int64(c.n), int64(c.block))
	}
}

// newTable makes a table for traffic of that many rows. Most sessions have several calls.
func newTable(rows int64) *table {
	return &table{seed: maphash.MakeSeed(), cells: make(map[sessionKey]cell, min(rows/8, 1<<20)), tools: map[string]int32{}}
}

// key hashes a tenant and session.
func (t *table) key(tenant, session string) sessionKey { return t.tenant(tenant) ^ t.session(session) }

func (t *table) session(name string) sessionKey { return sessionKey(maphash.String(t.seed, name)) }

func (t *table) tenant(name string) sessionKey {
	return sessionKey(maphash.String(t.seed, name)) * 0x9e3779b97f4a7c15
}

// tool returns the number of a tool's name. The caller holds no lock.
func (t *table) tool(name string) int32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	i, ok := t.tools[name]
	if !ok {
		i = int32(len(t.names))
		t.tools[name] = i
		t.names = append(t.names, name)
	}
	return i
}

// add merges cells that a lane has gathered.
func (t *table) add(keys []sessionKey, cells []cell) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, k := range keys {
		c := cells[i]
		if c.tool >= 0 {
			k ^= sessionKey(c.tool+1) * 0xbf58476d1ce4e5b9
		}
		old, ok := t.cells[k]
		if !ok && c.tool < 0 {
			t.n++
		}
		t.cells[k] = cell{old.n + c.n, old.block + c.block, old.hold + c.hold, c.tool, max(old.last, c.last)}
	}
}

// sessions returns how many sessions there were.
func (t *table) sessions() int64 { return t.n }

// moments sums up the sessions for the intervals: of blocks, of holds, and of each tool's blocks.
func (t *table) moments(l *loose) (block, hold Moments, tools map[string]Moments) {
	for _, c := range t.cells {
		t.sum(c)
	}
	t.cells = nil
	block, hold, tools = l.block, l.hold, map[string]Moments{}
	block.Merge(t.block)
	hold.Merge(t.hold)
	for i, name := range t.names {
		var m Moments
		if i < len(t.byTool) {
			m = t.byTool[i]
		}
		if o := l.tools[name]; o != nil {
			m.Merge(o[0])
		}
		tools[name] = m
	}
	return block, hold, tools
}
