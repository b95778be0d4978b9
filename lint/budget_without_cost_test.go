package lint

import "testing"

func TestBudgetWithoutCost(t *testing.T) {
	checkRule(t, "AEG091", []example{
		{"of an entry", agent(`{name: llm, limits: [{budget: $5/day}]}`, `{name: web, cost: $1}`), []string{"the entry states no cost"}},
		{"beside it", agent(`{name: llm, limits: [{budget: $5/day}]}`, `{name: llm, actions: [x], cost: $1}`), nil},
		{"of an argument", agent(`{name: llm, conditions: {max_n: 5}, limits: [{budget: 5/day of n}]}`), nil},
		{"a guardrail by itself", "guardrail: g\nlimits: [{budget: $5/day}]\n", nil},
	})
}
