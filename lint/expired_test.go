package lint

import "testing"

func TestExpired(t *testing.T) {
	checkRule(t, "AEG037", []example{
		{"over", "until: \"2026-05-31\"\n" + agent(`{name: bank}`), []string{"2026-05-31 is over"}},
		{"today", "until: \"2026-06-01\"\n" + agent(`{name: bank}`), []string{"after 2026-06-01"}},
		{"soon", "until: \"2026-06-30\"\n" + agent(`{name: bank}`), []string{"after 2026-06-30"}},
		{"later", "until: \"2026-07-15\"\n" + agent(`{name: bank}`), nil},
		{"a guardrail", "guardrail: g\nuntil: \"2020-01-01\"\n", []string{"2020-01-01 is over"}},
	})
}
