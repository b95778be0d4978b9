package lint

import "testing"

func TestTrafficDeniesAll(t *testing.T) {
	opt := erring()
	opt.Traffic.Denials = []RuleCalls{{"default/a/bank/pay#max_fee", 100}, {"default/a/bank/pay#deny_if", 99}, {"default/a#regions", 100}}
	checkRuleWith(t, "AEG075", opt, []example{
		{"all", pay(`max_fee: 5`), []string{"max_fee denies every captured call that it applies to: 100"}},
		{"all but one", pay(`deny_if: fee > 5`), nil},
		{"of the policy", "regions: [eu]\n" + pay(`max_amount: 5`), []string{"regions denies every captured call"}},
	})
	opt = Options{Traffic: &Traffic{Calls: 2, Seen: []SeenTool{{Tenant: "default", Agent: "a", Tool: "bank", Action: "pay", Calls: 2}},
		Denials: []RuleCalls{{"default/a/bank/pay#max_fee", 2}}}}
	checkRuleWith(t, "AEG075", opt, []example{{"too few to tell", pay(`max_fee: 5`), nil}})
}
