package lint

import "testing"

func TestCeilingOnReads(t *testing.T) {
	checkRule(t, "AEG007", []example{
		{"get beside create", agent(`{name: bank, actions: [create_payment, get_payment], conditions: {max_amount: 5}}`),
			[]string{"max_amount applies to get_payment too"}},
		{"in camel case", agent(`{name: bank, actions: [createPayment, listPayments], conditions: {args: {amount: {decimals: 2}}}}`),
			[]string{"args.amount.decimals applies to listPayments"}},
		{"any action beside a grant to read", agent(`{name: bank, conditions: {max_amount: 5}}`, `{name: bank, actions: ["get_*"], effect: read}`),
			[]string{"max_amount applies to get_* too"}},
		{"an action that has keys of its own", agent(`{name: bank, actions: [pay, {name: get_payment, effect: read}], conditions: {max_amount: 5}}`),
			[]string{"get_payment"}},
		{"optional", agent(`{name: bank, actions: [create_payment, get_payment], conditions: {args: {amount: {max: 5, optional: true}}}}`), nil},
		{"entries of their own", agent(`{name: bank, actions: [create_payment], conditions: {max_amount: 5}}`,
			`{name: bank, actions: [get_payment], effect: read}`), nil},
		{"on the action", agent(`{name: bank, actions: [get_payment, {name: create_payment, conditions: {max_amount: 5}}]}`), nil},
		{"reads only", agent(`{name: bank, actions: [get_rate, list_rates], conditions: {max_amount: 5}}`), nil},
		{"a number of pages", agent(`{name: bank, actions: [list_payments, cancel_payments], conditions: {max_page_size: 5}}`), nil},
		{"a text", agent(`{name: bank, actions: [get_payment, cancel_payment], conditions: {args: {payment: {matches: 'pay_[0-9]+'}}}}`), nil},
		{"a guardrail", "guardrail: g\ntools: [{name: bank, actions: [pay, get_x], conditions: {max_amount: 5}}]", nil},
	})
}
