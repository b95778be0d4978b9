package lint

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// domain is the set of values that rules leave to one argument, as far as intervals and lists can say: it may be too
// wide, and is never too narrow. Whatever it cannot express leaves it unchanged.
type domain struct {
	min, max *bound
	in       []policy.Literal // nil: not limited to a list
	inText   string
	not      []policy.Literal
	integer  bool
	shortest *bound // of lengths
	longest  *bound
}

// bound is one end of an interval, in the words of the rule that set it.
type bound struct {
	num  aegis.Num
	open bool // the end itself is outside
	text string
}

// tighter reports whether b, as an upper (or lower) end, leaves less than c.
func (b *bound) tighter(c *bound, upper bool) bool {
	if c == nil {
		return true
	}
	order := b.num.Cmp(c.num)
	if upper {
		order = -order
	}
	return order > 0 || order == 0 && b.open && !c.open
}

func (d *domain) below(b bound) {
	if b.tighter(d.max, true) {
		d.max = &b
	}
}

func (d *domain) above(b bound) {
	if b.tighter(d.min, false) {
		d.min = &b
	}
}

// among keeps the values of a list.
func (d *domain) among(list []policy.Literal, text string) {
	if d.in == nil {
		d.in, d.inText = slices.Clone(list), text
		return
	}
	d.in = slices.DeleteFunc(slices.Clone(d.in), func(l policy.Literal) bool { return !slices.ContainsFunc(list, l.Equal) })
	d.inText += " and " + text
}

// add narrows the domain by a check. text is how the check is called in messages.
func (d *domain) add(c *policy.Check, text string) {
	switch c.Op {
	case policy.CheckInteger:
		d.integer = true
	case policy.CheckDecimals:
		d.integer = d.integer || c.N == 0
	case policy.CheckMax:
		d.below(bound{c.Num, false, text})
	case policy.CheckMin:
		d.above(bound{c.Num, false, text})
	case policy.CheckIn:
		d.among(c.List, text)
	case policy.CheckNotIn:
		d.not = append(slices.Clone(d.not), c.List...)
	case policy.CheckMaxLength:
		if b := (bound{aegis.Int(int64(c.N)), false, text}); b.tighter(d.longest, true) {
			d.longest = &b
		}
	case policy.CheckMinLength:
		if b := (bound{aegis.Int(int64(c.N)), false, text}); b.tighter(d.shortest, false) {
			d.shortest = &b
		}
	}
}

// empty says why nothing is left, or "".
func (d *domain) empty() string {
	switch {
	case d.shortest != nil && d.longest != nil && d.shortest.num.Cmp(d.longest.num) > 0:
		return d.shortest.text + " is over " + d.longest.text
	case d.min != nil && d.max != nil && crossed(d.min, d.max):
		return fmt.Sprintf("%s and %s leave no number between them", d.min.text, d.max.text)
	case d.min != nil && d.max != nil && d.min.num.Cmp(d.max.num) == 0 && !d.allows(policy.Literal{Kind: aegis.Number, Num: d.min.num}):
		return fmt.Sprintf("the one number between %s and %s is ruled out elsewhere", d.min.text, d.max.text)
	case d.integer && d.min != nil && d.max != nil && !holdsInteger(d.min, d.max):
		return fmt.Sprintf("no integer lies between %s and %s", d.min.text, d.max.text)
	case d.in != nil && !slices.ContainsFunc(d.in, d.allows):
		return d.leftOfList()
	}
	return ""
}

// leftOfList says what leaves nothing of the list.
func (d *domain) leftOfList() string {
	if len(d.in) == 0 {
		return d.inText + " have no value in common"
	}
	var others []string
	for _, b := range []*bound{d.min, d.max} {
		if b != nil {
			others = append(others, b.text)
		}
	}
	if len(others) == 0 {
		return fmt.Sprintf("every value of %s is ruled out elsewhere", d.inText)
	}
	return fmt.Sprintf("no value of %s is left by %s", d.inText, strings.Join(others, " and "))
}

// allows reports whether a value of the list is in the interval and not excluded.
func (d *domain) allows(l policy.Literal) bool {
	if slices.ContainsFunc(d.not, l.Equal) {
		return false
	}
	if l.Kind != aegis.Number {
		return true
	}
	at := &bound{num: l.Num}
	return (d.min == nil || !crossed(d.min, at)) && (d.max == nil || !crossed(at, d.max)) &&
		(!d.integer || l.Num.IsInt())
}

func crossed(min, max *bound) bool {
	order := min.num.Cmp(max.num)
	return order > 0 || order == 0 && (min.open || max.open)
}

// holdsInteger reports whether an integer lies in the interval; where float64 cannot tell, it says yes.
func holdsInteger(min, max *bound) bool {
	lo, hi := math.Ceil(min.num.Float()), math.Floor(max.num.Float())
	if math.Abs(lo) > 1<<52 || math.Abs(hi) > 1<<52 {
		return true
	}
	if min.open && min.num.IsInt() {
		lo++
	}
	if max.open && max.num.IsInt() {
		hi--
	}
	return lo <= hi
}

