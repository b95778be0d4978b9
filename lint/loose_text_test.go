package lint

import "testing"

func TestLooseText(t *testing.T) {
	checkRule(t, "AEG047", []example{
		{"every text", pay(`args: {memo: {matches: '.*'}}`), []string{"fits every text"}},
		{"(?s)", pay(`args: {memo: {matches: '(?s)INV-.*'}}`), []string{"line breaks"}},
		{"a file", pay(`args: {f: {matches: '[a-z]+.csv'}}`), []string{"the dot in .csv"}},
		{"a wildcard in between", pay(`args: {f: {matches: 'a.*z'}}`), nil},
		{"any one character", pay(`args: {f: {matches: 'v.1'}}`), nil},
		{"the beginning of a URL", pay(`require: ['url.startsWith("https://api.example.com")']`), []string{"api.example.com.evil.example"}},
		{"with its slash", pay(`require: ['url.startsWith("https://api.example.com/")']`), nil},
		{"the end of a host", pay(`require: ['host(url).endsWith("example.com")']`), []string{"evilexample.com"}},
		{"below a domain", pay(`require: ['host(url).endsWith(".example.com")']`), nil},
		{"somewhere", pay(`require: ['url.contains("example.com")']`), []string{"somewhere"}},
		{"that denies", pay(`deny_if: 'url.contains("example.com")'`), nil},
		{"in CEL", pay(`require: ['image.matches("^registry.example.com/[a-z]+$")']`), []string{"the dot"}},
	})
}
