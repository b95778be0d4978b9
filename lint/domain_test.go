package lint

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// What possible rules out, no value satisfies: checked by trying the numbers around every bound, on random conditions
// over two arguments.
func TestPossibleNeverRulesOutWhatHolds(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	ruledOut := 0
	for range 20000 {
		src := condition2(r, 3)
		e, err := policy.ParseExpr(src, policy.Names{})
		if err != nil {
			t.Fatalf("%s: %v", src, err)
		}
		want := r.IntN(2) == 0
		holds := false
		for a := -1; a <= 9 && !holds; a++ {
			for b := -1; b <= 9 && !holds; b++ {
				holds = truth(e, map[string]float64{"a": float64(a) / 2, "b": float64(b) / 2}) == want
			}
		}
		possible := world{}.possible(claim{e, want})
		if !possible && holds {
			t.Fatalf("%s = %t is ruled out, and holds", src, want)
		}
		if possible && !holds {
			t.Fatalf("%s = %t is not ruled out, and no value satisfies it", src, want)
		}
		if !possible {
			ruledOut++
		}
	}
	if ruledOut < 1000 {
		t.Errorf("only %d of the conditions were ruled out: the test tests little", ruledOut)
	}
}

// condition2 returns a random condition over a and b with bounds from 0 to 3.
func condition2(r *rand.Rand, depth int) string {
	if depth == 0 || r.IntN(4) == 0 {
		arg := []string{"a", "b"}[r.IntN(2)]
		switch op := []string{"==", "!=", "<", "<=", ">", ">=", "in"}[r.IntN(7)]; {
		case op == "in":
			return fmt.Sprintf("%s in [%d, %d]", arg, r.IntN(4), r.IntN(4))
		case r.IntN(2) == 0:
			return fmt.Sprintf("%s %s %d", arg, op, r.IntN(4))
		default:
			return fmt.Sprintf("%d %s %s", r.IntN(4), op, arg)
		}
	}
	switch r.IntN(5) {
	case 0:
		return "!(" + condition2(r, depth-1) + ")"
	case 1, 2:
		return "(" + condition2(r, depth-1) + " || " + condition2(r, depth-1) + ")"
	}
	return "(" + condition2(r, depth-1) + " && " + condition2(r, depth-1) + ")"
}

// truth evaluates such a condition.
func truth(e *policy.Expr, args map[string]float64) bool {
	number := func(x *policy.Expr) float64 {
		if isArg(x) {
			return args[x.Fields[0]]
		}
		return x.Lit.Num.Float()
	}
	switch e.Op {
	case policy.OpAnd:
		return truth(e.Sub[0], args) && truth(e.Sub[1], args)
	case policy.OpOr:
		return truth(e.Sub[0], args) || truth(e.Sub[1], args)
	case policy.OpNot:
		return !truth(e.Sub[0], args)
	case policy.OpIn:
		for _, l := range e.Sub[1].List {
			if l.Num.Float() == number(e.Sub[0]) {
				return true
			}
		}
		return false
	}
	a, b := number(e.Sub[0]), number(e.Sub[1])
	return map[policy.Op]bool{policy.OpEq: a == b, policy.OpNe: a != b, policy.OpLt: a < b, policy.OpLe: a <= b,
		policy.OpGt: a > b, policy.OpGe: a >= b}[e.Op]
}

// A condition with more alternatives than are followed is not decided, and costs little.
func TestPossibleGivesUp(t *testing.T) {
	var parts []string
	for i := range 60 {
		parts = append(parts, fmt.Sprintf("(a%d > 1 || b%d > 1)", i, i))
	}
	src := strings.Join(parts, " && ") + " && a0 > 2 && a0 < 1"
	e, err := policy.ParseExpr(src, policy.Names{})
	if err != nil {
		t.Fatal(err)
	}
	if !(world{}).possible(claim{e, true}) {
		t.Error("decided")
	}
}

func TestBounds(t *testing.T) {
	num := func(s string) aegis.Num {
		n, ok := aegis.ParseNum([]byte(s))
		if !ok {
			t.Fatal(s)
		}
		return n
	}
	for _, x := range []struct {
		min, max         string
		openMin, openMax bool
		integer          bool
		empty            bool
	}{
		{"1", "2", false, false, true, false}, {"1", "2", true, true, true, true}, {"1", "2", true, true, false, false},
		{"1", "1", false, false, true, false}, {"1", "1", true, false, false, true}, {"0.5", "0.9", false, false, true, true},
		{"-0.5", "0.5", true, true, true, false}, {"9223372036854775806", "9223372036854775807", true, true, true, false},
	} {
		d := &domain{integer: x.integer}
		d.above(bound{num(x.min), x.openMin, "min"})
		d.below(bound{num(x.max), x.openMax, "max"})
		if got := d.empty() != ""; got != x.empty {
			t.Errorf("%+v: empty is %t (%s)", x, got, d.empty())
		}
	}
}