// world is what is known of each argument, by its path.
type world map[string]*domain

func pathKey(path []string) string { return strings.Join(path, "\x1f") }

// with returns a copy of the world in which one argument's domain is narrowed by f.
func (w world) with(key string, f func(*domain)) world {
	next := maps.Clone(w)
	d := domain{}
	if old := w[key]; old != nil {
		d = *old
	}
	f(&d)
	next[key] = &d
	return next
}

// claim is an expression that must be true, or must be false.
type claim struct {
	e    *policy.Expr
	want bool
}

// maxBranches bounds how many alternatives are followed; a policy with more of them is not decided.
const maxBranches = 1024

// possible reports whether the claims can all hold in the world. It says yes wherever it cannot tell.
func (w world) possible(claims ...claim) bool {
	branches := maxBranches
	return w.search(claims, &branches)
}

// search is possible with a number of branches that several questions share.
func (w world) search(claims []claim, branches *int) bool {
	for len(claims) > 0 {
		c := claims[0]
		claims = claims[1:]
		switch c.e.Op {
		case policy.OpNot:
			claims = append([]claim{{c.e.Sub[0], !c.want}}, claims...)
		case policy.OpAnd, policy.OpOr:
			a, b := claim{c.e.Sub[0], c.want}, claim{c.e.Sub[1], c.want}
			if (c.e.Op == policy.OpAnd) == c.want {
				claims = append([]claim{a, b}, claims...)
				continue
			}
			if *branches--; *branches < 0 {
				return true
			}
			return w.search(append([]claim{a}, claims...), branches) || w.search(append([]claim{b}, claims...), branches)
		default:
			next, ok := w.assume(c)
			if !ok {
				return false
			}
			w = next
		}
	}
	return true
}

// assume narrows the world by one comparison. It is false where that leaves an argument nothing.
func (w world) assume(c claim) (world, bool) {
	e := c.e
	if e.Op == policy.OpLiteral {
		return w, e.Lit.Kind != aegis.Bool || e.Lit.Bool == c.want
	}
	key, narrow, ok := narrowing(c)
	if !ok {
		return w, true
	}
	next := w.with(key, narrow)
	return next, next[key].empty() == ""
}

// flipped has the comparisons as they read from the other side.
var flipped = map[policy.Op]policy.Op{policy.OpEq: policy.OpEq, policy.OpNe: policy.OpNe, policy.OpLt: policy.OpGt,
	policy.OpLe: policy.OpGe, policy.OpGt: policy.OpLt, policy.OpGe: policy.OpLe}

// negated has the comparisons that hold where others do not. (Reading a missing argument is an error either way, so
// both speak of arguments that are there.)
var negated = map[policy.Op]policy.Op{policy.OpEq: policy.OpNe, policy.OpNe: policy.OpEq, policy.OpLt: policy.OpGe,
	policy.OpLe: policy.OpGt, policy.OpGt: policy.OpLe, policy.OpGe: policy.OpLt}

// narrowing reads a claim as what it leaves to one argument. It is false for any claim but a comparison of an argument
// with a constant, and membership in a list of constants.
func narrowing(c claim) (key string, narrow func(*domain), ok bool) {
	e := c.e
	if len(e.Sub) != 2 {
		return "", nil, false
	}
	text := e.String()
	if !c.want {
		text = "!(" + text + ")"
	}
	arg, other, op := e.Sub[0], e.Sub[1], e.Op
	if e.Op == policy.OpIn {
		if !isArg(arg) || other.Op != policy.OpList {
			return "", nil, false
		}
		if c.want {
			return pathKey(arg.Fields), func(d *domain) { d.among(other.List, text) }, true
		}
		return pathKey(arg.Fields), func(d *domain) { d.not = append(slices.Clone(d.not), other.List...) }, true
	}
	if _, comparison := flipped[op]; !comparison {
		return "", nil, false
	}
	if !isArg(arg) {
		arg, other, op = other, arg, flipped[op]
	}
	if !isArg(arg) || other.Op != policy.OpLiteral {
		return "", nil, false
	}
	if !c.want {
		op = negated[op]
	}
	return pathKey(arg.Fields), comparison(op, other.Lit, text), true
}

func isArg(e *policy.Expr) bool { return e.Op == policy.OpPath && e.Root == policy.RootArgs }

// comparison returns what `argument op literal` leaves to the argument. Texts are ordered too, but only equality of
// them is followed.
func comparison(op policy.Op, lit policy.Literal, text string) func(*domain) {
	return func(d *domain) {
		switch {
		case op == policy.OpEq:
			d.among([]policy.Literal{lit}, text)
		case op == policy.OpNe:
			d.not = append(slices.Clone(d.not), lit)
		case lit.Kind != aegis.Number:
		case op == policy.OpLt || op == policy.OpLe:
			d.below(bound{lit.Num, op == policy.OpLt, text})
		default:
			d.above(bound{lit.Num, op == policy.OpGt, text})
		}
	}
}
