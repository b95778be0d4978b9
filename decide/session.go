package decide

import (
	"errors"
	"slices"
	"sync"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// Sessions are the root tasks that are remembered. Gates that follow each other, as policies are replaced, share them:
// what a session did stays true.
type Sessions struct {
	mu   sync.Mutex
	of   map[string]*Session
	most int // that live calls may begin
}

// NewSessions returns an empty memory.
func NewSessions() *Sessions { return &Sessions{of: map[string]*Session{}, most: maxSessions} }

// Session is a root task that calls share, and what they left behind.
type Session struct {
	mu       sync.Mutex
	key      string // tenant and session, joined: the ledger's name for it
	past     *History
	features []policy.Feature // that past is about
	last     int64            // time of the latest call with a time, in microseconds
	gone     bool             // forgotten: whoever still holds it must look it up again

	// For live calls, whose outcome is known later and whose policy may be replaced meanwhile.
	calls   int64     // that were ruled on
	gate    uint64    // serial of the gate that took the latest of them; 0: none did
	settled *History  // past without the open tickets; a failure goes back to it
	open    []*Ticket // whose outcome is not reported yet
}

// idle is how long a session is remembered after its latest call, in microseconds.
const idle = 24 * 3600 * 1_000_000

// get returns a session, new where it is unknown or was forgotten; nil for no session.
func (x *Sessions) get(tenant, session string) *Session {
	if session == "" {
		return nil
	}
	key := tenant + "\x00" + session
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.of[key]
	if s == nil {
		s = &Session{key: key}
		x.of[key] = s
	}
	return s
}

// maxSessions is how many sessions live calls may begin within 24 hours. Names of sessions are often the caller's choice, and
// to forget one early would take its taints and limits from it, so that what is too much is refused.
const maxSessions = 1 << 21

// ErrSessions is the error of a call that would begin one more session than are remembered.
var ErrSessions = errors.New("too many sessions are remembered")

// lock returns a session that is remembered, locked; nil for no session.
func (x *Sessions) lock(tenant, session string) (*Session, error) {
	for {
		if x.full(tenant, session) {
			return nil, ErrSessions
		}
		s := x.get(tenant, session)
		if s == nil {
			return nil, nil
		}
		s.mu.Lock()
		if !s.gone {
			return s, nil
		}
		s.mu.Unlock()
	}
}

// full reports whether a session would be one too many.
func (x *Sessions) full(tenant, session string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return session != "" && len(x.of) >= x.most && x.of[tenant+"\x00"+session] == nil
}

// glance returns a copy of a session as it is now, and keeps nothing; nil for no session.
func (x *Sessions) glance(tenant, session string) *Session {
	if session == "" {
		return nil
	}
	key := tenant + "\x00" + session
	x.mu.Lock()
	s := x.of[key]
	x.mu.Unlock()
	out := &Session{key: key}
	if s == nil {
		return out
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out.features, out.last, out.gate = s.features, s.last, s.gate
	if s.past != nil {
		out.past = s.past.clone()
	}
	return out
}

// Forget drops the sessions that were idle for 24 hours at that time, in microseconds since the epoch.
func (x *Sessions) Forget(now int64) {
	x.mu.Lock()
	all := make([]*Session, 0, len(x.of))
	for _, s := range x.of {
		all = append(all, s)
	}
	x.mu.Unlock()
	for _, s := range all {
		s.mu.Lock()
		if s.last != 0 && s.last <= now-idle {
			s.gone = true
			x.mu.Lock()
			delete(x.of, s.key)
			x.mu.Unlock()
		}
		s.mu.Unlock()
	}
}

// Len returns how many sessions are remembered.
func (x *Sessions) Len() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.of)
}

// Session returns the session of a tenant, new where it is unknown or was forgotten; nil for no session.
func (g *Gate) Session(tenant, session string) *Session { return g.sessions.get(tenant, session) }

// Forget drops the sessions that were idle for 24 hours at that time (microseconds since the epoch).
func (g *Gate) Forget(now int64) {
	g.sessions.Forget(now)
	g.ledger.Forget(now)
	if g.shadow != nil {
		g.shadow.Forget(now)
	}
}

