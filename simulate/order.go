package simulate

import (
	"cmp"
	"math"
	"os"
	"strings"

	"github.com/aegisctl/aegis/capture"
)

// Event order (DESIGN §7): time, tenant, session, seq, input order; within a session seq wins; calls without a time keep
// their order after the others. To let seq win, a call's place in time is the latest time of its session up to it by
// seq: no call is moved before its own time, and none before a call that came earlier in its session.

// ordered returns the traffic in event order: as it stands where it is in order, else sorted, on disk where it is large.
func (r *run) ordered() (stream, error) {
	ok, err := r.isOrdered()
	if err != nil {
		return nil, err
	}
	if ok {
		return r.newFileStream(r.src.columns()), nil
	}
	r.reordered = true
	return r.sorted()
}

// place is a timed call's place in event order.
type place struct {
	time            int64
	tenant, session string
	seq             int64
}

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.time, q.time), strings.Compare(p.tenant, q.tenant), strings.Compare(p.session, q.session),
		cmp.Compare(p.seq, q.seq))
}

// orderCheck finds out whether rows come in event order. It remembers each session's latest seq.
type orderCheck struct {
	r       *run
	last    place
	untimed bool
	seqs    map[sessionKey]int64
}

// isOrdered reads the four columns that order depends on.
func (r *run) isOrdered() (bool, error) {
	c := orderCheck{r: r, last: place{time: math.MinInt64}, seqs: map[sessionKey]int64{}}
	s := r.newFileStream(capture.OrderColumns)
	for {
		b, err := s.next()
		if err == nil {
			err = r.ctx.Err()
		}
		if err != nil {
			s.stop()
			return false, err
		}
		if b == nil {
			return true, nil
		}
		if !c.batch(b) {
			s.stop()
			return false, nil
		}
		s.release(b)
	}
}

func (c *orderCheck) batch(b *batch) bool {
	current, seq := int32(-1), int64(math.MinInt64)
	tenant := int32(-1)
	var key sessionKey
	for i := range b.Rows {
		p := b.place(c.r, i)
		if b.TimeNull[i] {
			c.untimed = true
		} else {
			if c.untimed || p.compare(c.last) < 0 {
				return false
			}
			if c.last.time == math.MinInt64 {
				c.r.earliest = p.time
			}
			c.last = p
		}
		k := b.Session.Index[i]
		if k < 0 {
			continue
		}
		if k != current || b.Tenant.Index[i] != tenant {
			if current >= 0 {
				c.seqs[key] = seq
			}
			current, tenant, key = k, b.Tenant.Index[i], c.r.table.key(p.tenant, p.session)
			var seen bool
			if seq, seen = c.seqs[key]; !seen {
				seq = math.MinInt64
			}
		}
		if p.seq < seq {
			return false
		}
		seq = p.seq
	}
	if current >= 0 {
		c.seqs[key] = seq
	}
	return true
}

// place returns row i's place. A call without a seq has seq 0, so that input order decides among them.
func (b *batch) place(r *run, i int) place {
	p := place{tenant: r.src.tenant(b.Tenant.At(i)), session: b.Session.At(i)}
	if !b.TimeNull[i] {
		p.time = b.Time[i]
	}
	if !b.SeqNull[i] {
		p.seq = b.Seq[i]
	}
	return p
}

// biased maps int64 to uint64 so that order is kept.
func biased(x int64) uint64 { return uint64(x) ^ 1<<63 }

// untimedAt is the time of calls that have none: after every other.
const untimedAt = math.MaxUint64

// sorted puts the traffic in event order. Only sessions' names are held in memory; keys and rows beyond a bound are
// sorted on disk.
func (r *run) sorted() (_ stream, err error) {
	dir, err := os.MkdirTemp("", "aegisctl-order-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(dir)
		}
	}()
	bySession, n, err := r.sortBySession(dir)
	if err != nil {
		return nil, err
	}
	byTime, err := r.sortByTime(dir, bySession, n)
	if err != nil {
		return nil, err
	}
	byRow := newSorter(dir, r.opt.SpillRows)
	pos := uint64(0)
	err = byTime.each(func(rec record) error {
		pos++
		return byRow.add(record{rec[4], pos - 1})
	})
	if err != nil {
		return nil, err
	}
	return r.distribute(dir, byRow, int64(pos))
}

// sortBySession sorts every row by session and seq: record{session, seq, row, time, name}.
func (r *run) sortBySession(dir string) (*sorter, *names, error) {
	n := newNames()
	out := newSorter(dir, r.opt.SpillRows)
	s := r.newFileStream(capture.OrderColumns)
	defer s.stop()
	row := uint64(0)
	r.earliest = 0
	for {
		b, err := s.next()
		if err != nil {
			return nil, nil, err
		}
		if b == nil {
			if r.earliest == math.MaxInt64 {
				r.earliest = 0 // no call has a time
			}
			return out, n, nil
		}
		for i := range b.Rows {
			p := b.place(r, i)
			name, time := uint64(n.id(p.tenant, p.session)), uint64(untimedAt)
			session := name
			if p.session == "" {
				session = 1<<40 | row // a session of its own
			}
			if !b.TimeNull[i] {
				time = biased(p.time)
				if r.earliest == 0 || p.time < r.earliest {
					r.earliest = p.time
				}
			}
			if err := out.add(record{session, biased(p.seq), row, time, name}); err != nil {
				return nil, nil, err
			}
			row++
		}
		if err := r.ctx.Err(); err != nil {
			return nil, nil, err
		}
		s.release(b)
	}
}

// sortByTime sorts rows by their place in event order: record{time, input order of untimed calls, rank, seq, row}.
func (r *run) sortByTime(dir string, bySession *sorter, n *names) (*sorter, error) {
	rank := n.ranks()
	out := newSorter(dir, r.opt.SpillRows)
	session := uint64(math.MaxUint64)
	var latest [2]uint64
	err := bySession.each(func(rec record) error {
		if rec[0] != session {
			session, latest = rec[0], [2]uint64{}
		}
		at := [2]uint64{rec[3], 0}
		if rec[3] == untimedAt {
			at[1] = rec[2]
		}
		if at[0] > latest[0] || at[0] == latest[0] && at[1] > latest[1] {
			latest = at
		}
		return out.add(record{latest[0], latest[1], uint64(rank[rec[4]]), rec[1], rec[2]})
	})
	return out, err
}
