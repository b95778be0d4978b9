package limit

import (
	"errors"
	"math"
	"testing"
	"time"
)

func calls(n int64, w Window) *Spec {
	return &Spec{Ledger: "acme/a#limits[0]", Kind: Calls, Count: n, Window: w}
}

func budget(cap int64, w Window) *Spec {
	return &Spec{Ledger: "acme/a#limits[1]", Kind: Budget, Cap: cap, Window: w}
}

func rate(n int64, per time.Duration) *Spec {
	return &Spec{Ledger: "acme/a#limits[2]", Kind: Rate, Count: n, Per: per}
}

// one returns the charges of a call that wants amount of the spec.
func one(s *Spec, amount int64) []Charge {
	return []Charge{{Spec: s, Key: "k", Session: "s", Amount: amount}}
}

func reserve(t *testing.T, l *Ledger, now int64, want uint64, charges ...Charge) Reservation {
	t.Helper()
	r, over, err := l.Reserve(now, charges)
	if over != want || err != nil {
		t.Fatalf("exceeded %b, %v; want %b", over, err, want)
	}
	return r
}

func wantLeft(t *testing.T, l *Ledger, now int64, s *Spec, want int64) {
	t.Helper()
	if left, _ := l.Left(now, &one(s, 0)[0]); left != want {
		t.Fatalf("%d left, want %d", left, want)
	}
}

const day = 24 * 60 * minute

var noon = micros("2026-07-01T12:00:00Z")

func TestErrors(t *testing.T) {
	good := Spec{Ledger: "x", Kind: Rate, Count: 1, Per: time.Second, Window: Day, Cap: 1}
	edit := func(f func(*Spec)) *Spec { s := good; f(&s); return &s }
	for name, c := range map[string]struct {
		charge Charge
		want   error
	}{
		"no spec":         {Charge{}, ErrSpec},
		"no ledger":       {Charge{Spec: edit(func(s *Spec) { s.Ledger = "" })}, ErrSpec},
		"no kind":         {Charge{Spec: edit(func(s *Spec) { s.Kind = 0 })}, ErrSpec},
		"bad kind":        {Charge{Spec: edit(func(s *Spec) { s.Kind = 4 })}, ErrSpec},
		"no count":        {Charge{Spec: edit(func(s *Spec) { s.Count = 0 })}, ErrSpec},
		"large count":     {Charge{Spec: edit(func(s *Spec) { s.Count = MaxWhole + 1 })}, ErrSpec},
		"no period":       {Charge{Spec: edit(func(s *Spec) { s.Per = 0 })}, ErrSpec},
		"odd period":      {Charge{Spec: edit(func(s *Spec) { s.Per = 1500 })}, ErrSpec},
		"negative burst":  {Charge{Spec: edit(func(s *Spec) { s.Burst = -1 })}, ErrSpec},
		"no window":       {Charge{Spec: edit(func(s *Spec) { s.Kind, s.Window = Calls, 0 })}, ErrSpec},
		"bad window":      {Charge{Spec: edit(func(s *Spec) { s.Kind, s.Window = Calls, 6 })}, ErrSpec},
		"no cap":          {Charge{Spec: edit(func(s *Spec) { s.Kind, s.Cap = Budget, 0 })}, ErrSpec},
		"large cap":       {Charge{Spec: edit(func(s *Spec) { s.Kind, s.Cap = Budget, math.MaxInt64 })}, ErrSpec},
		"negative amount": {Charge{Spec: &good, Amount: -1}, ErrNegative},
		"no session":      {Charge{Spec: calls(1, Session)}, ErrSession},
	} {
		l := New()
		charges := []Charge{{Spec: &good, Amount: 1}, c.charge}
		if over, err := l.Peek(0, charges); over != 2 || !errors.Is(err, c.want) {
			t.Errorf("%s: peek: %b, %v", name, over, err)
		}
		if r, over, err := l.Reserve(0, charges); over != 2 || !errors.Is(err, c.want) || r.n != 0 || l.Len() != 0 {
			t.Errorf("%s: reserve: %b, %v", name, over, err)
		}
		if left, at := l.Left(0, &charges[1]); c.want != ErrNegative && (left != 0 || at != 0) {
			t.Errorf("%s: %d left at %d", name, left, at)
		}
		reserve(t, l, 0, 0, charges[0]) // nothing of the failed call is left over
	}
	l := New()
	if over, err := l.Peek(0, make([]Charge, 65)); over != ^uint64(0) || err != ErrTooMany {
		t.Errorf("65 charges: %b, %v", over, err)
	}
	for _, now := range []int64{math.MinInt64, minTime - 1, maxTime + 1, math.MaxInt64} {
		if _, over, err := l.Reserve(now, one(&good, 1)); over == 0 || err != ErrTime {
			t.Errorf("at %d: %b, %v", now, over, err)
		}
		l.Touch(now, "s")
		if left, _ := l.Left(now, &one(&good, 1)[0]); left != 0 {
			t.Errorf("at %d: %d left", now, left)
		}
	}
}

