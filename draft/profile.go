package draft

import (
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
)

// What is gathered is independent of the order of the calls: each part is a count, an extreme, a set that is dropped
// when it grows over a bound, or the first few sessions of which only the number counts. So two shares of the traffic
// can be gathered apart and merged.

// Bounds on what is kept. Beyond them a draft says less, and says so.
const (
	maxAgents   = 1000
	maxEntries  = 1000      // of one agent
	maxScope    = 64        // callers, and regions, of one agent
	maxKeys     = 64        // names in one object; more are data
	maxValues   = 20        // distinct texts of one argument
	maxPlaces   = 40        // hosts, domains or directories of one argument
	maxNesting  = 4         // objects and lists in each other
	maxNodes    = 60_000    // arguments, elements and members of all agents
	maxSessions = 8_000_000 // of all agents together, for the peak of calls in one
	maxHours    = 500_000   // likewise, of one agent
)

// support says in how many sessions something was seen, up to the number that is asked for.
type support struct{ ids []uint64 }

func (s *support) add(id uint64, k int) {
	if n := len(s.ids); n >= k || n > 0 && s.ids[n-1] == id || slices.Contains(s.ids, id) {
		return
	}
	s.ids = append(s.ids, id)
}

func (s *support) merge(o *support, k int) {
	for _, id := range o.ids {
		s.add(id, k)
	}
}

// profile is what was seen in one share of the sessions.
type profile struct {
	k        int // the support that is asked for
	agents   map[[2]string]*agent
	nodes    int
	sessions int
}

func newProfile(k int) *profile { return &profile{k: k, agents: map[[2]string]*agent{}} }

// agent is what one agent of a tenant did.
type agent struct {
	calls           int64
	sessionless     int64
	timeless        int64
	regionless      int64
	oddRegions      bool // that may not be written
	depth           int
	callers         map[string]bool
	regions         map[string]bool
	entries         map[entryKey]*entry
	sessions        map[uint64]uint32 // calls of each; nil once they were too many
	hours           map[int64]uint32  // likewise, of each clock hour (UTC)
	tooManySessions bool
	tooManyHours    bool
}

func newAgent() *agent {
	return &agent{callers: map[string]bool{}, regions: map[string]bool{}, entries: map[entryKey]*entry{},
		sessions: map[uint64]uint32{}, hours: map[int64]uint32{}}
}

// entryKey is a tool and an action, or what is left of names that end in data, with a star.
type entryKey struct{ tool, action string }

// entry is what was seen of a tool's action.
type entry struct {
	calls         int64
	reads, writes int64 // by declared effect
	who           support
	exact         entryKey // of names with a star: the one that was seen, where several is false
	several       bool
	blind         int64 // calls whose arguments were not captured in full
	args          *object
}

// object is what was seen of objects at one place.
type object struct {
	n       int64
	keys    map[string]*node
	tooMany bool // names: then none is kept
}

func newObject() *object { return &object{keys: map[string]*node{}} }

// node is what was seen of the values at one place.
type node struct {
	n      int64 // values that are neither missing nor null
	kinds  uint  // bit by aegis.Kind, null included
	who    support
	num    numbers
	truths [2]support
	text   *texts
	list   *node // the elements
	least  int   // length of the shortest list, and of the longest
	most   int
	obj    *object
	cut    bool // something below was not kept
}

func (n *node) only(kinds ...aegis.Kind) bool {
	want := uint(0)
	for _, k := range kinds {
		want |= 1 << k
	}
	return n.kinds != 0 && n.kinds&^want == 0
}

// observe adds the arguments of a call.
func (p *profile) observe(o *object, v aegis.Value, session uint64, depth int) {
	o.n++
	for m := v.First(); m.Kind() != aegis.Absent && !o.tooMany; m = v.After(m) {
		text := m.KeyText()
		n := o.keys[string(text)]
		if n == nil || slices.Contains(text, '\\') {
			key := m.Key()
			if n = o.keys[key]; n == nil {
				if len(o.keys) == maxKeys || p.nodes >= maxNodes {
					o.drop(p)
					return
				}
				n = &node{}
				p.nodes++
				o.keys[key] = n
			}
		}
		p.value(n, m, session, depth+1)
	}
}

// drop forgets the names of an object that has too many.
func (o *object) drop(p *profile) { o.tooMany, o.keys = true, nil }

