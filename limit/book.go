package limit

import (
	"math"
	"strings"
	"time"
)

// book is all that was spent under one ledger id. Policies come and go, books stay.
type book struct {
	keys     map[string]*entry     // by key; of a book per session, nil
	sessions map[sessionKey]*entry // by session and key; of other books, nil
}

type bookID struct {
	ledger     string
	kind       Kind
	perSession bool
}

type sessionKey struct{ session, key string }

// rule is a Spec made ready: checked, its book found, its arithmetic done.
type rule struct {
	book *book
	kind Kind
	cal  *calendar // of a calendar window, else nil
	cap  int64     // Calls: events; Budget: millionths
	rate gcra
}

// entry is what one key of one book has spent. It fills a cache line of 64 bytes.
type entry struct {
	spent int64  // Calls, Budget: in the window; Rate: the microseconds of when the bucket is full again
	mark  int64  // calendar window: its end; Rate: the count-ths of a microsecond of when the bucket is full again
	last  int64  // when it was last charged; time does not go back behind it
	wants int64  // what the charges of the running call add up to; noWants outside a call
	epoch uint64 // windows: changes when spent restarts; Rate: the reservation that was charged last
	by    *rule  // the rule that charged it last
	sess  *session
}

const noWants = -1

// session is a session that was charged. A session that was idle for too long is a new one: epoch tells them apart.
type session struct {
	last    int64
	epoch   uint64
	entries int // that are of this session; it goes with the last of them
}

// expired reports whether the session was idle for too long at time t; at a time before its last it was not.
func (s *session) expired(t int64) bool { return t-s.last >= SessionIdle }

// see moves the session to time now, or leaves it where it is if the clock went back.
func (s *session) see(now int64) {
	if s.expired(now) {
		s.epoch++
	}
	s.last = max(s.last, now)
}

// rule returns the rule of a spec, making it at first sight.
func (l *Ledger) rule(s *Spec) (*rule, error) {
	if r := l.rules[s]; r != nil {
		return r, nil
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	r := &rule{kind: s.Kind, cap: s.Count}
	id := bookID{strings.Clone(s.Ledger), s.Kind, s.Kind != Rate && s.Window == Session}
	switch {
	case s.Kind == Rate:
		r.rate = newGCRA(s)
	case !id.perSession:
		r.cal = l.calendar(s.Window, s.Zone)
	}
	if s.Kind == Budget {
		r.cap = s.Cap
	}
	if r.book = l.books[id]; r.book == nil {
		r.book = &book{}
		if id.perSession {
			r.book.sessions = map[sessionKey]*entry{}
		} else {
			r.book.keys = map[string]*entry{}
		}
		l.books[id] = r.book
	}
	l.rules[s] = r
	return r, nil
}

type calendarID struct {
	window Window
	zone   *time.Location
}

func (l *Ledger) calendar(w Window, zone *time.Location) *calendar {
	if zone == nil {
		zone = time.UTC
	}
	id := calendarID{w, zone}
	c := l.calendars[id]
	if c == nil {
		c = &calendar{window: w, zone: zone}
		l.calendars[id] = c
	}
	return c
}

// view is the state of an entry as a rule sees it at some time. Nothing is written until all charges of a call are
// known to fit.
type view struct {
	t     int64 // now, or later if the entry has seen a later time
	spent int64 // as in entry
	mark  int64
	fresh bool // nothing is spent: the window is another than the entry's
}

func (e *entry) view(r *rule, now int64) view {
	v := view{t: max(now, e.last), spent: e.spent, mark: e.mark}
	switch {
	case r.kind == Rate:
		if e.by != r {
			e.viewRate(r, &v)
		}
	case r.cal == nil:
		if s := e.sess; s != nil {
			v.fresh = e.epoch != s.epoch || s.expired(v.t)
		}
	case e.by != r || v.t >= e.mark:
		v.fresh = e.by == nil || v.t >= e.mark
		_, v.mark = r.cal.bounds(v.t)
	}
	if v.fresh {
		v.spent = 0
	}
	return v
}

// viewRate carries the bucket over from another rate of the same book: parts of a microsecond are rounded up, as they
// have another denominator, and the bucket was at most empty when it was last charged, or the debt of a slow rate
// would outlive it under a fast one.
func (e *entry) viewRate(r *rule, v *view) {
	if e.by == nil {
		v.spent, v.mark = math.MinInt64, 0
		return
	}
	if e.by.rate.count != r.rate.count && v.mark > 0 {
		v.spent, v.mark = v.spent+1, 0
	}
	most := r.rate.add(span{us: e.last}, r.rate.depth)
	if (span{v.spent, v.mark}).after(most) {
		v.spent, v.mark = most.us, most.sub
	}
}

// fits reports whether all that the running call wants of the entry, of which amount is one part, fits the rule. An
// amount of 0 fits as long as nothing is overspent already.
func (v *view) fits(r *rule, wants, amount int64) bool {
	if amount == 0 {
		wants = 0
	}
	if r.kind == Rate {
		_, ok := r.rate.charge(span{v.spent, v.mark}, v.t, wants)
		return ok
	}
	return addCapped(v.spent, wants) <= r.cap
}

// addCapped adds two numbers that are not negative; what would overflow is as large as can be.
func addCapped(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
