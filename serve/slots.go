package serve

import (
	"net"
	"sync"
)

// Slots bound how many calls are under way at once. All doors share one, so that the memory of bodies is bounded. A nil
// Slots is no bound.
type Slots struct{ free chan struct{} }

// NewSlots makes n slots.
func NewSlots(n int) *Slots { return &Slots{make(chan struct{}, n)} }

// Take takes a slot, and reports false where none is free: a call that waited here would time out later, and cost more.
func (s *Slots) Take() bool {
	if s == nil {
		return true
	}
	select {
	case s.free <- struct{}{}:
		return true
	default:
		return false
	}
}

// Give gives a slot back.
func (s *Slots) Give() {
	if s != nil {
		<-s.free
	}
}

// Bounded bounds the connections of a listener to n: what comes beyond that is closed at once, so that it is neither
// served nor waits.
func Bounded(l net.Listener, n int) net.Listener {
	return &boundedListener{Listener: l, slots: NewSlots(n)}
}

type boundedListener struct {
	net.Listener
	slots *Slots
}

func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.slots.Take() {
			return &boundedConn{Conn: c, give: sync.OnceFunc(l.slots.Give)}, nil
		}
		c.Close()
	}
}

type boundedConn struct {
	net.Conn
	give func()
}

func (c *boundedConn) Close() error {
	defer c.give()
	return c.Conn.Close()
}
