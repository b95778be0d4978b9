package draft

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aegisctl/aegis"
)

// plan is one policy before it is written.
type plan struct {
	tenant, agent string
	seen          *agent
	depth         int
	callers       []string
	regions       []string // nil: not drafted
	entries       []*planned
	perSession    int64 // limits; 0: none
	perHour       int64
	measured      *measure // what is said of false denials; nil: nothing
}

// planned is one entry of allowed_tools.
type planned struct {
	tool, action string
	effect       string // "" where the capture does not say
	notes        []string
	args         []*constraint
	open         bool // other arguments are allowed
	bare         bool // no conditions at all
}

// constraint is what is demanded of one argument, element or member.
type constraint struct {
	name     string
	optional bool
	keys     []string // such as "max: 5000"
	each     *constraint
	args     []*constraint
	closed   bool // other members are denied
	seen     string
	grants   string
}

// builder makes a plan of what was seen of one agent.
type builder struct {
	k     int
	looks *looks
}

func (b *builder) plan(key [2]string, a *agent) *plan {
	p := &plan{tenant: key[0], agent: key[1], seen: a, depth: a.depth, callers: slices.Sorted(maps.Keys(a.callers))}
	if a.regionless == 0 && !a.oddRegions && len(a.regions) > 0 {
		p.regions = slices.Sorted(maps.Keys(a.regions))
	}
	if a.sessionless == 0 && !a.tooManySessions {
		p.perSession = headroom(peak(a.sessions), 1.5)
	}
	if a.timeless == 0 && !a.tooManyHours {
		p.perHour = headroom(peak(a.hours), 2)
	}
	keys := slices.SortedFunc(maps.Keys(a.entries), func(x, y entryKey) int {
		return cmp.Or(strings.Compare(x.tool, y.tool), strings.Compare(x.action, y.action))
	})
	for _, k := range keys {
		if e := a.entries[k]; e.calls > 0 {
			p.entries = append(p.entries, b.entry(k, e))
		}
	}
	p.widen()
	return p
}

func peak[K comparable](m map[K]uint32) (most int64) {
	for _, n := range m {
		most = max(most, int64(n))
	}
	return most
}

func headroom(n int64, factor float64) int64 {
	x, err := strconv.ParseFloat(outward(float64(n)*factor), 64)
	if err != nil || x > 1e12 {
		return 0
	}
	return max(int64(x), 5)
}

func (b *builder) entry(k entryKey, e *entry) *planned {
	p := &planned{tool: k.tool, action: k.action}
	if !e.several && b.looks.name(e.exact.tool) && (e.exact.action == "" || b.looks.name(e.exact.action)) {
		p.tool, p.action = e.exact.tool, e.exact.action
	} else if strings.HasSuffix(k.tool, "*") || strings.HasSuffix(k.action, "*") {
		p.note("seen with names that end in data; grants every name that begins so")
	}
	switch {
	case e.writes > 0:
		p.effect = "write"
	case e.reads == e.calls:
		p.effect = "read"
	}
	p.note("seen %s in %s", plural(e.calls, "call"), b.sessions(&e.who))
	if p.action == "" {
		p.note("no call named an action; grants any action of the tool")
	}
	seen := e.calls - e.blind
	if seen == 0 {
		p.bare = true
		p.note("no arguments were captured; grants any")
		return p
	}
	if e.blind > 0 {
		p.note("%s without full arguments are not drafted from", plural(e.blind, "call"))
	}
	var hidden int
	p.args, hidden = b.members(e.args)
	p.open = e.args.tooMany || hidden > 0
	if e.args.tooMany {
		p.note("more than %d names of arguments: they are data; grants any argument", maxKeys)
	} else if hidden > 0 {
		p.note("%s may not be written (seen in fewer than %d sessions, or like data); grants any further argument",
			plural(int64(hidden), "argument's name", "arguments' names"), b.k)
	}
	if p.open {
		for _, c := range p.args {
			c.unlist()
		}
	}
	p.bare = p.open && len(p.args) == 0
	return p
}

// unlist takes the list of domains or names away from an argument that says to whom something goes: where further
// arguments are free, a copy can go to anyone, and the list would only seem to limit that.
func (c *constraint) unlist() {
	if !hasWord(c.name, recipientWords) {
		return
	}
	for x := c; x != nil; x = x.each {
		for i, key := range x.keys {
			if strings.HasPrefix(key, "domains:") || strings.HasPrefix(key, "in:") {
				x.keys[i] = "type: string"
				x.grants = "any text, because further arguments, such as copies, are free"
			}
		}
	}
}

func (p *planned) note(format string, args ...any) {
	p.notes = append(p.notes, fmt.Sprintf(format, args...))
}

func plural(n int64, forms ...string) string {
	if n == 1 {
		return "1 " + forms[0]
	}
	if len(forms) == 2 {
		return count(n) + " " + forms[1]
	}
	return count(n) + " " + forms[0] + "s"
}

// sessions says in how many sessions something was seen, as far as that is counted.
func (b *builder) sessions(s *support) string {
	if n := len(s.ids); n < b.k {
		return plural(int64(n), "session")
	}
	return fmt.Sprintf("%d sessions or more", b.k)
}

