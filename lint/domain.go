package lint

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// domain is the set of values that rules leave to one argument, as far as kinds, intervals, lists and tests of text can
// say: it may be too wide, and is never too narrow. Whatever it cannot express leaves it unchanged. All fields but given
// and none speak of an argument that is there and not null.
type domain struct {
	given, none bool       // it must be there; it must be missing or null
	kind        aegis.Kind // Absent: any
	kindText    string     // what says so
	clash       string     // two rules need two kinds: why there is no value
	min, max    *bound
	in          []policy.Literal // nil: not limited to a list
	inText      string
	not         []policy.Literal
	integer     bool
	shortest    *bound // of lengths
	longest     *bound
	tests       []test // of a text
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

// ofKind keeps the values of a kind.
func (d *domain) ofKind(k aegis.Kind, text string) {
	switch {
	case k == aegis.Absent || d.kind == k:
	case d.kind == aegis.Absent:
		d.kind, d.kindText = k, text
	case d.clash == "":
		d.clash = fmt.Sprintf("%s needs a %s, and %s a %s", d.kindText, d.kind, text, k)
	}
}

// sized keeps the values of which the length is at least (or at most) that of b.
func (d *domain) sized(b bound, atLeast bool) {
	if atLeast && b.tighter(d.shortest, false) {
		d.shortest = &b
	}
	if !atLeast && b.tighter(d.longest, true) {
		d.longest = &b
	}
}

// among keeps the values of a list.
func (d *domain) among(list []policy.Literal, text string) {
	if len(list) > 0 {
		d.ofKind(list[0].Kind, text)
	}
	if d.in == nil {
		d.in, d.inText = append([]policy.Literal{}, list...), text
		return
	}
	d.in = slices.DeleteFunc(slices.Clone(d.in), func(l policy.Literal) bool { return !slices.ContainsFunc(list, l.Equal) })
	d.inText += " and " + text
}

// addOf is add for a check of the constraint k. Beside each, a bound on the length says nothing of what is no list: that
// counts as a list of one, however long its text is.
func (d *domain) addOf(k *policy.Constraint, c *policy.Check, text string) {
	if d.ofKind(c.Type, text); k.Each != nil && d.kind != aegis.List && (c.Op == policy.CheckMaxLength || c.Op == policy.CheckMinLength) {
		return
	}
	d.add(c, text)
}

// add narrows the domain by a check. text is how the check is called in messages.
func (d *domain) add(c *policy.Check, text string) {
	d.ofKind(c.Type, text)
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
		d.sized(bound{aegis.Int(int64(c.N)), false, text}, false)
	case policy.CheckMinLength:
		d.sized(bound{aegis.Int(int64(c.N)), false, text}, true)
	case policy.CheckPattern:
		d.test(wholeMatch(c.Pattern, text))
	}
}

// ruledOut reports whether nothing is left: neither a value nor leaving the argument out.
func (d *domain) ruledOut() bool {
	return d.given && (d.none || d.empty() != "")
}

// empty says why no value is left, or "".
func (d *domain) empty() string {
	switch {
	case d.clash != "":
		return d.clash
	case d.longest != nil && crossed(&bound{num: aegis.Int(0)}, d.longest):
		return d.longest.text + " asks for a length below zero"
	case d.shortest != nil && d.longest != nil && crossed(d.shortest, d.longest):
		return d.shortest.text + " is over " + d.longest.text
	case d.min != nil && d.max != nil && crossed(d.min, d.max):
		return fmt.Sprintf("%s and %s leave no number between them", d.min.text, d.max.text)
	case d.min != nil && d.max != nil && d.min.num.Cmp(d.max.num) == 0 && !d.allows(policy.Literal{Kind: aegis.Number, Num: d.min.num}):
		return fmt.Sprintf("the one number between %s and %s is ruled out elsewhere", d.min.text, d.max.text)
	case d.integer && d.min != nil && d.max != nil && !holdsInteger(d.min, d.max):
		return fmt.Sprintf("no integer lies between %s and %s", d.min.text, d.max.text)
	case d.in != nil && !slices.ContainsFunc(d.in, d.allows):
		return d.leftOfList()
	case d.kind == aegis.Number && d.fewIntegersGone():
		return fmt.Sprintf("every integer between %s and %s is ruled out elsewhere", d.min.text, d.max.text)
	case d.kind == aegis.Bool && !d.allows(policy.Literal{Kind: aegis.Bool}) && !d.allows(policy.Literal{Kind: aegis.Bool, Bool: true}):
		return "true and false are both ruled out"
	}
	if why := d.lengthsClash(); why != "" {
		return why
	}
	return contradiction(d.tests)
}

// lengthsClash says which pattern has only texts that are too long or too short, or "".
func (d *domain) lengthsClash() string {
	if d.shortest == nil && d.longest == nil {
		return ""
	}
	for _, t := range d.tests {
		if t.op != policy.OpEq {
			continue
		}
		least, most, ok := lengthsOf(t.part)
		switch {
		case !ok:
		case d.longest != nil && crossed(&bound{num: aegis.Int(int64(least))}, d.longest):
			return fmt.Sprintf("%s takes %d characters or more, against %s", t.text, least, d.longest.text)
		case d.shortest != nil && most >= 0 && crossed(d.shortest, &bound{num: aegis.Int(int64(most))}):
			return fmt.Sprintf("%s takes at most %d characters, against %s", t.text, most, d.shortest.text)
		}
	}
	return ""
}

// fewIntegersGone reports whether a short range of integers is ruled out one by one.
func (d *domain) fewIntegersGone() bool {
	if !d.integer || d.min == nil || d.max == nil || len(d.not) == 0 {
		return false
	}
	lo, hi := math.Ceil(d.min.num.Float()), math.Floor(d.max.num.Float())
	if math.Abs(lo) > 1<<52 || hi-lo > 64 {
		return false
	}
	for n := int64(lo); n <= int64(hi); n++ {
		if d.allows(policy.Literal{Kind: aegis.Number, Num: aegis.Int(n)}) {
			return false
		}
	}
	return true
}

// leftOfList says what leaves nothing of the list.
func (d *domain) leftOfList() string {
	if len(d.in) == 0 {
		if strings.Contains(d.inText, " and ") {
			return d.inText + " have no value in common"
		}
		return d.inText + " has no value"
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
	if d.kind != aegis.Absent && d.kind != l.Kind {
		return false
	}
	if l.Kind == aegis.String {
		return d.allowsText(l.Str)
	}
	if l.Kind != aegis.Number {
		return true
	}
	at := &bound{num: l.Num}
	return (d.min == nil || !crossed(d.min, at)) && (d.max == nil || !crossed(at, d.max)) &&
		(!d.integer || l.Num.IsInt())
}

// allowsText reports whether a text passes the tests and has a length that is left.
func (d *domain) allowsText(s string) bool {
	n := &bound{num: aegis.Int(int64(utf8.RuneCountInString(s)))}
	return (d.shortest == nil || !crossed(d.shortest, n)) && (d.longest == nil || !crossed(n, d.longest)) &&
		!slices.ContainsFunc(d.tests, func(t test) bool { return t.holds(s) != t.want })
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
