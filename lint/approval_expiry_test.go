package lint

import "testing"

func TestApprovalExpiry(t *testing.T) {
	checkRule(t, "AEG030", []example{
		{"not stated", agent(`{name: bank, approval: {approvers: [ann]}}`), []string{"15 minutes"}},
		{"for a week", agent(`{name: bank, approval: {approvers: [ann], expires: 7d}}`), []string{"168 hours"}},
		{"a day", agent(`{name: bank, approval: {approvers: [ann], expires: 24h}}`), nil},
		{"one of two", agent(`{name: bank, approval: [{approvers: [ann]}, {approvers: [bob], expires: 15m}]}`), nil},
		{"of its entry", agent(`{name: bank, approval: {expires: 15m}, actions: [{name: pay, approval: {approvers: [ann]}}]}`), nil},
	})
}
