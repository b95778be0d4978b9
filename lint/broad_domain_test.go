package lint

import "testing"

func TestBroadDomain(t *testing.T) {
	checkRule(t, "AEG044", []example{
		{"the end of a text", pay(`require: ['email.endsWith("example.com")']`), []string{"evilexample.com"}},
		{"with its at", pay(`require: ['email.endsWith("@example.com")']`), nil},
		{"that denies", pay(`deny_if: 'email.endsWith("example.com")'`), nil},
		{"another argument", pay(`require: ['file.endsWith("report.csv")']`), nil},
	})
}
