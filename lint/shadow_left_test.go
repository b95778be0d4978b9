package lint

import "testing"

func TestShadowLeft(t *testing.T) {
	checkRule(t, "AEG017", []example{
		{"the policy", "mode: shadow\n" + pay(`max_amount: 5`), []string{"every entry is in shadow"}},
		{"all of its entries", agent(`{name: bank, mode: shadow}`, `{name: shop, actions: [{name: buy, effect: read}], mode: shadow}`), []string{"every entry"}},
		{"one of its entries", agent(`{name: bank, mode: shadow}`, `{name: shop}`), nil},
		{"an entry is enforced", "mode: shadow\n" + agent(`{name: bank, mode: enforce}`), nil},
		{"a share", "mode: {enforce: 5%}\n" + pay(`max_amount: 5`), nil},
		{"no entries", "agent: a\nmode: shadow\nallowed_tools: []", nil},
	})
}
