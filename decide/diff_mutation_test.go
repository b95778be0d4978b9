package decide

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aegisctl/aegis/policy"
)

// mutation is a mistake in the generated Rego that the differential test must notice.
type mutation struct {
	name     string
	from, to string
	exprs    bool // it is one in expressions
}

var mutations = []mutation{
	{"numbers need not be numbers", "\tis_number(x)\n", "", false},
	{"numbers need not be in range", "\ty == x\n", "\tis_number(x)\n", false},
	{"large integers are in range", "\tx <= 9223372036854775807\n", "", false},
	{"max is exclusive", " > 5000\n", " >= 5000\n", false},
	{"approval lifts nothing", `, "approval_if", "approval_needed"]` + "\n", `, "approval_if", "deny"]` + "\n", false},
	{"any caller will do", "not caller in", "caller == null; not caller in", false},
	{"null suits any check", "value == null", "false", false},
	{"an optional argument may be of another type", ` != null` + "\n} else", " == null\n} else", false},
	{"nothing is required of other arguments", "not name in", "name in", false},
	{"children match always", "startswith(input.action", "startswith(input.tool", false},
	{"an exceeded limit is forgotten", "input.facts.exceeded", "input.facts.exceed", false},
	{"sums are rounded", "m / 1000000 == x", "true", true},
	{"products are rounded", "\tproduct % 1000000 == 0\n", "", true},
	{"arithmetic has no bounds", "abs(x) <= 1000000000000", "true", true},
	{"elements are not numbered", "(_, v", "(0, v", true},
	{"strings need no type", "is_string(x1)", "true", true},
	{"not is forgotten", "not startswith(", "startswith(", true},
	{"an error in a list is forgotten", "every x", "some x", true},
	{"lower case is Unicode's", "strings.replace_n(lower_letters, x)", "lower(x)", true},
}

// TestDiffNoticesMutations checks the test itself: seeded mistakes in the generated Rego are found within 20,000 cases.
func TestDiffNoticesMutations(t *testing.T) {
	env, err := celEnv()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			cases, found := 0, false
			for stream := uint64(0); cases < 20_000 && !found && stream < 1000; stream++ {
				r := newDiffRand(7, stream)
				var s *policy.Set
				if m.exprs {
					var es []*policy.Expr
					for _, x := range r.expressions(t, env, 40) {
						es = append(es, x.tree)
					}
					s = exprSet(es)
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

// noticed compares native with the mutated Rego of a set, where the set's Rego has what the mutation changes.
func (m mutation) noticed(t *testing.T, r *diffRand, s *policy.Set) (cases int, found bool) {
	modules, changed := policy.Rego(s), false
	for i := range modules {
		text := strings.ReplaceAll(modules[i].Text, m.from, m.to)
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
		return 1, true // OPA refuses it
	}
	limits, sanitizers := limitsAndSanitizers(s)
	e, scratch := &engines{s, native, o}, new(Scratch)
	for cases < 300 {
		d := r.policyCall(s, limits, sanitizers)
		if m.exprs {
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
