package lint

import "testing"

func TestConstantCondition(t *testing.T) {
	checkRule(t, "AEG018", []example{
		{"deny_if true", pay(`deny_if: "true"`), []string{"deny_if is always true"}},
		{"deny_if false", pay(`deny_if: "false"`), []string{"deny_if is always false"}},
		{"one of a list", pay(`require: [amount > 0, 1 < 2]`), []string{"require[1] is always true: 1 < 2"}},
		{"or true", pay(`require: [amount > 0 || true]`), []string{"always true"}},
		{"and false", pay(`approval_needed_if: false && amount > 0`), []string{"always false"}},
		{"texts", pay(`require: ['"a" == "b"']`), []string{"always false"}},
		{"a list", pay(`require: ['1 in [1, 2]', '!("a" in ["b"])', 'true != false', '2 >= 3 || 2 > 3', '2 <= 2']`),
			[]string{"true", "true", "true", "false", "true"}},
		{"when", agent(`{name: bank, conditions: {approval_needed_if: amount > 5}, approval: {approvers: [a], when: "true"}}`), []string{"approval is always true"}},
		{"the twin of a grant", agent(`{name: bank, actions: [pay]}`, `{id: x, name: bank, actions: [pay], conditions: {deny_if: "true"}}`), []string{"always true"}},
		{"ask every time", pay(`approval_needed_if: "true"`), nil},
		{"taken out of a grant", agent(`{name: bank, actions: ["get_*"]}`, `{name: bank, actions: [get_secret], conditions: {deny_if: "true"}}`), nil},
		{"an action taken out", agent(`{name: bank, actions: ["get_*", {name: get_secret, conditions: {require: "false"}}]}`), nil},
		{"a guardrail", "guardrail: g\ntools: [{name: bank, conditions: {deny_if: \"true\"}}]", nil},
		{"a switch", "params: {frozen: true, most: 5}\n" + pay(`deny_if: params.frozen, require: [params.most > 3]`), nil},
		{"an argument", pay(`require: [amount > 0 || fee > 0]`), nil},
	})
}
