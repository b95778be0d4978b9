package lint

import "testing"

func TestRouteWrongType(t *testing.T) {
	checkRouteRule(t, "AEG081", []routeExample{
		{"a form", formRoute(""), "{name: bank, conditions: {max_amount: 5}}", []string{"amount is a string by this route (form.amount), and max_amount needs a number"}},
		{"a query", "  - {match: GET h.test/a, call: bank}\n", "{name: bank, conditions: {args: {n: {type: boolean, optional: true}}}}", []string{"query.n"}},
		{"a path, in a condition", "  - {match: \"GET h.test/{n}\", call: bank}\n", "{name: bank, conditions: {deny_if: n > 5}}", []string{"path.n"}},
		{"a list", formRoute(""), "{name: bank, conditions: {args: {tags: {type: list}}}}", []string{"needs a list"}},
		{"text in the body", "  - {match: POST h.test/a, call: bank, args: {n: {from: body#/n, type: string}}}\n", "{name: bank, conditions: {max_n: 5}}", []string{"body#/n"}},
		{"once for each argument", formRoute(""), "{name: bank, conditions: {max_amount: 5, min_amount: 1, deny_if: amount > 7}}", []string{"amount"}},
		{"typed", formRoute("amount: {from: form.amount, type: number}"), "{name: bank, conditions: {max_amount: 5}}", nil},
		{"text", formRoute(""), "{name: bank, conditions: {args: {to: {in: [a]}}}}", nil},
		{"a JSON body", "  - {match: POST h.test/a, call: bank}\n", "{name: bank, conditions: {max_n: 5}}", nil},
		{"an MCP body", "  - {match: POST h.test/a, call: bank, body: mcp}\n", "{name: bank, conditions: {max_n: 5}}", nil},
		{"another action", formRoute(""), "{name: bank, actions: [x], conditions: {max_amount: 5}}", nil},
	})
}
