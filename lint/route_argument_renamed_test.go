package lint

import "testing"

func TestRouteArgumentRenamed(t *testing.T) {
	checkRouteRule(t, "AEG082", []routeExample{
		{"a form", formRoute("total: form.amount"), "{name: bank, conditions: {args: {amount: {in: [a]}}}}", []string{"form.amount is the argument total by this route"}},
		{"a body", "  - {match: POST h.test/a, call: bank, args: {total: body#/amount}}\n", "{name: bank, conditions: {max_amount: 5}}", []string{"body#/amount"}},
		{"nothing names it", formRoute("total: form.amount"), "{name: bank, conditions: {args: {total: {in: [a]}}}}", nil},
		{"the name is given to another", formRoute("total: form.amount, amount: form.sum"), "{name: bank, conditions: {args: {amount: {in: [a]}}}}", nil},
		{"the same name", formRoute("amount: form.amount"), "{name: bank, conditions: {args: {amount: {in: [a]}}}}", nil},
		{"a header", formRoute("a: header.x"), "{name: bank, conditions: {args: {x: {in: [a]}}}}", nil},
	})
}
