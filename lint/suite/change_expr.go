package suite

import (
	"fmt"

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
	switch e.Op {
	case policy.OpLt, policy.OpLe, policy.OpGt, policy.OpGe:
		m.replace(r, e, policy.Expr{Op: policy.OpNot, Sub: []*policy.Expr{clone(e)}})
	}
	m.node(r, e)
}

func (m *mutator) node(r ref, e *policy.Expr) {
	for _, op := range near[e.Op] {
		to := *e
		to.Op = op
		m.replace(r, e, to)
	}
	switch e.Op {
	case policy.OpAnd, policy.OpOr:
		for _, s := range e.Sub {
			m.replace(r, e, *s)
		}
	case policy.OpNot:
		m.replace(r, e, *e.Sub[0])
	case policy.OpIn, policy.OpHas, policy.OpStarts, policy.OpEnds, policy.OpContains, policy.OpMatches, policy.OpInCIDR,
		policy.OpSeen, policy.OpTainted, policy.OpExists, policy.OpAll:
		m.replace(r, e, policy.Expr{Op: policy.OpNot, Sub: []*policy.Expr{clone(e)}})
	case policy.OpLiteral:
		m.literal(r, e)
	case policy.OpList:
		m.listLiteral(r, e)
	case policy.OpHour, policy.OpWeekday:
		if e.Lit.Str != "UTC" {
			to := *e
			to.Lit.Str = "UTC"
			m.replace(r, e, to)
		}
	}
	switch e.Op {
	case policy.OpStarts, policy.OpEnds, policy.OpContains, policy.OpMatches:
		if e.Lit.Str != "" {
			to := *e
			to.Lit.Str = ""
			m.replace(r, e, to)
		}
	}
	for _, s := range e.Sub {
		m.node(r, s)
	}
}

func (m *mutator) literal(r ref, e *policy.Expr) {
	to := *e
	switch e.Lit.Kind {
	case aegis.Number:
		for _, n := range moved(e.Lit.Num, e.Lit.Num.Decimals()) {
			to.Lit.Num = n
			m.replace(r, e, to)
		}
	case aegis.Bool:
		to.Lit.Bool = !e.Lit.Bool
		m.replace(r, e, to)
	}
}

func (m *mutator) listLiteral(r ref, e *policy.Expr) {
	for _, i := range sample(len(e.List)) {
		if len(e.List) > 1 {
			to := *e
			to.List = without(e.List, i)
			assign(m, r, "a list without "+show(e.List[i]), e, to)
		}
	}
}

// replace notes a change of one node. Both forms are shown as they would be written.
func (m *mutator) replace(r ref, at *policy.Expr, to policy.Expr) {
	assign(m, r, fmt.Sprintf("%s instead of %s", to.String(), at.String()), at, to)
}

// clone copies a node, so that it can stand below the one that takes its place.
func clone(e *policy.Expr) *policy.Expr {
	c := *e
	return &c
}