func TestAllOrNone(t *testing.T) {
	l := New()
	c, b, r := calls(5, Day), budget(10, Day), rate(3, time.Hour)
	call := func(amount int64) []Charge {
		return []Charge{{Spec: c, Key: "k", Amount: 1}, {Spec: b, Key: "k", Amount: amount}, {Spec: r, Key: "k", Amount: 1}}
	}
	reserve(t, l, noon, 0b010, call(11)...)
	if l.Len() != 0 {
		t.Error("a refused call left something behind")
	}
	reserve(t, l, noon, 0, call(10)...)
	reserve(t, l, noon, 0b010, call(1)...)
	wantLeft(t, l, noon, c, 4)
	wantLeft(t, l, noon, r, 2)
	reserve(t, l, noon, 0, call(0)...)
	reserve(t, l, noon, 0, call(0)...)
	reserve(t, l, noon, 0b110, call(1)...)
	wantLeft(t, l, noon, c, 2)
	reserve(t, l, noon, 0) // nothing asked, nothing refused
}

func TestManyCharges(t *testing.T) {
	l := New()
	specs := make([]Charge, 64)
	for i := range specs {
		s := *calls(1, Day)
		s.Ledger += string(rune('a' + i))
		specs[i] = Charge{Spec: &s, Amount: 1}
	}
	r := reserve(t, l, noon, 0, specs...)
	reserve(t, l, noon, ^uint64(0), specs...)
	l.Release(&r)
	r = reserve(t, l, noon, 0, specs...)
	if err := l.Settle(&r, make([]int64, 64)...); err != nil {
		t.Error(err)
	}
	reserve(t, l, noon, 0b11, specs[63], specs[62]) // a call that was made stays one call
}

func TestSameKeyTwice(t *testing.T) {
	for _, s := range []*Spec{calls(3, Day), budget(3, Day), rate(3, time.Hour), calls(3, Session)} {
		l := New()
		two := one(s, 2)[0]
		reserve(t, l, noon, 0b11, two, two)
		single := one(s, 1)[0]
		r := reserve(t, l, noon, 0, two, single)
		reserve(t, l, noon, 0b1, single)
		reserve(t, l, noon, 0b10, one(s, 0)[0], single)
		if l.Len() != 1 {
			t.Error("more than one key")
		}
		l.Release(&r)
		wantLeft(t, l, noon, s, 3)
	}
}

func TestRelease(t *testing.T) {
	l := New()
	b := budget(10, Day)
	x, y := reserve(t, l, noon, 0, one(b, 4)...), reserve(t, l, noon, 0, one(b, 5)...)
	l.Release(&x)
	l.Release(&x)
	wantLeft(t, l, noon, b, 5)
	x = reserve(t, l, noon, 0, one(b, 5)...)
	reserve(t, l, noon+day, 0, one(b, 7)...)
	l.Release(&y) // of yesterday
	l.Release(&x)
	wantLeft(t, l, noon+day, b, 3)
	l.Release(&Reservation{})

	r := rate(2, 2*time.Second)
	x, y = reserve(t, l, noon, 0, one(r, 1)...), reserve(t, l, noon, 0, one(r, 1)...)
	l.Release(&x) // not the last
	wantLeft(t, l, noon, r, 0)
	l.Release(&y)
	wantLeft(t, l, noon, r, 1)
}

func TestSettle(t *testing.T) {
	l := New()
	b, c := budget(10, Day), calls(5, Day)
	both := []Charge{one(c, 1)[0], one(b, 4)[0]}
	r := reserve(t, l, noon, 0, both...)
	if err := l.Settle(&r, 0, -2); err != ErrNegative {
		t.Error(err)
	}
	if err := l.Settle(&r, 0, 0, 0); err != ErrAmounts {
		t.Error(err)
	}
	wantLeft(t, l, noon, b, 6)
	if err := l.Settle(&r, 0, 1); err != nil {
		t.Error(err)
	}
	wantLeft(t, l, noon, b, 9)
	wantLeft(t, l, noon, c, 4)
	l.Settle(&r, 0, 9)
	l.Release(&r)
	wantLeft(t, l, noon, b, 9)

	r = reserve(t, l, noon, 0, both...)
	l.Settle(&r)
	wantLeft(t, l, noon, b, 5)
	r = reserve(t, l, noon, 0, both...)
	l.Settle(&r, AsReserved, 100) // what it really cost
	wantLeft(t, l, noon, b, 0)
	reserve(t, l, noon, 0b1, one(b, 0)...)
	reserve(t, l, noon+day, 0, one(b, 10)...)
}

