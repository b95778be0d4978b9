package lint

import "testing"

func TestRegionsUnmet(t *testing.T) {
	checkRule(t, "AEG034", []example{
		{"a condition", "regions: [eu]\n" + pay(`deny_if: region == "us"`), []string{"region is never us here"}},
		{"one of them", "regions: [eu, us]\n" + pay(`deny_if: region == "us"`), nil},
		{"no regions", pay(`deny_if: region == "us"`), nil},
	})
}
