package limit

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestClock steps the clock wildly and forgets at odd times. Whatever happens, the window that a grant falls into is
// not before that of an earlier grant, and no window or stretch of time holds more than the limit.
func TestClock(t *testing.T) {
	steps := append(append(back, forward...), -day, -40*day, 40*day, day)
	rapid.Check(t, func(t *rapid.T) {
		l, s := New(), drawSpecs(t)[0]
		if s.Window == Session {
			s.Window = Day
		}
		now, newest, last := noon, int64(math.MinInt64), int64(math.MinInt64)
		var sum, granted int64
		began := int64(math.MaxInt64)
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			now += rapid.SampledFrom(steps).Draw(t, "step")
			newest, began = max(newest, now), min(began, now)
			if rapid.IntRange(0, 5).Draw(t, "forget") == 0 {
				l.Forget(now)
			}
			charges := one(s, rapid.Int64Range(0, 3).Draw(t, "amount"))
			if _, over, _ := l.Reserve(now, charges); over != 0 {
				continue
			}
			granted += charges[0].Amount
			if s.Kind == Rate {
				continue
			}
			_, end := l.Left(now, &charges[0])
			if end < last {
				t.Fatalf("a window that ends at %d after one that ends at %d", end, last)
			}
			if end > last {
				last, sum = end, 0
			}
			if sum += charges[0].Amount; sum > most(s) {
				t.Fatalf("%d in the window that ends at %d", sum, end)
			}
		}
		if s.Kind == Rate {
			refills := float64(newest-began) / float64(s.Per.Microseconds()) * float64(s.Count)
			if float64(granted) > float64(burst(s))+refills+1e-6 {
				t.Fatalf("%d granted, at most %d and %g", granted, burst(s), refills)
			}
		}
	})
}

// TestConcurrent has goroutines spend, release, settle and forget. What they hold in the end is what the ledger says,
// and never exceeded the cap.
func TestConcurrent(t *testing.T) {
	l := New()
	c, b, r := calls(500, Month), budget(3000, Day), rate(700, 24*time.Hour)
	charges := []Charge{one(c, 1)[0], one(b, 5)[0], one(r, 1)[0]}
	var spent, held, events atomic.Int64
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 300 {
				res, over, err := l.Reserve(noon, charges)
				if err != nil {
					t.Error(err)
				}
				if over != 0 {
					continue
				}
				held.Add(1)
				switch (g + i) % 3 {
				case 0:
					held.Add(-1)
					l.Release(&res)
				case 1:
					l.Settle(&res, 1, 3)
					spent.Add(3)
				default:
					spent.Add(5)
				}
				events.Add(1)
				if held.Load() > 500 || spent.Load() > 3000 {
					t.Error("overspent")
				}
				if i%50 == 0 {
					l.Forget(noon)
					l.Touch(noon, "s")
				}
			}
		})
	}
	wg.Wait()
	wantLeft(t, l, noon, c, 500-held.Load())
	wantLeft(t, l, noon, b, 3000-spent.Load())
	if left, _ := l.Left(noon, &charges[2]); left < 700-events.Load() || left > 700-held.Load() {
		t.Errorf("%d of the rate left after %d events, %d of them kept", left, events.Load(), held.Load())
	}
}

// TestForgetBatches sweeps more keys than one batch while others charge them.
func TestForgetBatches(t *testing.T) {
	l := New()
	var wg sync.WaitGroup
	var granted atomic.Int64
	const keys = 3 * forgetBatch
	hour := calls(1, Hour)
	charge := func(now int64, i int) {
		c := Charge{Spec: hour, Key: string(rune('a' + i)), Amount: 1}
		if _, over, _ := l.Reserve(now, []Charge{c}); over == 0 {
			granted.Add(1)
		}
	}
	for i := range keys {
		charge(noon, i)
	}
	wg.Go(func() { l.Forget(noon + 60*minute) })
	for range 2 {
		wg.Go(func() {
			for i := range keys {
				charge(noon+60*minute, i)
			}
		})
	}
	wg.Wait()
	if granted.Load() != 2*keys || l.Len() != keys {
		t.Errorf("%d granted, %d keys", granted.Load(), l.Len())
	}
}

func TestNoAllocation(t *testing.T) {
	charges := benchCharges(3)
	l := warmed(charges)
	now := int64(0)
	denied := append([]Charge{{Spec: calls(1, Day), Key: "new", Amount: 2}}, charges[0]...)
	l.Peek(now, denied)
	if n := testing.AllocsPerRun(100, func() {
		now += micro
		for _, c := range charges {
			l.Peek(now, c)
			r, _, _ := l.Reserve(now, c)
			l.Settle(&r, AsReserved, AsReserved, 1)
			l.Left(now, &c[0])
		}
		l.Reserve(now, denied)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
