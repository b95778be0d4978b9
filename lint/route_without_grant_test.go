package lint

import "testing"

func TestRouteWithoutGrant(t *testing.T) {
	checkRouteRule(t, "AEG080", []routeExample{
		{"another action", formRoute(""), "{name: bank, actions: [pay_all]}", []string{"no policy grants bank/pay"}},
		{"another case", "  - {match: GET h.test/a, call: Bank}\n", "{name: bank}", []string{"no policy grants Bank"}},
		{"a call without action, where actions are named", "  - {match: GET h.test/a, call: bank}\n", "{name: bank, actions: [pay]}", []string{"bank"}},
		{"an MCP server that nothing names", "  - {match: POST h.test/a, call: git, body: mcp}\n", "{name: bank}", []string{"git"}},
		{"granted", formRoute(""), "{name: bank, actions: [pay]}", nil},
		{"by a prefix", formRoute(""), "{name: ban*, actions: [pa*]}", nil},
		{"any action", formRoute(""), "{name: bank}", nil},
		{"some action of an MCP server", "  - {match: POST h.test/a, call: git, body: mcp}\n", "{name: git, actions: [push]}", nil},
		{"another tenant", formRoute("") + "tenant: other\n", "{name: x}", nil},
	})
}
