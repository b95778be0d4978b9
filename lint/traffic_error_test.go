package lint

import "testing"

// erring is traffic of 100 calls of bank/pay, on some of which rules could not be decided.
func erring(errors ...TrafficError) Options {
	return Options{Traffic: &Traffic{Calls: 400, Seen: []SeenTool{{Tenant: "default", Agent: "a", Tool: "bank", Action: "pay", Calls: 100}}, Errors: errors}}
}

func TestTrafficError(t *testing.T) {
	opt := erring(TrafficError{"default/a/bank/pay#max_fee", "fee is missing", 5, "s1", 3}, TrafficError{"default/a/bank/pay#deny_if", "fee is missing", 4, "s1", 3},
		TrafficError{"default/a/bank/pay#max_fee", "fee is of type string", 4, "", -1}, TrafficError{"default/a/bank/pay#gone", "x is missing", 99, "", -1})
	checkRuleWith(t, "AEG073", opt, []example{
		{"many", pay(`max_fee: 5, deny_if: fee > 9`), []string{"max_fee, deny_if could not be decided on 5 of 100 captured calls: fee is missing, such as seq 3 of session s1"}},
		{"other rules", pay(`max_amount: 5`), nil},
	})
	checkRuleWith(t, "AEG073", erring(TrafficError{"default/guardrail:g/all#deny_if", "a is missing", 20, "s", -1}), []example{
		{"a guardrail counts all calls", "guardrail: g\ntools: [{id: all, name: \"*\", conditions: {deny_if: a > 5}}]\n", []string{"on 20 of 400 captured calls: a is missing, such as one of session s"}},
	})
}
