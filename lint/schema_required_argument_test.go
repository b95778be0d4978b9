package lint

import "testing"

func TestSchemaRequiredArgument(t *testing.T) {
	opt := schemaText(t, "bank", `[{"name": "pay", "inputSchema": {"required": ["amount", "fee"], "properties": {"amount": {"type": "number"}, "fee": {"type": ["number", "null"]}, "memo": {"type": "string"}}}}]`)
	checkRuleWith(t, "AEG065", opt, []example{
		{"required", pay(`args: {amount: {max: 5, optional: true}}`), []string{"bank/pay requires amount"}},
		{"it may be null", pay(`args: {fee: {max: 5, optional: true}}`), nil},
		{"optional", pay(`args: {memo: {max_length: 5, optional: true}}`), nil},
		{"not optional in the rule", pay(`max_amount: 5`), nil},
	})
}
