package lint

import "testing"

func TestRedactNothing(t *testing.T) {
	checkRule(t, "AEG040", []example{
		{"a wider one", agent(`{name: m, sanitize: [{redact: [ssn, iban]}, {redact: [ssn], fields: [memo]}]}`), []string{"redacts the same before"}},
		{"twice the same", agent(`{name: m, sanitize: [{redact: [ssn]}, {redact: [ssn]}]}`), []string{"redacts the same"}},
		{"other kinds", agent(`{name: m, sanitize: [{redact: [iban]}, {redact: [ssn], fields: [memo]}]}`), nil},
		{"a member of a text", agent(`{name: m, conditions: {args: {memo: {type: string}}}, sanitize: [{redact: [ssn], fields: [memo.text]}]}`), []string{"memo.text holds no text"}},
		{"whatever is below", agent(`{name: m, conditions: {args: {memo: {type: string}}}, sanitize: [{redact: [ssn], fields: ["memo.**"]}]}`), nil},
		{"members of elements", agent(`{name: m, conditions: {args: {l: {each: {args: {n: {max_length: 5}}}}}}, sanitize: [{redact: [ssn], fields: [l.n]}]}`), nil},
		{"also text", agent(`{name: m, conditions: {max_n: 5}, sanitize: [{redact: [ssn], fields: [n, memo]}]}`), nil},
	})
}
