package lint

import "testing"

func TestApprovalChannel(t *testing.T) {
	checkRule(t, "AEG031", []example{
		{"none", agent(`{name: bank, approval: {approvers: [ann]}}`), []string{"nobody is told"}},
		{"one of two", agent(`{name: bank, approval: [{approvers: [ann]}, {channel: "slack:#pay"}]}`), nil},
	})
}
