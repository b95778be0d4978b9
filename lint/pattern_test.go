package lint

import (
	"regexp"
	"testing"
)

func TestAnchors(t *testing.T) {
	for _, x := range []struct {
		pattern string
		want    anchors
	}{
		{"a", anchors{}},
		{"^a$", anchors{start: true, end: true, someStart: true, someEnd: true}},
		{`\Aa\z`, anchors{start: true, end: true, someStart: true, someEnd: true}},
		{"(^a|^b)$", anchors{start: true, end: true, someStart: true, someEnd: true}},
		{"^a|b$", anchors{someStart: true, someEnd: true}},
		{"(?m)^a$", anchors{start: true, end: true, someStart: true, someEnd: true, lines: true}},
		{".*a.+", anchors{openStart: true, openEnd: true}},
		{"^.*a", anchors{start: true, someStart: true}},
		{"a$b", anchors{misplaced: true}},
		{"(a|bc)^", anchors{misplaced: true}},
		{"a{2}^", anchors{misplaced: true}},
		{"a*^b", anchors{}},
		{"[$^]", anchors{}},
		{"", anchors{}},
	} {
		if got, ok := anchorsOf(x.pattern); !ok || got != x.want {
			t.Errorf("%s: %+v, want %+v", x.pattern, got, x.want)
		}
	}
	if _, ok := anchorsOf("("); ok {
		t.Error("( is a pattern")
	}
}

// A text is alive exactly if one can be made of it that matches: checked by trying all short endings.
func TestPrefixesAgreeWithMatching(t *testing.T) {
	const alphabet = "ab/"
	var endings []string
	for n := range 4 {
		endings = append(endings, texts(alphabet, n)...)
	}
	for _, pattern := range []string{`\Aa(?:b|/)*\z`, `\A(?:a|ab)(?:/|b/)\z`, `\A\z`, `\Aab?\z`, `\A(?:a*b|)/?\z`, `\Aa\b/\z`, `\A[^b]+b\z`, `\A.{2}\z`} {
		p, ok := newPrefixes(pattern)
		if !ok {
			t.Fatal(pattern)
		}
		re := regexp.MustCompile(pattern)
		for n := range 4 {
			for _, s := range texts(alphabet, n) {
				want := false
				for _, e := range endings[1:] {
					want = want || re.MatchString(s+e)
				}
				if got := p.alive(s); got != want {
					t.Errorf("%s: %q alive: %t, want %t", pattern, s, got, want)
				}
			}
		}
	}
	if _, ok := newPrefixes("("); ok {
		t.Error("( is a pattern")
	}
}

// texts returns all texts of n letters.
func texts(alphabet string, n int) []string {
	if n == 0 {
		return []string{""}
	}
	var out []string
	for _, s := range texts(alphabet, n-1) {
		for _, r := range alphabet {
			out = append(out, s+string(r))
		}
	}
	return out
}
