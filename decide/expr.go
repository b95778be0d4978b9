package decide

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// tri is a truth value of three-valued (Kleene) logic.
type tri uint8

const (
	undecided tri = iota // an error
	yes
	no
)

func truth(b bool) tri {
	if b {
		return yes
	}
	return no
}

func (t tri) not() tri {
	switch t {
	case yes:
		return no
	case no:
		return yes
	}
	return undecided
}

// value is what an expression's operand came to. Kind Absent is an error, whatever caused it.
type value struct {
	kind aegis.Kind
	b    bool
	str  string
	num  aegis.Num
	json aegis.Value      // a list or object of the document
	list []policy.Literal // a list that is none of the document's
}

func (v *value) isScalar() bool {
	return v.kind == aegis.String || v.kind == aegis.Number || v.kind == aegis.Bool
}

type (
	boolFunc  func(*Scratch) tri
	valueFunc func(*Scratch) value
	readFunc  func(*Scratch) aegis.Value
)

// fromJSON reads a value of the document; null and what is out of range are errors.
func fromJSON(v aegis.Value) (x value) {
	x.set(v)
	return x
}

// set is fromJSON in place. Of the fields, only those of the value's kind mean anything afterwards.
func (x *value) set(v aegis.Value) {
	k := v.Kind()
	x.kind = k
	switch k {
	case aegis.String:
		x.str = v.Str()
	case aegis.Bool:
		x.b = v.Bool()
	case aegis.Number:
		var ok bool
		if x.num, ok = v.Num(); !ok {
			x.kind = aegis.Absent
		}
	case aegis.List, aegis.Object:
		x.json, x.list = v, nil
	default:
		x.kind, x.json = aegis.Absent, aegis.Value{}
	}
}

func fromLiteral(l policy.Literal) value {
	if l.Kind == aegis.Null {
		return value{}
	}
	return value{kind: l.Kind, b: l.Bool, str: l.Str, num: l.Num}
}

// compiler turns the expressions of one plan into closures. It hands out slots for top-level arguments, which are
// looked up once for each call, however many rules read them.
type compiler struct {
	slots    []string
	features map[policy.Feature]int
	session  bool // some expression asks about the session's earlier calls
}

func (c *compiler) slot(name string) int {
	for i, s := range c.slots {
		if s == name {
			return i
		}
	}
	c.slots = append(c.slots, name)
	return len(c.slots) - 1
}

// read compiles a path of the document, or an element of a list that exists or all bound.
func (c *compiler) read(root policy.Root, fields []string, v int) readFunc {
	switch root {
	case policy.RootArgs:
		if len(fields) == 0 {
			return func(s *Scratch) aegis.Value { return s.call.Args }
		}
		slot, rest := c.slot(fields[0]), fields[1:]
		if len(rest) == 0 {
			return func(s *Scratch) aegis.Value { return s.slots[slot].json }
		}
		return func(s *Scratch) aegis.Value { return walk(s.slots[slot].json, rest) }
	case policy.RootClaims:
		return func(s *Scratch) aegis.Value { return walk(s.call.Claims, fields) }
	default:
		return func(s *Scratch) aegis.Value { return walk(s.vars[v].json, fields) }
	}
}

// value compiles an operand.
func (c *compiler) value(e *policy.Expr) valueFunc {
	switch e.Op {
	case policy.OpPath:
		return c.path(e)
	case policy.OpLiteral:
		v := fromLiteral(e.Lit)
		return func(*Scratch) value { return v }
	case policy.OpList:
		return func(*Scratch) value { return value{kind: aegis.List, list: e.List} }
	case policy.OpAdd, policy.OpSub, policy.OpMul:
		return c.arithmetic(e)
	case policy.OpSize:
		return c.size(e)
	case policy.OpLower:
		return c.text(e, func(s string) value { return value{kind: aegis.String, str: lowerASCII(s)} })
	case policy.OpHost:
		return c.text(e, capture(hostRE()))
	case policy.OpDomain:
		return c.text(e, capture(addrRE()))
	case policy.OpLinks:
		return c.text(e, links)
	case policy.OpUnix, policy.OpHour, policy.OpWeekday:
		return clock(e)
	case policy.OpCount, policy.OpSum, policy.OpValues:
		return c.history(e)
	default: // a condition used as a value
		f := c.bool(e)
		return func(s *Scratch) value {
			t := f(s)
			if t == undecided {
				return value{}
			}
			return value{kind: aegis.Bool, b: t == yes}
		}
	}
}