// value adds one value.
func (p *profile) value(n *node, v aegis.Value, session uint64, depth int) {
	kind := v.Kind()
	n.kinds |= 1 << kind
	if kind == aegis.Null {
		return
	}
	n.n++
	n.who.add(session, p.k)
	switch kind {
	case aegis.Number:
		n.num.add(v)
	case aegis.Bool:
		i := 0
		if v.Bool() {
			i = 1
		}
		n.truths[i].add(session, p.k)
	case aegis.String:
		if n.text == nil {
			n.text = newTexts()
		}
		n.text.add(v.Str(), session, p.k)
	case aegis.List:
		n.length(v.Len())
		if depth >= maxNesting || p.nodes >= maxNodes {
			n.cut = true
			return
		}
		if n.list == nil {
			n.list = &node{}
			p.nodes++
		}
		for m := v.First(); m.Kind() != aegis.Absent; m = v.After(m) {
			p.value(n.list, m, session, depth+1)
		}
	case aegis.Object:
		if depth >= maxNesting {
			n.cut = true
			return
		}
		if n.obj == nil {
			n.obj = newObject()
		}
		p.observe(n.obj, v, session, depth)
	}
}

func (n *node) length(l int) {
	if n.list == nil && n.most == 0 && n.least == 0 {
		n.least = l
	}
	n.least, n.most = min(n.least, l), max(n.most, l)
}

// merge makes p what was seen in both shares. o must not be used afterwards.
func (p *profile) merge(o *profile) {
	p.nodes += o.nodes
	for key, b := range o.agents {
		a := p.agents[key]
		if a == nil {
			p.agents[key] = b
			continue
		}
		a.merge(b, p.k)
	}
}

func (a *agent) merge(b *agent, k int) {
	a.calls += b.calls
	a.sessionless += b.sessionless
	a.timeless += b.timeless
	a.regionless += b.regionless
	a.depth = max(a.depth, b.depth)
	a.oddRegions = a.oddRegions || b.oddRegions
	for c := range b.callers {
		a.callers[c] = true
	}
	for r := range b.regions {
		a.regions[r] = true
	}
	a.tooManySessions, a.tooManyHours = a.tooManySessions || b.tooManySessions, a.tooManyHours || b.tooManyHours
	for s, n := range b.sessions {
		a.sessions[s] += n
	}
	for h, n := range b.hours {
		a.hours[h] += n
	}
	for key, f := range b.entries {
		e := a.entries[key]
		if e == nil {
			a.entries[key] = f
			continue
		}
		e.several = e.several || f.several || e.exact != f.exact
		e.calls, e.reads, e.writes, e.blind = e.calls+f.calls, e.reads+f.reads, e.writes+f.writes, e.blind+f.blind
		e.who.merge(&f.who, k)
		e.args.merge(f.args, k)
	}
}

func (o *object) merge(b *object, k int) {
	o.n += b.n
	if o.tooMany = o.tooMany || b.tooMany; o.tooMany {
		o.keys = nil
		return
	}
	for key, m := range b.keys {
		if n := o.keys[key]; n != nil {
			n.merge(m, k)
		} else {
			o.keys[key] = m
		}
	}
	if len(o.keys) > maxKeys {
		o.tooMany, o.keys = true, nil
	}
}

func (n *node) merge(m *node, k int) {
	if n.kinds&(1<<aegis.List) == 0 {
		n.least, n.most = m.least, m.most
	} else if m.kinds&(1<<aegis.List) != 0 {
		n.least, n.most = min(n.least, m.least), max(n.most, m.most)
	}
	n.n += m.n
	n.kinds |= m.kinds
	n.cut = n.cut || m.cut
	n.who.merge(&m.who, k)
	n.num.merge(&m.num)
	for i := range n.truths {
		n.truths[i].merge(&m.truths[i], k)
	}
	switch {
	case n.text == nil:
		n.text = m.text
	case m.text != nil:
		n.text.merge(m.text, k)
	}
	switch {
	case n.list == nil:
		n.list = m.list
	case m.list != nil:
		n.list.merge(m.list, k)
	}
	switch {
	case n.obj == nil:
		n.obj = m.obj
	case m.obj != nil:
		n.obj.merge(m.obj, k)
	}
}

// folded returns the name without the data at its end, with a star in its place: order_104233 is order_*. Names of
// four digits or more at the end, behind a prefix that says something, are taken for data.
func folded(name string) (string, bool) {
	head := strings.TrimRight(name, "0123456789")
	if len(name)-len(head) < 4 || len(strings.TrimRight(head, "_-./:")) < 3 || !aegis.ValidPolicyName(head) {
		return name, false
	}
	return strings.Clone(head) + "*", true
}
