package lint

import "testing"

func TestCallersNever(t *testing.T) {
	checkRule(t, "AEG038", []example{
		{"depth", "callers: [planner]\nmax_chain_depth: 0\n" + agent(`{name: bank}`), []string{"max_chain_depth: 0 (line 2)"}},
		{"depth of an entry", "callers: [user, planner]\nmax_chain_depth: 0\n" + agent(`{name: bank, callers: [planner]}`), []string{"max_chain_depth: 0 refuses"}},
		{"an action", "callers: [user, x]\n" + agent(`{name: bank, callers: [user], actions: [{name: pay, callers: [x]}]}`), []string{"x cannot call this agent"}},
		{"fine", "callers: [user, x]\nmax_chain_depth: 1\n" + agent(`{name: bank, callers: [x]}`), nil},
	})
}
