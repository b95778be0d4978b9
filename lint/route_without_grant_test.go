package lint

import (
	"fmt"
	"strings"
	"testing"
)

func manyRoutes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "  - {match: GET h.test/%d, call: x/c%d}\n", i, i)
	}
	return b.String()
}

func TestRouteWithoutGrant(t *testing.T) {
	checkRouteRule(t, "AEG080", []routeExample{
		{"another action", formRoute(""), "{name: bank, actions: [pay_all]}", []string{"no policy grants bank/pay"}},
		{"another case", "  - {match: GET h.test/a, call: Bank}\n", "{name: bank}", []string{"no policy grants Bank"}},
		{"a call without action, where actions are named", "  - {match: GET h.test/a, call: bank}\n", "{name: bank, actions: [pay]}", []string{"bank"}},
		{"an MCP server that nothing names", "  - {match: POST h.test/a, call: git, body: mcp}\n", "{name: bank}", []string{"git"}},
		{"many", manyRoutes(11), "{name: bank}", []string{"the calls of 11 routes of this file, such as x/c0"}},
		{"granted", formRoute(""), "{name: bank, actions: [pay]}", nil},
		{"by a prefix", formRoute(""), "{name: ban*, actions: [pa*]}", nil},
		{"any action", formRoute(""), "{name: bank}", nil},
		{"some action of an MCP server", "  - {match: POST h.test/a, call: git, body: mcp}\n", "{name: git, actions: [push]}", nil},
		{"another tenant", formRoute("") + "tenant: other\n", "{name: x}", nil},
	})
}
