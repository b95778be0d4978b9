package redact

import (
	"strings"
	"unicode/utf8"
)

var (
	mrnCues  = newCues("mrn", "medical record*", "patient id*", "patient no", "patient number", "health id*")
	nhsCues  = newCues("nhs*")
	kvnrCues = newCues("kvnr", "krankenvers*", "versicherten*", "egk")
)

// health matches the identifiers of patients and insured persons.
func (s *scanner) health(k int) (int, int) {
	m := &s.num
	g := m.groupEnd(k) - k
	switch {
	case g == 1:
		if to := s.mbi(m.d[k].start); to > 0 {
			return m.d[k].start, to
		}
	case g == 9 && m.d[k].sep == sepFirst:
		if from, to := s.kvnr(k); to > 0 {
			return from, to
		}
	}
	if from, to := s.nhs(k); to > 0 {
		return from, to
	}
	return s.mrn(k, g)
}

// mrn matches a group of digits right behind a cue: MRN-12345678.
func (s *scanner) mrn(k, g int) (int, int) {
	m := &s.num
	if g < 5 || g > 12 {
		return 0, 0
	}
	from, to := m.d[k].start, m.d[k+g-1].end()
	if !s.openRight(to) || !s.cued(mrnCues, kHealth, from, to) {
		return 0, 0
	}
	return from, to
}

// nhs matches the ten digits of the British health service beside a cue, its last digit checking the rest.
func (s *scanner) nhs(k int) (int, int) {
	m := &s.num
	if k+10 > m.n || m.sepAt(k+10) == 0 && k+10 < m.n {
		return 0, 0
	}
	sum := 0
	for i := range 9 {
		sum += int(m.d[k+i].value) * (10 - i)
	}
	if (11-sum%11)%11 != int(m.d[k+9].value) {
		return 0, 0
	}
	from, to := m.d[k].start, m.d[k+9].end()
	if !s.cued(nhsCues, kHealth, from, to) {
		return 0, 0
	}
	return from, to
}

// kvnr matches a German health insurance number: a letter and nine digits, the last one checking the rest. In lower
// case it needs a cue.
func (s *scanner) kvnr(k int) (int, int) {
	m := &s.num
	r, from := s.before(m.d[k].start)
	c, to := asciiUpper(r), m.d[k+8].end()
	if c == 0 || !s.openLeft(from) || !s.openRight(to) {
		return 0, 0
	}
	letter := int(c-'A') + 1
	sum := letter/10 + double(letter%10)
	for i := range 8 {
		v := int(m.d[k+i].value)
		if i%2 == 1 {
			v = double(v)
		}
		sum += v
	}
	if sum%10 != int(m.d[k+8].value) || rune(c) != r && !s.cued(kvnrCues, kHealth, from, to) {
		return 0, 0
	}
	return from, to
}

// double returns the sum of the digits of twice v.
func double(v int) int {
	if v *= 2; v > 9 {
		v -= 9
	}
	return v
}

// mbiShape tells the eleven places of a Medicare beneficiary identifier: 9 a digit, 1 one that is not zero, A a letter,
// X either.
const mbiShape = "1AX9AX9AA99"

// mbi returns where the Medicare beneficiary identifier that begins at i ends, or 0. Hyphens or spaces may part it
// after the fourth and the seventh place. The letters S, L, O, I, B and Z are never used.
func (s *scanner) mbi(i int) int {
	if c, ok := s.byteAt(i + 1); s.text[i] < utf8.RuneSelf && (!ok || c < utf8.RuneSelf && !isLetter(c)) {
		return 0 // as nearly always
	}
	if r, _ := s.before(i); asciiUpper(r) != 0 && !s.escapeAt(i-1) {
		return 0
	}
	upper, lowers := 0, 0
	for k := range len(mbiShape) {
		r, e := s.after(i)
		if sep := separator(r); (k == 4 || k == 7) && (sep == '-' || sep == ' ') {
			r, e = s.after(e)
		}
		v, c := digitValue(r), asciiUpper(r)
		ok := v >= 0
		switch mbiShape[k] {
		case '1':
			ok = v > 0
		case 'A':
			ok = c != 0
		case 'X':
			ok = v >= 0 || c != 0
		}
		if !ok || strings.IndexByte("SLOIBZ", c) >= 0 {
			return 0
		}
		if c != 0 && rune(c) == r {
			upper++
		} else if c != 0 {
			lowers++
		}
		i = e
	}
	if r, _ := s.after(i); digitValue(r) >= 0 || asciiUpper(r) != 0 || upper > 0 && lowers > 0 {
		return 0
	}
	return i
}
