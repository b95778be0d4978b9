package lint

import "testing"

func TestBudgetOfNothing(t *testing.T) {
	checkRule(t, "AEG023", []example{
		{"no constraint", "limits: [{budget: 5/day of amount}]\n" + pay(`require: [amount > 0]`), []string{"covers the entries that constrain amount, and none does"}},
		{"a guardrail's", "guardrail: g\nlimits: [{budget: 5/day of amount}]\ntools: [{name: bank, conditions: {deny_if: amount > 5}}]", []string{"amount"}},
		{"a bound", "limits: [{budget: 5/day of amount}]\n" + pay(`max_amount: 5`), nil},
		{"an action's", "limits: [{budget: 5/day of amount}]\n" + agent(`{name: bank, actions: [{name: pay, conditions: {max_amount: 5}}]}`), nil},
		{"a guardrail's own", "guardrail: g\nlimits: [{budget: 5/day of amount}]\ntools: [{name: bank, conditions: {max_amount: 5}}]", nil},
		{"of cost", "limits: [{budget: $5/day}]\n" + pay(`require: [amount > 0]`), nil},
	})
}

// A guardrail's budget covers the policies below it.
func TestBudgetOfGuardrail(t *testing.T) {
	for tenant, want := range map[string]int{"default": 0, "other": 1} {
		found := lintOnly(t, "AEG023", writeFiles(t, map[string]string{
			"g.yaml": "guardrail: g\ntenant: " + tenant + "\nlimits: [{budget: 5/day of amount}]\n",
			"a.yaml": pay(`max_amount: 5`),
		}))
		if len(found) != want {
			t.Errorf("%s: %v", tenant, found)
		}
	}
}
