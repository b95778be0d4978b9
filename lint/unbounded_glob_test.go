package lint

import "testing"

func TestUnboundedGlob(t *testing.T) {
	checkRule(t, "AEG021", []example{
		{"a glob", agent(`{name: "github*"}`), []string{"github* grants every tool of that prefix"}},
		{"in a list", agent(`{name: [bank, "github*"], actions: [create_issue]}`), []string{"github*"}},
		{"some actions have conditions", agent(`{name: "github*", actions: [merge, {name: create, conditions: {require: [draft]}}]}`), []string{"github*"}},
		{"a name", agent(`{name: github}`), nil},
		{"a read", agent(`{name: "github*", effect: read}`), nil},
		{"conditions", agent(`{name: "github*", conditions: {other_args: deny}}`), nil},
		{"each action has conditions", agent(`{name: "github*", actions: [{name: create, conditions: {require: [draft]}}, {name: get, effect: read}]}`), nil},
		{"a guardrail", "guardrail: g\ntools: [{name: \"github*\"}]", nil},
	})
}