func (c *compiler) path(e *policy.Expr) valueFunc {
	text := func(get func(*aegis.Call) string, mayBeEmpty bool) valueFunc {
		return func(s *Scratch) value {
			if t := get(s.call); t != "" || mayBeEmpty {
				return value{kind: aegis.String, str: t}
			}
			return value{}
		}
	}
	switch e.Root {
	case policy.RootTool:
		return text(func(c *aegis.Call) string { return c.Tool }, false)
	case policy.RootAction:
		return text(func(c *aegis.Call) string { return c.Action }, true)
	case policy.RootAgent:
		return text(func(c *aegis.Call) string { return c.Agent }, false)
	case policy.RootTenant:
		return text(func(c *aegis.Call) string { return c.Tenant }, false)
	case policy.RootRegion:
		return text(func(c *aegis.Call) string { return c.Region }, false)
	case policy.RootChain:
		return func(s *Scratch) value {
			l := make([]policy.Literal, len(s.call.Chain))
			for i, name := range s.call.Chain {
				l[i] = policy.Literal{Kind: aegis.String, Str: name}
			}
			return value{kind: aegis.List, list: l}
		}
	case policy.RootVar:
		if len(e.Fields) == 0 {
			return func(s *Scratch) value { return s.vars[e.Var] }
		}
	}
	if e.Root == policy.RootArgs && len(e.Fields) == 1 {
		slot := c.slot(e.Fields[0])
		return func(s *Scratch) value { return *s.operand(slot) }
	}
	read := c.read(e.Root, e.Fields, e.Var)
	return func(s *Scratch) value { return fromJSON(read(s)) }
}

func (c *compiler) arithmetic(e *policy.Expr) valueFunc {
	a, b := c.value(e.Sub[0]), c.value(e.Sub[1])
	op := map[policy.Op]byte{policy.OpAdd: '+', policy.OpSub: '-', policy.OpMul: '*'}[e.Op]
	return func(s *Scratch) value {
		x, y := a(s), b(s)
		if x.kind != aegis.Number || y.kind != aegis.Number {
			return value{}
		}
		n, ok := aegis.Arith(op, x.num, y.num)
		if !ok {
			return value{}
		}
		return value{kind: aegis.Number, num: n}
	}
}

func (c *compiler) size(e *policy.Expr) valueFunc {
	a := c.value(e.Sub[0])
	return func(s *Scratch) value {
		n := 0
		switch x := a(s); {
		case x.kind == aegis.String:
			n = utf8.RuneCountInString(x.str)
		case x.kind == aegis.List:
			n = len(x.list) + x.json.Len()
		default:
			return value{}
		}
		return value{kind: aegis.Number, num: aegis.Int(int64(n))}
	}
}

// text compiles a function of one string.
func (c *compiler) text(e *policy.Expr, f func(string) value) valueFunc {
	a := c.value(e.Sub[0])
	return func(s *Scratch) value {
		x := a(s)
		if x.kind != aegis.String {
			return value{}
		}
		return f(x.str)
	}
}

