package decide

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

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
			known := seen && h.Counts[i] > 0 || !seen && h.Taints[i]
			if !known && h.doubts(i) {
				return undecided
			}
			return truth(known)
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
