package lint

import "testing"

func TestApprovalUnreachable(t *testing.T) {
	checkRule(t, "AEG050", []example{
		{"swallowed", pay(`deny_if: amount > 5, approval_needed_if: amount > 5`), []string{"deny_if (line 2) denies every call for which approval_needed_if holds"}},
		{"swallowed by a wider one", pay(`deny_if: amount >= 4, approval_needed_if: amount > 5`), []string{"deny_if"}},
		{"by one of several", pay(`deny_if: [fee > 3, amount > 4], approval_needed_if: amount > 5`), []string{"deny_if[1]"}},
		{"an alternative of deny_if", pay(`deny_if: 'c == "x" || amount > 4', approval_needed_if: amount > 5`), []string{"deny_if"}},
		{"a maximum of the entry", agent(`{name: bank, conditions: {max_amount: 5}, actions: [{name: pay, conditions: {approval_needed_if: amount > 5}}]}`),
			[]string{"max_amount (line 2)"}},
		{"a maximum of another entry", agent(`{name: bank, conditions: {max_amount: 5}}`, `{name: bank, actions: [pay], conditions: {approval_needed_if: amount > 9}}`),
			[]string{"max_amount"}},
		{"a maximum that approval does not read", pay(`max_amount: 5, require: [total == amount || amount > 5], approval_needed_if: 'has(x) && total > 9', args: {total: {max: 9, else: approval}},
    deny_if: total > 3`), []string{"deny_if (line 3) denies every call for which approval_needed_if", "a breach of args.total.max"}},
		{"a list", pay(`args: {c: {in: [a, b]}}, approval_needed_if: c == "d"`), []string{"args.c.in"}},
		{"else, swallowed", pay(`args: {c: {in: [a, b], else: approval}}, deny_if: '!(c in ["a", "b", "d"])', require: [c != "d"]`), []string{"the rules that apply with it"}},
		{"room", pay(`deny_if: amount > 50, approval_needed_if: amount > 5`), nil},
		{"lifted", pay(`max_amount: 5, approval_needed_if: amount > 5`), nil},
		{"another argument", pay(`deny_if: amount > 5, approval_needed_if: fee > 5`), nil},
		{"an entry for other calls", agent(`{name: bank, actions: [pay], conditions: {max_amount: 5}}`, `{name: bank, conditions: {approval_needed_if: amount > 9}}`), nil},
		{"a condition that is never true is another finding", pay(`deny_if: amount > 5, approval_needed_if: amount > 9 && amount < 3`), nil},
		{"not decided", pay(`deny_if: amount * amount > 5, approval_needed_if: amount > 5`), nil},
	})
}

func TestApprovalUnreachableBelowGuardrail(t *testing.T) {
	for guardrail, want := range map[string]int{
		"guardrail: g\ntenant: \"*\"\ntools: [{name: \"*\", conditions: {args: {amount: {optional: true, max: 5}}}}]\n":                    1,
		"guardrail: g\ntenant: \"*\"\nagents: [b]\ntools: [{name: \"*\", conditions: {args: {amount: {optional: true, max: 5}}}}]\n":       0,
		"guardrail: g\ntenant: \"*\"\ntools: [{name: \"bank\", actions: [pay], conditions: {args: {amount: {optional: true, max: 9}}}}]\n": 0,
	} {
		dir := writeFiles(t, map[string]string{"g.yaml": guardrail, "p.yaml": pay("approval_needed_if: amount > 5")})
		found := 0
		for _, f := range lintFiles(t, dir) {
			if f.ID == "AEG050" {
				found++
			}
		}
		if found != want {
			t.Errorf("%s: %d findings, want %d", guardrail, found, want)
		}
	}
}
