package lint

import "testing"

func TestApprovalDefaults(t *testing.T) {
	checkRule(t, "AEG033", []example{
		{"else", agent(`{name: a, approval: {approvers: [ann]}}`, `{name: b, conditions: {args: {x: {in: [y], else: approval}}}}`), []string{"any approver of the tenant"}},
		{"no block at all", pay(`approval_needed_if: amount > 5`), nil},
		{"of another entry for its calls", agent(`{name: a, approval: {approvers: [ann]}}`, `{name: a, actions: [b], conditions: {approval_needed_if: x > 5}}`), nil},
		{"of its action", agent(`{name: a, conditions: {approval_needed_if: x > 5}, actions: [{name: b, approval: {approvers: [ann]}}]}`), nil},
	})
}
