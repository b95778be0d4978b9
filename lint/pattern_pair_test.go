package lint

import (
	"regexp"
	"testing"

	"pgregory.net/rapid"

	"github.com/aegisctl/aegis/policy"
)

func TestDisjoint(t *testing.T) {
	for _, x := range []struct {
		a, b string
		want bool
	}{
		{`\A(?:P[0-9]{6})\z`, `\ATEST-(?s:.*)\z`, true},
		{`\A(?:P[0-9]{6})\z`, `\AP(?s:.*)\z`, false},
		{`\A(?:/srv/|/var/)x\z`, `\A(?:/log/|/tmp/)x\z`, true},
		{`\A(?:a*)\z`, `\A(?:b*)\z`, false}, // the empty text
		{`\A(?:a+)\z`, `\A(?:b+)\z`, true},
		{`\A(?i:ab)\z`, `\AAB\z`, false},
		{`\A(?:ab)\z`, `\A(?s:.*)(?:^b)(?s:.*)\z`, true}, // what begins with b
		{`\A(?:ab)\z`, `\A(?s:.*)(?:a$)(?s:.*)\z`, true}, // what ends with a
		{`\A(?:a.b)\z`, `\Aa\nb\z`, true},
		{`\A(?:`, `\Aa\z`, false}, // no pattern
	} {
		if got := disjoint(x.a, x.b); got != x.want || disjoint(x.b, x.a) != got {
			t.Errorf("%s and %s: %t", x.a, x.b, got)
		}
	}
}

// What is said of two tests, or of a pattern's lengths, no text refutes.
func TestPatternsAreSound(t *testing.T) {
	parts := []string{"a", "b", "ab", "ba", "A", "^a", "b$", "(?i)a", "a|b", "a{2,3}", "[^a]", "(?m)^b", `\bab`, "a.b", "(?:ab)*", "", "(a|ba)+", "x?a"}
	ops := []policy.Op{policy.OpEq, policy.OpMatches, policy.OpStarts, policy.OpEnds, policy.OpContains, policy.OpLower}
	said := 0
	rapid.Check(t, func(t *rapid.T) {
		make := func() test {
			op, part := pick(t, ops...), pick(t, parts...)
			switch {
			case op == policy.OpEq:
				return wholeMatch(`\A(?:`+part+`)\z`, "")
			case op == policy.OpLower:
				return lowered("")
			}
			return textTest(op, part, op == policy.OpMatches || pick(t, true, false), "")
		}
		a, b := make(), make()
		apart := a.apart(b)
		least, most, ok := lengthsOf(`\A(?:` + a.part + `)\z`)
		whole := regexp.MustCompile(`\A(?:` + a.part + `)\z`)
		for range 50 {
			s := rapid.StringMatching(`[abAx\n]{0,6}|ab|^a|a b`).Draw(t, "text")
			if apart && a.holds(s) == a.want && b.holds(s) == b.want {
				t.Fatalf("%q passes %+v and %+v", s, a, b)
			}
			if n := len(s); ok && whole.MatchString(s) && (n < least || most >= 0 && n > most) {
				t.Fatalf("%q matches %s, and has no length from %d to %d", s, a.part, least, most)
			}
			if p := a.whole(); p != "" && a.holds(s) == a.want && !regexp.MustCompile(p).MatchString(s) {
				t.Fatalf("%q passes %+v and does not match %s", s, a, p)
			}
		}
		if apart {
			said++
		}
	})
	if said == 0 {
		t.Error("no two tests were told apart: the test tests nothing")
	}
}
