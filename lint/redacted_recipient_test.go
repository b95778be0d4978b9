package lint

import (
	"strings"
	"testing"
)

func TestRedactedRecipient(t *testing.T) {
	checkRule(t, "AEG015", []example{
		{"everything", agent(`{name: mail, conditions: {args: {to: {domains: [example.com]}}}, sanitize: [{redact: [email]}]}`),
			[]string{"redact: [email] reaches to"}},
		{"elements", agent(`{name: mail, conditions: {args: {to: {each: {domains: [example.com]}}}}, sanitize: [{redact: [phone, email]}]}`), []string{"to"}},
		{"by name", agent(`{name: mail, conditions: {args: {to: {domains: [example.com]}}}, sanitize: [{redact: [email], fields: [subject, "*"]}]}`),
			[]string{"to"}},
		{"a list of addresses", agent(`{name: mail, conditions: {args: {who: {in: [ann@example.com]}}}, sanitize: [{redact: [email]}]}`), []string{"who"}},
		{"a pattern", agent(`{name: mail, conditions: {args: {recipient: {matches: '[a-z]+@example[.]com'}}}, sanitize: [{redact: [email]}]}`),
			[]string{"recipient"}},
		{"beside it", agent(`{name: mail, actions: [send], conditions: {args: {to: {domains: [example.com]}}}}`, `{name: mail, sanitize: [{redact: [email]}]}`),
			[]string{"to"}},
		{"fields", agent(`{name: mail, conditions: {args: {to: {domains: [example.com]}}}, sanitize: [{redact: [email], fields: [body, "body.**"]}]}`), nil},
		{"another kind", agent(`{name: mail, conditions: {args: {to: {domains: [example.com]}}}, sanitize: [{redact: [phone]}]}`), nil},
		{"no address", agent(`{name: bank, conditions: {args: {to: {in: [acct_1]}}}, sanitize: [{redact: [email]}]}`), nil},
		{"the result", agent(`{name: mail, conditions: {args: {to: {domains: [example.com]}}}, sanitize: [{redact: [email], where: [result]}]}`), nil},
	})
}

func TestFieldCovers(t *testing.T) {
	for _, x := range []struct {
		field, path string
		want        bool
	}{
		{"**", "to", true}, {"**", "mail.to", true}, {"to", "to", true}, {"*", "to", true}, {"to.*", "to", true}, {"to.**", "to", true},
		{"mail.**", "mail.to", true}, {"**.to", "mail.to", true}, {"**.to", "to", true}, {"mail.*", "mail.to", true},
		{"body", "to", false}, {"*", "mail.to", false}, {"mail", "mail.to", false}, {"**.cc", "mail.to", false}, {"to.cc", "to", false},
		{"to.*.*", "to", false},
	} {
		if got := fieldCovers(strings.Split(x.field, "."), strings.Split(x.path, ".")); got != x.want {
			t.Errorf("%s covers %s: %t", x.field, x.path, got)
		}
	}
}
