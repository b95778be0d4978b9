package limit

import (
	"strings"
	"sync"
)

// Ledger holds what was spent under any number of limits. It is safe for concurrent use, and calls are decided one
// after the other. The zero Ledger is not usable; see New.
//
// Time is what the ledger is told, except that for no key it goes behind the time of that key's last charge. So a clock
// that went back gives nothing back, and one that went ahead by mistake holds the keys charged meanwhile where it was,
// until the true time has come as far.
type Ledger struct {
	mu        sync.Mutex
	rules     map[*Spec]*rule
	books     map[bookID]*book
	calendars map[calendarID]*calendar
	sessions  map[string]*session
	floor     int64  // what was forgotten may have seen this time: for new keys it is not earlier
	serial    uint64 // of the last reservation

	// Room for the call that is being decided, so that it needs no memory of its own.
	items  [MaxCharges]item
	unseen [MaxCharges]unseen
	n, nu  int
}

// item is one charge of the running call.
type item struct {
	rule   *rule
	entry  *entry
	amount int64
	unseen int // index of the entry in Ledger.unseen, or -1
	first  bool
	view   view
}

// unseen stands in for an entry that is not in its book yet. A refused call must not leave one behind, or agents could
// fill the memory with calls that are denied.
type unseen struct {
	entry        entry
	kept         *entry // the real one, once it is made
	book         *book
	session, key string
}

// New returns an empty ledger.
func New() *Ledger {
	return &Ledger{
		rules:     map[*Spec]*rule{},
		books:     map[bookID]*book{},
		calendars: map[calendarID]*calendar{},
		sessions:  map[string]*session{},
		floor:     minTime,
	}
}

// Peek reports which of the charges Reserve would refuse at time now, in microseconds since the Unix epoch: bit i of
// exceeded stands for charges[i]. It charges nothing and remembers nothing. Charges on one key of one ledger are
// judged by their sum. If err is not nil, exceeded is not 0 either.
func (l *Ledger) Peek(now int64, charges []Charge) (exceeded uint64, err error) {
	l.mu.Lock()
	exceeded, err = l.judge(now, charges)
	l.clear()
	l.mu.Unlock()
	return exceeded, err
}

// Reserve charges all of the charges at time now, in microseconds since the Unix epoch, or none of them. It charged
// them if and only if exceeded is 0; else bit i of exceeded stands for charges[i], which does not fit, alone or summed
// with others on the same key. An err is a charge that makes no sense; its bit is set.
//
// What was reserved is spent. The reservation is good for taking that back (Release) or for correcting it (Settle);
// it may be dropped.
func (l *Ledger) Reserve(now int64, charges []Charge) (r Reservation, exceeded uint64, err error) {
	l.mu.Lock()
	exceeded, err = l.judge(now, charges)
	if exceeded == 0 {
		l.serial++
		l.commit(&r)
	}
	l.clear()
	l.mu.Unlock()
	return r, exceeded, err
}

// judge looks up and weighs every charge, writing nothing that outlives the call but what clear removes.
func (l *Ledger) judge(now int64, charges []Charge) (exceeded uint64, err error) {
	switch {
	case len(charges) > MaxCharges:
		return ^uint64(0), ErrTooMany
	case now < minTime || now > maxTime:
		return ^uint64(0), ErrTime
	}
	for i := range charges {
		if err := l.look(now, &charges[i]); err != nil {
			return 1 << i, err
		}
	}
	for i := range l.items[:l.n] {
		it := &l.items[i]
		if !it.view.fits(it.rule, it.entry.wants, it.amount) {
			exceeded |= 1 << i
		}
	}
	return exceeded, nil
}

// look adds a charge to the running call.
func (l *Ledger) look(now int64, c *Charge) error {
	r, err := l.rule(c.Spec)
	if err != nil {
		return err
	}
	if c.Amount < 0 {
		return ErrNegative
	}
	if r.book.sessions != nil && c.Session == "" {
		return ErrSession
	}
	it := &l.items[l.n]
	l.n++
	it.rule, it.amount, it.unseen = r, c.Amount, -1
	if it.entry = r.book.find(c); it.entry == nil {
		it.unseen = l.standIn(r.book, c)
		it.entry = &l.unseen[it.unseen].entry
	}
	e := it.entry
	it.view = e.view(r, now)
	if it.first = e.wants == noWants; it.first {
		e.wants = c.Amount
	} else {
		e.wants = addCapped(e.wants, c.Amount)
	}
	return nil
}

func (b *book) find(c *Charge) *entry {
	if b.sessions != nil {
		return b.sessions[sessionKey{c.Session, c.Key}]
	}
	return b.keys[c.Key]
}

// standIn returns the index of the entry that stands for an unseen key in the running call.
func (l *Ledger) standIn(b *book, c *Charge) int {
	session := ""
	if b.sessions != nil {
		session = c.Session
	}
	for i := range l.unseen[:l.nu] {
		if u := &l.unseen[i]; u.book == b && u.key == c.Key && u.session == session {
			return i
		}
	}
	u := &l.unseen[l.nu]
	*u = unseen{entry: entry{last: l.floor, wants: noWants}, book: b, session: session, key: c.Key}
	l.nu++
	return l.nu - 1
}

// keep makes a stand-in a real entry of its book.
func (l *Ledger) keep(u *unseen) *entry {
	if u.kept != nil {
		return u.kept
	}
	e := new(entry)
	*e = u.entry
	u.kept = e
	// The caller's strings may be parts of a whole request; clones do not hold on to that.
	key := strings.Clone(u.key)
	if u.book.sessions == nil {
		u.book.keys[key] = e
		return e
	}
	name := strings.Clone(u.session)
	u.book.sessions[sessionKey{name, key}] = e
	if e.sess = l.sessions[u.session]; e.sess == nil {
		e.sess = &session{last: l.floor, epoch: 1}
		l.sessions[name] = e.sess
	}
	e.sess.entries++
	return e
}

// clear ends the running call.
func (l *Ledger) clear() {
	for i := range l.items[:l.n] {
		l.items[i].entry.wants = noWants
	}
	if l.nu > 0 {
		clear(l.unseen[:l.nu])
	}
	l.n, l.nu = 0, 0
}
