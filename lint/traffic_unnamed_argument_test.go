package lint

import "testing"

func TestTrafficUnnamedArgument(t *testing.T) {
	opt := Options{Traffic: &Traffic{Calls: 9, Seen: []SeenTool{
		{Tenant: "default", Agent: "a", Tool: "bank", Action: "pay", Calls: 7, Args: []SeenArg{{"amount", 7, []string{"number"}}, {"url\x1b[2J", 2, []string{"string"}}}},
		{Tenant: "default", Agent: "a", Tool: "bank", Action: "get", Calls: 2, Args: []SeenArg{{"id", 2, []string{"number", "string"}}}},
	}}}
	checkRuleWith(t, "AEG072", opt, []example{
		{"one", pay(`max_amount: 5`), []string{`7 captured calls carry arguments that no rule names: "url\x1b[2J" (string, in 2)`}},
		{"of several actions", agent(`{name: bank, conditions: {max_amount: 5}}`), []string{`9 captured calls carry arguments that no rule names: id (number or string, in 2), "url`}},
		{"named by another entry", agent(`{name: bank, actions: [get], conditions: {max_amount: 5}}`, `{name: bank, effect: read, conditions: {require: [has(id)]}}`), nil},
		{"closed", pay(`max_amount: 5, other_args: deny`), []string{"other_args: deny refuses what captured calls carry"}},
		{"a read", agent(`{name: bank, effect: read, conditions: {max_amount: 5}}`), nil},
		{"a grant without conditions", agent(`{name: bank}`), nil},
		{"no such calls", agent(`{name: till, conditions: {max_amount: 5}}`), nil},
	})
}
