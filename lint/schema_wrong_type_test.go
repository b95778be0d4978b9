package lint

import "testing"

func TestSchemaWrongType(t *testing.T) {
	opt := schemaOptions(t, `"amount": {"type": "string"}, "n": {"type": "integer"}, "tags": {"type": "array", "items": {"type": "string"}}, "any": {},
		"either": {"type": ["string", "number"]}, "maybe": {"anyOf": [{"type": "number"}, {"type": "null"}]}, "to": {"type": "object", "properties": {"n": {"type": "number"}}},
		"to_all": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}, "flag": {"type": "boolean"}`)
	checkRuleWith(t, "AEG062", opt, []example{
		{"a bound", pay(`max_amount: 5`), []string{"amount is a string for bank/pay, and max_amount needs a number"}},
		{"a list", pay(`args: {tags: {in: [a]}}`), []string{"tags is a list"}},
		{"an element", pay(`args: {tags: {each: {max: 5}}}`), []string{"tags is a string"}},
		{"a member", pay(`args: {to: {args: {n: {in: [a]}}}}`), []string{"to.n is a number"}},
		{"no object", pay(`args: {n: {args: {x: {in: [a]}}}}`), []string{"args needs an object"}},
		{"in an expression", pay(`deny_if: amount > 5`), []string{"amount is a string for bank/pay, and amount > 5 reads it as a number"}},
		{"a text of a number", pay(`deny_if: 'n.startsWith("1")'`), []string{"n is a integer"}},
		{"a condition", pay(`require: [n]`), []string{"reads it as a boolean"}},
		{"quantifiers over no list", pay(`require: ['n.exists(x, x > 1)']`), []string{"reads it as a list"}},
		{"right", pay(`max_n: 5, args: {tags: {each: {in: [a]}}, to: {args: {n: {max: 5}}}}, require: [flag, 'amount == "5"']`), nil},
		{"not known", pay(`max_any: 5, max_either: 5, max_maybe: 5`), nil},
		{"one of several types", pay(`args: {to_all: {each: {in: [a]}}}`), nil},
		{"numbers and integers", pay(`args: {n: {type: number}}`), nil},
	})
}
