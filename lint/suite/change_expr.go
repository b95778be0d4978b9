package suite

import (
	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// near is what an operator is mistaken for.
var near = map[policy.Op][]policy.Op{
	policy.OpLt: {policy.OpLe}, policy.OpLe: {policy.OpLt}, policy.OpGt: {policy.OpGe}, policy.OpGe: {policy.OpGt},
	policy.OpEq: {policy.OpNe}, policy.OpNe: {policy.OpEq}, policy.OpAnd: {policy.OpOr}, policy.OpOr: {policy.OpAnd},
	policy.OpAdd: {policy.OpSub}, policy.OpSub: {policy.OpAdd}, policy.OpMul: {policy.OpAdd},
	policy.OpExists: {policy.OpAll}, policy.OpAll: {policy.OpExists},
}

// expression changes each node of an expression to one of the same kind.
func (m *mutator) expression(r ref, e *policy.Expr) {
	x := &mutation{m, r, e, e.String()}
	switch e.Op {
	case policy.OpLt, policy.OpLe, policy.OpGt, policy.OpGe:
		x.replace(e, policy.Expr{Op: policy.OpNot, Sub: []*policy.Expr{clone(e)}})
	}
	x.node(e, false)
}

// mutation is the changes of one expression.
type mutation struct {
	*mutator
	r    ref
	root *policy.Expr
	text string
}

// node changes a node; below a not, what negates it is the change of the not already.
func (m *mutation) node(e *policy.Expr, negated bool) {
	for _, op := range near[e.Op] {
		to := *e
		to.Op = op
		m.replace(e, to)
	}
	switch e.Op {
	case policy.OpAnd, policy.OpOr:
		for _, s := range e.Sub {
			m.replace(e, *s)
		}
	case policy.OpNot:
		m.replace(e, *e.Sub[0])
	case policy.OpIn, policy.OpHas, policy.OpStarts, policy.OpEnds, policy.OpContains, policy.OpMatches, policy.OpInCIDR,
		policy.OpSeen, policy.OpTainted, policy.OpExists, policy.OpAll:
		if !negated {
			m.replace(e, policy.Expr{Op: policy.OpNot, Sub: []*policy.Expr{clone(e)}})
		}
	case policy.OpLiteral:
		m.literal(e)
	case policy.OpList:
		m.listLiteral(e)
	case policy.OpHour, policy.OpWeekday:
		if e.Lit.Str != "UTC" {
			to := *e
			to.Lit.Str = "UTC"
			m.replace(e, to)
		}
	}
	switch e.Op {
	case policy.OpStarts, policy.OpEnds, policy.OpContains, policy.OpMatches:
		if e.Lit.Str != "" {
			to := *e
			to.Lit.Str = ""
			m.replace(e, to)
		}
	}
	for _, s := range e.Sub {
		m.node(s, e.Op == policy.OpNot)
	}
}

func (m *mutation) literal(e *policy.Expr) {
	to := *e
	switch e.Lit.Kind {
	case aegis.Number:
		for _, n := range moved(e.Lit.Num, e.Lit.Num.Decimals()) {
			to.Lit.Num = n
			m.replace(e, to)
		}
	case aegis.Bool:
		to.Lit.Bool = !e.Lit.Bool
		m.replace(e, to)
	}
}

func (m *mutation) listLiteral(e *policy.Expr) {
	for _, i := range sample(len(e.List)) {
		if len(e.List) > 1 {
			to := *e
			to.List = without(e.List, i)
			m.replace(e, to)
		}
	}
}

// replace notes a change of one node. The expression is shown as a whole, before and after.
func (m *mutation) replace(at *policy.Expr, to policy.Expr) {
	was := *at
	*at = to
	text := m.root.String()
	*at = was
	assign(m.mutator, m.r, text+" instead of "+m.text, at, to)
}

// clone copies a node, so that it can stand below the one that takes its place.
func clone(e *policy.Expr) *policy.Expr {
	c := *e
	return &c
}
