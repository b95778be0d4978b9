package redact

import "strings"

// cues is a set of words in lower case that tell what a number beside them is. A space in one stands for up to three of
// space, _ and -, or nothing, so that "date of birth" is also date_of_birth and dateOfBirth. A trailing * lets the word
// go on, and a leading * lets it have begun before.
type cues struct {
	words []cue
	first [256]bool // the bytes that words begin with, in either case
}

type cue struct {
	text string
	open bool // a word may have begun before it
}

func newCues(words ...string) *cues {
	c := &cues{}
	for _, w := range words {
		w, open := strings.CutPrefix(w, "*")
		c.words = append(c.words, cue{w, open})
		c.first[w[0]] = true
		c.first[w[0]&^0x20] = true
	}
	return c
}

const (
	cueBefore = 48 // how far before a number its cue may begin, in bytes
	cueAfter  = 28 // how far behind it
)

// cued reports whether a cue stands near text[from:to], or a list of its kind goes on there.
func (s *scanner) cued(c *cues, k kindSet, from, to int) bool {
	return s.listed(k, from) || s.cueLeft(c, k, from) || s.cueRight(c, to)
}

// cueLeft looks for a cue before i that belongs to nothing else: at most two digits and nothing of kind k replaced
// between.
func (s *scanner) cueLeft(c *cues, k kindSet, i int) bool {
	digits, low := 0, 0
	if s.last == k {
		low = s.floor
	}
	for j := i - 1; j >= low && i-j <= cueBefore; j-- {
		ch := s.text[j]
		if isDigit(ch) {
			digits++
		}
		if digits > 2 || ch == ']' && strings.HasSuffix(s.text[:j+1], token(k)) {
			return false
		}
		if c.first[ch] && c.at(s.text[:i], low, j) > 0 {
			return true
		}
	}
	return false
}

// clauseEnd holds the bytes behind which a cue belongs to something else.
var clauseEnd = func() (t [256]bool) {
	for _, c := range ".;,\n\"[=:|{}0123456789" {
		t[c] = true
	}
	return
}()

// cueRight looks for a cue after i in the same clause that does not announce another value.
func (s *scanner) cueRight(c *cues, i int) bool {
	for j := i; j < len(s.text) && j-i <= cueAfter; j++ {
		ch := s.text[j]
		if clauseEnd[ch] {
			return false
		}
		if !c.first[ch] {
			continue
		}
		if end := c.at(s.text, i, j); end > 0 {
			rest := strings.TrimLeft(s.text[end:min(len(s.text), end+12)], " \t#'\"\\")
			return rest == "" || !isDigit(rest[0]) && rest[0] != ':' && rest[0] != '='
		}
	}
	return false
}

// at returns where the cue that begins at i ends, or 0.
func (c *cues) at(text string, floor, i int) int {
	inside := i > floor && isLetter(text[i-1]) && !(isUpper(text[i]) && !isUpper(text[i-1]))
	for _, w := range c.words {
		if w.text[0] != lower(text[i]) || inside && !w.open {
			continue
		}
		if end := matchCue(text, i, w.text); end > 0 {
			return end
		}
	}
	return 0
}

func matchCue(text string, i int, w string) int {
	for k := range len(w) {
		switch ch := w[k]; ch {
		case '*':
			return i
		case ' ':
			for n := 0; n < 3 && i < len(text) && strings.IndexByte(" _-", text[i]) >= 0; n++ {
				i++
			}
		default:
			if i == len(text) || lower(text[i]) != ch {
				return 0
			}
			i++
		}
	}
	if i < len(text) && isLetter(text[i]) && !(isUpper(text[i]) && !isUpper(text[i-1])) {
		return 0
	}
	return i
}

// listed reports whether i continues a list whose last entry was replaced as kind k, now or earlier.
func (s *scanner) listed(k kindSet, i int) bool {
	j := i
	// The letters are those of "and"; that other words spell with them does no harm.
	for n := 0; n < 8 && j > s.floor && strings.IndexByte(" ,;|/&\"'\\\t\nand", s.text[j-1]) >= 0; n++ {
		j--
	}
	if j == s.floor && j > 0 {
		return s.last == k
	}
	return s.floor <= j && strings.HasSuffix(s.text[s.floor:j], token(k))
}
