package lint

import "testing"

func TestSessionNever(t *testing.T) {
	checkRule(t, "AEG025", []example{
		{"a taint", pay(`deny_if: 'session.tainted("phi")'`), []string{"no entry sets the taint phi"}},
		{"set by another", agent(`{name: ehr, taints: [phi]}`, `{name: bank, conditions: {deny_if: 'session.tainted("phi")'}}`), nil},
		{"an action", pay(`require: ['session.seen("bank/chek")']`), []string{"no policy grants bank/chek"}},
		{"its own", pay(`require: ['session.count("bank/pay") < 5']`), nil},
		{"any action", pay(`require: ['session.count("bnak") < 5']`), []string{"no policy grants bnak"}},
		{"of a glob", agent(`{name: "ban*", actions: ["p*"]}`, `{name: x, conditions: {require: ['session.seen("bank/pay")']}}`), nil},
	})
}
