package lint

import "testing"

func TestDeadEntry(t *testing.T) {
	checkRule(t, "AEG026", []example{
		{"a twin", agent(`{name: bank, actions: [pay], taints: [t], conditions: {max_n: 5}}`, `{name: bank, actions: [pay], taints: [t, u], conditions: {max_n: 5}}`), []string{"changes nothing: the one at line 3"}},
		{"with rules of its own", agent(`{name: bank, actions: ["p*"]}`, `{name: bank, actions: [pay], conditions: {max_n: 5}}`), nil},
		{"a read among writes", agent(`{name: bank, actions: ["p*"]}`, `{name: bank, actions: [pay], effect: read}`), []string{"changes nothing"}},
		{"a write among reads", agent(`{name: bank, actions: ["p*"], effect: read}`, `{name: bank, actions: [pay]}`), nil},
		{"on trial", agent(`{name: bank, actions: ["p*"], mode: shadow}`, `{name: bank, actions: [pay]}`), nil},
		{"one of its actions", agent(`{name: bank, actions: ["p*"]}`, `{name: bank, actions: [pay, refund]}`), []string{"the action pay changes nothing"}},
		{"denied anyway", agent(`{name: bank, actions: ["d*"], conditions: {deny_if: "true"}}`, `{name: bank, actions: [delete], conditions: {max_n: 5}}`), []string{"grants nothing"}},
		{"taken out of a grant", agent(`{name: bank}`, `{name: bank, actions: ["d*"], conditions: {deny_if: "true"}}`), nil},
		{"another tool", agent(`{name: bank, actions: [pay]}`, `{name: shop, actions: [pay]}`), nil},
	})
}
