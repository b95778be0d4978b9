package lint

import "testing"

func TestTrafficUnused(t *testing.T) {
	traffic := &Traffic{Calls: 9, Seen: []SeenTool{{Tenant: "default", Agent: "a", Tool: "bank", Action: "pay", Calls: 7}},
		UnusedEntries: []string{"default/a/bank/get"},
		UnusedRules:   []string{"default/a/bank/get#max_amount", "default/a/bank/pay#max_amount", "default/a/bank/pay#args.fee.type", "default/guardrail:g/all#deny_if", "default/a#limits[0]"}}
	checkRuleWith(t, "AEG070", Options{Traffic: traffic}, []example{
		{"an entry, and not its rules", agent(`{name: bank, actions: [get], conditions: {max_amount: 5}}`), []string{"none of 9 captured calls matches this entry"}},
		{"a rule", pay(`max_amount: 5`), []string{"none of 7 captured calls came up against max_amount"}},
		{"an action among others", agent(`{name: bank, actions: [pay, "void_*"]}`), []string{"none of 7 captured calls of this entry is void_*"}},
		{"a type", pay(`args: {fee: {type: number}}`), nil},
		{"a rule of the policy", "agent: a\nlimits: [{calls: 5/day}]\nallowed_tools: [{name: bank}]\n", []string{"none of 7 captured calls came up against limits[0]"}},
		{"a guardrail", "guardrail: g\ntools: [{id: all, name: \"*\", conditions: {deny_if: a > 5}}]\n", nil},
		{"a rule that was met", pay(`max_fee: 5`), nil},
	})
	checkRuleWith(t, "AEG070", Options{Traffic: &Traffic{UnusedRules: traffic.UnusedRules, UnusedEntries: traffic.UnusedEntries}}, []example{
		{"no calls at all", pay(`max_amount: 5`), nil},
	})
}
