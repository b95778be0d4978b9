package lint

import "testing"

func TestUnanchoredMatch(t *testing.T) {
	checkRule(t, "AEG004", []example{
		{"a host", pay(`require: ['callback.matches("stripe\\.com")']`), []string{`callback.matches("stripe\\.com") searches`}},
		{"a host, tied to its start", pay(`require: ['url.matches("^https://stripe\\.com")']`), []string{"other hosts"}},
		{"a host, open by .*", pay(`require: ['url.matches("^https://stripe\\.com.*")']`), []string{"other hosts"}},
		{"host() of any argument", pay(`require: ['host(x).matches("stripe\\.com$")']`), []string{"host(x)"}},
		{"any argument", pay(`require: ['reference.matches("INV-[0-9]+")']`), []string{"any text that contains a match passes"}},
		{"denied unless it matches", pay(`deny_if: '!url.matches("stripe")'`), []string{"url"}},
		{"within elements", pay(`require: ['urls.all(u, u.matches("stripe"))']`), []string{"searches"}},
		{"a word ahead of an alternative", pay(`require: ['reference.matches("(a|b)")']`), []string{"searches"}},
		{"tied", pay(`require: ['url.matches("^https://stripe\\.com/[a-z]*$")']`), nil},
		{"tied by \\A and \\z", pay(`require: ['url.matches("\\Ahttps://stripe[.]com/\\z")']`), nil},
		{"each alternative tied", pay(`require: ['url.matches("^a$|^b$")']`), nil},
		{"a search that denies", pay(`deny_if: 'memo.matches("(?i)gift *card")'`), nil},
		{"a search that asks", pay(`approval_needed_if: 'url.matches("checkout")'`), nil},
		{"a prefix of other text", pay(`require: ['reference.matches("^INV-")']`), nil},
		{"open in so many words", pay(`require: ['memo.matches(".*rent.*")']`), nil},
		{"the key compares the whole", pay(`args: {url: {matches: 'https://stripe[.]com/'}}`), nil},
	})
}
