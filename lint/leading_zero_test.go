package lint

import "testing"

func TestLeadingZero(t *testing.T) {
	checkRule(t, "AEG048", []example{
		{"numbers", pay(`args: {postcode: {in: [10115, 80331, 1067]}}`), []string{"1067 is a digit short"}},
		{"in CEL", pay(`require: ['zip in ["10115", "1067"]']`), []string{"1067"}},
		{"amounts", pay(`args: {amount: {in: [10000, 5000]}}`), nil},
		{"of all lengths", pay(`args: {code: {in: ["10115", "106", "7"]}}`), nil},
		{"words", pay(`args: {code: {in: ["10115", "ABCD"]}}`), nil},
	})
}
