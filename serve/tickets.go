package serve

import (
	"sync"
	"time"

	"github.com/aegisctl/aegis/decide"
)

// tickets are the calls that went ahead and whose outcome is not known yet.
type tickets struct {
	mu   sync.Mutex
	of   map[string]waiting
	size int // bytes of arguments that the waiting tickets hold
	most int // bytes
}

type waiting struct {
	tenant string
	ticket *decide.Ticket // nil where the call left nothing behind
	since  time.Time
}

// Bounds of waiting for outcomes. What is overdue, or too much, counts as spent and done.
const (
	outcomeWithin  = 15 * time.Minute
	maxWaiting     = 1 << 18
	maxWaitingSize = 256 << 20 // bytes
)

func newTickets() *tickets { return &tickets{of: map[string]waiting{}, most: maxWaitingSize} }

// keep notes that a decision waits for its outcome. Where too many wait, the new one counts as done.
func (t *tickets) keep(id, tenant string, ticket *decide.Ticket, now time.Time) {
	if ticket != nil && ticket.Empty() {
		ticket = nil
	}
	t.mu.Lock()
	size := ticket.Size()
	full := len(t.of) >= maxWaiting || t.size+size > t.most && size > 0
	if !full {
		t.size += size
		t.of[id] = waiting{tenant, ticket, now}
	}
	t.mu.Unlock()
	if full && ticket != nil {
		ticket.Settle(false, nil) // without a cost it cannot fail
	}
}

// take returns the ticket of a decision that waits, once; false where none of that tenant does.
func (t *tickets) take(id, tenant string) (*decide.Ticket, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w, ok := t.of[id]
	if !ok || tenant != "" && w.tenant != tenant {
		return nil, false
	}
	delete(t.of, id)
	t.size -= w.ticket.Size()
	return w.ticket, true
}

// expire settles what is overdue.
func (t *tickets) expire(now time.Time) {
	var over []*decide.Ticket
	t.mu.Lock()
	for id, w := range t.of {
		if now.Sub(w.since) >= outcomeWithin {
			if w.ticket != nil {
				over = append(over, w.ticket)
			}
			delete(t.of, id)
			t.size -= w.ticket.Size()
		}
	}
	t.mu.Unlock()
	for _, ticket := range over {
		ticket.Settle(false, nil)
	}
}
