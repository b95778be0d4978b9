package simulate

import "github.com/aegisctl/aegis"

// batchCells counts the calls of one batch by session, and by session and tool, before they go to the shared table: one
// look-up there for many calls. Sessions are known by their dictionary indexes, so that counting needs no look-up at all
// where a session's calls are of one tenant and one tool.
type batchCells struct {
	of       []sessionCells // by the session's dictionary index
	more     []moreCells    // of sessions with several tools or tenants
	gathered [shards][]keyed
}

// sessionCells are the counts of a session and of the first tool that it used.
type sessionCells struct {
	tenant      int32 // dictionary index
	more        int32 // index of the first of the others, plus 1
	total, tool cell
	used        bool
}

// moreCells is another count of the same session.
type moreCells struct {
	tenant, next int32
	cell
}

// begin readies the counts for a batch of that many sessions.
func (bc *batchCells) begin(sessions int) {
	if cap(bc.of) < sessions {
		bc.of = make([]sessionCells, sessions)
	}
	bc.of = bc.of[:sessions]
	clear(bc.of)
	bc.more = bc.more[:0]
}

func (bc *batchCells) count(session, tenant, tool int32, o aegis.Outcome, minute uint32) {
	s := &bc.of[session]
	if !s.used {
		s.used, s.tenant, s.total.tool, s.tool.tool = true, tenant, -1, tool
	}
	total, of := &s.total, &s.tool
	if s.tenant != tenant {
		total = bc.other(s, tenant, -1)
	}
	total.count(o)
	total.last = max(total.last, minute)
	if s.tenant != tenant || s.tool.tool != tool {
		of = bc.other(s, tenant, tool)
	}
	of.count(o)
	of.last = max(of.last, minute)
}

// other returns the count of another tenant or tool of a session.
func (bc *batchCells) other(s *sessionCells, tenant, tool int32) *cell {
	for i := s.more; i > 0; i = bc.more[i-1].next {
		if m := &bc.more[i-1]; m.tenant == tenant && m.tool == tool {
			return &m.cell
		}
	}
	bc.more = append(bc.more, moreCells{tenant, s.more, cell{tool: tool}})
	s.more = int32(len(bc.more))
	return &bc.more[len(bc.more)-1].cell
}

// flush hands the batch's counts to the table.
func (bc *batchCells) flush(l *lane) {
	tenants := map[int32]sessionKey{}
	put := func(session sessionKey, tenant int32, c cell) {
		t, known := tenants[tenant]
		if !known {
			name := ""
			if tenant >= 0 {
				name = l.batch.Tenant.Dict[tenant]
			}
			t = l.run.table.tenant(l.run.src.tenant(name))
			tenants[tenant] = t
		}
		bc.gather(l, keyed{cellKey(session^t, c.tool), c})
	}
	for i := range bc.of {
		s := &bc.of[i]
		if !s.used {
			continue
		}
		session := l.run.table.session(l.batch.Session.Dict[i])
		put(session, s.tenant, s.total)
		put(session, s.tenant, s.tool)
		for m := s.more; m > 0; m = bc.more[m-1].next {
			put(session, bc.more[m-1].tenant, bc.more[m-1].cell)
		}
	}
	for i, cells := range bc.gathered {
		l.run.table.add(i, cells)
		bc.gathered[i] = cells[:0]
	}
	clear(bc.of)
	bc.more = bc.more[:0]
}

// gatheredCells is how many cells of a shard are handed over at a time.
const gatheredCells = 64

func (bc *batchCells) gather(l *lane, c keyed) {
	n := shardOf(c.key)
	bc.gathered[n] = append(bc.gathered[n], c)
	if len(bc.gathered[n]) == gatheredCells {
		l.run.table.add(n, bc.gathered[n])
		bc.gathered[n] = bc.gathered[n][:0]
	}
}
