package policy

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/aegisctl/aegis"
)

// translator turns cel-go's tree into an Expr.
type translator struct {
	src   []rune
	info  *ast.SourceInfo
	names Names
	vars  []string // bound by the enclosing exists and all, outermost first
	depth int
}

func (t *translator) start(e ast.Expr) int {
	r, _ := t.info.GetOffsetRange(e.ID())
	return min(max(int(r.Start), 0), len(t.src))
}

func (t *translator) fail(e ast.Expr, hint, format string, args ...any) (*Expr, *ExprError) {
	return nil, &ExprError{t.start(e), fmt.Sprintf(format, args...), hint}
}

// node returns an operation on subs. Its offset is where its leftmost part begins.
func (t *translator) node(e ast.Expr, op Op, subs ...*Expr) *Expr {
	x := &Expr{Op: op, Offset: t.start(e), Sub: subs}
	for _, s := range subs {
		x.Offset = min(x.Offset, s.Offset)
	}
	return x
}

// expr translates one node and all below it.
func (t *translator) expr(e ast.Expr) (*Expr, *ExprError) {
	// The parser bounds nesting and chains apart from each other; their product is bounded here.
	if t.depth++; t.depth > MaxExprDepth {
		return t.fail(e, "make several conditions of it", "the expression nests deeper than %d", MaxExprDepth)
	}
	defer func() { t.depth-- }()
	switch e.Kind() {
	case ast.LiteralKind:
		return t.literal(e)
	case ast.IdentKind, ast.SelectKind:
		return t.path(e)
	case ast.ListKind:
		return t.list(e)
	case ast.CallKind:
		return t.call(e)
	case ast.MapKind, ast.StructKind:
		return t.fail(e, "compare single arguments", "objects cannot be written in an expression")
	}
	return t.fail(e, "", "this part of CEL is not in the language")
}

func (t *translator) literal(e ast.Expr) (*Expr, *ExprError) {
	x := t.node(e, OpLiteral)
	switch v := e.AsLiteral().(type) {
	case types.Bool:
		x.Lit = Literal{Kind: aegis.Bool, Bool: bool(v)}
	case types.String:
		if !utf8.ValidString(string(v)) {
			return t.fail(e, "", "the string is not valid Unicode")
		}
		x.Lit = Literal{Kind: aegis.String, Str: string(v)}
	case types.Int:
		n, err := t.number(e)
		if err != nil {
			return nil, err
		}
		if !n.IsInt() || n.Int64() != int64(v) {
			return t.fail(e, "", "the number cannot be read")
		}
		x.Lit = Literal{Kind: aegis.Number, Num: n}
	case types.Double:
		n, err := t.number(e)
		if err != nil {
			return nil, err
		}
		if n.Float() != float64(v) {
			return t.fail(e, "", "the number cannot be read")
		}
		x.Lit = Literal{Kind: aegis.Number, Num: n}
	case types.Uint:
		return t.fail(e, "drop the u", "unsigned numbers are not in the language")
	case types.Bytes:
		return t.fail(e, "drop the b before the quotes", "bytes are not in the language")
	case types.Null:
		return t.fail(e, "write has(name), which is false for null and for what is missing",
			"null cannot be compared: reading a null is an error")
	default:
		return t.fail(e, "", "this literal is not in the language")
	}
	return x, nil
}

// number reads the literal's own text, since the parser has rounded its value already: what is not in range as written
// is refused.
func (t *translator) number(e ast.Expr) (aegis.Num, *ExprError) {
	i, sign := t.start(e), ""
	if i < len(t.src) && t.src[i] == '-' {
		sign = "-"
		i = t.skipSpace(i + 1)
	}
	j := i
	for j < len(t.src) {
		c := t.src[j]
		digitNext := j+1 < len(t.src) && '0' <= t.src[j+1] && t.src[j+1] <= '9'
		exponent := j > i && (t.src[j-1] == 'e' || t.src[j-1] == 'E') && !strings.HasPrefix(string(t.src[i:j]), "0x")
		if !(isWordRune(c) || c == '.' && digitNext || (c == '+' || c == '-') && exponent) {
			break
		}
		j++
	}
	text := sign + string(t.src[i:j])
	fail := func(msg, hint string) (aegis.Num, *ExprError) {
		return aegis.Num{}, &ExprError{t.start(e), fmt.Sprintf("the number %.40s %s", text, msg), hint}
	}
	if len(text) > aegis.MaxNumber {
		return fail("is too long", rangeHint)
	}
	if !isJSONNumber(text) {
		return fail("is not written as in JSON",
			"write decimal digits without leading zeros, and a digit before the point")
	}
	n, ok := aegis.ParseNum([]byte(text))
	if !ok {
		return fail("is out of range", rangeHint)
	}
	return n, nil
}

// skipSpace returns the place of the next token.
func (t *translator) skipSpace(i int) int {
	for i < len(t.src) {
		switch {
		case strings.ContainsRune(" \t\r\n\f", t.src[i]):
			i++
		case t.src[i] == '/' && i+1 < len(t.src) && t.src[i+1] == '/':
			for i < len(t.src) && t.src[i] != '\n' {
				i++
			}
		default:
			return i
		}
	}
	return i
}

