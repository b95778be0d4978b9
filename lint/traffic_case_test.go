package lint

import "testing"

func TestTrafficCase(t *testing.T) {
	opt := erring()
	opt.Traffic.CaseOnly = []RuleCalls{{"default/a/bank/pay#args.kind.in", 3}, {"default/a/bank/pay#args.fee.in", 2}}
	checkRuleWith(t, "AEG076", opt, []example{
		{"often", pay(`args: {kind: {in: [web, api]}}`), []string{"args.kind.in denies 3 of 100 captured calls for a value that is listed in another case"}},
		{"too few to tell", pay(`args: {fee: {in: [web, api]}}`), nil},
	})
}
