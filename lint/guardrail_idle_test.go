package lint

import "testing"

func TestGuardrailIdle(t *testing.T) {
	checkRule(t, "AEG043", []example{
		{"no rule", "guardrail: g\nagents: [a]\n", []string{"the guardrail has no rule"}},
		{"an entry without one", "guardrail: g\nregions: [eu]\ntools: [{name: bank}]\n", []string{"this entry"}},
		{"alone", "guardrail: g\nagents: [nobody]\nregions: [eu]\n", nil},
	})
}