// isJSONNumber reports whether s is a number in JSON's grammar.
func isJSONNumber(s string) bool {
	digits := func() bool {
		n := len(s)
		s = strings.TrimLeft(s, "0123456789")
		return len(s) < n
	}
	s = strings.TrimPrefix(s, "-")
	if strings.HasPrefix(s, "0") {
		s = s[1:]
	} else if !digits() {
		return false
	}
	if strings.HasPrefix(s, ".") {
		if s = s[1:]; !digits() {
			return false
		}
	}
	if strings.HasPrefix(s, "e") || strings.HasPrefix(s, "E") {
		s = s[1:]
		if s != "" && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		if !digits() {
			return false
		}
	}
	return s == ""
}

func (t *translator) list(e ast.Expr) (*Expr, *ExprError) {
	x := t.node(e, OpList)
	x.List = []Literal{}
	for _, el := range e.AsList().Elements() {
		y, err := t.expr(el)
		if err != nil {
			return nil, err
		}
		if y.Op != OpLiteral {
			return t.fail(el, "write `x == a || x == b`", "a list holds constants only, and %s is none", brief(y))
		}
		if len(x.List) > 0 && x.List[0].Kind != y.Lit.Kind {
			return t.fail(el, "a list is of one kind", "%s is a %s in a list of %ss", brief(y), y.Lit.Kind,
				x.List[0].Kind)
		}
		x.List = append(x.List, y.Lit)
	}
	return x, nil
}

// binary maps the operators with two operands. && and || come with any number of them.
var binary = map[string]Op{operators.Equals: OpEq, operators.NotEquals: OpNe, operators.Less: OpLt,
	operators.LessEquals: OpLe, operators.Greater: OpGt, operators.GreaterEquals: OpGe, operators.Add: OpAdd,
	operators.Subtract: OpSub, operators.Multiply: OpMul, operators.In: OpIn}

// refusedOps are operators of CEL that the language leaves out, with what to say of them.
var refusedOps = map[string][2]string{
	operators.Divide:      {"/ is not in the language", "multiply the other side instead"},
	operators.Modulo:      {"% is not in the language", ""},
	operators.Conditional: {"? : is not in the language", "write a && b || !a && c"},
	operators.Index: {"a[b] is not in the language",
		"write a.b, or a.`b-c` for names with other characters; of a list, exists or all"},
	operators.OptIndex:  {"a[?b] is not in the language", "write has(a.b)"},
	operators.OptSelect: {"a.?b is not in the language", "write has(a.b)"},
}

func (t *translator) call(e ast.Expr) (*Expr, *ExprError) {
	c := e.AsCall()
	name := c.FunctionName()
	if c.IsMemberFunction() {
		return t.method(e, c)
	}
	if r, refused := refusedOps[name]; refused {
		return t.fail(e, r[1], "%s", r[0])
	}
	op, isBinary := binary[name]
	switch {
	case name == operators.LogicalAnd:
		return t.chain(e, OpAnd)
	case name == operators.LogicalOr:
		return t.chain(e, OpOr)
	case !isBinary && name != operators.LogicalNot && name != operators.Negate:
		return t.function(e, c)
	}
	subs := make([]*Expr, len(c.Args()))
	for i, a := range c.Args() {
		var err *ExprError
		if subs[i], err = t.expr(a); err != nil {
			return nil, err
		}
	}
	switch name {
	case operators.LogicalNot:
		return t.node(e, OpNot, subs...), nil
	case operators.Negate:
		return t.negate(e, subs[0])
	case operators.In:
		if l := subs[1]; l.Op == OpLiteral {
			return nil, &ExprError{l.Offset, brief(l) + " is no list",
				`for a part of a text write text.contains("part")`}
		}
	}
	return t.node(e, op, subs...), nil
}

// chain flattens a && b && c, however it was grouped, and builds a balanced tree: Kleene's and and or are associative,
// and depth costs stack in both evaluators.
func (t *translator) chain(e ast.Expr, op Op) (*Expr, *ExprError) {
	var terms []*Expr
	for _, a := range e.AsCall().Args() {
		x, err := t.expr(a)
		if err != nil {
			return nil, err
		}
		terms = x.terms(op, terms)
	}
	return balance(op, terms), nil
}

func (t *translator) negate(e ast.Expr, x *Expr) (*Expr, *ExprError) {
	if x.Op != OpLiteral || x.Lit.Kind != aegis.Number {
		zero := &Expr{Op: OpLiteral, Offset: t.start(e), Lit: Literal{Kind: aegis.Number}}
		return t.node(e, OpSub, zero, x), nil
	}
	text := x.Lit.Num.Text()
	if negated, was := strings.CutPrefix(text, "-"); was {
		text = negated
	} else {
		text = "-" + text
	}
	n, ok := aegis.ParseNum([]byte(text))
	if !ok {
		return t.fail(e, rangeHint, "the number %s is out of range", text)
	}
	y := t.node(e, OpLiteral)
	y.Lit = Literal{Kind: aegis.Number, Num: n}
	return y, nil
}

// splitPath takes apart a.b.c. It is false for fields of anything but a name.
func splitPath(e ast.Expr) (root ast.Expr, fields []string, ok bool) {
	for e.Kind() == ast.SelectKind {
		s := e.AsSelect()
		fields = append(fields, s.FieldName())
		e = s.Operand()
	}
	slices.Reverse(fields)
	return e, fields, e.Kind() == ast.IdentKind
}
