package lint

import "testing"

func TestApprovalUntriggered(t *testing.T) {
	checkRule(t, "AEG011", []example{
		{"nothing asks", agent(`{name: bank, approval: {approvers: [ann]}}`), []string{"nothing asks for this approval"}},
		{"several, said once", agent(`{name: bank, approval: [{approvers: [ann]}, {approvers: [bob]}]}`), []string{"nothing asks"}},
		{"another tool asks", agent(`{name: bank, approval: {approvers: [ann]}}`, `{name: shop, conditions: {approval_needed_if: price > 5}}`),
			[]string{"nothing asks"}},
		{"approval_needed_if", agent(`{name: bank, conditions: {approval_needed_if: amount > 5}, approval: {approvers: [ann]}}`), nil},
		{"else: approval", agent(`{name: bank, conditions: {args: {to: {in: [a], else: approval}}}, approval: {approvers: [ann]}}`), nil},
		{"else: approval of an element", agent(`{name: bank, conditions: {args: {to: {each: {in: [a], else: approval}}}}, approval: {approvers: [ann]}}`), nil},
		{"an action asks", agent(`{name: bank, actions: [{name: pay, conditions: {approval_needed_if: amount > 5}}], approval: {approvers: [ann]}}`), nil},
		{"another entry for the calls asks", agent(`{name: bank, approval: {approvers: [ann]}}`,
			`{name: bank, actions: [pay], conditions: {approval_needed_if: amount > 5}}`), nil},
	})
}

// A guardrail may ask, and so may a policy's own Rego; what that does is not looked into.
func TestApprovalAskedForElsewhere(t *testing.T) {
	entry := agent(`{name: bank, approval: {approvers: [ann]}}`)
	for _, files := range []map[string]string{
		{"a.yaml": entry, "g.yaml": "guardrail: g\ntools: [{name: bank, conditions: {approval_needed_if: amount > 5}}]"},
		{"a.yaml": entry + "rego: [a.rego]\n", "a.rego": "package aegis.custom\n\napproval_needed contains \"always\" if true\n"},
	} {
		if found := lintOnly(t, "AEG011", writeFiles(t, files)); len(found) > 0 {
			t.Errorf("%v", found)
		}
	}
}
