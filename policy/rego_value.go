package policy

import (
	"strings"

	"github.com/aegisctl/aegis"
)

// path returns the reference for a path; it has no value where something on the way is missing.
func (x *regoExpr) path(e *Expr) string {
	switch e.Root {
	case RootArgs:
		return regoPath("input.args", e.Fields)
	case RootClaims:
		return regoPath("input.claims", e.Fields)
	case RootVar:
		return regoPath(x.bound[e.Var].value, e.Fields)
	case RootChain:
		return "chain"
	case RootAction:
		return "action"
	case RootTool:
		return "input.tool"
	case RootAgent:
		return "input.agent"
	case RootTenant:
		return "input.tenant"
	}
	return "input.region"
}

// regoFeature returns the reference for what the facts say of a session's earlier calls.
func regoFeature(kind string, f Feature) string {
	return regoPath("input.facts.session."+kind, []string{f.Key()})
}

// operand returns a term that has the expression's value where that is of the kind, after statements that hold just
// then. It is false where the value never is.
func (x *regoExpr) operand(e *Expr, k aegis.Kind) (conj, string, bool) {
	if known := x.kindOf(e); known != aegis.Absent && known != k {
		return nil, "", false
	}
	switch e.Op {
	case OpPath:
		return x.read(e, k)
	case OpLiteral:
		text := regoLiteral(e.Lit)
		if text[0] == '-' { // a statement that begins so would join the one before it
			return x.assign(nil, text)
		}
		return nil, text, true
	case OpList:
		return nil, "[" + strings.Join(literalTexts(e.List), ", ") + "]", true
	case OpValues:
		term := regoFeature("values", *e.Feature)
		return conj{"is_array(" + term + ")"}, term, true
	case OpCount:
		return nil, x.g.number(regoFeature("count", *e.Feature)), true
	case OpSum:
		return nil, x.g.number(regoFeature("sum", *e.Feature)), true
	case OpUnix:
		return nil, "unix", true
	case OpHour, OpWeekday:
		f := map[Op]string{OpHour: "hour", OpWeekday: "weekday"}[e.Op]
		return x.assign(nil, f+"("+regoQuote(e.Lit.Str)+")")
	case OpAdd, OpSub, OpMul:
		pa, ta, ok := x.operand(e.Sub[0], aegis.Number)
		pb, tb, ok2 := x.operand(e.Sub[1], aegis.Number)
		f := map[Op]string{OpAdd: "add", OpSub: "subtract", OpMul: "multiply"}[e.Op]
		if !ok || !ok2 {
			return nil, "", false
		}
		return x.assign(append(pa, pb...), f+"("+ta+", "+tb+")")
	case OpSize:
		return x.size(e.Sub[0])
	case OpLower, OpHost, OpDomain, OpLinks:
		body, term, ok := x.operand(e.Sub[0], aegis.String)
		if !ok {
			return nil, "", false
		}
		f := map[Op]string{OpLower: "lower_ascii", OpHost: "host", OpDomain: "domain", OpLinks: "links"}[e.Op]
		return x.assign(body, f+"("+term+")")
	}
	return nil, "", false // conditions are used by their rails
}

// assign binds a call to a variable; where the call has no value, nothing holds.
func (x *regoExpr) assign(body conj, call string) (conj, string, bool) {
	v := x.local()
	return append(body, v+" := "+call), v, true
}

// read is operand for a path.
func (x *regoExpr) read(e *Expr, k aegis.Kind) (conj, string, bool) {
	term := x.path(e)
	if k == aegis.Number && e.Root != RootVar {
		return nil, x.g.number(term), true
	}
	// A copy: what a statement says of a reference narrows its type for OPA's compiler, which would refuse another
	// statement that can only hold of another type. Both may well stand in one body, where its other branch never holds.
	v := x.local()
	body := conj{v + " := " + term}
	if k != aegis.Number {
		return append(body, regoIs(k, v)), v, true
	}
	y := x.local()
	return append(body, canonical(v, y)...), y, true
}

// size counts the code points of a string or the elements of a list.
func (x *regoExpr) size(e *Expr) (conj, string, bool) {
	switch k := x.kindOf(e); k {
	case aegis.String, aegis.List:
		body, term, ok := x.operand(e, k)
		if !ok {
			return nil, "", false
		}
		return x.assign(body, "count("+term+")")
	case aegis.Absent:
		return x.assign(nil, "size("+x.path(e)+")")
	}
	return nil, "", false
}
