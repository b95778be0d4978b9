package lint

import "testing"

func TestRouteArgumentUnread(t *testing.T) {
	checkRouteRule(t, "AEG083", []routeExample{
		{"a header", formRoute("account: header.stripe-account"), "{name: bank, actions: [pay]}", []string{"no rule of bank/pay reads account"}},
		{"cents", formRoute("amount: {from: form.amount, type: number, scale: -2}"), "{name: bank}", []string{"amount"}},
		{"a rule reads it", formRoute("account: header.stripe-account"), "{name: bank, conditions: {args: {account: {in: [a]}}}}", nil},
		{"other_args", formRoute("account: header.stripe-account"), "{name: bank, conditions: {other_args: deny}}", nil},
		{"a type only", formRoute("amount: {from: form.amount, type: number}"), "{name: bank}", nil},
		{"not granted", formRoute("account: header.stripe-account"), "{name: x}", nil},
	})
}
