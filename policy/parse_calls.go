package policy

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // so that a zone means the same on every machine that has none of its own

	"cel.dev/cel-go/common/ast"

	"github.com/aegisctl/aegis"
)

// unknown explains why a call cannot be made.
func (t *translator) unknown(e ast.Expr, name string) (*Expr, *ExprError) {
	fail := func(hint, msg string) (*Expr, *ExprError) { return nil, &ExprError{t.calleeOffset(e), msg, hint} }
	if u, known := usage[name]; known {
		return fail("write "+u, name+" is called in another way")
	}
	if hint, refused := refusedCalls[name]; refused {
		return fail(hint, name+"() is not in the language")
	}
	return fail(didYouMean(name, slices.Sorted(maps.Keys(usage))), fmt.Sprintf("there is no function %.60s", name))
}

// calleeOffset returns where the name before the parenthesis of a call begins.
func (t *translator) calleeOffset(e ast.Expr) int {
	i := t.start(e)
	for i > 0 && strings.ContainsRune(" \t\r\n\f", t.src[i-1]) {
		i--
	}
	for i > 0 && isWordRune(t.src[i-1]) {
		i--
	}
	return i
}

// function translates host(x) and its like.
func (t *translator) function(e ast.Expr, c ast.CallExpr) (*Expr, *ExprError) {
	op, ok := functionOps[c.FunctionName()]
	want := 1
	if op == OpInCIDR {
		want = 2
	}
	if !ok || len(c.Args()) != want {
		return t.unknown(e, c.FunctionName())
	}
	operand, err := t.expr(c.Args()[0])
	if err != nil {
		return nil, err
	}
	x := t.node(e, op, operand)
	x.Offset = min(x.Offset, t.calleeOffset(e))
	switch op {
	case OpHas:
		return t.has(x)
	case OpInCIDR:
		x.Lit, err = t.network(c.Args()[1])
	case OpSize:
		err = t.noLiteralList(operand)
	}
	return x, err
}

func (t *translator) has(x *Expr) (*Expr, *ExprError) {
	p := x.Sub[0]
	if p.Op != OpPath || len(p.Fields) == 0 {
		return nil, &ExprError{p.Offset, "has takes an argument, a claim or a field, and " + brief(p) + " is none",
			"write has(name) or has(a.b)"}
	}
	return &Expr{Op: OpHas, Offset: x.Offset, Root: p.Root, Fields: p.Fields, Var: p.Var}, nil
}

// noLiteralList keeps literal lists where they have a purpose: on the right of in.
func (t *translator) noLiteralList(x *Expr) *ExprError {
	if x.Op == OpList {
		return &ExprError{x.Offset, "a list of constants stands only on the right of in", "write x in [...]"}
	}
	return nil
}

// method translates x.startsWith("a") and its like, and what session and time can be asked.
func (t *translator) method(e ast.Expr, c ast.CallExpr) (*Expr, *ExprError) {
	name, target, args := c.FunctionName(), c.Target(), c.Args()
	if target.Kind() == ast.IdentKind {
		switch target.AsIdent() {
		case "session":
			return t.session(e, c)
		case "time":
			return t.time(e, c)
		}
	}
	op, ok := methodOps[name]
	want := 1
	switch op {
	case OpSize, OpLower:
		want = 0
	case OpExists, OpAll:
		want = 2
	}
	if !ok || len(args) != want {
		return t.unknown(e, name)
	}
	operand, err := t.expr(target)
	if err != nil {
		return nil, err
	}
	x := t.node(e, op, operand)
	switch op {
	case OpSize:
		err = t.noLiteralList(operand)
	case OpExists, OpAll:
		return t.quantifier(x, args[0], args[1])
	case OpStarts, OpEnds, OpContains, OpMatches:
		if x.Lit, err = t.text(args[0], usage[name]); err == nil && op == OpMatches {
			if e := checkRE2(x.Lit.Str); e != nil {
				_, err = t.fail(args[0], "patterns are RE2: https://github.com/google/re2/wiki/Syntax", "%s", e)
			}
		}
	}
	return x, err
}

