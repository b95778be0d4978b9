package lint

import "testing"

func TestNegativeCeiling(t *testing.T) {
	checkRule(t, "AEG002", []example{
		{"max_amount", pay(`max_amount: -1`), []string{"max_amount is -1"}},
		{"args", pay(`args: {amount: {max: -0.5}}`), []string{"args.amount.max is -0.5"}},
		{"of elements", pay(`args: {amounts: {each: {max: -1}}}`), []string{"args.amounts.each.max is -1"}},
		{"in an action", agent(`{name: bank, actions: [{name: pay, conditions: {max_amount: -1}}]}`), []string{"max_amount"}},
		{"in a guardrail", "guardrail: g\ntools: [{name: bank, conditions: {max_amount: -1}}]", []string{"max_amount"}},
		{"zero", pay(`max_amount: 0`), nil},
		{"a band", pay(`args: {celsius: {min: -40, max: -10}}`), nil},
		{"a minimum", pay(`min_balance: -1`), nil},
	})
}
