package lint

import (
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// reading is what a claim says of one thing.
type reading struct {
	key    string
	narrow func(*domain)
}

// Keys of a world that are no paths of arguments begin with a zero byte.
const (
	termOf  = "\x00t"
	truthOf = "\x00b"
	orderOf = "\x00o"
	lowerOf = "\x00l"
)

func isArg(e *policy.Expr) bool { return e.Op == policy.OpPath && e.Root == policy.RootArgs }

// termKey names what an expression computes. Two expressions with one key have one value in any call.
func termKey(e *policy.Expr) string {
	switch {
	case isArg(e):
		return pathKey(e.Fields)
	case e.Op == policy.OpLower && isArg(e.Sub[0]):
		return lowerOf + pathKey(e.Sub[0].Fields)
	}
	return termOf + e.String()
}

// flipped has the comparisons as they read from the other side.
var flipped = map[policy.Op]policy.Op{policy.OpEq: policy.OpEq, policy.OpNe: policy.OpNe, policy.OpLt: policy.OpGt,
	policy.OpLe: policy.OpGe, policy.OpGt: policy.OpLt, policy.OpGe: policy.OpLe}

// negated has the comparisons that hold where others do not. (Reading a missing argument is an error either way, so
// both speak of arguments that are there.)
var negated = map[policy.Op]policy.Op{policy.OpEq: policy.OpNe, policy.OpNe: policy.OpEq, policy.OpLt: policy.OpGe,
	policy.OpLe: policy.OpGt, policy.OpGt: policy.OpLe, policy.OpGe: policy.OpLt}

// readings takes a claim without and, or, not apart: what it says of what it compares, and, since reading what is
// missing or of another kind is an error, of all that it reads.
func readings(c claim) []reading {
	e := c.e
	if e.Op == policy.OpHas {
		return hasReadings(c)
	}
	out := needs(e, aegis.Bool, nil)
	if r, ok := narrowing(c); ok {
		return append(out, r)
	}
	// All that is known of it is that it has the same truth wherever it stands.
	want := []policy.Literal{{Kind: aegis.Bool, Bool: c.want}}
	return append(out, reading{truthOf + e.String(), func(d *domain) { d.given = true; d.among(want, wording(c)) }})
}

func wording(c claim) string {
	if c.want {
		return c.e.String()
	}
	return "!(" + c.e.String() + ")"
}

// hasReadings is what has(a.b) says: a is an object either way.
func hasReadings(c claim) []reading {
	e := c.e
	if e.Root != policy.RootArgs {
		want := []policy.Literal{{Kind: aegis.Bool, Bool: c.want}}
		return []reading{{truthOf + e.String(), func(d *domain) { d.given = true; d.among(want, wording(c)) }}}
	}
	return append(parents(e.Fields, e.String(), nil), reading{pathKey(e.Fields), func(d *domain) {
		d.given, d.none = d.given || c.want, d.none || !c.want
	}})
}

// parents says that the objects on the way to a path are there.
func parents(path []string, text string, out []reading) []reading {
	for i := 1; i < len(path); i++ {
		out = append(out, reading{pathKey(path[:i]), func(d *domain) { d.given = true; d.ofKind(aegis.Object, text) }})
	}
	return out
}

// needs says what must be there, and of which kind, for e not to be an error. Only operators that fail when an operand
// fails are followed. kind is what e itself must be; Absent where that is not known.
func needs(e *policy.Expr, kind aegis.Kind, out []reading) []reading {
	switch e.Op {
	case policy.OpPath:
		if e.Root != policy.RootArgs || len(e.Fields) == 0 {
			return out
		}
		text := e.String()
		out = parents(e.Fields, text, out)
		return append(out, reading{pathKey(e.Fields), func(d *domain) { d.given = true; d.ofKind(kind, text) }})
	case policy.OpAdd, policy.OpSub, policy.OpMul:
		return needs(e.Sub[1], aegis.Number, needs(e.Sub[0], aegis.Number, out))
	case policy.OpLower, policy.OpHost, policy.OpDomain, policy.OpLinks, policy.OpStarts, policy.OpEnds, policy.OpContains,
		policy.OpMatches, policy.OpInCIDR:
		return needs(e.Sub[0], aegis.String, out)
	case policy.OpSize:
		return needs(e.Sub[0], aegis.Absent, out)
	case policy.OpExists, policy.OpAll:
		return needs(e.Sub[0], aegis.List, out)
	case policy.OpIn:
		if e.Sub[1].Op == policy.OpList {
			return needs(e.Sub[0], listKind(e.Sub[1].List), out)
		}
		return needs(e.Sub[1], aegis.List, needs(e.Sub[0], literalKind(e.Sub[0]), out))
	case policy.OpEq, policy.OpNe, policy.OpLt, policy.OpLe, policy.OpGt, policy.OpGe:
		a, b := e.Sub[0], e.Sub[1]
		return needs(b, literalKind(a), needs(a, literalKind(b), out))
	}
	return out
}

func listKind(ls []policy.Literal) aegis.Kind {
	if len(ls) == 0 {
		return aegis.Absent
	}
	return ls[0].Kind
}

// literalKind is the kind of a constant, or Absent for anything else.
func literalKind(e *policy.Expr) aegis.Kind {
	if e.Op == policy.OpLiteral {
		return e.Lit.Kind
	}
	return aegis.Absent
}

// narrowing reads a claim as what it leaves to one thing. It is false for what it cannot read so.
func narrowing(c claim) (reading, bool) {
	e, text := c.e, wording(c)
	switch e.Op {
	case policy.OpPath:
		want := []policy.Literal{{Kind: aegis.Bool, Bool: c.want}}
		return about(e, func(d *domain) { d.among(want, text) }), true
	case policy.OpIn:
		return membership(c, text)
	case policy.OpStarts, policy.OpEnds, policy.OpContains, policy.OpMatches:
		t := textTest(e.Op, e.Lit.Str, c.want, text)
		return about(e.Sub[0], func(d *domain) { d.test(t) }), true
	}
	if _, comparison := flipped[e.Op]; !comparison {
		return reading{}, false
	}
	op := e.Op
	if !c.want {
		op = negated[op]
	}
	a, b := e.Sub[0], e.Sub[1]
	if a.Op == policy.OpLiteral {
		a, b, op = b, a, flipped[op]
	}
	if b.Op != policy.OpLiteral {
		return relation(op, a, b, text), true
	}
	return against(op, a, b.Lit, text)
}

// membership reads `x in [a, b]`.
func membership(c claim, text string) (reading, bool) {
	x, list := c.e.Sub[0], c.e.Sub[1]
	if list.Op != policy.OpList {
		return reading{}, false
	}
	if c.want {
		return about(x, func(d *domain) { d.among(list.List, text) }), true
	}
	return about(x, func(d *domain) {
		d.ofKind(listKind(list.List), text)
		d.not = append(slices.Clone(d.not), list.List...)
	}), true
}

// relation reads a comparison of two things as what it says of their order, which is a number: -1, 0 or 1.
func relation(op policy.Op, a, b *policy.Expr, text string) reading {
	x, y := termKey(a), termKey(b)
	if x > y {
		x, y, op = y, x, flipped[op]
	}
	return reading{orderOf + x + "\x00" + y, func(d *domain) {
		d.given, d.integer = true, true
		d.above(bound{aegis.Int(-1), false, text})
		d.below(bound{aegis.Int(1), false, text})
		if x == y {
			d.among([]policy.Literal{{Kind: aegis.Number}}, text)
		}
		comparison(op, policy.Literal{Kind: aegis.Number}, text)(d)
	}}
}

// against reads a comparison with a constant. Adding a constant to a thing, or the length of an argument, is read as
// what it says of the thing and the argument.
func against(op policy.Op, x *policy.Expr, lit policy.Literal, text string) (reading, bool) {
	for lit.Kind == aegis.Number && (x.Op == policy.OpAdd || x.Op == policy.OpSub) {
		n, rest, flip := shifted(x, lit.Num)
		if rest == nil {
			break
		}
		x, lit.Num = rest, n
		if flip {
			op = flipped[op]
		}
	}
	if x.Op == policy.OpSize && isArg(x.Sub[0]) && lit.Kind == aegis.Number {
		return reading{pathKey(x.Sub[0].Fields), length(op, lit.Num, text)}, true
	}
	return about(x, comparison(op, lit, text)), true
}

// shifted solves x = n, where x adds a constant to something or takes it from there, for that something. flip: the
// something has a minus. nil where that cannot be said exactly.
func shifted(x *policy.Expr, n aegis.Num) (aegis.Num, *policy.Expr, bool) {
	a, b := x.Sub[0], x.Sub[1]
	minus := x.Op == policy.OpSub
	var out aegis.Num
	var ok bool
	var rest *policy.Expr
	flip := false
	switch {
	case b.Op == policy.OpLiteral && b.Lit.Kind == aegis.Number && minus:
		out, ok = aegis.Arith('+', n, b.Lit.Num)
		rest = a
	case b.Op == policy.OpLiteral && b.Lit.Kind == aegis.Number:
		out, ok = aegis.Arith('-', n, b.Lit.Num)
		rest = a
	case a.Op == policy.OpLiteral && a.Lit.Kind == aegis.Number && minus:
		out, ok = aegis.Arith('-', a.Lit.Num, n)
		rest, flip = b, true
	case a.Op == policy.OpLiteral && a.Lit.Kind == aegis.Number:
		out, ok = aegis.Arith('-', n, a.Lit.Num)
		rest = b
	}
	if !ok {
		return n, nil, false
	}
	return out, rest, flip
}

// length returns what `size(argument) op n` leaves to the argument.
func length(op policy.Op, n aegis.Num, text string) func(*domain) {
	return func(d *domain) {
		if op == policy.OpEq || op == policy.OpGe || op == policy.OpGt {
			d.sized(bound{n, op == policy.OpGt, text}, true)
		}
		if op == policy.OpEq || op == policy.OpLe || op == policy.OpLt {
			d.sized(bound{n, op == policy.OpLt, text}, false)
		}
	}
}

// comparison returns what `thing op literal` leaves to the thing.
func comparison(op policy.Op, lit policy.Literal, text string) func(*domain) {
	return func(d *domain) {
		d.ofKind(lit.Kind, text)
		switch {
		case op == policy.OpEq:
			d.among([]policy.Literal{lit}, text)
		case op == policy.OpNe:
			d.not = append(slices.Clone(d.not), lit)
		case lit.Kind == aegis.String:
			d.test(ordering(op, lit.Str, text))
		case lit.Kind != aegis.Number:
		case op == policy.OpLt || op == policy.OpLe:
			d.below(bound{lit.Num, op == policy.OpLt, text})
		default:
			d.above(bound{lit.Num, op == policy.OpGt, text})
		}
	}
}

// about is a reading of a thing, together with what holds of such a thing in every call.
func about(x *policy.Expr, narrow func(*domain)) reading {
	return reading{termKey(x), func(d *domain) {
		if !isArg(x) {
			d.given = true
			nature(x, d)
		}
		narrow(d)
	}}
}

// nature narrows d to what an expression of that operator can come to.
func nature(x *policy.Expr, d *domain) {
	from := func(least, most int64) {
		d.integer = true
		d.above(bound{aegis.Int(least), false, x.String() + ", which is never below " + aegis.Int(least).Text() + ","})
		if most > 0 {
			d.below(bound{aegis.Int(most), false, x.String() + ", which is never over " + aegis.Int(most).Text() + ","})
		}
	}
	switch x.Op {
	case policy.OpSize, policy.OpCount:
		from(0, 0)
	case policy.OpHour:
		from(0, 23)
	case policy.OpWeekday:
		from(0, 6)
	case policy.OpUnix:
		d.integer = true
	case policy.OpLower, policy.OpHost, policy.OpDomain:
		if !slices.ContainsFunc(d.tests, func(t test) bool { return t.op == policy.OpLower }) {
			d.test(lowered(strings.TrimSpace(x.String()) + ", which is in lower case,"))
		}
	}
}
