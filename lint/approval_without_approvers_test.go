package lint

import "testing"

func TestApprovalWithoutApprovers(t *testing.T) {
	checkRule(t, "AEG012", []example{
		{"a channel only", agent(`{name: bank, approval: {channel: "slack:#pay"}}`), []string{"any approver"}},
		{"one of two", agent(`{name: bank, approval: [{approvers: [ann]}, {quorum: 2}]}`), []string{"any approver"}},
		{"named", agent(`{name: bank, approval: {approvers: ["group:pay"]}}`), nil},
		{"no block", pay(`approval_needed_if: amount > 5`), nil},
	})
}
