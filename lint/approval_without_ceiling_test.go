package lint

import "testing"

func TestApprovalWithoutCeiling(t *testing.T) {
	checkRule(t, "AEG010", []example{
		{"no bound", pay(`approval_needed_if: amount > 5`), []string{"any amount can be approved"}},
		{"from the other side", pay(`approval_needed_if: 5 <= amount`), []string{"amount"}},
		{"one of two", pay(`approval_needed_if: amount > 5 || fee > 5, deny_if: fee > 9`), []string{"amount"}},
		{"a bound on another argument", pay(`approval_needed_if: amount > 5, max_fee: 5`), []string{"amount"}},
		{"deny_if", pay(`approval_needed_if: amount > 5, deny_if: amount > 9`), nil},
		{"a bound that the approval lifts", pay(`approval_needed_if: amount > 5, max_amount: 5`), nil},
		{"require", pay(`approval_needed_if: amount > 5, require: [amount < 9]`), nil},
		{"beside it", agent(`{name: bank, actions: [pay], conditions: {approval_needed_if: amount > 5}}`, `{name: bank, conditions: {max_amount: 9}}`), nil},
		{"a list", pay(`approval_needed_if: amount > 5, args: {amount: {in: [1, 10]}}`), nil},
		{"no number", pay(`approval_needed_if: 'stage == "prod"'`), nil},
		{"a floor", pay(`approval_needed_if: amount < 5`), nil},
		{"what is counted", pay(`approval_needed_if: 'session.count("bank/pay") > 5'`), nil},
	})
}

// A guardrail is a ceiling too, for the agents and tools that it is about.
func TestCeilingOfGuardrail(t *testing.T) {
	const rail = "guardrail: g\ntools: [{name: bank, conditions: {args: {amount: {max: 9, optional: true}}}}]"
	for rail, want := range map[string]int{
		"tenant: \"*\"\n" + rail:    0,
		rail:                        0,
		"agents: [\"a*\"]\n" + rail: 0,
		"agents: [b]\n" + rail:      1,
		"tenant: other\n" + rail:    1,
		"guardrail: g\ntools: [{name: shop, conditions: {deny_if: amount > 9}}]": 1,
	} {
		dir := writeFiles(t, map[string]string{"g.yaml": rail, "a.yaml": pay(`approval_needed_if: amount > 5`)})
		if found := lintOnly(t, "AEG010", dir); len(found) != want {
			t.Errorf("%s\n%v", rail, found)
		}
	}
}
