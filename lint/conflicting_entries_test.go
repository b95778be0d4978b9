package lint

import (
	"fmt"
	"strings"
	"testing"
)

func TestConflictingEntries(t *testing.T) {
	checkRule(t, "AEG006", []example{
		{"two ceilings", agent(`{id: x, name: bank, actions: [pay], conditions: {max_amount: 5}}`, `{id: y, name: bank, actions: [pay], conditions: {max_amount: 9}}`),
			[]string{"max_amount 9 differs from max_amount 5, which applies to the same calls (line 2): the stricter one holds"}},
		{"two floors", agent(`{id: x, name: bank, conditions: {min_amount: 5}}`, `{id: y, name: bank, conditions: {args: {amount: {min: 9}}}}`),
			[]string{"args.amount.min 9 differs from min_amount 5"}},
		{"lists without a common value", agent(`{id: x, name: bank, conditions: {args: {c: {in: [a]}}}}`, `{id: y, name: bank, conditions: {args: {c: {in: [b]}}}}`),
			[]string{"no value is in both lists"}},
		{"lists with a common value", agent(`{id: x, name: bank, conditions: {args: {c: {in: [a, b]}}}}`, `{id: y, name: bank, conditions: {args: {c: {in: [b, d]}}}}`),
			[]string{"only b is in both"}},
		{"two places", agent(`{id: x, name: fs, conditions: {args: {p: {under: /a/}}}}`, `{id: y, name: fs, conditions: {args: {p: {under: /b/}}}}`),
			[]string{"only what both let through"}},
		{"lists of numbers and booleans", agent(`{id: x, name: bank, conditions: {args: {n: {in: [1, 2]}, b: {in: [true]}}}}`,
			`{id: y, name: bank, conditions: {args: {n: {in: [2, 3]}, b: {in: [true, false]}}}}`), []string{"only 2 is in both", "only true is in both"}},
		{"an entry for fewer calls that says more", agent(`{name: bank, actions: ["pay_*"], conditions: {max_amount: 5}}`,
			`{name: bank, actions: [pay_rent], conditions: {max_amount: 9}}`), []string{"max_amount 9 differs"}},
		{"calls in common", agent(`{name: bank, actions: [pay, refund], conditions: {max_amount: 5}}`, `{name: bank, actions: [pay, cancel], conditions: {max_amount: 9}}`),
			[]string{"max_amount 9 differs"}},
		{"two actions of one entry", agent(`{name: bank, actions: [{name: "pay_*", conditions: {max_amount: 5}}, {name: pay_rent, conditions: {max_amount: 9}}]}`),
			[]string{"max_amount 9 differs"}},
		{"an action of another entry", agent(`{name: bank, actions: [pay], conditions: {max_amount: 5}}`,
			`{id: y, name: bank, actions: [{name: pay, conditions: {max_amount: 9}}]}`), []string{"max_amount 9 differs"}},
		{"an entry for fewer calls that says less", agent(`{name: bank, actions: ["pay_*"], conditions: {max_amount: 9}}`,
			`{name: bank, actions: [pay_rent], conditions: {max_amount: 5, args: {c: {in: [a]}}}}`), nil},
		{"an action within its entry", agent(`{name: bank, actions: [{name: pay, conditions: {max_amount: 5}}], conditions: {max_amount: 9}}`), nil},
		{"a rule on trial", agent(`{id: x, name: bank, conditions: {max_amount: 9}}`, `{id: y, name: bank, mode: shadow, conditions: {max_amount: 5}}`), nil},
		{"the same", agent(`{id: x, name: bank, conditions: {max_amount: 5}}`, `{id: y, name: bank, conditions: {max_amount: 5.0}}`), nil},
		{"other actions", agent(`{name: bank, actions: [pay], conditions: {max_amount: 5}}`, `{name: bank, actions: [refund], conditions: {max_amount: 9}}`), nil},
		{"other arguments", agent(`{id: x, name: bank, conditions: {max_amount: 5}}`, `{id: y, name: bank, conditions: {max_fee: 9}}`), nil},
		{"another tool", agent(`{name: bank, conditions: {max_amount: 5}}`, `{name: "shop*", conditions: {max_amount: 9}}`), nil},
		{"floors of guardrails", "guardrail: g\ntools: [{id: x, name: bank, conditions: {max_amount: 5}}, {id: y, name: bank, conditions: {max_amount: 9}}]", nil},
	})
}

// A policy's own entry may narrow what a fragment says for the same calls, and cannot widen it.
func TestConflictWithFragment(t *testing.T) {
	for ceiling, want := range map[int]int{3: 0, 9: 1} {
		found := lintFiles(t, writeFiles(t, map[string]string{
			"f.yaml": "fragment: f\nallowed_tools: [{name: bank, actions: [pay], conditions: {max_amount: 5}}]\n",
			"a.yaml": "use: [f]\n" + pay(fmt.Sprintf("max_amount: %d", ceiling)),
		}))
		if len(found) != want || want == 1 && !strings.Contains(found[0].Message, "f.yaml:2)") {
			t.Errorf("max_amount %d: %v", ceiling, found)
		}
	}
}
