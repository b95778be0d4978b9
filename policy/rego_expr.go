package policy

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
)

// regoExpr translates one expression. It hands out variables, and writes rules for what does not fit one conjunction.
type regoExpr struct {
	g      *regoGen
	out    *bytes.Buffer
	name   string // what helper rules' names begin with
	locals int
	rules  int
	bound  []regoVar // what enclosing exists and all have bound, by depth
}

// regoVar is a bound variable and the one for its number in the list. A helper rule gets both, so that two elements
// that OPA takes for equal are still two calls.
type regoVar struct {
	index, value string
	kind         aegis.Kind // of the elements where it is known, else Absent
}

// conj is a conjunction of statements: it holds iff all do, in order.
type conj = []string

// always and never are the rails of what needs no proof and of what has none.
var (
	always = []conj{{}}
	never  []conj
)

func (x *regoExpr) local() string {
	x.locals++
	return fmt.Sprintf("x%d", x.locals)
}

// rail returns alternatives that together hold iff the expression is true (want) or false. Where neither rail holds,
// the expression is an error.
func (x *regoExpr) rail(e *Expr, want bool) []conj {
	switch e.Op {
	case OpAnd, OpOr:
		if (e.Op == OpAnd) != want {
			return slices.Concat(x.rail(e.Sub[0], want), x.rail(e.Sub[1], want))
		}
		return x.both(x.rail(e.Sub[0], want), x.rail(e.Sub[1], want))
	case OpNot:
		return x.rail(e.Sub[0], !want)
	case OpEq, OpNe:
		return x.equal(e.Sub[0], e.Sub[1], want == (e.Op == OpEq))
	case OpLt, OpLe, OpGt, OpGe:
		return x.order(e, want)
	case OpIn:
		return x.in(e.Sub[0], e.Sub[1], want)
	case OpHas:
		return x.has(e, want)
	case OpStarts, OpEnds, OpContains, OpMatches:
		return x.textTest(e, want)
	case OpInCIDR:
		return x.network(e, want)
	case OpExists, OpAll:
		return x.fold(e, want)
	case OpSeen:
		op := map[bool]string{true: " > 0", false: " <= 0"}[want]
		return []conj{{x.g.number(regoFeature("count", *e.Feature)) + op}}
	case OpTainted:
		const taints = "input.facts.session.taints"
		if want {
			return []conj{{regoQuote(e.Feature.Taint) + " in " + taints}}
		}
		return []conj{{"is_array(" + taints + ")", "not " + regoQuote(e.Feature.Taint) + " in " + taints}}
	case OpLiteral:
		if e.Lit.Kind == aegis.Bool && e.Lit.Bool == want {
			return always
		}
	case OpPath:
		if k := x.kindOf(e); k == aegis.Absent {
			v := x.local() // a copy, as in read
			return []conj{{v + " := " + x.path(e), fmt.Sprintf("%s == %t", v, want)}}
		}
	}
	return never
}

// both is the conjunction of two rails. Alternatives within it need rules of their own.
func (x *regoExpr) both(a, b []conj) []conj {
	if len(a) == 0 || len(b) == 0 {
		return never
	}
	return []conj{append(x.single(a), x.single(b)...)}
}

// single turns alternatives, of which there is at least one, into one conjunction.
func (x *regoExpr) single(alts []conj) conj {
	if len(alts) == 1 {
		return slices.Clone(alts[0])
	}
	x.rules++
	name := fmt.Sprintf("%s_%d", x.name, x.rules)
	for _, a := range alts {
		var params []string
		for _, v := range x.bound {
			for _, p := range []string{v.index, v.value} {
				if !slices.ContainsFunc(a, func(s string) bool { return regoUses(s, p) }) {
					p = "_"
				}
				params = append(params, p)
			}
		}
		head := name
		if len(params) > 0 {
			head += "(" + strings.Join(params, ", ") + ")"
		}
		regoRule(x.out, head, orTrue(a)...)
	}
	if len(x.bound) == 0 {
		return conj{name}
	}
	var args []string
	for _, v := range x.bound {
		args = append(args, v.index, v.value)
	}
	return conj{name + "(" + strings.Join(args, ", ") + ")"}
}

// kindOf returns the kind of an expression's value where it is known before evaluating, else Absent. Null is the kind
// of what has no value.
func (x *regoExpr) kindOf(e *Expr) aegis.Kind {
	switch e.Op {
	case OpPath:
		switch e.Root {
		case RootArgs, RootClaims:
			return aegis.Absent
		case RootVar:
			k := x.bound[e.Var].kind
			if k != aegis.Absent && len(e.Fields) > 0 {
				return aegis.Null
			}
			return k
		case RootChain:
			return aegis.List
		}
		return aegis.String
	case OpLiteral:
		return e.Lit.Kind
	case OpList, OpValues, OpLinks:
		return aegis.List
	case OpAdd, OpSub, OpMul, OpSize, OpUnix, OpHour, OpWeekday, OpCount, OpSum:
		return aegis.Number
	case OpLower, OpHost, OpDomain:
		return aegis.String
	}
	return aegis.Bool
}

