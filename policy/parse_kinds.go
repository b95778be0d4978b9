package policy

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"github.com/aegisctl/aegis"
)

// kindSet is a set of kinds that a value may have.
type kindSet uint8

const (
	setBool   kindSet = 1 << aegis.Bool
	setNumber kindSet = 1 << aegis.Number
	setString kindSet = 1 << aegis.String
	setList   kindSet = 1 << aegis.List
	setObject kindSet = 1 << aegis.Object
	setScalar         = setBool | setNumber | setString
	setAny            = setScalar | setList | setObject
)

// single returns the set's only kind.
func (s kindSet) single() (aegis.Kind, bool) {
	return aegis.Kind(bits.TrailingZeros8(uint8(s))), bits.OnesCount8(uint8(s)) == 1
}

// String names the set with articles: "a number or a string".
func (s kindSet) String() string {
	var names []string
	for k := aegis.Bool; k <= aegis.Object; k++ {
		if s&(1<<k) != 0 {
			article := "a "
			if k == aegis.Object {
				article = "an "
			}
			names = append(names, article+k.String())
		}
	}
	return strings.Join(names, " or ")
}

// Keys of paths: fields are joined by a character that no name holds, below a prefix for the root.
const (
	keySep    = "\x1f"
	argsKey   = "args" + keySep
	claimsKey = "claims" + keySep
	varKey    = "var"
)

// kindCheck infers what kinds an expression demands of what it reads. A path's set of kinds only ever shrinks; when
// nothing is left, no value could make the expression anything but an error.
type kindCheck struct {
	demands map[string]kindSet
	binders []int // of the enclosing exists and all, outermost first
	bound   int   // binders seen in this pass
	shrunk  bool
	err     *ExprError
	src     []rune // for the names of bound variables in messages
}

func newKindCheck(src []rune) *kindCheck { return &kindCheck{demands: map[string]kindSet{}, src: src} }

// run checks that e can be of a kind in want and that all kinds in it fit. It passes over e until no set shrinks any
// more, so that the order of operands does not matter.
func (c *kindCheck) run(e *Expr, want kindSet) *ExprError {
	for c.shrunk = true; c.shrunk && c.err == nil; {
		c.shrunk, c.bound = false, 0
		c.expr(e, want)
	}
	return c.err
}

func (c *kindCheck) fail(e *Expr, hint, format string, args ...any) {
	if c.err == nil {
		c.err = &ExprError{e.Offset, fmt.Sprintf(format, args...), hint}
	}
}

// expr checks e, which must be of a kind in want, and returns the kinds that it can have.
func (c *kindCheck) expr(e *Expr, want kindSet) kindSet {
	if e.Op == OpPath {
		return c.path(e, want)
	}
	have := setBool
	switch e.Op {
	case OpLiteral:
		have = 1 << e.Lit.Kind
	case OpList, OpValues:
		have = setList
	case OpAnd, OpOr:
		c.expr(e.Sub[0], setBool)
		c.expr(e.Sub[1], setBool)
	case OpNot:
		c.expr(e.Sub[0], setBool)
	case OpEq, OpNe:
		c.same(e, setScalar)
	case OpLt, OpLe, OpGt, OpGe:
		c.ordered(e)
	case OpIn:
		c.in(e)
	case OpHas:
		c.parents(e)
	case OpAdd, OpSub, OpMul:
		have = setNumber
		c.number(e, e.Sub[0])
		c.number(e, e.Sub[1])
	case OpSize:
		have = setNumber
		c.expr(e.Sub[0], setString|setList)
	case OpStarts, OpEnds, OpContains, OpMatches, OpInCIDR:
		c.expr(e.Sub[0], setString)
	case OpLower, OpHost, OpDomain:
		have = setString
		c.expr(e.Sub[0], setString)
	case OpLinks:
		have = setList
		c.expr(e.Sub[0], setString)
	case OpExists, OpAll:
		c.quantifier(e)
	case OpUnix, OpHour, OpWeekday, OpCount, OpSum:
		have = setNumber
	}
	if have&want == 0 {
		c.fail(e, "", "%s is %s, where %s is due", c.brief(e), have, want)
	}
	return have
}

// same checks operands that must be of one kind. What one of them must be, the other must be too.
func (c *kindCheck) same(e *Expr, want kindSet) {
	a, b := c.expr(e.Sub[0], want), c.expr(e.Sub[1], want)
	if c.err != nil {
		return
	}
	if a&b == 0 {
		hint := ""
		if (a|b)&setBool != 0 && (a|b)&setString != 0 {
			hint = `true and false are written without quotes, and "true" is a string`
		}
		c.fail(e, hint, "%s is %s and %s is %s: they never compare", c.brief(e.Sub[0]), a, c.brief(e.Sub[1]), b)
		return
	}
	for i, s := range []kindSet{a, b} {
		if s != a&b {
			c.expr(e.Sub[i], a&b)
		}
	}
}

func (c *kindCheck) ordered(e *Expr) {
	for _, s := range e.Sub {
		switch s.Op {
		case OpEq, OpNe, OpLt, OpLe, OpGt, OpGe, OpIn:
			c.fail(s, "join comparisons with &&, as in 0 < a && a < 10",
				"%s is true or false, which has no order", c.brief(s))
		case OpNot:
			c.fail(s, "! binds tighter than a comparison: write !(a > b)",
				"%s is true or false, which has no order", c.brief(s))
		}
	}
	c.same(e, setNumber|setString)
}