// history returns what the session remembers.
func (g *Gate) history(s *Session, now int64) *History {
	s.expire(now)
	if s.past == nil {
		s.past, s.features = NewHistory(g.Engine.set.Features), g.Engine.set.Features
	}
	return s.past
}

// adopt makes the history of a session that an earlier gate kept one in terms of this gate's features.
func (g *Gate) adopt(s *Session, now int64) {
	s.expire(now)
	if s.gate == g.serial {
		return
	}
	fs := g.Engine.set.Features
	if s.gate != 0 {
		past := s.past
		if past == nil {
			past = NewHistory(s.features)
		}
		s.past = past.translate(s.features, fs)
	}
	for _, t := range s.open {
		t.dropped = true
	}
	s.gate, s.features, s.settled, s.open = g.serial, fs, nil, nil
}

// expire makes a session forget after 24 idle hours. Every call of it looks, so that none of them hides the gap.
func (s *Session) expire(now int64) {
	if s.last != 0 && now-s.last >= idle {
		s.past, s.settled, s.open, s.gate = nil, nil, nil, 0
	}
}

// translate carries a history over to a policy that asks for other features. What nobody asked for before is in doubt.
func (h *History) translate(from, to []policy.Feature) *History {
	out := NewHistory(to)
	for i, f := range to {
		j := slices.Index(from, f)
		if j < 0 || h.doubts(j) {
			if out.Doubt == nil {
				out.Doubt = make([]bool, len(to))
			}
			out.Doubt[i] = true
			continue
		}
		switch f.Kind {
		case policy.FeatureCount:
			out.Counts[i] = h.Counts[j]
		case policy.FeatureSum:
			out.Sums[i] = h.Sums[j]
		case policy.FeatureValues:
			out.Values[i] = h.Values[j]
		case policy.FeatureTaint:
			out.Taints[i] = h.Taints[j]
		}
	}
	return out
}

// clone copies a history. Values are only ever added to, so that their elements can be shared.
func (h *History) clone() *History {
	out := &History{Counts: slices.Clone(h.Counts), Sums: slices.Clone(h.Sums), Taints: slices.Clone(h.Taints), Doubt: slices.Clone(h.Doubt)}
	if h.Values != nil {
		out.Values = make([][]policy.Literal, len(h.Values))
		for i, vs := range h.Values {
			out.Values[i] = slices.Clip(vs)
		}
	}
	return out
}

// maxOpen is how many live calls of a session may wait for their outcome. Beyond that the oldest counts as succeeded.
const maxOpen = 256

// remember adds a live call that is let through to the history, and keeps its ticket open until it is settled.
func (s *Session) remember(h *History, t *Ticket, args aegis.Value) {
	if s.settled == nil {
		s.settled = h.clone()
	}
	t.plan.Remember(h, args)
	s.open = append(s.open, t)
	if len(s.open) > maxOpen {
		s.open[0].dropped = true
		s.settle(s.open[0], true)
	}
}

// settle ends a ticket: what it left behind stays, or is taken back. Where that is not possible any more, it is in doubt.
func (s *Session) settle(t *Ticket, succeeded bool) {
	i := slices.Index(s.open, t)
	if i < 0 {
		if t.dropped && !succeeded && s.past != nil {
			s.doubt(t)
		}
		return
	}
	s.open = slices.Delete(s.open, i, i+1)
	if succeeded {
		t.plan.Remember(s.settled, t.arguments())
		return
	}
	s.past = s.settled.clone()
	for _, o := range s.open {
		o.plan.Remember(s.past, o.arguments())
	}
}

// doubt marks what a call changed whose policy has been replaced, or that was settled for want of room.
func (s *Session) doubt(t *Ticket) {
	for _, u := range t.plan.updates {
		if i := slices.Index(s.features, t.features[u.feature]); i >= 0 {
			s.past.doubt(i, len(s.features))
			if s.settled != nil {
				s.settled.doubt(i, len(s.features)) // a later failure goes back to it
			}
		}
	}
}

// doubt marks a feature of a history of so many.
func (h *History) doubt(feature, features int) {
	if h.Doubt == nil {
		h.Doubt = make([]bool, features)
	}
	h.Doubt[feature] = true
}
