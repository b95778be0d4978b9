package decide

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cel.dev/cel-go/cel"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// The two engines may never differ. These tests make random policies, expressions and calls, and compare them: the
// native engine with OPA, and expressions with cel-go as well. Each seed makes the same cases:
//
//	AEGIS_SEED=N    another seed than the default
//	AEGIS_CASES=N   so many cases of each kind
//	AEGIS_LONG=1    twenty million

// diffSeed is the seed of a run.
func diffSeed(t *testing.T) uint64 {
	seed := uint64(1)
	if s := os.Getenv("AEGIS_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	t.Logf("AEGIS_SEED=%d", seed)
	return seed
}

// diffCases is how many cases of one kind a run takes.
func diffCases(t *testing.T, normal int) int {
	if s := os.Getenv("AEGIS_CASES"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	switch {
	case os.Getenv("AEGIS_LONG") != "":
		return 20_000_000
	case testing.Short():
		return normal / 20
	}
	return normal
}

// inBatches runs batches on all cores until enough cases were run or the test has failed.
func inBatches(t *testing.T, cases int, batch func(stream uint64) int) {
	var stream, done atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for done.Load() < int64(cases) && !t.Failed() {
				done.Add(int64(batch(uint64(stream.Add(1)))))
			}
		})
	}
	wg.Wait()
	t.Logf("%d cases", done.Load())
}

// exprSet is a policy with a require condition for each expression.
func exprSet(es []*policy.Expr) *policy.Set {
	s := &policy.Set{Version: "sha256:0", Rules: []policy.Rule{{}}}
	none := policy.Scope{CallersRule: policy.NoRule, DepthRule: policy.NoRule, RegionsRule: policy.NoRule, UntilRule: policy.NoRule}
	cs := &policy.Conditions{OtherArgs: policy.NoRule}
	for i, e := range es {
		s.Rules = append(s.Rules, policy.Rule{ID: fmt.Sprintf("acme/a/t#require[%d]", i)})
		cs.Require = append(cs.Require, &policy.Condition{Rule: policy.RuleID(i + 1), Src: e.String(), Expr: e})
		e.Walk(func(x *policy.Expr) {
			if f := x.Feature; f != nil && !slices.Contains(s.Features, *f) {
				s.Features = append(s.Features, *f)
			}
		})
	}
	entry := &policy.Entry{ID: "acme/a/t", Tools: []policy.Pattern{"t", "u*"}, Grants: true, Scope: none, Conditions: cs}
	s.Policies = []*policy.Policy{{ID: "acme/a", Tenant: "acme", Agents: []policy.Pattern{"a", "b*"}, Scope: none, Entries: []*policy.Entry{entry}}}
	return s
}

// expression is one of a batch, in every form.
type expression struct {
	tree       *policy.Expr
	own, stock cel.Program
	arithmetic bool
}

// expressions makes n expressions that the language admits.
func (r *diffRand) expressions(t *testing.T, env *cel.Env, n int) []expression {
	var out []expression
	for len(out) < n {
		made := r.condition(r.IntN(5))
		text := made.String()
		tree, err := policy.ParseExpr(text, policy.Names{})
		if err != nil {
			continue // kinds that cannot fit
		}
		if again := tree.String(); again != text {
			t.Errorf("%s is printed as %s", text, again)
		}
		x := expression{tree: tree}
		made.Walk(func(e *policy.Expr) {
			x.arithmetic = x.arithmetic || e.Op == policy.OpAdd || e.Op == policy.OpSub || e.Op == policy.OpMul
		})
		if x.own, err = celProgram(env, celText(made, true)); err != nil {
			t.Fatalf("%s: %v", celText(made, true), err)
		}
		if x.stock, err = celProgram(env, celText(made, false)); err != nil {
			t.Fatalf("%s: %v", celText(made, false), err)
		}
		out = append(out, x)
	}
	return out
}

// engines are both evaluators of one set.
type engines struct {
	set    *policy.Set
	native *Engine
	opa    *OPA
}

