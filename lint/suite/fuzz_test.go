package suite

import (
	"os"
	"strings"
	"testing"

	"github.com/aegisctl/aegis/decide"
	"github.com/aegisctl/aegis/policy"
)

// FuzzRead: whatever a test file holds, it is refused with a place, or read; and a file that is read says the same twice
// and on a second reading.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{fullCases, hostileCases, "test: t\ncases: []\n",
		"test: t\ncases:\n  - {name: c, bytes: eyJ9, expect: reject}\n",
		"test: t\ncases:\n  - {name: c, call: '{\"tenant\":\"a\"}', expect: {decision: reject, reasons: {include: [malformed]}}}\n"} {
		f.Add(seed)
	}
	if text, err := os.ReadFile("../../examples/payments/policies/finance-agent_test.yaml"); err == nil {
		f.Add(string(text))
	}
	set, err := policy.LoadText("p.yaml", payPolicy)
	if err != nil {
		f.Fatal(err)
	}
	gates, err := newGates(set, decide.Native)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		root, err := policy.ParseDocument("p_test.yaml", []byte(text))
		if err != nil {
			return
		}
		file, errs := readFile("p_test.yaml", root, set)
		again, errs2 := readFile("p_test.yaml", root, set)
		if len(errs) != len(errs2) || len(file.cases) != len(again.cases) {
			t.Fatalf("read twice: %v, then %v", errs, errs2)
		}
		for _, e := range errs {
			if e.Pos.Line == 0 || strings.Contains(e.Msg, "%!") {
				t.Fatalf("a problem without a place, or a broken message: %v", e)
			}
		}
		if len(errs) > 0 {
			return
		}
		for i, c := range file.cases {
			calls := 0
			for _, s := range c.before {
				calls += s.repeat
			}
			if calls > 100 {
				continue
			}
			first, _ := gates.runCase(c)
			second, _ := gates.runCase(again.cases[i])
			if first.Decision != second.Decision || len(first.Failures) != len(second.Failures) {
				t.Fatalf("%s: %+v, then %+v", c.name, first, second)
			}
		}
	})
}
