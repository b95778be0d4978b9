package lint

import "testing"

func TestSettingLikeName(t *testing.T) {
	checkRule(t, "AEG008", []example{
		{"tokens", pay(`max_tokens: 500`), []string{"max_tokens constrains the argument tokens"}},
		{"calls", pay(`max_calls: 5`), []string{"max_calls"}},
		{"two words", pay(`max_chain_depth: 5`), []string{"max_chain_depth"}},
		{"the argument is named elsewhere", pay(`max_tokens: 500, require: [tokens > 0]`), nil},
		{"in full", pay(`args: {tokens: {max: 500}}`), nil},
		{"of that name", pay(`args: {max_tokens: {max: 500}}`), nil},
		{"an amount", pay(`max_amount: 500`), nil},
	})
}
