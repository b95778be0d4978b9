package lint

import "testing"

func TestPatternAnchors(t *testing.T) {
	checkRule(t, "AEG005", []example{
		{"alternatives", pay(`require: ['x.matches("^a|b$")']`), []string{"not every alternative is tied"}},
		{"alternatives that deny", pay(`deny_if: '!x.matches("^a|b")'`), []string{"not every alternative is tied"}},
		{"lines", pay(`require: ['x.matches("(?m)^a$")']`), []string{"one line that fits"}},
		{"a start in the middle", pay(`deny_if: 'x.matches("a^b")'`), []string{"in the middle never holds"}},
		{"an end in the middle of matches:", pay(`args: {x: {matches: 'a$b'}}`), []string{`matches: "a$b"`}},
		{"parentheses", pay(`require: ['x.matches("^(a|b)$")']`), nil},
		{"a flag for the whole", pay(`require: ['x.matches("(?i)^a$")']`), nil},
		{"a search over lines that denies", pay(`deny_if: 'x.matches("(?m)^rm ")'`), nil},
		{"alternatives that a search denies by", pay(`deny_if: 'x.matches("^a|b$")'`), []string{"not every alternative"}},
		{"anchors in matches: that add nothing", pay(`args: {x: {matches: '^(a|b)$'}}`), nil},
		{"an optional part before", pay(`args: {x: {matches: '(a?)^b'}}`), nil},
	})
}
