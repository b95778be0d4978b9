package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aegisctl/aegis"
)

// Binding strength of what is printed: an operand weaker than its place asks for is put in parentheses.
const (
	bindOr = iota + 1
	bindAnd
	bindCompare
	bindAdd
	bindMul
	bindUnary
	bindPrimary
)

var infix = map[Op]struct {
	text string
	bind int
}{OpOr: {" || ", bindOr}, OpAnd: {" && ", bindAnd}, OpEq: {" == ", bindCompare}, OpNe: {" != ", bindCompare},
	OpLt: {" < ", bindCompare}, OpLe: {" <= ", bindCompare}, OpGt: {" > ", bindCompare}, OpGe: {" >= ", bindCompare},
	OpIn: {" in ", bindCompare}, OpAdd: {" + ", bindAdd}, OpSub: {" - ", bindAdd}, OpMul: {" * ", bindMul}}

// String returns the expression as CEL in its one canonical form, which ParseExpr reads back to the same tree (offsets
// apart): named lists and parameters are written out, bound variables are called v0, v1 and so on.
func (e *Expr) String() string {
	var b strings.Builder
	e.print(&b, bindOr)
	return b.String()
}

// terms appends the operands of a tree of one associative operator, left to right.
func (e *Expr) terms(op Op, to []*Expr) []*Expr {
	if e.Op != op {
		return append(to, e)
	}
	return e.Sub[1].terms(op, e.Sub[0].terms(op, to))
}

// balance is the inverse of terms: it builds the tree of least depth, the same for the same terms.
func balance(op Op, terms []*Expr) *Expr {
	if len(terms) == 1 {
		return terms[0]
	}
	mid := (len(terms) + 1) / 2
	return &Expr{Op: op, Offset: terms[0].Offset, Sub: []*Expr{balance(op, terms[:mid]), balance(op, terms[mid:])}}
}

func (e *Expr) bind() int {
	if in, ok := infix[e.Op]; ok {
		return in.bind
	}
	if e.Op == OpNot || e.Op == OpLiteral && e.Lit.Kind == aegis.Number && e.Lit.Num.Cmp(aegis.Int(0)) < 0 {
		return bindUnary
	}
	return bindPrimary
}

func (e *Expr) print(b *strings.Builder, place int) {
	if e.bind() < place {
		b.WriteByte('(')
		e.print(b, bindOr)
		b.WriteByte(')')
		return
	}
	if in, ok := infix[e.Op]; ok {
		subs, right := e.Sub, in.bind+1
		if e.Op == OpAnd || e.Op == OpOr {
			subs = e.terms(e.Op, nil)
		}
		for i, s := range subs {
			if i == 0 {
				s.print(b, in.bind)
				continue
			}
			b.WriteString(in.text)
			s.print(b, right)
		}
		return
	}
	switch e.Op {
	case OpPath:
		e.printPath(b)
	case OpLiteral:
		b.WriteString(e.Lit.cel())
	case OpList:
		for i, l := range e.List {
			b.WriteString([2]string{"[", ", "}[min(i, 1)] + l.cel())
		}
		b.WriteString([2]string{"[]", "]"}[min(len(e.List), 1)])
	case OpNot:
		b.WriteByte('!')
		e.Sub[0].print(b, bindPrimary)
	default:
		e.printCall(b)
	}
}

func (e *Expr) printCall(b *strings.Builder) {
	name := functionNames[e.Op]
	switch e.Op {
	case OpHas:
		b.WriteString("has(")
		e.printPath(b)
		b.WriteByte(')')
	case OpSize, OpHost, OpDomain, OpLinks:
		b.WriteString(name + "(")
		e.Sub[0].print(b, bindOr)
		b.WriteByte(')')
	case OpInCIDR:
		b.WriteString("inCIDR(")
		e.Sub[0].print(b, bindOr)
		b.WriteString(", " + quote(e.Lit.Str) + ")")
	case OpStarts, OpEnds, OpContains, OpMatches:
		e.Sub[0].print(b, bindPrimary)
		b.WriteString("." + name + "(" + quote(e.Lit.Str) + ")")
	case OpLower:
		e.Sub[0].print(b, bindPrimary)
		b.WriteString(".lowerAscii()")
	case OpExists, OpAll:
		e.Sub[0].print(b, bindPrimary)
		b.WriteString("." + name + "(v" + strconv.Itoa(e.Var) + ", ")
		e.Sub[1].print(b, bindOr)
		b.WriteByte(')')
	case OpUnix:
		b.WriteString("time.unix")
	case OpHour, OpWeekday:
		b.WriteString("time." + name + "(" + quote(e.Lit.Str) + ")")
	case OpTainted:
		b.WriteString("session.tainted(" + quote(e.Feature.Taint) + ")")
	case OpCount, OpSeen, OpSum, OpValues:
		f := *e.Feature
		arg := f.Arg
		f.Arg = ""
		b.WriteString("session." + name + "(" + quote(f.Key()))
		if arg != "" {
			b.WriteString(", " + quote(arg))
		}
		b.WriteByte(')')
	}
}

func (e *Expr) printPath(b *strings.Builder) {
	fields := e.Fields
	switch e.Root {
	case RootArgs:
		if len(fields) > 0 && isPlainArg(fields[0]) {
			b.WriteString(fields[0])
			fields = fields[1:]
		} else {
			b.WriteString("args")
		}
	case RootVar:
		fmt.Fprintf(b, "v%d", e.Var)
	default:
		b.WriteString([...]string{RootChain: "chain", RootClaims: "claims", RootTool: "tool", RootAction: "action",
			RootAgent: "agent", RootTenant: "tenant", RootRegion: "region"}[e.Root])
	}
	for _, f := range fields {
		if isIdent(f) && f != "in" && f != "true" && f != "false" && f != "null" {
			b.WriteString("." + f)
		} else {
			b.WriteString(".`" + f + "`")
		}
	}
}

// isPlainArg reports whether an argument's bare name means that argument everywhere in a printed expression.
func isPlainArg(s string) bool {
	_, foreign := foreignWords[s]
	asVar := len(s) > 1 && s[0] == 'v' && strings.Trim(s[1:], "0123456789") == ""
	return isIdent(s) && !foreign && !asVar && !slices.Contains(reservedNames, s) && !slices.Contains(celWords, s)
}

func isIdent(s string) bool {
	for i, r := range s {
		if !isWordRune(r) || r == '`' || i == 0 && '0' <= r && r <= '9' {
			return false
		}
	}
	return s != ""
}

// cel returns the literal as CEL writes it.
func (l Literal) cel() string {
	switch l.Kind {
	case aegis.String:
		return quote(l.Str)
	case aegis.Number:
		return l.Num.Text()
	}
	return strconv.FormatBool(l.Bool)
}

// quote returns a CEL string literal of one line.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || 0x7f <= r && r < 0xa0 || r == 0x2028 || r == 0x2029 || r == 0xfeff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