func (t *translator) quantifier(x *Expr, v, body ast.Expr) (*Expr, *ExprError) {
	if err := t.noLiteralList(x.Sub[0]); err != nil {
		err.Hint = "write x in [...]"
		return nil, err
	}
	if v.Kind() != ast.IdentKind || strings.HasPrefix(v.AsIdent(), ".") {
		return t.fail(v, "write list.exists(x, x > 0)", "the first part must be a new name for the elements")
	}
	name := v.AsIdent()
	if slices.Contains(reservedNames, name) {
		return t.fail(v, "choose another name", "%s is reserved and cannot name an element", name)
	}
	x.Var = len(t.vars)
	t.vars = append(t.vars, name)
	b, err := t.expr(body)
	t.vars = t.vars[:x.Var]
	if err != nil {
		return nil, err
	}
	x.Sub = append(x.Sub, b)
	return x, nil
}

// text reads an operand that must be a constant string.
func (t *translator) text(e ast.Expr, use string) (Literal, *ExprError) {
	x, err := t.expr(e)
	if err != nil {
		return Literal{}, err
	}
	if x.Op != OpLiteral || x.Lit.Kind != aegis.String {
		_, err = t.fail(e, "write "+use, "%s is no constant text, and only that can stand here", brief(x))
		return Literal{}, err
	}
	return x.Lit, nil
}

// network reads a network that is written in its one canonical form.
func (t *translator) network(e ast.Expr) (Literal, *ExprError) {
	l, err := t.text(e, usage["inCIDR"])
	if err != nil {
		return l, err
	}
	p, perr := netip.ParsePrefix(l.Str)
	switch {
	case perr != nil:
		_, err = t.fail(e, `write "10.0.0.0/8" or "2001:db8::/32"`, "%q is no network", l.Str)
	case p.Addr().Is4In6():
		_, err = t.fail(e, "write it as an IPv4 network", "%q is IPv4 inside IPv6, which no address is compared as",
			l.Str)
	case p.Masked().String() != l.Str:
		_, err = t.fail(e, "write "+p.Masked().String(), "%q is not the canonical text of a network", l.Str)
	}
	return l, err
}

func (t *translator) time(e ast.Expr, c ast.CallExpr) (*Expr, *ExprError) {
	op, ok := timeOps[c.FunctionName()]
	if !ok || len(c.Args()) != 1 {
		return t.unknown(e, c.FunctionName())
	}
	zone, err := t.text(c.Args()[0], usage[c.FunctionName()])
	if err != nil {
		return nil, err
	}
	// The empty name and Local are what the machine is set to; a policy means the same everywhere.
	if _, bad := time.LoadLocation(zone.Str); bad != nil || zone.Str == "" || zone.Str == "Local" {
		return t.fail(c.Args()[0], `write a name such as "UTC" or "Europe/Berlin"`, "%q is no time zone", zone.Str)
	}
	return &Expr{Op: op, Offset: t.start(c.Target()), Lit: zone}, nil
}

func (t *translator) session(e ast.Expr, c ast.CallExpr) (*Expr, *ExprError) {
	name := c.FunctionName()
	op, ok := sessionOps[name]
	want := 1
	if op == OpSum || op == OpValues {
		want = 2
	}
	if !ok || len(c.Args()) != want {
		return t.unknown(e, name)
	}
	x := &Expr{Op: op, Offset: t.start(c.Target())}
	for i, a := range c.Args() {
		l, err := t.text(a, usage[name])
		if err != nil {
			return nil, err
		}
		problem := ""
		switch {
		case op == OpTainted:
			x.Feature = &Feature{Kind: FeatureTaint, Taint: l.Str}
			if !aegis.ValidPolicyName(l.Str) {
				problem = "that cannot be the name of a taint"
			}
		case i == 0:
			x.Feature = new(Feature)
			*x.Feature, problem = feature(l.Str)
			x.Feature.Kind = map[Op]FeatureKind{OpSum: FeatureSum, OpValues: FeatureValues}[op]
		default:
			x.Feature.Arg = l.Str
			if !validArgPath(l.Str) {
				problem = "that is no argument"
			}
		}
		if problem != "" {
			return t.fail(a, "write "+usage[name], "%q: %s", l.Str, problem)
		}
	}
	return x, nil
}

// validArgPath reports whether s names an argument, or with points between its parts a member of one. A # would blur
// where the argument begins in the feature's key.
func validArgPath(s string) bool {
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || strings.ContainsFunc(part, func(r rune) bool { return r < ' ' || r == 0x7f }) ||
			strings.ContainsAny(part, "#*") {
			return false
		}
	}
	return true
}
