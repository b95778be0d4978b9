package lint

import (
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var constantCondition = &Rule{
	ID:       "AEG018",
	Name:     "constant-condition",
	Severity: aegis.SeverityWarning,
	Summary:  "a condition that is true, or false, whatever the call is",
	Doc: `avoid: deny_if: "true" in an agent's policy; require: amount > 0 || true
prefer: no entry for what is always denied; no condition that never matters
why: what is not granted is denied, so a constant adds nothing but a riddle, and is often the rest of an experiment. So
is a condition that contradicts itself (amount > 5 && amount < 3) or leaves nothing out (amount > 3 || amount < 5).
Left alone: approval_needed_if: "true" (ask every time), a deny_if: "true" that takes an action out of what another
entry grants, or that stands in a guardrail, and a condition on params, which is a switch.`,
	check: checkConstantCondition,
}

func checkConstantCondition(p *pass) {
	p.conditions(func(c condition) {
		if writtenWithNames(c) {
			return
		}
		value, constant := constantOf(c.Expr)
		if !constant {
			p.reportAlways(c)
			return
		}
		denies := c.use == forDeny && value || c.use == forRequire && !value
		if c.use == forApproval && value || denies && (c.unit.guardrail != nil || takenOut(c)) {
			return
		}
		p.reportAt(c.Pos, c.Rule, constantHints[c.use][value], "%s is always %t: %s", p.key(c.Rule), value, c.Expr)
	})
}

// writtenWithNames reports whether a condition reads params or lists, which makes it a switch.
func writtenWithNames(c condition) bool {
	return strings.Contains(c.Src, "params.") || strings.Contains(c.Src, "lists.")
}

// reportAlways reports a condition that reads the call and still can never be true, or never be false.
func (p *pass) reportAlways(c condition) {
	if oneComparison(c.Expr) {
		return
	}
	w, branches := p.factsOf(c.unit, c.entry), maxBranches
	switch {
	case !w.search([]claim{{c.Expr, true}}, &branches):
		if c.use != forRequire { // AEG019
			p.reportAt(c.Pos, c.Rule, "correct it, or remove it", "%s can never be true%s", p.key(c.Rule), w.because(claim{c.Expr, true}))
		}
	case !w.search([]claim{{c.Expr, false}}, &branches):
		if c.use == forDeny && (c.unit.guardrail != nil || takenOut(c)) {
			return
		}
		p.reportAt(c.Pos, c.Rule, "correct it, or remove it", "%s can never be false: %s", p.key(c.Rule), alwaysMeans[c.use])
	}
}

// oneComparison reports whether an expression compares one argument with one constant, which can go either way.
func oneComparison(e *policy.Expr) bool {
	return flipped[e.Op] != 0 && isArg(e.Sub[0]) && e.Sub[1].Op == policy.OpLiteral
}

// alwaysMeans says what becomes of calls where a condition can never be false. (It can still be in error.)
var alwaysMeans = map[use]string{forRequire: "it requires nothing", forDeny: "every call is denied", forApproval: "every call asks",
	forTier: "it always applies"}

// takenOut reports whether the condition's entry is about calls that another entry grants as well, so that denying
// them says something.
func takenOut(c condition) bool {
	return slices.ContainsFunc(c.unit.beside(c.entry), func(x *policy.Entry) bool {
		return x.Grants && within(c.entry, x) && !within(x, c.entry)
	})
}

const notGranted = "remove the entry: what is not granted is denied"

var constantHints = map[use]map[bool]string{
	forRequire:  {true: "remove it", false: notGranted},
	forDeny:     {true: notGranted, false: "remove it"},
	forApproval: {false: "remove it"},
	forTier:     {true: "remove `when`", false: "remove the approval"},
}

// constantOf returns the value of an expression that has the same whatever it reads.
func constantOf(e *policy.Expr) (value, constant bool) {
	switch e.Op {
	case policy.OpLiteral:
		return e.Lit.Bool, e.Lit.Kind == aegis.Bool
	case policy.OpNot:
		v, ok := constantOf(e.Sub[0])
		return !v, ok
	case policy.OpAnd, policy.OpOr:
		a, okA := constantOf(e.Sub[0])
		b, okB := constantOf(e.Sub[1])
		decides := e.Op == policy.OpOr // true decides or, false decides and, whatever the other side is
		if okA && a == decides || okB && b == decides {
			return decides, true
		}
		return !decides, okA && okB
	case policy.OpEq, policy.OpNe, policy.OpLt, policy.OpLe, policy.OpGt, policy.OpGe:
		return compareConstants(e)
	case policy.OpIn:
		if e.Sub[0].Op != policy.OpLiteral || e.Sub[1].Op != policy.OpList {
			return false, false
		}
		for _, l := range e.Sub[1].List {
			if l.Equal(e.Sub[0].Lit) {
				return true, true
			}
		}
		return false, true
	}
	return false, false
}

func compareConstants(e *policy.Expr) (value, constant bool) {
	a, b := e.Sub[0], e.Sub[1]
	if a.Op != policy.OpLiteral || b.Op != policy.OpLiteral || a.Lit.Kind != b.Lit.Kind {
		return false, false
	}
	var order int
	switch a.Lit.Kind {
	case aegis.Number:
		order = a.Lit.Num.Cmp(b.Lit.Num)
	case aegis.String:
		order = strings.Compare(a.Lit.Str, b.Lit.Str)
	default:
		if a.Lit.Bool != b.Lit.Bool {
			order = 1
		}
	}
	return orderHolds(e.Op, order), true
}
