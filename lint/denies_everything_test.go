package lint

import "testing"

func TestDeniesEverything(t *testing.T) {
	checkRule(t, "AEG052", []example{
		{"a band", pay(`min_amount: 9, deny_if: amount > 5`), []string{"deny_if denies every call"}},
		{"two conditions", pay(`deny_if: [amount > 5, amount <= 5]`), []string{"deny_if[1]"}},
		{"what is required", pay(`require: [c == "a"], deny_if: c.startsWith("a")`), []string{"deny_if denies"}},
		{"an entry and its action", agent(`{name: bank, conditions: {min_amount: 9}, actions: [{name: pay, conditions: {deny_if: amount > 5}}]}`), []string{"deny_if denies"}},
		{"a list", pay(`args: {c: {in: [a, b]}}, deny_if: 'c in ["a", "b", "c"]'`), []string{"deny_if denies"}},
		{"room", pay(`min_amount: 9, deny_if: amount > 50`), nil},
		{"optional", pay(`args: {amount: {min: 9, optional: true}}, deny_if: has(amount) && amount > 5`), nil},
		{"lifted", pay(`max_amount: 5, approval_needed_if: amount > 5, deny_if: amount <= 5`), nil},
		{"always true is another finding", pay(`deny_if: amount > 5 || amount <= 5`), nil},
	})
}
