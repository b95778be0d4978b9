package lint

import "testing"

func TestSchemaUnknownArgument(t *testing.T) {
	opt := schemaOptions(t, `"amount": {"type": "number"}, "to": {"type": "object", "properties": {"iban": {"type": "string"}}}, "open": {"type": "object"},
		"lines": {"type": "array", "items": {"type": "object", "properties": {"price": {"type": "number"}}}}`)
	checkRuleWith(t, "AEG061", opt, []example{
		{"a slip", pay(`max_ammount: 5`), []string{"bank/pay has no argument ammount"}},
		{"in an expression", pay(`deny_if: total > 5`), []string{"no argument total"}},
		{"said once for each place", pay(`args: {total: {min: 1, max: 5}}`), []string{"no argument total"}},
		{"optional, and it limits nothing", pay(`args: {total: {max: 5, optional: true}}`), []string{"no argument total"}},
		{"of an object", pay(`args: {to: {args: {bic: {in: [x]}}}}`), []string{"no argument to.bic"}},
		{"of an object, in an expression", pay(`require: [to.bic == "x"]`), []string{"no argument to.bic"}},
		{"of an element", pay(`args: {lines: {each: {args: {prize: {max: 5}}}}}`), []string{"no argument lines.prize"}},
		{"of a limit", agent(`{name: bank, actions: [pay], limits: [{calls: 5/day, by: payee}]}`), []string{"no argument payee"}},
		{"known", pay(`max_amount: 5, args: {to: {args: {iban: {in: [x]}}}, open: {args: {x: {in: [y]}}}, lines: {each: {args: {price: {max: 5}}}}}`), nil},
		{"another server", agent(`{name: till, actions: [pay], conditions: {max_total: 5}}`), nil},
	})
	two := schemaText(t, "bank", `[{"name": "pay", "inputSchema": {"properties": {"amount": {}}}}, {"name": "get", "inputSchema": {"properties": {"id": {}}}}]`)
	checkRuleWith(t, "AEG061", two, []example{
		{"one of the tools", agent(`{name: bank, conditions: {max_amount: 5}}`), []string{"bank/get has no argument amount"}},
		{"one of the tools, in an expression", agent(`{name: bank, conditions: {deny_if: amount > 5}}`), []string{"bank/get has no argument amount"}},
		{"where that is an error, each entry by itself", agent(`{name: bank, actions: [pay], conditions: {max_amount: 5}}`), nil},
		{"optional", agent(`{name: bank, conditions: {args: {amount: {max: 5, optional: true}}}}`), nil},
		{"guarded", agent(`{name: bank, conditions: {deny_if: has(amount) && amount > 5}}`), nil},
		{"in neither", agent(`{name: bank, conditions: {args: {total: {max: 5, optional: true}}}}`), []string{"bank/get, bank/pay have no argument total"}},
	})
}
