package limit

import (
	"math"
	"math/bits"
	"time"
)

// gcra is the generic cell rate algorithm for one rate. Each event takes the bucket per/count to refill, which is
// seldom a whole number of microseconds, so instants and spans here are exact: whole microseconds and a number of
// count-ths of one.
type gcra struct {
	per, count, burst int64 // per in microseconds
	step, depth       span  // what one event takes, and what a full bucket of burst events holds
}

// span is us + sub/count microseconds, 0 <= sub < count, for the count of the rate it belongs to.
type span struct{ us, sub int64 }

func (a span) after(b span) bool { return a.us > b.us || a.us == b.us && a.sub > b.sub }

// maxDepth bounds the depth of a bucket to a time that no call lives to see, so that sums of times cannot overflow.
const maxDepth = 1 << 60

func newGCRA(s *Spec) gcra {
	g := gcra{per: int64(s.Per / time.Microsecond), count: s.Count, burst: s.Burst}
	if g.burst == 0 {
		g.burst = g.count
	}
	g.step, _ = g.take(1)
	g.depth, _ = g.take(g.burst)
	return g
}

// take returns how long n events take to refill; false, and the largest span there is, if that is beyond all measure.
func (g *gcra) take(n int64) (span, bool) {
	hi, lo := bits.Mul64(uint64(n), uint64(g.per))
	if hi >= uint64(g.count) {
		return span{us: maxDepth}, false
	}
	q, r := bits.Div64(hi, lo, uint64(g.count))
	if q >= maxDepth {
		return span{us: maxDepth}, false
	}
	return span{int64(q), int64(r)}, true
}

func (g *gcra) add(a, b span) span {
	s := span{a.us + b.us, a.sub + b.sub}
	if s.sub >= g.count {
		s.us++
		s.sub -= g.count
	}
	return s
}

// charge returns the instant at which the bucket is full again after n events at time t, given when it was to be full
// before, and whether the bucket held that many. Nothing is charged for n = 0.
func (g *gcra) charge(full span, t, n int64) (span, bool) {
	if n == 0 {
		return full, true
	}
	need, ok := g.step, true
	if n != 1 {
		if need, ok = g.take(n); !ok {
			return full, false
		}
	}
	if full.us < t {
		full = span{us: t}
	}
	full = g.add(full, need)
	return full, !full.after(g.add(span{us: t}, g.depth))
}

// left returns how many events the bucket holds at time t, and the first microsecond at which it will hold more; t
// itself if it is full.
func (g *gcra) left(full span, t int64) (n, more int64) {
	if full.us < t {
		full = span{us: t}
	}
	limit := g.add(span{us: t}, g.depth)
	held := span{limit.us - full.us, limit.sub - full.sub}
	if held.sub < 0 {
		held.us--
		held.sub += g.count
	}
	if held.us >= 0 {
		hi, lo := bits.Mul64(uint64(held.us), uint64(g.count))
		lo, carry := bits.Add64(lo, uint64(held.sub), 0)
		n = g.burst
		if hi += carry; hi < uint64(g.per) {
			q, _ := bits.Div64(hi, lo, uint64(g.per))
			n = int64(min(q, uint64(g.burst)))
		}
	}
	if n == g.burst {
		return n, t
	}
	next, ok := g.take(n + 1)
	if !ok {
		return n, math.MaxInt64
	}
	// One more fits as soon as full + next - depth is not in the future; a part of a microsecond is a whole one.
	next = g.add(full, next)
	more = next.us - g.depth.us
	if next.sub > g.depth.sub {
		more++
	}
	return n, more
}
