package lint

import "testing"

func TestSchemaUnknownTool(t *testing.T) {
	server := schemaText(t, "bank", `[{"name": "create_payment", "inputSchema": {}}, {"name": "get_balance", "inputSchema": {}}]`)
	checkRuleWith(t, "AEG060", server, []example{
		{"a slip in an action", agent(`{name: bank, actions: [create_paymnt]}`), []string{"the schema of bank has no tool create_paymnt"}},
		{"an action of another name", agent(`{name: bank, actions: [refund]}`), []string{"no tool refund"}},
		{"an action with keys", agent(`{name: bank, actions: [{name: refund, conditions: {max_amount: 5}}]}`), []string{"no tool refund"}},
		{"a prefix of none", agent(`{name: bank, actions: ["delete_*"]}`), []string{"no tool that begins with delete_"}},
		{"a slip in the server", agent(`{name: banc, actions: [create_payment]}`), []string{"the schemas have no tool banc"}},
		{"all is well", agent(`{name: bank, actions: [create_payment, "get_*"]}`), nil},
		{"any action", agent(`{name: bank}`), nil},
		{"a server that is not listed", agent(`{name: stripe-payments, actions: [refund]}`), nil},
		{"a guardrail", "guardrail: g\ntools: [{name: bank, actions: [\"delete_*\"]}]\n", nil},
	})
	plain := schemaText(t, "", `[{"name": "create_payment", "inputSchema": {}}, {"name": "get_balance", "inputSchema": {}}]`)
	checkRuleWith(t, "AEG060", plain, []example{
		{"beside one that is known", agent(`{name: bank, actions: [create_payment, refund]}`), []string{"no tool refund"}},
		{"a slip", agent(`{name: bank, actions: [create_paymnt]}`), []string{"no tool create_paymnt"}},
		{"a tool without actions", agent(`{name: create_payment}`, `{name: refund}`), []string{"the schemas have no tool refund"}},
		{"maybe another server's", agent(`{name: crm, actions: [refund]}`), nil},
		{"maybe another tool", agent(`{name: refund}`), nil},
	})
}
