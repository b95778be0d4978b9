package lint

import "testing"

func TestNameTypo(t *testing.T) {
	checkRule(t, "AEG024", []example{
		{"an action", agent(`{name: bank, actions: [create_payment]}`, `{name: bank, actions: [craete_payment]}`), []string{"the action craete_payment is named only here, and create_payment is almost the same (line 2)"}},
		{"a tool", agent(`{name: payments, actions: [pay]}`, `{name: paymnets, actions: [refund]}`), []string{"the tool paymnets"}},
		{"named twice there", agent(`{name: bank, actions: [create_payment]}`, `{name: bank, actions: [create_payment, craete_payment]}`), []string{"craete_payment"}},
		{"a plural", agent(`{name: crm, actions: [get_user, get_users]}`), nil},
		{"another word", agent(`{name: crm, actions: [create_note, create_node]}`), nil},
		{"of another tool", agent(`{name: bank, actions: [craete_payment]}`, `{name: shop, actions: [create_payment]}`), nil},
		{"a caller", "callers: [usr]\n" + agent(`{name: bank}`), []string{"no agent is called usr"}},
		{"a caller of an entry", "callers: [user, helper]\n" + agent(`{name: bank, callers: [helper]}`), nil},
	})
}
