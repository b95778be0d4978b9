package serve

import (
	"sync"
	"time"

	"github.com/aegisctl/aegis/decide"
)

// tickets are the calls that went ahead and whose outcome is not known yet.
type tickets struct {
	mu sync.Mutex
	of map[string]waiting
}

type waiting struct {
	tenant string
	ticket *decide.Ticket
	since  time.Time
}

// Bounds of waiting for outcomes. What is overdue, or too much, counts as spent and done.
const (
	outcomeWithin = 15 * time.Minute
	maxWaiting    = 1 << 18
)

func newTickets() *tickets { return &tickets{of: map[string]waiting{}} }

// keep notes a ticket that holds something. Where too many wait, the new one counts as done.
func (t *tickets) keep(id, tenant string, ticket *decide.Ticket, now time.Time) {
	if ticket.Empty() {
		return
	}
	t.mu.Lock()
	full := len(t.of) >= maxWaiting
	if !full {
		t.of[id] = waiting{tenant, ticket, now}
	}
	t.mu.Unlock()
	if full {
		ticket.Settle(false, nil) // without a cost it cannot fail
	}
}

// take returns a ticket that waits, once; nil where there is none of that tenant.
func (t *tickets) take(id, tenant string) *decide.Ticket {
	t.mu.Lock()
	defer t.mu.Unlock()
	w, ok := t.of[id]
	if !ok || tenant != "" && w.tenant != tenant {
		return nil
	}
	delete(t.of, id)
	return w.ticket
}

// expire settles what is overdue.
func (t *tickets) expire(now time.Time) {
	var over []*decide.Ticket
	t.mu.Lock()
	for id, w := range t.of {
		if now.Sub(w.since) >= outcomeWithin {
			over = append(over, w.ticket)
			delete(t.of, id)
		}
	}
	t.mu.Unlock()
	for _, ticket := range over {
		ticket.Settle(false, nil)
	}
}
