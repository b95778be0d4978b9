package decide

import (
	"fmt"
	"regexp"
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
	i, ok := c.features[*e.Feature]
	if !ok {
		panic(fmt.Sprintf("feature %+v is not among the set's", *e.Feature))
	}
	return i
}

func (c *compiler) history(e *policy.Expr) valueFunc {
	i, op := c.feature(e), e.Op
	return func(s *Scratch) value {
		h := s.facts.Session
		if h == nil || h.doubts(i) {
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
