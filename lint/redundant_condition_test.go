package lint

import "testing"

func TestRedundantCondition(t *testing.T) {
	checkRule(t, "AEG053", []example{
		{"over the maximum", pay(`max_amount: 5, deny_if: amount > 50`), []string{"deny_if makes no difference: the constraints on amount"}},
		{"required anyway", pay(`max_amount: 5, require: [amount <= 9]`), []string{"require[0] makes no difference"}},
		{"a list", pay(`args: {c: {in: [a, b]}}, deny_if: c == "x"`), []string{"deny_if"}},
		{"two arguments", pay(`max_a: 5, max_b: 5, deny_if: a > 9 || b > 9`), []string{"the constraints on a, b"}},
		{"of the entry", agent(`{name: bank, conditions: {max_amount: 5}, actions: [{name: pay, conditions: {deny_if: amount > 50}}]}`), []string{"deny_if"}},
		{"it bites", pay(`max_amount: 5, deny_if: amount > 4`), nil},
		{"lifted", pay(`max_amount: 5, deny_if: amount > 50, approval_needed_if: amount > 5`), nil},
		{"missing arguments are denied by it", pay(`args: {amount: {max: 5, optional: true}}, deny_if: amount > 50`), nil},
		{"another argument with it", pay(`max_amount: 5, deny_if: amount > 50 && fee > 1`), nil},
		{"arithmetic can be an error", pay(`max_amount: 5, deny_if: amount + 1 > 50`), nil},
		{"params are switches", "params: {top: 50}\n" + pay(`max_amount: 5, deny_if: amount > params.top`), nil},
	})
}