func TestOverflow(t *testing.T) {
	l := New()
	b := budget(MaxWhole*micro, Month)
	big := one(b, math.MaxInt64)[0]
	reserve(t, l, noon, 0b1, big)
	reserve(t, l, noon, 0b111, big, big, big)
	r, r2 := reserve(t, l, noon, 0, one(b, MaxWhole*micro)...), reserve(t, l, noon, 0, one(b, 0)...)
	l.Settle(&r2, math.MaxInt64)
	l.Release(&r) // the sum is unknown, so nothing is taken off it
	wantLeft(t, l, noon, b, 0)
	reserve(t, l, noon, 0b1, one(b, 0)...)

	// The slowest, the fastest and the deepest of rates.
	for i, s := range []*Spec{rate(1, math.MaxInt64/1000*1000), rate(MaxWhole, time.Microsecond), rate(1_000_000, 1500*time.Millisecond),
		rate(1, time.Hour*24*365)} {
		l := New()
		s.Burst = []int64{0, 0, 0, MaxWhole}[i]
		for _, now := range []int64{minTime, noon, maxTime} {
			reserve(t, l, now, 0b11, one(s, math.MaxInt64)[0], one(s, math.MaxInt64)[0])
			l.Left(now, &one(s, 0)[0])
		}
		l = New()
		reserve(t, l, noon, 0, one(s, 1)...)
		if left, at := l.Left(noon, &one(s, 0)[0]); left < 0 || at < noon {
			t.Errorf("%v: %d left at %d", s, left, at)
		}
	}
}

// TestExactRate takes every event as soon as it is there: none may come a microsecond early or late, for ever.
func TestExactRate(t *testing.T) {
	for _, count := range []int64{3, 7, 11, 999_983, 3_000_017} {
		s := rate(count, time.Second)
		s.Burst = 10
		l := New()
		now := noon
		for n := range int64(2000) {
			left, more := l.Left(now, &one(s, 1)[0])
			if left == 0 {
				now = more
			}
			reserve(t, l, now, 0, one(s, 1)...)
			if due := max(0, ((n-9)*micro+count-1)/count); now-noon != due {
				t.Fatalf("%d/s: event %d after %d, not %d", count, n, now-noon, due)
			}
		}
	}
}

func TestEdit(t *testing.T) {
	l := New()
	reserve(t, l, noon, 0, one(budget(10, Day), 8)...)
	wantLeft(t, l, noon, budget(20, Day), 12)
	wantLeft(t, l, noon, budget(5, Day), 0)
	reserve(t, l, noon, 0b1, one(budget(10, Month), 3)...)
	reserve(t, l, noon, 0, one(budget(10, Month), 2)...) // now the month holds it
	wantLeft(t, l, noon+day, budget(10, Month), 0)
	wantLeft(t, l, noon+day, budget(11, Day), 1) // and an edit back does not let it out
	// The clock goes back over midnight and the zone is edited: today is not left behind.
	b := budget(10, Day)
	l = New()
	reserve(t, l, noon, 0, one(b, 8)...)
	east := budget(10, Day)
	east.Zone = zone("Asia/Kolkata")
	reserve(t, l, noon-day, 0, one(east, 1)...)
	wantLeft(t, l, noon, b, 1)
}

func TestEditRate(t *testing.T) {
	l := New()
	slow, fast := rate(1, 24*time.Hour), rate(10, time.Second)
	reserve(t, l, noon, 0, one(slow, 1)...)
	wantLeft(t, l, noon, fast, 0)
	wantLeft(t, l, noon+micro/10, fast, 1)
	wantLeft(t, l, noon+day-1, slow, 0)
	x := reserve(t, l, noon+micro/10, 0, one(fast, 1)...)
	reserve(t, l, noon+micro/10, 0b1, one(fast, 1)...)
	wantLeft(t, l, noon+micro/10, rate(7, time.Second), 0)
	y := reserve(t, l, noon+micro, 0, one(rate(7, time.Second), 1)...)
	l.Release(&y)
	l.Release(&x)
	if left, _ := l.Left(noon+micro, &one(fast, 1)[0]); left > 9 {
		t.Errorf("%d left", left)
	}

	l = New()
	reserve(t, l, noon, 0, one(rate(3, time.Second), 1)...)
	reserve(t, l, noon+333_333, 0b1, one(rate(1, time.Second), 1)...)
	reserve(t, l, noon+333_334, 0, one(rate(1, time.Second), 1)...)
}

