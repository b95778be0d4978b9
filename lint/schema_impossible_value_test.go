package lint

import "testing"

func TestSchemaImpossibleValue(t *testing.T) {
	opt := schemaOptions(t, `"env": {"enum": ["prod", "dev"]}, "amount": {"type": "number", "minimum": 1, "maximum": 1000}, "id": {"type": "string", "pattern": "^C-[0-9]+$", "maxLength": 8},
		"n": {"type": "integer", "exclusiveMinimum": 0}, "tags": {"type": "array", "maxItems": 3, "items": {"enum": ["a", "b"]}}, "text": {"type": "string"},
		"mode": {"anyOf": [{"const": "fast"}, {"const": "slow"}]}, "maybe": {"anyOf": [{"enum": ["x"]}, {"type": "string", "minLength": 3}]}`)
	checkRuleWith(t, "AEG063", opt, []example{
		{"a list", pay(`args: {env: {in: [Prod, dev]}}`), []string{"env can never be Prod"}},
		{"a denied value", pay(`args: {env: {not_in: [production]}}`), []string{"env can never be production"}},
		{"in an expression", pay(`deny_if: env == "Prod"`), []string{`the tool's schema rules out that env == "Prod"`}},
		{"not equal", pay(`require: [env != "Prod"]`), []string{`rules out that env == "Prod"`}},
		{"one of a list in an expression", pay(`deny_if: 'env in ["prod", "live"]'`), []string{`env == "live"`}},
		{"over the maximum", pay(`deny_if: amount > 1000`), []string{"rules out that amount > 1000"}},
		{"a bound below the minimum", pay(`max_amount: 0.5`), []string{"no value of amount that the schema allows passes max_amount"}},
		{"integers", pay(`deny_if: n < 1`), []string{"rules out that n < 1"}},
		{"a pattern", pay(`args: {id: {in: [C-1, D-1]}}`), []string{"id can never be D-1"}},
		{"a length", pay(`args: {id: {min_length: 9}}`), []string{"passes args.id.min_length"}},
		{"a prefix", pay(`deny_if: 'env.startsWith("P")'`), []string{"rules out that"}},
		{"elements", pay(`args: {tags: {each: {in: [a, c]}}}`), []string{"tags can never be c"}},
		{"const", pay(`args: {mode: {in: [fast, medium]}}`), []string{"mode can never be medium"}},
		{"an alternative", pay(`args: {maybe: {in: [x, yy, zzz]}}`), []string{"maybe can never be yy"}},
		{"possible", pay(`max_amount: 500, deny_if: [env == "prod", amount > 999, n < 2], args: {env: {in: [prod]}, id: {in: [C-1]}, tags: {each: {in: [a]}}, text: {in: [Prod]}}`), nil},
		{"a wrong type is another finding", pay(`args: {env: {in: [5]}}`), nil},
	})
	two := schemaText(t, "bank", `[{"name": "pay", "inputSchema": {"properties": {"env": {"enum": ["prod"]}}}}, {"name": "get", "inputSchema": {"properties": {"env": {"enum": ["Prod"]}}}}]`)
	checkRuleWith(t, "AEG063", two, []example{
		{"possible for one of the tools", agent(`{name: bank, conditions: {deny_if: env == "Prod", args: {env: {in: [prod]}}}}`), nil},
		{"for neither", agent(`{name: bank, conditions: {deny_if: env == "live"}}`), []string{"env == \"live\""}},
	})
}