func lowerASCII(s string) string {
	for i := 0; i < len(s); i++ {
		if 'A' <= s[i] && s[i] <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if 'A' <= b[i] && b[i] <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

// capture returns the pattern's first group in lower case, an error where the text does not match.
func capture(re *regexp.Regexp) func(string) value {
	return func(s string) value {
		m := re.FindStringSubmatch(s)
		if m == nil {
			return value{}
		}
		return value{kind: aegis.String, str: lowerASCII(m[1])}
	}
}

func links(s string) value {
	l := []policy.Literal{}
	for _, m := range linksRE().FindAllStringSubmatch(s, -1) {
		// The pattern has a group for each form of link; one of them takes part.
		l = append(l, policy.Literal{Kind: aegis.String, Str: lowerASCII(strings.Join(m[1:], ""))})
	}
	return value{kind: aegis.List, list: l}
}

func clock(e *policy.Expr) valueFunc {
	zone := time.UTC
	if e.Op != policy.OpUnix {
		z, err := time.LoadLocation(e.Lit.Str)
		if err != nil {
			panic(fmt.Sprintf("zone %q was checked at load: %v", e.Lit.Str, err))
		}
		zone = z
	}
	return func(s *Scratch) value {
		if !s.call.HasTime {
			return value{}
		}
		t := s.call.When().In(zone)
		n := t.Unix()
		switch e.Op {
		case policy.OpHour:
			n = int64(t.Hour())
		case policy.OpWeekday:
			n = int64(t.Weekday())
		}
		return value{kind: aegis.Number, num: aegis.Int(n)}
	}
}

func (c *compiler) feature(e *policy.Expr) int {
	c.session = true
	i, ok := c.features[e.Feature]
	if !ok {
		panic(fmt.Sprintf("feature %+v is not among the set's", e.Feature))
	}
	return i
}

func (c *compiler) history(e *policy.Expr) valueFunc {
	i, op := c.feature(e), e.Op
	return func(s *Scratch) value {
		h := s.facts.Session
		if h == nil {
			return value{}
		}
		switch op {
		case policy.OpCount:
			return value{kind: aegis.Number, num: aegis.Int(h.Counts[i])}
		case policy.OpValues:
			return value{kind: aegis.List, list: h.Values[i]}
		}
		n, ok := aegis.FromMicro(h.Sums[i].Micro)
		if !ok || h.Sums[i].Bad {
			return value{}
		}
		return value{kind: aegis.Number, num: n}
	}
}

// bool compiles a condition.
func (c *compiler) bool(e *policy.Expr) boolFunc {
	switch e.Op {
	case policy.OpAnd, policy.OpOr:
		return c.junction(e)
	case policy.OpNot:
		a := c.bool(e.Sub[0])
		return func(s *Scratch) tri { return a(s).not() }
	case policy.OpEq, policy.OpNe:
		a, b, ne := c.value(e.Sub[0]), c.value(e.Sub[1]), e.Op == policy.OpNe
		return func(s *Scratch) tri {
			x, y := a(s), b(s)
			t := equal(&x, &y)
			if ne {
				return t.not()
			}
			return t
		}
	case policy.OpLt, policy.OpLe, policy.OpGt, policy.OpGe:
		return c.order(e)
	case policy.OpIn:
		return c.in(e)
	case policy.OpHas:
		last := len(e.Fields) - 1
		parent, name := c.read(e.Root, e.Fields[:last], e.Var), e.Fields[last]
		return func(s *Scratch) tri {
			p := parent(s)
			if p.Kind() != aegis.Object {
				return undecided
			}
			return truth(p.Get(name).Given())
		}
	case policy.OpStarts, policy.OpEnds, policy.OpContains, policy.OpMatches, policy.OpInCIDR:
		return c.textTest(e)
	case policy.OpExists, policy.OpAll:
		return c.fold(e)
	case policy.OpSeen, policy.OpTainted:
		i, seen := c.feature(e), e.Op == policy.OpSeen
		return func(s *Scratch) tri {
			h := s.facts.Session
			if h == nil {
				return undecided
			}
			return truth(seen && h.Counts[i] > 0 || !seen && h.Taints[i])
		}
	}
	v := c.value(e) // a path or a literal
	return func(s *Scratch) tri {
		x := v(s)
		if x.kind != aegis.Bool {
			return undecided
		}
		return truth(x.b)
	}
}

func (c *compiler) junction(e *policy.Expr) boolFunc {
	a, b := c.bool(e.Sub[0]), c.bool(e.Sub[1])
	stop := no // for and: one no decides
	if e.Op == policy.OpOr {
		stop = yes
	}
	return func(s *Scratch) tri {
		x := a(s)
		if x == stop {
			return x
		}
		y := b(s)
		if y == stop || x != undecided {
			return y
		}
		return undecided
	}
}

func equal(x, y *value) tri {
	if x.kind != y.kind || !x.isScalar() {
		return undecided
	}
	switch x.kind {
	case aegis.String:
		return truth(x.str == y.str)
	case aegis.Number:
		return truth(x.num == y.num)
	}
	return truth(x.b == y.b)
}

func (c *compiler) order(e *policy.Expr) boolFunc {
	if f := c.bound(e); f != nil {
		return f
	}
	a, b, op := c.value(e.Sub[0]), c.value(e.Sub[1]), e.Op
	return func(s *Scratch) tri {
		x, y := a(s), b(s)
		d := 0
		switch {
		case x.kind == aegis.Number && y.kind == aegis.Number:
			d = x.num.Cmp(y.num)
		case x.kind == aegis.String && y.kind == aegis.String:
			d = strings.Compare(x.str, y.str)
		default:
			return undecided
		}
		return ordered(op, d)
	}
}

// bound compiles the commonest comparison, of a top-level argument with a number, without copying operands.
func (c *compiler) bound(e *policy.Expr) boolFunc {
	a, b := e.Sub[0], e.Sub[1]
	if a.Op != policy.OpPath || a.Root != policy.RootArgs || len(a.Fields) != 1 || b.Op != policy.OpLiteral ||
		b.Lit.Kind != aegis.Number {
		return nil
	}
	slot, n, op := c.slot(a.Fields[0]), b.Lit.Num, e.Op
	return func(s *Scratch) tri {
		x := s.operand(slot)
		if x.kind != aegis.Number {
			return undecided
		}
		return ordered(op, x.num.Cmp(n))
	}
}

// ordered says what a comparison's sign means to an operator.
func ordered(op policy.Op, d int) tri {
	switch op {
	case policy.OpLt:
		return truth(d < 0)
	case policy.OpLe:
		return truth(d <= 0)
	case policy.OpGt:
		return truth(d > 0)
	}
	return truth(d >= 0)
}

// in folds == over a list with or. A literal list is of one kind, so that any other kind on the left is an error.
func (c *compiler) in(e *policy.Expr) boolFunc {
	a, b := c.value(e.Sub[0]), c.value(e.Sub[1])
	if e.Sub[1].Op == policy.OpList {
		set := newLiteralSet(e.Sub[1].List)
		return func(s *Scratch) tri {
			x := a(s)
			if !x.isScalar() || set.kind != aegis.Absent && set.kind != x.kind {
				return undecided
			}
			return truth(set.has(&x))
		}
	}
	return func(s *Scratch) tri {
		x, l := a(s), b(s)
		if l.kind != aegis.List || !x.isScalar() {
			return undecided
		}
		return l.fold(yes, func(y value) tri { return equal(&x, &y) })
	}
}

// fold combines f over a list's elements: with or where stop is yes, with and where it is no.
func (v *value) fold(stop tri, f func(value) tri) tri {
	r := stop.not()
	for _, l := range v.list {
		switch f(fromLiteral(l)) {
		case stop:
			return stop
		case undecided:
			r = undecided
		}
	}
	for e := v.json.First(); e.Kind() != aegis.Absent; e = v.json.After(e) {
		switch f(fromJSON(e)) {
		case stop:
			return stop
		case undecided:
			r = undecided
		}
	}
	return r
}

func (c *compiler) fold(e *policy.Expr) boolFunc {
	list, body := c.value(e.Sub[0]), c.bool(e.Sub[1])
	stop := yes
	if e.Op == policy.OpAll {
		stop = no
	}
	return func(s *Scratch) tri {
		l := list(s)
		if l.kind != aegis.List {
			return undecided
		}
		return l.fold(stop, func(x value) tri {
			s.vars[e.Var] = x
			return body(s)
		})
	}
}

func (c *compiler) textTest(e *policy.Expr) boolFunc {
	a, arg := c.value(e.Sub[0]), e.Lit.Str
	var test func(string) tri
	switch e.Op {
	case policy.OpStarts:
		test = func(s string) tri { return truth(strings.HasPrefix(s, arg)) }
	case policy.OpEnds:
		test = func(s string) tri { return truth(strings.HasSuffix(s, arg)) }
	case policy.OpContains:
		test = func(s string) tri { return truth(strings.Contains(s, arg)) }
	case policy.OpMatches:
		re := regexp.MustCompile(arg)
		test = func(s string) tri { return truth(re.MatchString(s)) }
	default:
		net := netip.MustParsePrefix(arg)
		test = func(s string) tri { return inNetwork(s, net) }
	}
	return func(s *Scratch) tri {
		x := a(s)
		if x.kind != aegis.String {
			return undecided
		}
		return test(x.str)
	}
}

// inNetwork takes canonical text only: 010.0.0.1 and ::ffff:10.0.0.1 mean different addresses to different readers.
func inNetwork(s string, net netip.Prefix) tri {
	ip, err := netip.ParseAddr(s)
	if err != nil || ip.Zone() != "" || ip.Is4In6() || ip.String() != s {
		return undecided
	}
	return truth(net.Contains(ip))
}

// literalSet is a list of literals of one kind, made for look-ups.
type literalSet struct {
	kind aegis.Kind // Absent for an empty list
	few  []string   // strings, where they are so few that comparing each is faster
	strs map[string]struct{}
	nums map[aegis.Num]struct{}
	bool [2]bool
}

func newLiteralSet(ls []policy.Literal) *literalSet {
	set := &literalSet{strs: map[string]struct{}{}, nums: map[aegis.Num]struct{}{}}
	for _, l := range ls {
		set.kind = l.Kind
		switch l.Kind {
		case aegis.String:
			set.strs[l.Str] = struct{}{}
		case aegis.Number:
			set.nums[l.Num] = struct{}{}
		default:
			set.bool[btoi(l.Bool)] = true
		}
	}
	if len(set.strs) <= 8 {
		for _, l := range ls {
			set.few = append(set.few, l.Str)
		}
	}
	return set
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (l *literalSet) has(v *value) bool {
	if v.kind != l.kind {
		return false
	}
	switch v.kind {
	case aegis.String:
		if l.few != nil {
			return slices.Contains(l.few, v.str)
		}
		_, ok := l.strs[v.str]
		return ok
	case aegis.Number:
		_, ok := l.nums[v.num]
		return ok
	}
	return l.bool[btoi(v.b)]
}
