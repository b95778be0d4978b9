package simulate

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestIntervalEdges(t *testing.T) {
	many := func(sessions, n, x int64) (m Moments) {
		for range sessions {
			m.Add(n, x)
		}
		return m
	}
	cases := []struct {
		name   string
		m      Moments
		lo, hi float64
	}{
		{"nothing", Moments{}, 0, 1},
		{"empty sessions", many(9, 0, 0), 0, 1},
		{"one session", many(1, 1000, 10), 0, 1},
		// Of sessions that never had a hit each may be worth one call only: 3.87/(200+3.87).
		{"no hits", many(200, 5, 0), 0, 0.0191},
		{"only hits", many(200, 5, 5), 0.9809, 1},
		{"hits held to calls", many(200, 5, 7), 0.9809, 1},
	}
	for _, c := range cases {
		lo, hi := c.m.Interval95()
		if math.Abs(lo-c.lo) > 5e-5 || math.Abs(hi-c.hi) > 5e-5 {
			t.Errorf("%s: %.4f..%.4f, want %.4f..%.4f", c.name, lo, hi, c.lo, c.hi)
		}
	}
	var one PairMoments
	one.Add(10, 3, 1)
	if lo, hi := one.Diff95(); lo != -1 || hi != 1 {
		t.Errorf("difference in one session: %g..%g", lo, hi)
	}
}

func TestT95(t *testing.T) {
	for df, want := range map[float64]float64{0.5: 12.7062, 1: 12.7062, 2: 4.3027, 4: 2.7764, 5: 2.5706,
		7: 2.3646, 30: 2.0423, 199: 1.9720, math.Inf(1): 1.9600} {
		if got := t95(df); math.Abs(got-want) > 5e-4 {
			t.Errorf("t95(%g) = %.4f, want %.4f", df, got, want)
		}
	}
	for df := 1.0; df < 10; df += 0.01 {
		if t95(df+0.01) > t95(df)+1e-4 {
			t.Errorf("t95 rises at %g", df)
		}
	}
}

// drawSessions draws sessions of 1 to 2^20 calls, most of them small and many without hits.
func drawSessions(t *rapid.T, least int) []outcome {
	one := rapid.Custom(func(t *rapid.T) outcome {
		n := rapid.OneOf(rapid.Int64Range(1, 5), rapid.Int64Range(1, 100), rapid.Int64Range(1, 1<<20)).Draw(t, "n")
		hits := rapid.OneOf(rapid.Just[int64](0), rapid.Int64Range(0, min(n, 3)), rapid.Int64Range(0, n), rapid.Just(n))
		return outcome{n, hits.Draw(t, "x"), hits.Draw(t, "y")}
	})
	return rapid.SliceOfN(one, least, 60).Draw(t, "sessions")
}

func count(sessions []outcome) (m Moments, p PairMoments) {
	for _, o := range sessions {
		m.Add(o.n, o.x)
		p.Add(o.n, o.x, o.y)
	}
	return m, p
}

func TestIntervalProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sessions := drawSessions(t, 2)
		m, _ := count(sessions)
		lo, hi := m.Interval95()
		p := float64(m.X) / float64(m.N)
		if !(0 <= lo && lo <= p && p <= hi && hi <= 1) {
			t.Fatalf("%g..%g for %g", lo, hi, p)
		}
		if m.X == 0 && (lo != 0 || hi <= 0) || m.X == m.N && (hi != 1 || lo >= 1) {
			t.Fatalf("%g..%g for %d of %d", lo, hi, m.X, m.N)
		}

		// Sessions of thousands of calls beside tiny ones can put the correlation's iteration between two answers, where
		// rounding chooses; the symmetry is one of ordinary sizes.
		var misses Moments
		for _, o := range sessions {
			if o.n > 100 {
				return
			}
			misses.Add(o.n, o.n-o.x)
		}
		mlo, mhi := misses.Interval95()
		if math.Abs(1-mhi-lo) > 1e-4 || math.Abs(1-mlo-hi) > 1e-4 {
			t.Fatalf("hits %g..%g, misses %g..%g", lo, hi, mlo, mhi)
		}
	})
}

func TestDiffProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sessions := drawSessions(t, 2)
		_, p := count(sessions)
		lo, hi := p.Diff95()
		d := float64(p.Net) / float64(p.Changed.N)
		if !(-1 <= lo && lo <= d+1e-12 && d-1e-12 <= hi && hi <= 1) {
			t.Fatalf("%g..%g for %g", lo, hi, d)
		}
		var swapped PairMoments
		for _, o := range sessions {
			swapped.Add(o.n, o.y, o.x)
		}
		if slo, shi := swapped.Diff95(); math.Abs(slo+hi) > 1e-9 || math.Abs(shi+lo) > 1e-9 {
			t.Fatalf("%g..%g, policies swapped %g..%g", lo, hi, slo, shi)
		}
	})
}

func TestMergeIsSequentialAdd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sessions := drawSessions(t, 0)
		cut := rapid.IntRange(0, len(sessions)).Draw(t, "cut")
		m, p := count(sessions)
		m1, p1 := count(sessions[:cut])
		m2, p2 := count(sessions[cut:])
		m1.Merge(m2)
		p1.Merge(p2)
		if m1 != m || p1 != p {
			t.Fatalf("merged %+v, counted %+v", p1, p)
		}
	})
}
