package simulate

import (
	"hash/maphash"
	"sync"

	"github.com/aegisctl/aegis"
)

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

// keyed is a cell and whose it is. Key 0 marks a free place.
type keyed struct {
	key sessionKey
	cell
}

// shards is into how many parts a table is cut, by the leading bits of keys. Lanes seldom wait for each other, and
// the parts grow at different times, so that the whole never stands twice in memory.
const (
	shardBits = 6
	shards    = 1 << shardBits
)

// table counts by session, and by session and tool. It holds about 50 bytes for each pair of session and tool.
type table struct {
	seed   maphash.Seed
	shards [shards]shard

	mu    sync.Mutex
	tools map[string]int32
	names []string

	block, hold Moments // of sessions that were closed
	byTool      []Moments
}

// shard is a hash table with linear probing, at most three quarters full.
type shard struct {
	mu       sync.Mutex
	places   []keyed // as many as a power of two
	used     int
	sessions int64 // first cells of sessions
}

// newTable makes a table for traffic of that many rows. Most sessions have several calls.
func newTable(rows int64) *table {
	t := &table{seed: maphash.MakeSeed(), tools: map[string]int32{}}
	n := 16
	for int64(n)*shards < min(rows/8, 1<<20) {
		n *= 2
	}
	for i := range t.shards {
		t.shards[i].places = make([]keyed, n)
	}
	return t
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

// cellKey is the key of a session's cell: the session's own, or that of its calls of one tool.
func cellKey(session sessionKey, tool int32) sessionKey {
	if tool >= 0 {
		session ^= sessionKey(tool+1) * 0xbf58476d1ce4e5b9
	}
	if session == 0 {
		return 1
	}
	return session
}

// shardOf returns the number of the shard that has a key.
func shardOf(k sessionKey) int { return int(k >> (64 - shardBits)) }

// add merges cells that a lane has gathered for one shard.
func (t *table) add(number int, cells []keyed) {
	s := &t.shards[number]
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range cells {
		s.add(&cells[i])
	}
}

func (s *shard) add(c *keyed) {
	mask := uint64(len(s.places) - 1)
	for at := uint64(c.key) & mask; ; at = (at + 1) & mask {
		switch p := &s.places[at]; p.key {
		case c.key:
			p.n, p.block, p.hold, p.last = p.n+c.n, p.block+c.block, p.hold+c.hold, max(p.last, c.last)
			return
		case 0:
			*p = *c
			if c.tool < 0 {
				s.sessions++
			}
			if s.used++; s.used > len(s.places)/4*3 {
				s.rebuild(2*len(s.places), nil)
			}
			return
		}
	}
}

// rebuild moves the cells to n places, but for those that leave takes.
func (s *shard) rebuild(n int, leave func(*cell) bool) {
	old, mask := s.places, uint64(n-1)
	s.places, s.used = make([]keyed, n), 0
	for i := range old {
		c := &old[i]
		if c.key == 0 || leave != nil && leave(&c.cell) {
			continue
		}
		at := uint64(c.key) & mask
		for s.places[at].key != 0 {
			at = (at + 1) & mask
		}
		s.places[at] = *c
		s.used++
	}
}

// manyCells is the size from which idle sessions are closed.
const manyCells = 2 << 20

// closeIdle makes sums of the sessions whose latest call was a day before the minute now, where there are so many that
// holding them all would cost too much memory. Calls must come in event order. One that comes back is a new session to
// the intervals, as it is to the gate.
func (t *table) closeIdle(now uint32) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		if s.used >= manyCells/shards {
			s.rebuild(len(s.places), func(c *cell) bool {
				idle := c.last > 0 && c.last+24*60 < now
				if idle {
					t.sum(c)
				}
				return idle
			})
		}
		s.mu.Unlock()
	}
}

// sum adds a session's counts to the moments.
func (t *table) sum(c *cell) {
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

// sessions returns how many sessions there were.
func (t *table) sessions() (n int64) {
	for i := range t.shards {
		n += t.shards[i].sessions
	}
	return n
}

// moments sums up the sessions for the intervals: of blocks, of holds, and of each tool's blocks.
func (t *table) moments(l *loose) (block, hold Moments, tools map[string]Moments) {
	for i := range t.shards {
		s := &t.shards[i]
		for k := range s.places {
			t.sum(&s.places[k].cell)
		}
		s.places = nil
	}
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