// members plans the members of an object that may be named, by name, and counts the others.
func (b *builder) members(o *object) (cs []*constraint, hidden int) {
	best := map[string]string{} // of names that differ in case only, the one that is seen most
	for _, key := range slices.Sorted(maps.Keys(o.keys)) {
		if n := o.keys[key]; len(n.who.ids) < b.k || !b.looks.key(key) {
			hidden++
			continue
		}
		low := strings.ToLower(key)
		if first, twice := best[low]; twice {
			hidden++
			if o.keys[first].n >= o.keys[key].n {
				continue
			}
		}
		best[low] = key
	}
	for _, key := range slices.Sorted(maps.Values(best)) {
		n := o.keys[key]
		c := b.value(key, n)
		c.name, c.optional = key, n.n < o.n
		if c.optional {
			c.seen += fmt.Sprintf(", in %s of %s", count(n.n), plural(o.n, "call"))
		}
		cs = append(cs, c)
	}
	return cs, hidden
}

// value plans what is demanded of the values at one place; arg is the name that they go by.
func (b *builder) value(arg string, n *node) *constraint {
	c := &constraint{}
	switch null := aegis.Null; {
	case n.n == 0:
		c.say("nothing but null", "anything")
	case n.only(aegis.Number, null):
		b.number(c, &n.num)
	case n.only(aegis.Bool, null):
		b.truth(c, n)
	case n.only(aegis.String, null):
		b.text(c, arg, n.text)
	case n.only(aegis.List, null):
		b.list(c, arg, n)
	case n.only(aegis.Object, null):
		b.object(c, n)
	default:
		c.say("values of several types", "anything")
	}
	return c
}

func (c *constraint) say(seen, grants string) { c.seen, c.grants = seen, grants }

func (c *constraint) key(format string, args ...any) {
	c.keys = append(c.keys, fmt.Sprintf(format, args...))
}

func (b *builder) number(c *constraint, x *numbers) {
	if x.odd {
		c.say("numbers beyond what rules can read", "anything")
		return
	}
	kind := "integer"
	if x.fraction {
		kind = "number"
	}
	c.key("type: %s", kind)
	least, most := x.bounds()
	var span string
	if least != "" {
		c.key("min: %s", least)
		span = " from " + least
	}
	if most != "" {
		c.key("max: %s", most)
		span += " up to " + most
	}
	if x.fraction && x.decimals <= 6 {
		c.key("decimals: %d", x.decimals)
		span += fmt.Sprintf(" with %d decimals or fewer", x.decimals)
	}
	c.say(fmt.Sprintf("%s, about %s to %s", plural(x.n, "number"), about(x.least), about(x.most)), "every "+kind+span)
}

func (b *builder) truth(c *constraint, n *node) {
	for i, word := range []string{"false", "true"} {
		if len(n.truths[1-i].ids) == 0 && n.n >= 20 {
			c.key("in: [%s]", word)
			c.say(plural(n.n, "value")+", all "+word, "no more")
			return
		}
	}
	c.key("type: boolean")
	c.say(plural(n.n, "boolean"), "true and false")
}

func (b *builder) list(c *constraint, arg string, n *node) {
	c.key("type: list")
	if n.least > 0 {
		c.key("min_length: 1")
	}
	most := lengthBound(n.most)
	c.key("max_length: %d", most)
	c.say(fmt.Sprintf("%s of up to %s", plural(n.n, "list"), plural(int64(n.most), "element")), fmt.Sprintf("up to %d elements", most))
	if n.list == nil || n.cut || n.list.n == 0 || n.list.kinds&(1<<aegis.Null) != 0 {
		return
	}
	if e := b.value(arg, n.list); len(e.keys) > 0 || e.each != nil || len(e.args) > 0 || e.closed {
		c.each = e
	}
}

func (b *builder) object(c *constraint, n *node) {
	c.say(plural(n.n, "object"), "any members")
	c.key("type: object")
	if n.cut || n.obj == nil || n.obj.tooMany {
		return
	}
	hidden := 0
	if c.args, hidden = b.members(n.obj); hidden == 0 {
		c.closed = true
		c.grants = "no other members"
	}
}

// widen makes sure that no entry narrows another: every entry that matches a call applies, so one that also fits the
// calls of others has no conditions.
func (p *plan) widen() {
	for _, wide := range p.entries {
		if wide.bare || wide.action != "" && !strings.HasSuffix(wide.tool+" "+wide.action, "*") && !strings.HasSuffix(wide.tool, "*") {
			continue
		}
		for _, e := range p.entries {
			if e != wide && wide.meets(e) {
				wide.bare, wide.args, wide.open = true, nil, true
				wide.note("other entries are about calls that this one fits too, so it has no conditions; grants any argument")
				break
			}
		}
	}
}

// meets reports whether a call may fit both entries.
func (e *planned) meets(o *planned) bool {
	return meet(e.tool, o.tool) && (e.action == "" || o.action == "" || meet(e.action, o.action))
}

// meet reports whether a name may fit both patterns.
func meet(a, b string) bool {
	x, wideX := strings.CutSuffix(a, "*")
	y, wideY := strings.CutSuffix(b, "*")
	switch {
	case wideX && wideY:
		return strings.HasPrefix(x, y) || strings.HasPrefix(y, x)
	case wideX:
		return strings.HasPrefix(y, x)
	case wideY:
		return strings.HasPrefix(x, y)
	}
	return x == y
}
