package limit

import (
	"errors"
	"math"
)

// Reservation is what one Reserve charged, for Release or Settle. The first of either ends it, and what comes after
// does nothing; so it must not be copied and used twice. The zero Reservation holds nothing.
type Reservation struct {
	serial uint64
	n      int
	few    [8]hold
	rest   []hold // beyond the eighth
}

// hold is one charge of a reservation. For a window, a is the amount and c the epoch of the entry. For a rate, a and b
// are when the bucket was full again before the charge, and c the reservation that had charged it.
type hold struct {
	entry *entry
	a, b  int64
	c     uint64
}

// commit charges the running call.
func (l *Ledger) commit(r *Reservation) {
	r.serial, r.n = l.serial, l.n
	if l.n > len(r.few) {
		r.rest = make([]hold, l.n-len(r.few))
	}
	for i := range l.items[:l.n] {
		it := &l.items[i]
		e := it.entry
		if it.unseen >= 0 {
			e = l.keep(&l.unseen[it.unseen])
			e.wants = noWants
		}
		h := r.hold(i)
		h.entry = e
		if it.first || e.by != it.rule {
			e.roll(it)
		}
		if it.rule.kind == Rate {
			h.a, h.b, h.c = e.spent, e.mark, e.epoch
			full, _ := it.rule.rate.charge(span{e.spent, e.mark}, e.last, it.amount)
			e.spent, e.mark, e.epoch = full.us, full.sub, l.serial
		} else {
			h.a, h.c = it.amount, e.epoch
			e.spent = addCapped(e.spent, it.amount)
		}
	}
}

// roll moves the entry to where the charge saw it.
func (e *entry) roll(it *item) {
	v := it.view
	if !it.first {
		// Another edition of the limit charged it just now, in this very call: start from there.
		v = e.view(it.rule, v.t)
	}
	if it.rule.kind == Rate && e.by != nil && e.by.rate.count != it.rule.rate.count {
		// What came before cannot be taken back: its reservation counts in parts of another size.
		e.epoch = 0
	}
	e.by, e.last = it.rule, v.t
	if s := e.sess; s != nil {
		s.see(v.t)
		if e.epoch != s.epoch {
			e.epoch, e.spent = s.epoch, 0
		}
		return
	}
	e.spent, e.mark = v.spent, v.mark
	if v.fresh {
		e.epoch++
	}
}

// Empty reports whether the reservation holds nothing: none was made, or it has ended.
func (r *Reservation) Empty() bool { return r.n == 0 }

func (r *Reservation) hold(i int) *hold {
	if i < len(r.few) {
		return &r.few[i]
	}
	return &r.rest[i-len(r.few)]
}

// Release takes back all that was reserved, as if it had never been.
//
// A budget or a number of calls is given back exactly, unless its window is over: then there is nothing to give. A rate
// is given back exactly while no event that is still charged came after it; else it is not, because the later event may
// have been granted in the time that this one left. Time heals that.
func (l *Ledger) Release(r *Reservation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := r.n - 1; i >= 0; i-- {
		h := r.hold(i)
		switch e := h.entry; {
		case e.by.kind != Rate:
			if e.epoch == h.c {
				e.spent = lower(e.spent, h.a)
			}
		case e.epoch == r.serial:
			e.spent, e.mark, e.epoch = h.a, h.b, h.c
		}
	}
	*r = Reservation{}
}

// AsReserved is the actual amount of a charge that turned out as it was reserved.
const AsReserved = -1

// ErrAmounts is the error of Settle when it is given more amounts than the reservation has charges.
var ErrAmounts = errors.New("limit: more amounts than charges")

// Settle ends a reservation with what its charges really came to: actual[i] is the amount of charges[i], in millionths,
// or AsReserved, which is also what is left out. It counts for budgets only; a call that was made stays one call. What
// is more than reserved is spent even if that exceeds the cap, for it is the truth: then nothing fits until the window
// is over. Where the window is already over, nothing changes.
//
// It fails on an amount below AsReserved (ErrNegative) and on more amounts than charges (ErrAmounts); then the
// reservation stays open, and what was reserved stays spent.
func (l *Ledger) Settle(r *Reservation, actual ...int64) error {
	if len(actual) > r.n && r.n > 0 {
		return ErrAmounts
	}
	for _, a := range actual {
		if a < AsReserved {
			return ErrNegative
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, a := range actual[:min(len(actual), r.n)] {
		h := r.hold(i)
		if e := h.entry; a != AsReserved && e.by.kind == Budget && e.epoch == h.c {
			e.spent = addCapped(lower(e.spent, h.a), a)
		}
	}
	*r = Reservation{}
	return nil
}

// lower takes amount off spent, which holds it. A sum that overflowed is unknown, and stays as large as can be.
func lower(spent, amount int64) int64 {
	if spent == math.MaxInt64 {
		return spent
	}
	return spent - amount
}

// Left returns what is left of the limit at time now for that charge, whose amount does not matter, and when there will
// be more, in microseconds since the Unix epoch.
//
// For a rate, left is in events, and resetsAt is when the next one is there (now, if the bucket is full). For a
// calendar window, left is in events or millionths and resetsAt is its end. A session has no such time: resetsAt is 0.
// A charge or a time that Peek would refuse as an error has nothing left.
func (l *Ledger) Left(now int64, c *Charge) (left int64, resetsAt int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	charge := Charge{Spec: c.Spec, Key: c.Key, Session: c.Session}
	if now < minTime || now > maxTime || l.look(now, &charge) != nil {
		return 0, 0
	}
	it := l.items[0]
	l.clear()
	v := &it.view
	switch {
	case it.rule.kind == Rate:
		return it.rule.rate.left(span{v.spent, v.mark}, v.t)
	case it.rule.cal != nil:
		resetsAt = v.mark
	}
	return max(0, it.rule.cap-v.spent), resetsAt
}
