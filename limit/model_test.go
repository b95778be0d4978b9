package limit

import (
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The model keeps every event in a list and knows no formula: a bucket drains as rationals, a window is what naive
// finds, a session is found by going through its events.

type modelEvent struct {
	spec         *Spec
	key, session string
	at           int64 // the time that counted
	amount       int64
	serial       int // of the reservation
}

// modelBucket is the level of one rate and key; levels holds those before each reservation that still stands.
type modelBucket struct {
	level  *big.Rat
	at     int64
	levels []modelLevel
}

type modelLevel struct {
	serial int
	level  *big.Rat
	at     int64
}

type model struct {
	events  []modelEvent
	buckets map[string]*modelBucket
	last    map[string]int64   // by ledger and key
	seen    map[string][]int64 // by session: when it was charged or touched
	windows map[*Spec]*naive
}

func newModel() *model {
	return &model{nil, map[string]*modelBucket{}, map[string]int64{}, map[string][]int64{}, map[*Spec]*naive{}}
}

func (c *Charge) id() string {
	if c.Spec.Kind != Rate && c.Spec.Window == Session {
		return fmt.Sprintf("%s %q %q", c.Spec.Ledger, c.Key, c.Session)
	}
	return fmt.Sprintf("%s %q", c.Spec.Ledger, c.Key)
}

// time returns the time that counts for the charge.
func (m *model) time(c *Charge, now int64) int64 {
	if c.Spec.Kind != Rate && c.Spec.Window == Session {
		if seen := m.seen[c.Session]; len(seen) > 0 {
			now = max(now, seen[len(seen)-1])
		}
		return now
	}
	if last, ok := m.last[c.id()]; ok {
		now = max(now, last)
	}
	return now
}

// since returns when the session that is alive at time t began.
func (m *model) since(session string, t int64) int64 {
	seen := m.seen[session]
	for i := len(seen) - 1; i >= 0 && t-seen[i] < 24*3600*micro; i-- {
		t = seen[i]
	}
	return t
}

func (m *model) window(s *Spec, t int64) int64 {
	n := m.windows[s]
	if n == nil {
		z := s.Zone
		if z == nil {
			z = time.UTC
		}
		n = &naive{s.Window, z, map[int64]int64{}}
		m.windows[s] = n
	}
	return n.window(t)
}

// spent returns what counts against the charge's window at time t.
func (m *model) spent(c *Charge, t int64) int64 {
	var sum int64
	for _, e := range m.events {
		if e.spec != c.Spec || e.key != c.Key {
			continue
		}
		if c.Spec.Window == Session {
			if e.session == c.Session && e.at >= m.since(c.Session, t) {
				sum += e.amount
			}
		} else if m.window(c.Spec, e.at) == m.window(c.Spec, t) {
			sum += e.amount
		}
	}
	return sum
}

func most(s *Spec) int64 {
	if s.Kind == Budget {
		return s.Cap
	}
	return s.Count
}

// level returns how many events the bucket of the charge holds at time t, drained to it.
func (m *model) level(c *Charge, t int64) *big.Rat {
	b := m.buckets[c.id()]
	if b == nil {
		return new(big.Rat)
	}
	drained := new(big.Rat).Mul(big.NewRat(t-b.at, c.Spec.Per.Microseconds()), big.NewRat(c.Spec.Count, 1))
	level := drained.Sub(b.level, drained)
	if level.Sign() < 0 {
		level.SetInt64(0)
	}
	return level
}

func burst(s *Spec) int64 {
	if s.Burst == 0 {
		return s.Count
	}
	return s.Burst
}

func (m *model) exceeded(now int64, charges []Charge) (mask uint64) {
	for i := range charges {
		c := &charges[i]
		var wants int64
		for _, o := range charges {
			if c.Amount > 0 && o.id() == c.id() {
				wants += o.Amount
			}
		}
		t := m.time(c, now)
		over := false
		if c.Spec.Kind == Rate {
			over = new(big.Rat).Add(m.level(c, t), big.NewRat(wants, 1)).Cmp(big.NewRat(burst(c.Spec), 1)) > 0
		} else {
			over = m.spent(c, t)+wants > most(c.Spec)
		}
		if over {
			mask |= 1 << i
		}
	}
	return mask
}

func (m *model) charge(now int64, charges []Charge, serial int) {
	for i := range charges {
		c := &charges[i]
		t := m.time(c, now)
		if c.Spec.Kind == Rate {
			level := m.level(c, t)
			b := m.buckets[c.id()]
			if b == nil {
				b = &modelBucket{}
				m.buckets[c.id()] = b
			}
			b.levels = append(b.levels, modelLevel{serial, level, t})
			b.level, b.at = new(big.Rat).Add(level, big.NewRat(c.Amount, 1)), t
		} else {
			m.events = append(m.events, modelEvent{c.Spec, c.Key, c.Session, t, c.Amount, serial})
		}
		m.last[c.id()] = t
		if c.Spec.Kind != Rate && c.Spec.Window == Session {
			m.seen[c.Session] = append(m.seen[c.Session], t)
		}
	}
}

func (m *model) release(serial int) {
	m.events = slices.DeleteFunc(m.events, func(e modelEvent) bool { return e.serial == serial })
	for _, b := range m.buckets {
		for n := len(b.levels); n > 0 && b.levels[n-1].serial == serial; n = len(b.levels) {
			b.level, b.at = b.levels[n-1].level, b.levels[n-1].at
			b.levels = b.levels[:n-1]
		}
	}
}

// settle sets what the i-th charge on a window of the reservation came to.
func (m *model) settle(serial, i int, actual int64) {
	for j := range m.events {
		if e := &m.events[j]; e.serial == serial {
			if i--; i < 0 {
				if e.spec.Kind == Budget {
					e.amount = actual
				}
				return
			}
		}
	}
}

// left returns what Left must.
func (m *model) left(c *Charge, now int64) (left int64) {
	t := m.time(c, now)
	if c.Spec.Kind != Rate {
		return max(0, most(c.Spec)-m.spent(c, t))
	}
	room := new(big.Rat).Sub(big.NewRat(burst(c.Spec), 1), m.level(c, t))
	return max(0, new(big.Int).Div(room.Num(), room.Denom()).Int64())
}

// drawSpecs returns a few limits, each a ledger of its own.
func drawSpecs(t *rapid.T) []*Spec {
	specs := make([]*Spec, rapid.IntRange(1, 4).Draw(t, "specs"))
	for i := range specs {
		s := &Spec{Ledger: fmt.Sprint("limits", i), Kind: Kind(rapid.IntRange(1, 3).Draw(t, "kind"))}
		s.Count = rapid.Int64Range(1, 9).Draw(t, "count")
		s.Cap = rapid.Int64Range(1, 30).Draw(t, "cap")
		s.Per = rapid.SampledFrom([]time.Duration{time.Second, time.Minute, time.Hour, 24 * time.Hour, 7 * time.Microsecond}).Draw(t, "per")
		s.Burst = rapid.Int64Range(0, 5).Draw(t, "burst")
		s.Window = Window(rapid.IntRange(int(Session), int(Month)).Draw(t, "window"))
		if name := rapid.SampledFrom(zones).Draw(t, "zone"); name != "UTC" {
			s.Zone = zone(name)
		}
		specs[i] = s
	}
	return specs
}

func drawCharges(t *rapid.T, specs []*Spec) []Charge {
	charges := make([]Charge, rapid.IntRange(1, 4).Draw(t, "charges"))
	for i := range charges {
		c := &charges[i]
		c.Spec = rapid.SampledFrom(specs).Draw(t, "spec")
		c.Key = rapid.SampledFrom([]string{"", "a"}).Draw(t, "key")
		c.Session = rapid.SampledFrom([]string{"s", "t"}).Draw(t, "session")
		c.Amount = rapid.SampledFrom([]int64{0, 1, 1, 1, 2, 7}).Draw(t, "amount")
	}
	return charges
}

const minute = 60 * micro

var forward = []int64{0, 0, 1, 3, micro / 3, micro, 20 * micro, minute, 25 * minute, 3 * 60 * minute, 23 * 60 * minute, 25 * 60 * minute}
var back = []int64{-micro, -5 * minute, -25 * 60 * minute, 5 * minute}

// pair is a ledger and the model of it.
type pair struct {
	*rapid.T
	l      *Ledger
	m      *model
	specs  []*Spec
	now    int64
	serial int
	open   map[int]*opened
}

type opened struct {
	r       Reservation
	charges []Charge
}

func (p *pair) step() {
	charges := drawCharges(p.T, p.specs)
	want := p.m.exceeded(p.now, charges)
	if got, err := p.l.Peek(p.now, charges); got != want || err != nil {
		p.Fatalf("peek: %b, %v; the model says %b", got, err, want)
	}
	for i := range charges {
		p.left(&charges[i])
	}
	r, got, err := p.l.Reserve(p.now, charges)
	if got != want || err != nil {
		p.Fatalf("reserve: %b, %v; the model says %b", got, err, want)
	}
	if got == 0 {
		p.serial++
		p.m.charge(p.now, charges, p.serial)
		p.open[p.serial] = &opened{r, charges}
	}
}

// left compares what is left, and checks that there is more at resetsAt and no earlier.
func (p *pair) left(c *Charge) {
	left, resets := p.l.Left(p.now, c)
	if want := p.m.left(c, p.now); left != want {
		p.Fatalf("left: %d; the model says %d", left, want)
	}
	t := p.m.time(c, p.now)
	switch {
	case c.Spec.Kind == Rate && left == burst(c.Spec):
		if resets != t {
			p.Fatalf("the bucket is full at %d, not %d", t, resets)
		}
	case c.Spec.Kind == Rate:
		if before, after := p.m.left(c, resets-1), p.m.left(c, resets); before != left || after <= left {
			p.Fatalf("%d are left, just before the reset %d, at it %d", left, before, after)
		}
	case c.Spec.Window == Session:
		if resets != 0 {
			p.Fatalf("a session that resets at %d", resets)
		}
	case p.m.window(c.Spec, resets-1) != p.m.window(c.Spec, t) || p.m.window(c.Spec, resets) == p.m.window(c.Spec, t):
		p.Fatalf("the window of %d does not end at %d", t, resets)
	}
}

// end releases or settles some reservation, perhaps for the second time.
func (p *pair) end() {
	serial := rapid.IntRange(0, p.serial).Draw(p.T, "serial")
	o := p.open[serial]
	if o == nil {
		return
	}
	if rapid.Bool().Draw(p.T, "release") {
		if o.charges != nil {
			p.m.release(serial)
		}
		p.l.Release(&o.r)
	} else {
		actual, n := make([]int64, len(o.charges)), 0
		for i, c := range o.charges {
			actual[i] = rapid.SampledFrom([]int64{AsReserved, 0, 1, 9}).Draw(p.T, "actual")
			if c.Spec.Kind != Rate {
				if actual[i] != AsReserved {
					p.m.settle(serial, n, actual[i])
				}
				n++
			}
		}
		if err := p.l.Settle(&o.r, actual...); err != nil {
			p.Fatal(err)
		}
	}
	o.charges = nil
}

func (p *pair) run(steps []int64, other func()) {
	for range rapid.IntRange(1, 40).Draw(p.T, "steps") {
		p.now += rapid.SampledFrom(steps).Draw(p.T, "clock")
		switch rapid.IntRange(0, 9).Draw(p.T, "what") {
		case 0, 1:
			p.end()
		case 2:
			other()
		default:
			p.step()
		}
	}
}

func newPair(t *rapid.T) *pair {
	anchor := micros(rapid.SampledFrom(anchors).Draw(t, "anchor"))
	return &pair{T: t, l: New(), m: newModel(), specs: drawSpecs(t), now: anchor - 3*60*minute, open: map[int]*opened{}}
}

func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newPair(t)
		p.run(append(back, forward...), func() {
			if s := rapid.SampledFrom([]string{"s", "t"}).Draw(t, "touch"); len(p.m.seen[s]) > 0 {
				p.l.Touch(p.now, s)
				p.m.seen[s] = append(p.m.seen[s], max(p.now, p.m.seen[s][len(p.m.seen[s])-1]))
			}
		})
	})
}

// TestModelForget checks that Forget changes nothing that anyone can see while the clock does not go back.
func TestModelForget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newPair(t)
		p.run(forward, func() {
			p.l.Forget(p.now)
			if rapid.Bool().Draw(t, "edit") { // another policy with the same limits
				for i, s := range p.specs {
					same := *s
					p.specs[i] = &same
					for j := range p.m.events {
						if p.m.events[j].spec == s {
							p.m.events[j].spec = &same
						}
					}
				}
			}
		})
	})
}
