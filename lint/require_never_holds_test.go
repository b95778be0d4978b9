package lint

import "testing"

func TestRequireNeverHolds(t *testing.T) {
	checkRule(t, "AEG019", []example{
		{"over the ceiling", pay(`max_amount: 5, require: [amount > 10]`), []string{"require[0] can never hold here: amount > 10 and max_amount 5 leave no number"}},
		{"at the ceiling", pay(`max_amount: 5, require: [amount > 5]`), []string{"require[0]"}},
		{"two requirements", pay(`require: [amount > 10, amount < 5]`), []string{"require[1] can never hold"}},
		{"one by itself", pay(`require: [amount > 10 && amount < 5]`), []string{"require[0] can never hold here"}},
		{"each alternative", pay(`max_amount: 5, require: [amount > 10 || amount == 7]`), []string{"require[0]"}},
		{"not", pay(`max_amount: 5, require: ['!(amount < 10)']`), []string{"!(amount < 10) and max_amount 5"}},
		{"from the other side", pay(`max_amount: 5, require: [10 < amount]`), []string{"require[0]"}},
		{"a list", pay(`args: {c: {in: [a, b]}}, require: [c == "d"]`), []string{"have no value in common"}},
		{"not of the list", pay(`args: {c: {in: [a]}}, require: [c != "a"]`), []string{"every value of args.c.in [a] is ruled out"}},
		{"none of the list", pay(`args: {c: {in: [a]}}, require: ['!(c in ["a", "b"])']`), []string{"require[0]"}},
		{"no integer", pay(`args: {n: {type: integer}}, require: [n > 5 && n < 6]`), []string{"require[0]"}},
		{"within an object", pay(`args: {a: {args: {n: {type: number}}}}, require: [a.n > 5, a.n < 4]`), []string{"require[1]"}},
		{"an action and its entry", agent(`{name: bank, actions: [{name: pay, conditions: {require: [amount > 10]}}], conditions: {max_amount: 5}}`),
			[]string{"require[0]"}},
		{"a requirement of the entry, said once", agent(`{name: bank, actions: [{name: pay, conditions: {require: [fee > 1]}}],
  conditions: {max_amount: 5, require: [amount > 10]}}`), []string{"require[0]"}},
		{"room", pay(`max_amount: 5, require: [amount > 0, amount != 3]`), nil},
		{"an alternative", pay(`max_amount: 5, require: [amount > 10 || fee > 1]`), nil},
		{"lifted by an approval", pay(`max_amount: 5, approval_needed_if: amount > 5, require: [amount > 10]`), nil},
		{"lifted by else", pay(`args: {amount: {max: 5, else: approval}}, require: [amount > 10]`), nil},
		{"other arguments", pay(`max_amount: 5, require: [fee > 10]`), nil},
		{"not decided", pay(`max_amount: 5, require: [amount * 2 > 100, size(memo) > 5 && size(memo) < 3]`), nil},
		{"a band without values is another finding", pay(`max_amount: 5, min_amount: 9, require: [amount > 10]`), nil},
		{"an optional argument", pay(`args: {amount: {max: 5, optional: true}}, require: ['!has(amount) || amount > 1']`), nil},
	})
}
