package lint

import "testing"

func TestShadowLeft(t *testing.T) {
	checkRule(t, "AEG017", []example{
		{"the policy", "mode: shadow\n" + pay(`max_amount: 5`), []string{"every entry is in shadow"}},
		{"all of its entries", agent(`{name: bank, mode: shadow}`, `{name: shop, actions: [{name: buy, effect: read}], mode: shadow}`), []string{"every entry"}},
		{"one of its entries", agent(`{name: bank, mode: shadow}`, `{name: shop}`), nil},
		{"an entry is enforced", "mode: shadow\n" + agent(`{name: bank, mode: enforce}`), nil},
		{"a share", "mode: {enforce: 50%}\n" + pay(`max_amount: 5`), nil},
		{"one session in a hundred", "mode: {enforce: 1%}\n" + pay(`max_amount: 5`), []string{"1% of sessions"}},
		{"no entries", "agent: a\nmode: shadow\nallowed_tools: []", nil},
	})
}