func newEngines(s *policy.Set) (*engines, error) {
	n, err := New(s)
	if err != nil {
		return nil, err
	}
	o, err := NewOPA(s)
	return &engines{s, n, o}, err
}

// judge evaluates a call by both.
func (e *engines) judge(scratch *Scratch, c *aegis.Call, f *Facts) (native, opa string, hits []aegis.Hit, err error) {
	v := e.native.Evaluate(scratch, e.native.Plan(c.Tenant, c.Agent, c.Tool, c.Action), c, f)
	outcome, hits, err := e.opa.Evaluate(c, f)
	return v.Outcome.String() + " " + e.native.Canon(v.Hits), outcome.String() + " " + e.native.Canon(hits), hits, err
}

func TestDiffExpressions(t *testing.T) {
	env, err := celEnv()
	if err != nil {
		t.Fatal(err)
	}
	seed := diffSeed(t)
	var tally [3]atomic.Int64
	const perBatch, calls = 200, 150
	start := time.Now()
	inBatches(t, diffCases(t, 150_000), func(stream uint64) int {
		r := newDiffRand(seed, stream)
		xs := r.expressions(t, env, perBatch)
		es := make([]*policy.Expr, len(xs))
		for i := range xs {
			es[i] = xs[i].tree
		}
		e, err := newEngines(exprSet(es))
		if err != nil {
			t.Error(err)
			return 0
		}
		scratch := new(Scratch)
		for range calls {
			d := r.call(e.set.Features, 6)
			if !e.compareExpressions(t, scratch, xs, d, &tally) {
				return 0
			}
		}
		return perBatch * calls
	})
	t.Logf("%d true, %d false, %d in error; %.1fs", tally[yes].Load(), tally[no].Load(), tally[undecided].Load(), time.Since(start).Seconds())
}

// compareExpressions compares every interpreter on one call.
func (e *engines) compareExpressions(t *testing.T, scratch *Scratch, xs []expression, d *diffCall, tally *[3]atomic.Int64) bool {
	c, f, err := d.build(e.set)
	if err != nil {
		t.Errorf("call %+v: %v", d, err)
		return false
	}
	_, hits, err := e.opa.Evaluate(c, f)
	if err != nil {
		t.Errorf("%v\n%s", err, d)
		return false
	}
	v := e.native.Evaluate(scratch, e.native.Plan(c.Tenant, c.Agent, c.Tool, c.Action), c, f)
	opa, native := e.tris(hits), e.tris(v.Hits)
	in := celInput(d, e.set.Features)
	for i, x := range xs {
		own, stock := celTri(x.own, in), celTri(x.stock, in)
		tally[native[i]].Add(1)
		refines := x.arithmetic || native[i] == undecided || stock == native[i]
		if native[i] != opa[i] || native[i] != own || !refines {
			t.Errorf("native %s, opa %s, cel-go %s, stock cel-go %s:\n%s", triName(native[i]), triName(opa[i]), triName(own), triName(stock),
				(&diffCase{expr: x.tree, call: d}).minimal())
			return false
		}
	}
	return true
}

func triName(t tri) string { return [...]string{undecided: "error", yes: "true", no: "false"}[t] }

// tris reads from hits what became of each expression of exprSet.
func (e *engines) tris(hits []aegis.Hit) []tri {
	out := make([]tri, len(e.set.Rules)-1)
	for i := range out {
		out[i] = yes
	}
	for _, h := range hits {
		switch h.Code {
		case aegis.RequireFailed:
			out[h.Rule-1] = no
		case aegis.ExpressionError:
			out[h.Rule-1] = undecided
		}
	}
	return out
}

// diffCase is one expression and call, for reports.
type diffCase struct {
	expr *policy.Expr
	call *diffCall
}

func (c *diffCase) minimal() string { return c.expr.String() + "\n" + c.call.String() }

func (d *diffCall) String() string {
	return strings.TrimSpace(diffJSON(d))
}
