package lint

import "testing"

func TestUnusedDefinition(t *testing.T) {
	checkRule(t, "AEG039", []example{
		{"a param", "params: {a: 5, b: 6}\n" + pay(`max_n: $a`), []string{"the param b"}},
		{"both used", "params: {a: 5}\nlists: {l: [x]}\n" + pay(`require: ['n < params.a && x in lists.l']`), nil},
	})
}
