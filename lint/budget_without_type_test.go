package lint

import "testing"

func TestBudgetWithoutType(t *testing.T) {
	checkRule(t, "AEG022", []example{
		{"no constraint", agent(`{name: bank, limits: [{budget: 5/day of amount}]}`), []string{"no constraint says what amount is"}},
		{"on another argument", agent(`{name: bank, conditions: {max_fee: 5}, limits: [{budget: 5/day of amount}]}`), []string{"amount"}},
		{"of a member", agent(`{name: bank, limits: [{budget: 5/day of order.total}]}`), []string{"order.total"}},
		{"a type", agent(`{name: bank, conditions: {args: {amount: {type: number}}}, limits: [{budget: 5/day of amount}]}`), nil},
		{"a bound", agent(`{name: bank, conditions: {max_amount: 5}, limits: [{budget: 5/day of amount}]}`), nil},
		{"beside it", agent(`{name: bank, actions: [pay], limits: [{budget: 5/day of amount}]}`, `{name: bank, conditions: {max_amount: 5}}`), nil},
		{"an action's", agent(`{name: bank, actions: [{name: pay, limits: [{budget: 5/day of amount}]}], conditions: {max_amount: 5}}`), nil},
		{"of cost", agent(`{name: bank, limits: [{budget: $5/day}, {calls: 5/day}, {rate: 5/s}]}`), nil},
	})
}
