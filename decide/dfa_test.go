package decide

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/aegisctl/aegis/policy"
)

// TestMatcherProperty: the table says what the regexp package says, on patterns that people write and on texts near them.
func TestMatcherProperty(t *testing.T) {
	url, err := policy.URLPattern([]string{"api.example.com", "*.docs.example.com"}, []string{"https", "http"}, []string{"/hooks"}, "https")
	if err != nil {
		t.Fatal(err)
	}
	commands, err := policy.CommandsPattern([]string{"git status", "mix test"})
	if err != nil {
		t.Fatal(err)
	}
	under, err := policy.UnderPattern([]string{"/srv/data/"})
	if err != nil {
		t.Fatal(err)
	}
	domain, err := policy.DomainPattern([]string{"example.com"})
	if err != nil {
		t.Fatal(err)
	}
	patterns := []string{`\A(?:INV-[0-9]{6})\z`, `\A(?:a*)\z`, `\A(?:(?:ab|a)(?:c|bcd)?)\z`, `\A(?:[^x]+)\z`, `\A(?:.*é.*)\z`, `\A(?:)\z`,
		`\A(?:(?i)straße|k)\z`, `\A(?:x|^y$)\z`, `\A(?:\bword\b)\z`, `\A(?:(?m)^a$)\z`, `\A(?:[a-z]{0,40}[0-9]{3,})\z`,
		url, commands, under, domain}
	tabled := 0
	for _, p := range patterns {
		m := newMatcher(p)
		if m.table != nil {
			tabled++
		}
		pieces := rapid.SampledFrom([]string{"INV-", "0042", "11", "a", "b", "c", "abcd", "x", "y", "é", "\n", "K", "ſ", "word", "https://",
			"api.example.com", "docs.", "/hooks", "/", "..", "git status", "mix test", " && ", "; ", "'q'", "/srv/data/", "a@", "example.com", "", "\x00"})
		rapid.Check(t, func(t *rapid.T) {
			s := ""
			for _, x := range rapid.SliceOfN(pieces, 0, 6).Draw(t, "pieces") {
				s += x
			}
			if got, want := m.match(s), m.re.MatchString(s); got != want {
				t.Fatalf("%q on %q: %v, want %v", p, s, got, want)
			}
		})
	}
	if tabled < 8 {
		t.Errorf("only %d of %d patterns became tables", tabled, len(patterns))
	}
}