func (c *kindCheck) number(e, operand *Expr) {
	if operand.Op == OpLiteral && operand.Lit.Kind == aegis.String && e.Op == OpAdd {
		c.fail(operand, "strings are not joined; compare each part", "%s is a string, where a number is due",
			c.brief(operand))
	}
	c.expr(operand, setNumber)
}

func (c *kindCheck) in(e *Expr) {
	value, list := e.Sub[0], e.Sub[1]
	if value.Op == OpLiteral && value.Lit.Kind == aegis.String && list.Op != OpList {
		// The slip of those who come from Python: "x" in text.
		c.memberOf(list, `for a part of a text write text.contains("part")`)
	} else {
		c.expr(list, setList)
	}
	want := elementKinds(list)
	if list.Op == OpList {
		want = setScalar
		if len(list.List) > 0 {
			want = 1 << list.List[0].Kind
		}
	}
	if have := c.expr(value, setAny); have&setScalar == 0 {
		c.fail(value, "write list.exists(x, x in other)", "%s is %s, and only single values can be looked up",
			c.brief(value), have)
	}
	c.expr(value, want&setScalar)
}

func (c *kindCheck) memberOf(list *Expr, hint string) {
	failed := c.err != nil
	c.expr(list, setList)
	if !failed && c.err != nil && c.err.Hint == "" {
		c.err.Hint = hint
	}
}

// elementKinds returns what the elements of a list can be.
func elementKinds(list *Expr) kindSet {
	switch {
	case list.Op == OpLinks, list.Op == OpPath && list.Root == RootChain:
		return setString
	case list.Op == OpValues:
		return setScalar
	}
	return setAny
}

func (c *kindCheck) quantifier(e *Expr) {
	c.expr(e.Sub[0], setList)
	id := c.bound
	c.bound++
	c.binders = append(c.binders, id)
	key := varKey + strconv.Itoa(id) + keySep
	if _, seen := c.demands[key]; !seen {
		c.demands[key] = elementKinds(e.Sub[0])
	}
	c.expr(e.Sub[1], setBool)
	c.binders = c.binders[:len(c.binders)-1]
}

// path narrows what a path can be to the kinds in want.
func (c *kindCheck) path(e *Expr, want kindSet) kindSet {
	switch e.Root {
	case RootTool, RootAction, RootAgent, RootTenant, RootRegion, RootChain:
		have := setString
		if e.Root == RootChain {
			have = setList
		}
		if have&want == 0 {
			c.fail(e, "", "%s is %s, where %s is due", c.brief(e), have, want)
		}
		return have
	}
	c.parents(e)
	return c.narrow(e, c.key(e), want)
}

func (c *kindCheck) key(e *Expr) string {
	fields := strings.Join(e.Fields, keySep)
	switch e.Root {
	case RootArgs:
		return argsKey + fields
	case RootClaims:
		return claimsKey + fields
	}
	return varKey + strconv.Itoa(c.binders[e.Var]) + keySep + fields
}

// parents demands that everything above a path is an object.
func (c *kindCheck) parents(e *Expr) {
	first := 1
	if e.Root == RootVar {
		first = 0
	}
	for n := first; n < len(e.Fields); n++ {
		parent := *e
		parent.Op, parent.Fields = OpPath, e.Fields[:n]
		c.narrow(&parent, c.key(&parent), setObject)
	}
}

func (c *kindCheck) narrow(e *Expr, key string, want kindSet) kindSet {
	have, seen := c.demands[key]
	if !seen {
		have = setAny
	}
	if have&want == 0 {
		c.fail(e, "no one value can be both", "%s must be %s here and %s elsewhere in the expression", c.brief(e), want,
			have)
		return have
	}
	if have&want != have || !seen {
		c.demands[key], c.shrunk = have&want, c.shrunk || have&want != have
	}
	return have & want
}

func (c *kindCheck) brief(e *Expr) string {
	if e.Op == OpPath && e.Root == RootVar && e.Offset < len(c.src) {
		e = &Expr{Op: OpPath, Root: RootArgs, Fields: append([]string{wordAt(c.src, e.Offset)}, e.Fields...)}
	}
	return brief(e)
}

// brief returns the text of e for a message.
func brief(e *Expr) string {
	s := e.String()
	if r := []rune(s); len(r) > 40 {
		s = string(r[:37]) + "..."
	}
	return s
}

// ArgKinds returns the kind that e demands of arguments, by dotted path. An argument that may be of several kinds
// there (size(x), or x == y) is not listed; neither is what e reads of a list's elements.
func (e *Expr) ArgKinds() map[string]aegis.Kind {
	c := newKindCheck(nil)
	// Any value will do: what e itself is has been checked.
	if err := c.run(e, setAny); err != nil {
		return nil
	}
	kinds := map[string]aegis.Kind{}
	for key, d := range c.demands {
		path, isArg := strings.CutPrefix(key, argsKey)
		if kind, single := d.single(); isArg && single {
			kinds[strings.ReplaceAll(path, keySep, ".")] = kind
		}
	}
	return kinds
}
