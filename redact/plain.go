package redact

import "unicode/utf8"

// plain returns where the number at i ends if it is one of the short numbers of prose, which are most numbers and part
// of no hit, or 0 if that takes a closer look. It spares them the window.
func (s *scanner) plain(i int) int {
	e := i
	for e < len(s.text) && e-i < 5 && isDigit(s.text[e]) {
		e++
	}
	if e == i || e == i+5 || s.afterCountry(i) {
		return 0
	}
	if e == len(s.text) {
		return e
	}
	if c := s.text[e]; c >= utf8.RuneSelf || isLetter(c) || c == '(' || c == ')' || c == '_' {
		return 0
	}
	c, ok := s.byteAt(pastGap(s.text, e))
	if ok && (isDigit(c) || c >= utf8.RuneSelf || c == '(' || c == ')' || c == '_' || monthInitial[c]) {
		return 0 // a second number or a month may follow
	}
	return e
}

// pastGap passes over what may part the parts of a number or a date.
func pastGap(text string, i int) int {
	for n := 0; n < maxGap && i < len(text) && (dateGap(text[i]) || text[i] == '\'' || text[i] == '\t'); n++ {
		i++
	}
	return i
}

// monthInitial holds the letters that months begin with, and the o of "of".
var monthInitial = func() (t [256]bool) {
	for _, c := range "jfmasondJFMASOND" {
		t[c] = true
	}
	return
}()

// afterCountry reports whether the country of an IBAN may stand before i: letters, or a space and a word of two.
func (s *scanner) afterCountry(i int) bool {
	if i > s.floor && (s.text[i-1] == ' ' || s.text[i-1] == '-') {
		i--
		if i > s.floor+2 && isLetter(s.text[i-3]) && isLetter(s.text[i-2]) {
			return false
		}
	}
	return i > s.floor && (s.text[i-1] >= utf8.RuneSelf || isLetter(s.text[i-1]))
}
