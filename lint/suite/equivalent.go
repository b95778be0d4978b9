package suite

import (
	"slices"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// A bound that approval_needed_if takes over where it would be broken (max_amount: 5000 beside approval_needed_if: amount
// > 5000) can be moved up without a difference. Where those conditions read this one argument only, and compare it with
// constants, that can be decided: nothing changes between two constants, so each constant and each gap between two is
// one case. (Dropped it can not be: it is in error where the argument is missing.)

// lifted returns a proof that a bound says the same when it is moved.
func lifted(c *policy.Conditions, a *policy.Constraint, k *policy.Check, to aegis.Num) func() bool {
	return func() bool {
		l := lifting(c, a)
		if l == nil {
			return false
		}
		l.mark(k.Num)
		l.mark(to)
		return l.everywhere(func(at int) bool {
			return l.lifts(at) || l.breaks(k.Op, at, k.Num) == l.breaks(k.Op, at, to)
		})
	}
}

// liftedOnly returns a proof that else: approval changes nothing, because every check is a bound that is always lifted.
func liftedOnly(c *policy.Conditions, a *policy.Constraint) func() bool {
	return func() bool {
		l := lifting(c, a)
		if l == nil || a.Each != nil || a.Args != nil {
			return false
		}
		for _, k := range a.Checks {
			switch k.Op {
			case policy.CheckType, policy.CheckInteger:
				continue
			case policy.CheckMax, policy.CheckMin:
				l.mark(k.Num)
			default:
				return false
			}
		}
		return l.everywhere(func(at int) bool {
			return l.lifts(at) || !slices.ContainsFunc(a.Checks, func(k *policy.Check) bool {
				return (k.Op == policy.CheckMax || k.Op == policy.CheckMin) && l.breaks(k.Op, at, k.Num)
			})
		})
	}
}

// lifter is the conditions that lift breaches of an argument's bounds, and the constants that matter, sorted. A place is
// 2i+1 at constant i, and 2i below it.
type lifter struct {
	path      []string
	when      []*policy.Expr
	constants []aegis.Num
}

// lifting returns the lifter of a top-level argument, or nil where its conditions read anything else.
func lifting(c *policy.Conditions, a *policy.Constraint) *lifter {
	l := &lifter{path: a.Path}
	for _, k := range c.ApprovalIf {
		paths := k.Expr.ArgPaths()
		if !slices.ContainsFunc(paths, func(p []string) bool { return slices.Equal(p, a.Path) }) {
			continue
		}
		if !l.simple(k.Expr) {
			return nil
		}
		l.when = append(l.when, k.Expr)
	}
	if l.when == nil {
		return nil
	}
	return l
}

// simple reports whether an expression compares the argument with constants and nothing else, and marks those.
func (l *lifter) simple(e *policy.Expr) bool {
	switch e.Op {
	case policy.OpAnd, policy.OpOr, policy.OpNot:
		return !slices.ContainsFunc(e.Sub, func(s *policy.Expr) bool { return !l.simple(s) })
	case policy.OpEq, policy.OpNe, policy.OpLt, policy.OpLe, policy.OpGt, policy.OpGe:
		for i, s := range e.Sub {
			other := e.Sub[1-i]
			if s.Op == policy.OpPath && s.Root == policy.RootArgs && slices.Equal(s.Fields, l.path) &&
				other.Op == policy.OpLiteral && other.Lit.Kind == aegis.Number {
				l.mark(other.Lit.Num)
				return true
			}
		}
	}
	return false
}

func (l *lifter) mark(n aegis.Num) {
	i, found := slices.BinarySearchFunc(l.constants, n, aegis.Num.Cmp)
	if !found {
		l.constants = slices.Insert(l.constants, i, n)
	}
}

func (l *lifter) everywhere(holds func(at int) bool) bool {
	for at := range 2*len(l.constants) + 1 {
		if !holds(at) {
			return false
		}
	}
	return true
}

// place returns where a constant is.
func (l *lifter) place(n aegis.Num) int {
	i, _ := slices.BinarySearchFunc(l.constants, n, aegis.Num.Cmp)
	return 2*i + 1
}

func (l *lifter) breaks(op policy.CheckOp, at int, bound aegis.Num) bool {
	if op == policy.CheckMax {
		return at > l.place(bound)
	}
	return at < l.place(bound)
}

func (l *lifter) lifts(at int) bool {
	return slices.ContainsFunc(l.when, func(e *policy.Expr) bool { return l.holds(e, at) })
}

func (l *lifter) holds(e *policy.Expr, at int) bool {
	switch e.Op {
	case policy.OpAnd:
		return l.holds(e.Sub[0], at) && l.holds(e.Sub[1], at)
	case policy.OpOr:
		return l.holds(e.Sub[0], at) || l.holds(e.Sub[1], at)
	case policy.OpNot:
		return !l.holds(e.Sub[0], at)
	}
	left, right := at, at
	if e.Sub[0].Op == policy.OpLiteral {
		left = l.place(e.Sub[0].Lit.Num)
	} else {
		right = l.place(e.Sub[1].Lit.Num)
	}
	return map[policy.Op]bool{policy.OpEq: left == right, policy.OpNe: left != right, policy.OpLt: left < right,
		policy.OpLe: left <= right, policy.OpGt: left > right, policy.OpGe: left >= right}[e.Op]
}
