package lint

import "testing"

func TestSchemaOptionalArgument(t *testing.T) {
	opt := schemaText(t, "bank", `[{"name": "pay", "inputSchema": {"required": ["amount"], "properties": {"amount": {"type": "number"}, "fee": {"type": "number"},
		"to": {"type": "object", "required": ["iban"], "properties": {"iban": {}, "bic": {}}}}}}]`)
	checkRuleWith(t, "AEG064", opt, []example{
		{"a bound", pay(`max_fee: 5`), []string{"calls of bank/pay may leave fee out"}},
		{"an expression", pay(`deny_if: fee > 5`), []string{"may leave fee out"}},
		{"said once", pay(`max_fee: 5, deny_if: fee > 5`), []string{"may leave fee out"}},
		{"required", pay(`max_amount: 5`), nil},
		{"optional", pay(`args: {fee: {max: 5, optional: true}}, deny_if: has(fee) && fee > 3`), nil},
		{"a member of what is optional", pay(`args: {to: {optional: true, args: {iban: {in: [x]}}}}`), nil},
		{"the object", pay(`args: {to: {args: {iban: {in: [x]}}}}`), []string{"may leave to out"}},
	})
}
