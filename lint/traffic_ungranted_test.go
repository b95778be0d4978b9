package lint

import "testing"

func TestTrafficUngranted(t *testing.T) {
	seen := func(tenant, agent, tool, action string) Options {
		return Options{Traffic: &Traffic{Calls: 2, Seen: []SeenTool{{Tenant: tenant, Agent: agent, Tool: tool, Action: action, Calls: 2}}}}
	}
	policy := agent(`{name: bank, actions: [pay, "get_*"]}`, `{name: "crm*"}`)
	checkRuleWith(t, "AEG071", seen("default", "a", "bank", "refund"), []example{{"an action", policy, []string{"nothing grants bank/refund, which a called: 2 captured calls"}}})
	checkRuleWith(t, "AEG071", seen("default", "a", "bank", ""), []example{{"no action", policy, []string{"nothing grants bank,"}}})
	checkRuleWith(t, "AEG071", seen("default", "a", "mail", "send"), []example{{"a tool", policy, []string{"nothing grants mail/send"}}})
	checkRuleWith(t, "AEG071", seen("default", "b", "bank", "pay"), []example{{"an agent", policy, []string{"no policy covers agent default/b"}}})
	checkRuleWith(t, "AEG071", seen("acme", "a", "bank", "pay"), []example{{"a tenant", policy, []string{"no policy covers agent acme/a"}}})
	for _, action := range []string{"pay", "get_x"} {
		checkRuleWith(t, "AEG071", seen("default", "a", "bank", action), []example{{"granted", policy, nil}})
	}
	checkRuleWith(t, "AEG071", seen("default", "a", "crm-eu", ""), []example{{"any action", policy, nil}})
}
