package lint

import "testing"

func TestApprovalQuorum(t *testing.T) {
	checkRule(t, "AEG032", []example{
		{"three of two", agent(`{name: bank, approval: {approvers: [ann, bob], quorum: 3}}`), []string{"the quorum is 3, and 2 can approve"}},
		{"named twice", agent(`{name: bank, approval: {approvers: [ann, ann], quorum: 2}}`), []string{"1 can approve"}},
		{"a group", agent(`{name: bank, approval: {approvers: ["group:x"], quorum: 3}}`), nil},
		{"anyone", agent(`{name: bank, approval: {quorum: 3}}`), nil},
	})
}
