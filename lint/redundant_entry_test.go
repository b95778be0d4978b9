package lint

import "testing"

func TestRedundantEntry(t *testing.T) {
	with := func(a, b string) string {
		return agent("{name: bank, actions: [get_a]"+a+"}", "{name: bank, actions: [\"get_*\"]"+b+"}")
	}
	checkRule(t, "AEG054", []example{
		{"for a tool, and again for it and others", agent(`{name: bank}`, `{name: [bank, till]}`), []string{"adds nothing to the one at line 3"}},
		{"within a glob", with(``, ``), []string{"adds nothing to the one at line 3"}},
		{"looser", with(`, conditions: {max_amount: 9}`, `, conditions: {max_amount: 5}`), []string{"adds nothing"}},
		{"the same conditions", with(`, conditions: {deny_if: amount > 5}`, `, conditions: {deny_if: [amount > 5, fee > 1]}`), []string{"adds nothing"}},
		{"stricter", with(`, conditions: {max_amount: 5}`, `, conditions: {max_amount: 9}`), nil},
		{"it has conditions", with(`, conditions: {max_amount: 5}`, ``), nil},
		{"not optional", with(`, conditions: {max_amount: 5}`, `, conditions: {args: {amount: {max: 5, optional: true}}}`), nil},
		{"another lift", with(`, conditions: {max_amount: 5}`, `, conditions: {max_amount: 5, approval_needed_if: amount > 5}`), nil},
		{"a limit", with(`, limits: [{rate: 5/s}]`, ``), nil},
		{"write where the other reads", with(``, `, effect: read`), nil},
		{"other calls", agent(`{name: bank, actions: [a]}`, `{name: bank, actions: [b]}`), nil},
		{"an action of the other", agent(`{name: bank, actions: [get_a], effect: write}`, `{name: bank, actions: [{name: get_a, effect: read}]}`), nil},
	})
}
