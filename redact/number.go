package redact

import "unicode/utf8"

// digit is one decimal digit of a number.
type digit struct {
	start  int
	group  int32 // how many digits of its group precede it; a group has no visible separator inside
	value  byte  // 0 to 9
	sep    byte  // what separates it from the digit before: 0 nothing, or one of the sep constants or - . / space (
	size   byte  // its length in bytes
	hidden bool  // something invisible stands before it
}

func (d *digit) end() int { return d.start + int(d.size) }

const (
	sepFirst = 'F' // the first digit of its number
	sepDot   = 'p' // a full stop and a space: the end of a sentence, or of an ordinal in a date
)

// window is how many digits a number is looked at through, and need how many the longest match and its right
// neighbourhood take.
const (
	window = 48
	need   = 28
	maxGap = 4 // visible separators between two digits
)

// number is a run of digits and separators, seen through a window.
type number struct {
	d    [window]digit
	n    int
	end  int  // where the last digit of the window ends
	more bool // the run goes on beyond the window
}

// numbers looks at the number that begins at i. Without a hit it moves past all of it.
func (s *scanner) numbers(i int) (hit, bool) {
	if e := s.plain(i); e > 0 {
		s.pos = e
		return hit{}, false
	}
	m := &s.num
	m.n, m.end = 0, i
	s.fill()
	for k := 0; k < m.n; k++ {
		if m.more && m.n-k < need {
			copy(m.d[:], m.d[k:m.n])
			m.n -= k
			k = 0
			s.fill()
		}
		if h, ok := s.numberAt(k); ok {
			return h, true
		}
	}
	s.pos = m.end
	return hit{}, false
}

// numberAt tries every kind of number whose first digit is k.
func (s *scanner) numberAt(k int) (hit, bool) {
	if s.num.d[k].group == 0 {
		for left := s.possible(k); left != 0; left &= left - 1 {
			kind := left & -left
			if from, to := s.number(kind, k); to > 0 && from >= s.floor {
				return hit{from, to, kind}, true
			}
		}
	}
	return s.embeddedCard(k)
}

// possible returns the kinds that may begin at digit k for all that the digits behind it say.
func (s *scanner) possible(k int) kindSet {
	kinds := s.det.kinds &^ (kSecret | kEmail)
	n := s.num.n - k
	if s.num.d[k].sep != sepFirst {
		kinds &^= kIBAN
	}
	if n < 13 {
		kinds &^= kCard
	}
	if n < 9 {
		kinds &^= kSSN
	}
	if n < 7 {
		kinds &^= kPhone
	}
	return kinds
}

// number tries one kind of number at digit k and returns where it begins and ends; an end of 0 says it is none.
func (s *scanner) number(kind kindSet, k int) (from, to int) {
	switch kind {
	case kIBAN:
		return s.iban(k)
	case kCard:
		return s.card(k)
	case kSSN:
		return s.ssn(k)
	case kDOB:
		return s.dob(k)
	case kHealth:
		return s.health(k)
	case kPhone:
		return s.phone(k)
	}
	return 0, 0
}

// fill reads digits into the window until it is full or the number ends.
func (s *scanner) fill() {
	m := &s.num
	m.more = false
	for {
		// By far the commonest cases, the next digit of a group and the end of the number, go without digitAfter.
		if m.n > 0 && m.n < window && m.end < len(s.text) {
			c := s.text[m.end]
			if isDigit(c) {
				m.d[m.n] = digit{start: m.end, size: 1, group: m.d[m.n-1].group + 1, value: c - '0'}
				m.n++
				m.end++
				continue
			}
			if c < utf8.RuneSelf && separator(rune(c)) == 0 {
				return
			}
		}
		d, ok := s.digitAfter(m.end, m.n == 0)
		if !ok {
			return
		}
		if m.n == window {
			m.more = true
			return
		}
		if d.sep == 0 && m.n > 0 {
			d.group = m.d[m.n-1].group + 1
		}
		m.d[m.n] = d
		m.n++
		m.end = d.end()
	}
}

// digitAfter reads separators and one digit at i.
func (s *scanner) digitAfter(i int, first bool) (digit, bool) {
	var d digit
	gap := 0
	for i < len(s.text) {
		r, n := rune(s.text[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(s.text[i:])
		}
		if v := digitValue(r); v >= 0 {
			d.value, d.start, d.size = byte(v), i, byte(n)
			if first {
				d.sep = sepFirst
			}
			return d, true
		}
		if invisible(r) {
			d.hidden = true
		} else {
			sep := separator(r)
			if sep == 0 || gap == maxGap {
				return d, false
			}
			gap++
			d.sep = joinSep(d.sep, sep)
		}
		i += n
	}
	return d, false
}

// joinSep returns what two separators in a row count as: the more telling of them.
func joinSep(a, b byte) byte {
	rank := func(c byte) int {
		switch c {
		case '(':
			return 5
		case '/':
			return 4
		case '-':
			return 3
		case sepDot:
			return 2
		case '.':
			return 1
		}
		return 0
	}
	switch {
	case a == 0:
		return b
	case a == '.' && b == ' ':
		return sepDot
	case rank(b) > rank(a):
		return b
	}
	return a
}

// groupEnd returns the place after the last digit of the group that k is in.
func (m *number) groupEnd(k int) int {
	for k++; k < m.n && m.d[k].sep == 0; k++ {
	}
	return k
}

// groups writes the lengths of the groups from k on into g and returns how many there are.
func (m *number) groups(k int, g []int) int {
	n := 0
	for k < m.n && n < len(g) {
		e := m.groupEnd(k)
		g[n] = e - k
		n++
		k = e
	}
	return n
}

// value returns the number that the digits [k,e) spell.
func (m *number) value(k, e int) int {
	v := 0
	for ; k < e; k++ {
		v = v*10 + int(m.d[k].value)
	}
	return v
}

// sepAt returns the separator before digit k; 0 beyond the last.
func (m *number) sepAt(k int) byte {
	if k >= m.n {
		return 0
	}
	return m.d[k].sep
}
