package lint

import "testing"

func TestCaseSlip(t *testing.T) {
	checkRule(t, "AEG013", []example{
		{"denied by ==", pay(`deny_if: environment == "prod"`), []string{`another spelling of "prod" slips past`}},
		{"asked by ==", pay(`approval_needed_if: '"prod" == target_env'`), []string{"prod"}},
		{"allowed by !=", pay(`require: [environment != "prod"]`), []string{"prod"}},
		{"allowed unless ==", pay(`require: ['!(environment == "prod")']`), []string{"prod"}},
		{"within a member", pay(`deny_if: deploy.environment == "prod" && replicas > 3`), []string{"deploy.environment"}},
		{"of a tier", agent(`{name: bank, conditions: {approval_needed_if: amount > 5}, approval: {approvers: [a], when: 'stage == "prod"'}}`),
			[]string{"stage"}},
		{"lowerAscii", pay(`deny_if: environment.lowerAscii() == "prod"`), nil},
		{"a list", pay(`deny_if: 'environment in ["prod", "Prod"]'`), nil},
		{"a list of allowed ones", pay(`deny_if: environment == "prod", args: {environment: {in: [dev, prod]}}`), nil},
		{"required", pay(`require: [environment == "dev"]`), nil},
		{"denied unless", pay(`deny_if: environment != "dev"`), nil},
		{"another argument", pay(`deny_if: currency == "usd"`), nil},
		{"no letters", pay(`deny_if: stage == "1"`), nil},
		{"a number", pay(`deny_if: stage == 1`), nil},
	})
}
