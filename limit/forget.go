package limit

// Touch tells the ledger that the session was alive at time now, in microseconds since the Unix epoch, through a call
// that charged it nothing. A session that is neither charged nor touched for SessionIdle is forgotten, and the same
// name is a new session with all its limits unspent.
func (l *Ledger) Touch(now int64, session string) {
	if now < minTime || now > maxTime {
		return
	}
	l.mu.Lock()
	if s := l.sessions[session]; s != nil {
		s.see(now)
	}
	l.mu.Unlock()
}

// forgetBatch is how many keys are looked at before others get their turn.
const forgetBatch = 2000

// Forget drops what can no longer matter at time before or later, in microseconds since the Unix epoch, to bound memory:
// windows that ended, rates that refilled, sessions that were idle for SessionIdle, and specs of former policies. What is
// dropped behaves as if it were still known. Pass the present time: for keys that the ledger does not know, time never
// again goes behind before.
func (l *Ledger) Forget(before int64) {
	before = max(minTime, min(before, maxTime))
	l.mu.Lock()
	defer l.mu.Unlock()
	// First, since others get a turn below.
	l.floor = max(l.floor, before)
	books := make([]*book, 0, len(l.books))
	for _, b := range l.books {
		books = append(books, b)
	}
	for _, b := range books {
		l.sweep(b, before)
	}
	// A rule that outlived its book would charge another one than the rules made later, so they go together, and
	// without a pause.
	clear(l.rules)
	clear(l.calendars)
	for id, b := range l.books {
		if len(b.keys) == 0 && len(b.sessions) == 0 {
			delete(l.books, id)
		}
	}
}

// sweep drops the entries of b that no longer matter at time t. It lets go of the lock now and then.
func (l *Ledger) sweep(b *book, t int64) {
	seen := 0
	pause := func() {
		if seen++; seen%forgetBatch == 0 { // a map may change while it is ranged over
			l.mu.Unlock()
			l.mu.Lock()
		}
	}
	for k, e := range b.keys {
		if e.over(t) {
			delete(b.keys, k)
		}
		pause()
	}
	for k, e := range b.sessions {
		if e.sess.expired(t) {
			delete(b.sessions, k)
			if e.sess.entries--; e.sess.entries == 0 {
				delete(l.sessions, k.session)
			}
		}
		pause()
	}
}

// over reports whether an entry of no session says the same at time t and later as one that was never charged.
func (e *entry) over(t int64) bool {
	if e.by.kind == Rate {
		return e.spent < t && e.last <= t
	}
	return e.mark <= t
}

// Len returns how many keys the ledger remembers.
func (l *Ledger) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, b := range l.books {
		n += len(b.keys) + len(b.sessions)
	}
	return n
}
