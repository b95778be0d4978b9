package decide

import (
	"fmt"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// mutation is a mistake in the generated Rego that the differential test must notice.
type mutation struct {
	name     string
	from, to string                         // a pattern, and what takes its place
	cases    func(r *diffRand) *policy.Expr // nil: whole policies
}

func anyCondition(r *diffRand) *policy.Expr { return r.condition(3) }

func anyComparison(r *diffRand) *policy.Expr {
	return op(pickOf(r, policy.OpEq, policy.OpLt, policy.OpGe), r.number(2), r.number(2))
}

func anyFold(r *diffRand) *policy.Expr {
	nums := &policy.Expr{Op: policy.OpPath, Root: policy.RootArgs, Fields: []string{"nums"}}
	x := &policy.Expr{Op: policy.OpPath, Root: policy.RootVar}
	test := func() *policy.Expr {
		return op(pickOf(r, policy.OpEq, policy.OpLt, policy.OpGe), x, r.constant(aegis.Number))
	}
	return op(pickOf(r, policy.OpExists, policy.OpAll), nums, op(policy.OpOr, op(policy.OpAnd, test(), test()), test()))
}

var mutations = []mutation{
	{"numbers need not be exact", `\ty == x\n`, "\tis_number(x)\n", nil},
	{"large integers are in range", `\tx <= 9223372036854775807\n`, "", nil},
	{"max is exclusive", ` > 5000\n`, " >= 5000\n", nil},
	{"approval lifts nothing", `(?m)^\tcondition_[0-9]+ != .*$`, "\ttrue", nil},
	{"a stranger may call", `not caller in \{`, `not caller in {"d", `, nil},
	{"null suits any check", `value == null`, "value == 0", nil},
	{"what is missing is null", `else := "argument_missing"`, `else := "argument_null"`, nil},
	{"one argument more is no harm", `(- .*\)) > 0`, "$1 > 1", nil},
	{"actions are tools", `startswith\(input.action`, "startswith(input.tool", nil},
	{"used up limits are forgotten", `input.facts.exceeded`, "input.facts.spent", nil},
	{"sums are rounded", `\tm / 1000000 == x\n`, "", anyComparison},
	{"products are rounded", `\tparts % 1000000 == 0\n`, "", anyComparison},
	{"arithmetic has no bounds", `abs\(x\) <= 1000000000000`, "true", anyComparison},
	{"elements are not numbered", `(?m)^(\t.*_[0-9]+\()(i[0-9]+), v`, "${1}$2 - $2, v", anyFold},
	{"strings need no type", `is_string\(x1\)`, "true", anyCondition},
	{"a negation is forgotten", `not startswith\(`, "startswith(", anyCondition},
	{"one element is as good as all", `every (x[0-9]+ in .*) \{ (.*) \}`, "some $1\n\t$2", anyCondition},
	{"lower case is Unicode's", `strings.replace_n\(lower_letters, x\)`, "lower(x)", anyCondition},
}

// TestDiffNoticesMutations checks the test itself: seeded mistakes in the generated Rego are found within 20,000 cases.
func TestDiffNoticesMutations(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some thousand cases for each mutation")
	}
	dir := t.TempDir()
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			cases, found := 0, false
			for stream := uint64(0); cases < 20_000 && !found && stream < 1000; stream++ {
				r := newDiffRand(7, stream)
				var s *policy.Set
				if m.cases != nil {
					s = exprSet(r.admitted(m.cases, 60))
				} else if _, s = r.set(filepath.Join(dir, m.name, fmt.Sprint(stream))); s == nil {
					continue
				}
				n, ok := m.noticed(t, r, s)
				cases, found = cases+n, ok
			}
			if !found {
				t.Errorf("not noticed in %d cases", cases)
			}
			t.Logf("%d cases", cases)
		})
	}
}

// admitted makes n expressions that the language admits.
func (r *diffRand) admitted(make func(r *diffRand) *policy.Expr, n int) []*policy.Expr {
	var es []*policy.Expr
	for len(es) < n {
		if e, err := policy.ParseExpr(make(r).String(), policy.Names{}); err == nil {
			es = append(es, e)
		}
	}
	return es
}

// noticed compares native with the mutated Rego of a set, where the set's Rego has what the mutation changes.
func (m mutation) noticed(t *testing.T, r *diffRand, s *policy.Set) (cases int, found bool) {
	modules, changed := policy.Rego(s), false
	for i := range modules {
		text := regexp.MustCompile(m.from).ReplaceAllString(modules[i].Text, m.to)
		changed = changed || text != modules[i].Text
		modules[i].Text = text
	}
	if !changed {
		return 0, false
	}
	native, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	o, err := newOPA(s, modules)
	if err != nil {
		t.Fatalf("a mutation must be valid Rego: %v", err)
	}
	limits, sanitizers := limitsAndSanitizers(s)
	e, scratch := &engines{s, native, o}, new(Scratch)
	for cases < 300 {
		d := r.policyCall(s, limits, sanitizers)
		if m.cases != nil {
			d = r.call(s.Features, 6)
		}
		cases++
		a, b, _, err := e.judgeWritten(scratch, d)
		if err != nil || a != b {
			return cases, true
		}
	}
	return cases, false
}
