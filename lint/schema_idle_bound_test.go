package lint

import "testing"

func TestSchemaIdleBound(t *testing.T) {
	opt := schemaOptions(t, `"limit": {"type": "integer", "minimum": 1, "maximum": 100}, "n": {"type": "number"}`)
	checkRuleWith(t, "AEG066", opt, []example{
		{"over the maximum", pay(`max_limit: 1000`), []string{"max_limit bounds nothing: no limit that the schema of bank/pay allows breaks it"}},
		{"the schema's own bounds", pay(`max_limit: 100, min_limit: 1`), nil},
		{"a minimum", pay(`min_limit: 0`), []string{"min_limit bounds nothing"}},
		{"it bites", pay(`max_limit: 99, min_limit: 2`), nil},
		{"no bound in the schema", pay(`max_n: 1000`), nil},
		{"it lets nothing through, which is another finding", pay(`max_limit: 0`), nil},
	})
}