// elementKind returns the kind of a list's elements where it is known, else Absent.
func elementKind(list *Expr) aegis.Kind {
	switch {
	case list.Op == OpList && len(list.List) > 0:
		return list.List[0].Kind
	case list.Op == OpLinks || list.Op == OpPath && list.Root == RootChain:
		return aegis.String
	}
	return aegis.Absent
}

// commonKinds lists the kinds of which both operands may be.
func (x *regoExpr) commonKinds(a, b *Expr, of ...aegis.Kind) []aegis.Kind {
	return slices.DeleteFunc(of, func(k aegis.Kind) bool {
		ka, kb := x.kindOf(a), x.kindOf(b)
		return ka != aegis.Absent && ka != k || kb != aegis.Absent && kb != k
	})
}

// equal is the rail of a == b, or with want false of a != b.
func (x *regoExpr) equal(a, b *Expr, want bool) []conj {
	var alts []conj
	for _, k := range x.commonKinds(a, b, aegis.String, aegis.Number, aegis.Bool) {
		if k == aegis.Bool {
			alts = append(alts, x.both(x.rail(a, true), x.rail(b, want))...)
			alts = append(alts, x.both(x.rail(a, false), x.rail(b, !want))...)
			continue
		}
		op := map[bool]string{true: " == ", false: " != "}[want]
		alts = append(alts, x.compare(a, b, k, op)...)
	}
	return alts
}

func (x *regoExpr) compare(a, b *Expr, k aegis.Kind, op string) []conj {
	pa, ta, ok := x.operand(a, k)
	pb, tb, ok2 := x.operand(b, k)
	if !ok || !ok2 {
		return never
	}
	return []conj{append(append(pa, pb...), ta+op+tb)}
}

func (x *regoExpr) order(e *Expr, want bool) []conj {
	op := map[bool]map[Op]string{
		true:  {OpLt: " < ", OpLe: " <= ", OpGt: " > ", OpGe: " >= "},
		false: {OpLt: " >= ", OpLe: " > ", OpGt: " <= ", OpGe: " < "},
	}[want][e.Op]
	var alts []conj
	for _, k := range x.commonKinds(e.Sub[0], e.Sub[1], aegis.String, aegis.Number) {
		alts = append(alts, x.compare(e.Sub[0], e.Sub[1], k, op)...)
	}
	return alts
}

// has needs an object to look in, where it is a reference that tells true from the rest.
func (x *regoExpr) has(e *Expr, want bool) []conj {
	if e.Root == RootVar && x.bound[e.Var].kind != aegis.Absent {
		return never
	}
	last := len(e.Fields) - 1
	parent := x.path(&Expr{Op: OpPath, Root: e.Root, Var: e.Var, Fields: e.Fields[:last]})
	if want {
		return []conj{{regoPath(parent, e.Fields[last:]) + " != null"}}
	}
	return []conj{{"is_object(" + parent + ")", "object.get(" + parent + ", " + regoQuote(e.Fields[last]) + ", null) == null"}}
}

// not negates a test that cannot fail.
func not(want bool, test string) string {
	if want {
		return test
	}
	return "not " + test
}

func (x *regoExpr) textTest(e *Expr, want bool) []conj {
	body, term, ok := x.operand(e.Sub[0], aegis.String)
	if !ok {
		return never
	}
	lit := regoQuote(e.Lit.Str)
	var test string
	switch e.Op {
	case OpStarts:
		test = "startswith(" + term + ", " + lit + ")"
	case OpEnds:
		test = "endswith(" + term + ", " + lit + ")"
	case OpContains:
		test = "contains(" + term + ", " + lit + ")"
	default:
		test = "regex.match(" + lit + ", " + term + ")"
	}
	return []conj{append(body, not(want, test))}
}

// network is the rail of inCIDR. An address of the other family is in no network; one that is mapped is no address.
func (x *regoExpr) network(e *Expr, want bool) []conj {
	body, term, ok := x.operand(e.Sub[0], aegis.String)
	net, err := netip.ParsePrefix(e.Lit.Str)
	if !ok || err != nil {
		return never
	}
	own, other := "ipv4("+term+")", "ipv6("+term+")"
	if !net.Addr().Is4() {
		own, other = other, own
	}
	test := "net.cidr_contains(" + regoQuote(net.Masked().String()) + ", " + term + ")"
	if net.Addr().Is4In6() {
		test = "false"
	}
	if want {
		return []conj{append(body, own, test)}
	}
	return []conj{append(slices.Clone(body), own, "not "+test), append(slices.Clone(body), other)}
}

