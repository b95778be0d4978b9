package lint

import "testing"

func TestContradictingEntries(t *testing.T) {
	with := func(a, b string) string {
		return agent("{name: bank, actions: [pay], conditions: {"+a+"}}", "{name: bank, actions: [pay], conditions: {"+b+"}}")
	}
	checkRule(t, "AEG051", []example{
		{"bounds", with(`max_amount: 5`, `min_amount: 9`), []string{"this entry and the one at line 2"}},
		{"a bound and a requirement", with(`max_amount: 5`, `require: [amount > 5]`), []string{"all are denied"}},
		{"a deny_if", with(`deny_if: amount > 5`, `min_amount: 9`), []string{"all are denied"}},
		{"kinds", with(`max_amount: 5`, `args: {amount: {in: [a, b]}}`), []string{"all are denied"}},
		{"texts", with(`require: ['c.startsWith("a")']`, `require: ['c.startsWith("b")']`), []string{"all are denied"}},
		{"overlapping names", agent(`{name: bank, actions: ["p*"], conditions: {max_amount: 5}}`, `{name: bank, actions: [pay, get], conditions: {min_amount: 9}}`),
			[]string{"all are denied"}},
		{"lists are another finding", with(`args: {c: {in: [a]}}`, `args: {c: {in: [b]}}`), nil},
		{"room", with(`max_amount: 5`, `min_amount: 5`), nil},
		{"optional", with(`args: {amount: {max: 5, optional: true}}`, `args: {amount: {min: 9, optional: true}}`), nil},
		{"lifted", with(`max_amount: 5, approval_needed_if: amount > 5`, `min_amount: 9`), nil},
		{"other calls", agent(`{name: bank, actions: [pay], conditions: {max_amount: 5}}`, `{name: bank, actions: [get], conditions: {min_amount: 9}}`), nil},
		{"an entry that denies all by itself", with(`deny_if: "true"`, `min_amount: 9`), nil},
	})
}

func TestContradictsGuardrail(t *testing.T) {
	const guardrail = "guardrail: floor\ntenant: \"*\"\ntools: [{name: \"*\", conditions: {args: {amount: {optional: true, max: 5}}}}]\n"
	for conditions, want := range map[string]bool{"min_amount: 9": true, "min_amount: 5": false, "max_amount: 9": false} {
		dir := writeFiles(t, map[string]string{"g.yaml": guardrail, "p.yaml": pay(conditions)})
		found := false
		for _, f := range lintFiles(t, dir) {
			found = found || f.ID == "AEG051"
		}
		if found != want {
			t.Errorf("%s: found %t", conditions, found)
		}
	}
}