// TestTwoEditions has two editions of a limit in one call: they are one ledger.
func TestTwoEditions(t *testing.T) {
	l := New()
	a, c := one(budget(10, Day), 6)[0], one(budget(10, Week), 6)[0]
	reserve(t, l, noon, 0b11, a, c)
	a.Amount, c.Amount = 5, 5
	reserve(t, l, noon, 0, a, c)
	wantLeft(t, l, noon, budget(11, Month), 1)
	p, q := one(rate(3, time.Second), 1)[0], one(rate(7, time.Second), 1)[0]
	both := reserve(t, l, noon, 0, p, q)
	// Full again after 1/3 s, rounded up, and 1/7 s: 476191.14 µs. For four more, 3/7 s must remain of it at most.
	if left, more := l.Left(noon, &q); left != 3 || more != noon+47_620 {
		t.Errorf("%d left, more at %d", left, more-noon)
	}
	l.Release(&both)
	// The first of the two is counted in other parts and stays.
	if left, more := l.Left(noon, &q); left != 4 || more != noon+47_620 {
		t.Errorf("%d left, more at %d", left, more-noon)
	}

	l = New()
	reserve(t, l, noon, 0, p)
	both = reserve(t, l, noon, 0, p, q)
	l.Release(&both)
	if left, more := l.Left(noon, &q); left != 2 || more != noon+95_239 { // 666667 µs - 4/7 s
		t.Errorf("%d left, more at %d", left, more-noon)
	}
}

func TestSessions(t *testing.T) {
	l := New()
	c, o := calls(1, Session), budget(5, Session)
	reserve(t, l, noon, 0, one(c, 1)...)
	other := one(c, 1)[0]
	other.Session = "t"
	reserve(t, l, noon, 0, other)
	reserve(t, l, noon+day-1, 0b1, one(c, 1)...)
	l.Touch(noon+day-1, "s")
	l.Touch(noon, "nobody")
	reserve(t, l, noon+2*day-2, 0b1, one(c, 1)...)
	reserve(t, l, noon+2*day-2, 0, one(o, 5)...) // keeps the whole session alive
	reserve(t, l, noon+3*day-3, 0b1, one(c, 1)...)
	l.Forget(noon + 3*day - 3)
	reserve(t, l, noon+3*day-3, 0b11, one(c, 1)[0], one(o, 1)[0])
	if l.Len() != 2 {
		t.Errorf("%d keys", l.Len())
	}
	x := reserve(t, l, noon+3*day-2, 0, one(c, 1)...) // idle for a day: it is a new one
	wantLeft(t, l, noon+3*day-2, o, 5)
	reserve(t, l, noon, 0b1, one(c, 1)...) // and the clock does not bring the old one back
	l.Release(&x)
	reserve(t, l, noon, 0, one(c, 1)...)
	l.Forget(noon + 4*day)
	if l.Len() != 0 || len(l.sessions) != 0 || len(l.books) != 0 || len(l.rules) != 0 {
		t.Error("something is not forgotten")
	}
}

func TestForget(t *testing.T) {
	l := New()
	charges := []Charge{one(rate(1, time.Hour), 1)[0], one(calls(1, Day), 1)[0], one(budget(1, Month), 1)[0], one(calls(1, Session), 1)[0]}
	reserve(t, l, noon, 0, charges...)
	for i, c := range []struct {
		at   int64
		keys int
		over uint64
	}{
		{noon - day, 4, 0b1111},
		{noon + 60*minute, 4, 0b1110}, // full, but only just
		{noon + 60*minute + 1, 3, 0b1110},
		{noon + 12*60*minute - 1, 3, 0b1110},
		{noon + 12*60*minute, 2, 0b1100},
		{noon + day - 1, 2, 0b1100},
		{noon + day, 1, 0b0100},
		{micros("2026-08-01T00:00:00Z"), 0, 0},
	} {
		l.Forget(c.at)
		if over, _ := l.Peek(c.at, charges); over != c.over || l.Len() != c.keys {
			t.Errorf("%d: %b exceeded, %d keys", i, over, l.Len())
		}
	}
	// What was forgotten is not reopened by a clock that goes back.
	august := micros("2026-08-01T00:00:00Z")
	reserve(t, l, noon, 0, charges...)
	if _, resets := l.Left(noon, &charges[2]); resets != micros("2026-09-01T00:00:00Z") {
		t.Errorf("resets at %d", resets)
	}
	reserve(t, l, august+1, 0b1111, charges...)
	l.Forget(math.MinInt64)
	reserve(t, l, august+1, 0b1111, charges...)
}
