package lint

import "testing"

func TestBudgetBy(t *testing.T) {
	checkRule(t, "AEG035", []example{
		{"of the policy", "limits: [{budget: 20/day of n, by: cur}]\n" + pay(`max_n: 5`), []string{"nothing limits the values of cur (line 3)"}},
		{"constrained everywhere", "limits: [{budget: 20/day of n, by: cur}]\n" + pay(`max_n: 5, args: {cur: {in: [USD]}}`), nil},
		{"a rate", agent(`{name: bank, limits: [{rate: 5/s, by: who}]}`), []string{"values of who"}},
		{"once for each", agent(`{name: bank, limits: [{calls: 1/session, by: order}]}`), nil},
		{"of two", agent(`{name: bank, conditions: {args: {a: {in: [x]}}}, limits: [{rate: 5/s, by: [a, b]}]}`), []string{"values of b"}},
	})
}
