package lint

import "testing"

func TestMoneyWithoutCeiling(t *testing.T) {
	checkRule(t, "AEG029", []example{
		{"a lower bound", pay(`min_amount: 1`), []string{"nothing bounds amount from above"}},
		{"required above", pay(`require: [amount > 0]`), []string{"nothing bounds amount"}},
		{"a ceiling in CEL", pay(`require: [amount < 500]`), nil},
		{"denied above", pay(`min_amount: 1, deny_if: amount > 500`), nil},
		{"denied below", pay(`deny_if: amount <= 0`), []string{"nothing bounds amount"}},
		{"asked above", pay(`min_amount: 1, approval_needed_if: amount > 500`), nil},
		{"a budget", "limits: [{budget: 500/day of amount}]\n" + pay(`min_amount: 1`), nil},
		{"in sums", pay(`min_amount: 1, require: ['amount + fee < 5']`), nil},
		{"a read", agent(`{name: bank, actions: [find], effect: read, conditions: {min_amount: 1}}`), nil},
		{"no word of it", agent(`{name: bank, actions: [create_transfer]}`), []string{"create_transfer moves money"}},
		{"a rule of another kind", agent(`{name: bank, actions: [create_transfer], conditions: {approval_needed_if: "true"}}`), nil},
	})
}
