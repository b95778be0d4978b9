package limit

import "slices"

// Usage is how far a limit on calls or a budget is used up.
type Usage struct {
	Ledger string // the rule id of the limit
	Kind   Kind   // Calls or Budget
	Keys   int    // how many keys have spent of it: agents, tenants, values of arguments
	Spent  int64  // of the key that has the smallest part left, in events or millionths
	Cap    int64  // the most that this key may spend in its window
}

// Usage returns how far limits per calendar window are used up at time now, in microseconds since the Unix epoch, by
// ledger id. Limits of sessions and rates are left out: they say nothing a minute later. So are limits with more than most
// keys, since calls wait while keys are looked at.
func (l *Ledger) Usage(now int64, most int) []Usage {
	if now < minTime || now > maxTime {
		return nil
	}
	l.mu.Lock()
	books := make(map[bookID]*book, len(l.books))
	for id, b := range l.books {
		if id.kind != Rate && !id.perSession && len(b.keys) <= most {
			books[id] = b
		}
	}
	l.mu.Unlock()
	var out []Usage
	for id, b := range books {
		l.mu.Lock()
		if u, ok := b.usage(now); ok {
			u.Ledger, u.Kind = id.ledger, id.kind
			out = append(out, u)
		}
		l.mu.Unlock()
	}
	slices.SortFunc(out, func(a, b Usage) int {
		if a.Ledger != b.Ledger {
			if a.Ledger < b.Ledger {
				return -1
			}
			return 1
		}
		return int(a.Kind) - int(b.Kind)
	})
	return out
}

// usage looks for the key with the smallest part left. The caller holds the lock.
func (b *book) usage(now int64) (u Usage, ok bool) {
	worst := -1.0
	for _, e := range b.keys {
		if e.by == nil || e.by.cap <= 0 {
			continue
		}
		v := e.view(e.by, now)
		if part := float64(v.spent) / float64(e.by.cap); part > worst {
			worst, u.Spent, u.Cap = part, v.spent, e.by.cap
		}
	}
	u.Keys = len(b.keys)
	return u, worst >= 0
}