// fold is the rail of exists and all.
func (x *regoExpr) fold(e *Expr, want bool) []conj {
	body, list, ok := x.operand(e.Sub[0], aegis.List)
	if !ok {
		return never
	}
	x.locals++
	v := regoVar{fmt.Sprintf("i%d", x.locals), fmt.Sprintf("v%d", x.locals), elementKind(e.Sub[0])}
	x.bound = append(x.bound, v)
	alts := x.rail(e.Sub[1], want)
	if (e.Op == OpExists) == want { // one element decides
		x.bound = x.bound[:len(x.bound)-1]
		var out []conj
		for _, a := range alts {
			out = append(out, slices.Concat(body, conj{"some " + v.vars(a) + " in " + list}, a))
		}
		return out
	}
	if len(alts) == 0 { // no element may be there
		x.bound = x.bound[:len(x.bound)-1]
		return []conj{append(body, "count("+list+") == 0")}
	}
	inner := orTrue(x.single(alts))
	x.bound = x.bound[:len(x.bound)-1]
	return []conj{append(body, "every "+v.vars(inner)+" in "+list+" {\n\t\t"+
		strings.ReplaceAll(strings.Join(inner, "\n"), "\n", "\n\t\t")+"\n\t}")}
}

// vars writes the variables of a loop over statements.
func (v regoVar) vars(body conj) string {
	return loopVars(v.index+", "+v.value, func(name string) bool {
		return slices.ContainsFunc(body, func(s string) bool { return regoUses(s, name) })
	})
}

// in is the rail of `a in list`.
func (x *regoExpr) in(a, list *Expr, want bool) []conj {
	if list.Op == OpList {
		return x.inLiterals(a, list.List, want)
	}
	var alts []conj
	for _, k := range x.commonKinds(a, a, aegis.String, aegis.Number, aegis.Bool) {
		if k != aegis.Bool {
			body, term, ok := x.operand(a, k)
			if ok {
				alts = append(alts, x.member(body, term, k, list, want)...)
			}
			continue
		}
		for _, b := range []bool{true, false} {
			alts = append(alts, x.both(x.rail(a, b), x.member(nil, fmt.Sprint(b), k, list, want))...)
		}
	}
	return alts
}

// member is the rail of a term of a known kind in a list. It is false only if every element is of that kind.
func (x *regoExpr) member(body conj, term string, k aegis.Kind, list *Expr, want bool) []conj {
	more, l, ok := x.operand(list, aegis.List)
	if !ok {
		return never
	}
	body = append(slices.Clone(body), more...)
	if of := elementKind(list); of != aegis.Absent && of != k { // comparing would be an error, for us and for OPA's compiler
		if want {
			return never
		}
		return []conj{append(body, regoIs(k, term), "count("+l+") == 0")}
	}
	if want {
		return []conj{append(body, term+" in "+l)}
	}
	v := x.local()
	same := regoIs(k, v)
	if k == aegis.Number {
		same = strings.Join(append(inRange(v), v+" in {floor("+v+"), to_number(sprintf(\"%v\", ["+v+"]))}"), "\n\t\t")
		same = "\n\t\t" + same + "\n\t"
	} else {
		same = " " + same + " "
	}
	return []conj{append(body, regoIs(k, term), "not "+term+" in "+l, "every "+v+" in "+l+" {"+same+"}")}
}

// inLiterals is the rail of a value in a list of literals of one kind. In an empty list there is no kind, and no value.
func (x *regoExpr) inLiterals(a *Expr, ls []Literal, want bool) []conj {
	var alts []conj
	for _, k := range x.commonKinds(a, a, aegis.String, aegis.Number, aegis.Bool) {
		switch {
		case len(ls) == 0 && want || len(ls) > 0 && ls[0].Kind != k:
		case k == aegis.Bool:
			for _, b := range []bool{true, false} {
				if slices.ContainsFunc(ls, func(l Literal) bool { return l.Bool == b }) == want {
					alts = append(alts, x.rail(a, b)...)
				}
			}
		default:
			body, term, ok := x.operand(a, k)
			switch {
			case !ok:
			case len(ls) == 0:
				alts = append(alts, append(body, regoIs(k, term)))
			case want:
				alts = append(alts, append(body, term+" in "+x.g.literals(ls)))
			default:
				alts = append(alts, append(body, regoIs(k, term), "not "+term+" in "+x.g.literals(ls)))
			}
		}
	}
	return alts
}
