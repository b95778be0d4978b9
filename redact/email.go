package redact

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// email matches the address around the at sign text[at:end].
func (s *scanner) email(at, end int) (hit, bool) {
	to := s.domain(end)
	if to == 0 {
		return hit{}, false
	}
	from := s.local(at)
	if from == at {
		if from = s.quoted(at); from < 0 {
			return hit{}, false
		}
	}
	return hit{from, to, kEmail}, true
}

// local returns where the local part that ends at i begins. It reads beyond the floor: a number found inside an address
// is part of it.
func (s *scanner) local(i int) int {
	start, spaceless := i, -1
	for j := i; j > 0; {
		r, n := rune(s.text[j-1]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeLastRuneInString(s.text[:j])
		}
		if r == '\'' {
			if j < 2 || !isAlnum(s.text[j-2]) || j == i || !isAlnum(s.text[j]) {
				break
			}
		} else if !localRune(r) {
			break
		}
		if spaceless < 0 && r >= utf8.RuneSelf && !invisible(r) && unscripted(r) {
			if start < i && isAlnum(s.text[start]) {
				break // text of a script without spaces around an address in ASCII
			}
			spaceless = j
		}
		j -= n
		start = j
	}
	for start < i && strings.IndexByte(".-&~!#$*?^%", s.text[start]) >= 0 {
		start++
	}
	if start > 0 && start+1 < i && s.text[start-1] == '\\' && strings.IndexByte("nrtbf", s.text[start]) >= 0 {
		start++ // the escape of a JSON text inside a string is not part of it
	}
	return start
}

func localRune(r rune) bool {
	if r < utf8.RuneSelf {
		return isAlnum(byte(r)) || strings.IndexByte("._%+-&~!#$*?^", byte(r)) >= 0
	}
	return wordRune(r)
}

func wordRune(r rune) bool {
	return r != utf8.RuneError && (unicode.In(r, unicode.L, unicode.M, unicode.N) || invisible(r))
}

// unscripted reports whether r is of a script that puts no spaces between words.
func unscripted(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer,
		unicode.Myanmar, unicode.Hangul)
}

// quoted returns where a quoted local part that ends at i begins, or -1.
func (s *scanner) quoted(i int) int {
	if i < 3 || s.text[i-1] != '"' {
		return -1
	}
	for j := i - 2; j >= 0 && i-j <= 66; j-- {
		c := s.text[j]
		if c == '"' {
			if j == i-2 {
				return -1
			}
			return j
		}
		if c != ' ' && !(c < utf8.RuneSelf && localRune(rune(c))) {
			return -1
		}
	}
	return -1
}

// domain returns where the domain that begins at i ends, or 0: two labels or more, the last one without digits, or an
// address literal in brackets.
func (s *scanner) domain(i int) int {
	if i < len(s.text) && s.text[i] == '[' {
		return literal(s.text, i)
	}
	labels, good := 0, 0
	for {
		e, top, ascii := s.label(i)
		if e == i {
			return good
		}
		labels++
		if labels > 1 && top {
			good = e
		}
		r, n := utf8.DecodeRuneInString(s.text[e:])
		if r != '.' && r != '。' && r != '．' || ascii && r == '。' && !isAlnumAt(s.text, e+n) {
			return good
		}
		i = e + n
	}
}

func isAlnumAt(text string, i int) bool { return i < len(text) && isAlnum(text[i]) }

// label reads one label of a domain: where it ends, whether it may be the last one, and whether it is ASCII.
func (s *scanner) label(i int) (end int, top, ascii bool) {
	end, ascii = i, true
	letters, digits := 0, 0
	for j := i; j < len(s.text); {
		r, n := rune(s.text[j]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(s.text[j:])
			if !wordRune(r) || letters+digits > 0 && ascii && unscripted(r) {
				break
			}
			if !invisible(r) {
				letters++
				ascii = false
			}
		} else if isLetter(byte(r)) {
			letters++
		} else if isDigit(byte(r)) {
			digits++
		} else if r != '-' || j == i {
			break
		}
		j += n
		if r != '-' {
			end = j
		}
	}
	xn := end-i > 4 && strings.EqualFold(s.text[i:i+4], "xn--")
	return end, letters >= 2 && digits == 0 || !ascii || xn, ascii
}

// literal returns where the address literal at i ends, or 0: [192.0.2.1], [IPv6:2001:db8::1].
func literal(text string, i int) int {
	digits := 0
	for j := i + 1; j < len(text) && j-i < 60; j++ {
		c := text[j]
		switch {
		case c == ']' && digits > 0:
			return j + 1
		case isDigit(c):
			digits++
		case !isHex(c) && strings.IndexByte(".:IPpv", c) < 0:
			return 0
		}
	}
	return 0
}
