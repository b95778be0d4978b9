package lint

import "testing"

func TestTrafficRareError(t *testing.T) {
	opt := erring(TrafficError{"default/a/bank/pay#max_fee", "fee is missing", 5, "s1", 3}, TrafficError{"default/a/bank/pay#max_fee", "fee is of type string", 4, "", -1})
	checkRuleWith(t, "AEG074", opt, []example{
		{"few", pay(`max_fee: 5`), []string{"max_fee could not be decided on 4 of 100 captured calls: fee is of type string"}},
		{"other rules", pay(`max_amount: 5`), nil},
	})
}
