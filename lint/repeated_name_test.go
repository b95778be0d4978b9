package lint

import "testing"

func TestRepeatedName(t *testing.T) {
	checkRule(t, "AEG027", []example{
		{"a glob in a glob", agent(`{name: crm, actions: ["get_*", "get_user_*"], effect: read}`), []string{"the action get_user_* adds nothing beside get_*"}},
		{"tools", agent(`{name: [crm-eu, "crm-*"], actions: [x], effect: read}`), []string{"the tool crm-eu"}},
		{"agents", "agent: [\"bot-*\", bot-1]\nallowed_tools: []", []string{"the agent bot-1"}},
		{"with keys of its own", agent(`{name: crm, actions: ["get_*", {name: get_user, conditions: {max_n: 5}}], effect: read}`), nil},
		{"apart", agent(`{name: crm, actions: ["get_*", list_users], effect: read}`), nil},
	})
}
