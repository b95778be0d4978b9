package redact

import "unicode"

var (
	phoneCues = newCues("phone*", "telephone*", "tel", "telefon*", "mobile", "mobil", "cell", "fax", "whatsapp",
		"handy", "sms", "*phone")
	// orderCues announce numbers that look like national phone numbers and are none.
	orderCues = newCues("order*", "invoice*", "ticket*", "tracking*", "ref", "reference", "sku", "part*", "serial*",
		"isbn", "version", "case*", "article*", "rechnung*", "bestell*")
)

// phone matches international numbers after a plus sign or 00, and national ones with separators.
func (s *scanner) phone(k int) (int, int) {
	m := &s.num
	if m.n-k < 7 {
		return 0, 0
	}
	if from := s.plusBefore(k); from >= 0 {
		if e := s.international(k, 8); e > 0 {
			return from, m.d[e-1].end()
		}
		return 0, 0
	}
	from := m.d[k].start
	if !s.openLeft(from) || s.currency(from) {
		return 0, 0
	}
	e := s.national(k)
	if e == 0 && m.d[k].sep == sepFirst {
		e = s.bare(k)
	}
	if e == 0 || !s.openRight(m.d[e-1].end()) {
		return 0, 0
	}
	if m.d[k].sep == sepFirst && s.text[max(from, 1)-1] == '(' && from > s.floor {
		from-- // the bracket around the area code
	}
	return from, m.d[e-1].end()
}

// plusBefore returns where the plus sign before digit k stands, or -1.
func (s *scanner) plusBefore(k int) int {
	if s.num.d[k].sep != sepFirst {
		return -1
	}
	r, i := s.before(s.num.d[k].start)
	if separator(r) == ' ' || separator(r) == '(' {
		r, i = s.before(i)
	}
	if r != '+' && r != '＋' || i > s.floor && isDigit(s.text[i-1]) {
		return -1
	}
	return i
}

// international returns where a number of least to 15 digits that begins with a country code ends, or 0. Digits beyond
// a gap that a 15-digit number cannot reach belong to something else.
func (s *scanner) international(k, least int) int {
	m := &s.num
	if m.d[k].value == 0 {
		return 0
	}
	end := 0
	for e := m.groupEnd(k); e-k <= 15; e = m.groupEnd(e) {
		if e-k >= least {
			end = e
		}
		if e >= m.n || m.d[e].sep == sepDot || m.dateAt(e) {
			break
		}
	}
	return end
}

// dateAt reports whether an ISO date stands at k.
func (m *number) dateAt(k int) bool {
	var g [3]int
	return m.groups(k, g[:]) == 3 && g == [3]int{4, 2, 2} && m.d[k+4].sep == '-' && m.ymd(k, 4, 2, 2)
}

// national returns where a number in one of the national formats ends, or 0.
func (s *scanner) national(k int) int {
	m := &s.num
	if e := m.northAmerican(k); e > 0 {
		return e
	}
	if m.d[k].sep != sepFirst || m.d[k].value != 0 {
		return 0
	}
	if s.cueLeft(orderCues, kPhone, m.d[k].start) {
		return 0
	}
	if m.groupEnd(k) > k+1 && m.d[k+1].value == 0 {
		if m.groupEnd(k) == k+2 || m.groupEnd(k) == k+4 {
			return s.international(k+2, 9) // 00 and the country
		}
		return 0
	}
	return m.trunk(k)
}

// northAmerican matches an area, an exchange and a line, 415-555-2671, perhaps after a 1.
func (m *number) northAmerican(k int) int {
	start := k
	var g [5]int
	m.groups(k, g[:])
	if g[0] == 1 && m.d[k].value == 1 {
		k++
		copy(g[:], g[1:])
	}
	if g[0] != 3 || g[1] != 3 || g[2] != 4 || m.d[k].value < 2 || m.d[k+3].value < 2 {
		return 0
	}
	a, b, next := m.d[k+3].sep, m.d[k+6].sep, m.sepAt(k+10)
	if a == sepDot || b == sepDot || a == '/' && b == '/' {
		return 0
	}
	// In the middle of other numbers only what spaces alone do not make is one.
	if (m.d[start].sep != sepFirst || next == b) && (a == ' ' && b == ' ' || m.d[start].sep == a || next == b) {
		return 0
	}
	return k + 10
}

// trunk matches 9 to 12 digits in groups that begin with a single 0: 030 1234567, 01 23 45 67 89.
func (m *number) trunk(k int) int {
	if m.pairs(k) {
		return k + 10
	}
	g := m.groupEnd(k) - k
	// Dots part decimals, versions and the addresses of machines as well.
	if g < 2 || g > 6 || k+g >= m.n || m.d[k+g].sep == '.' || m.numericDateAt(k) {
		return 0
	}
	end := 0
	for e := k + g; e < m.n; {
		next := m.groupEnd(e)
		if next-k > 12 || next-e < 2 || m.d[e].sep == sepDot {
			break
		}
		if next-k >= 9 {
			end = next
		}
		e = next
	}
	return end
}

// pairs reports whether five pairs with one and the same separator stand at k, as the French write them.
func (m *number) pairs(k int) bool {
	var g [5]int
	if m.groups(k, g[:]) < 5 || g != [5]int{2, 2, 2, 2, 2} {
		return false
	}
	sep := m.d[k+2].sep
	return ssnSep(sep) && m.d[k+4].sep == sep && m.d[k+6].sep == sep && m.d[k+8].sep == sep && m.sepAt(k+10) != sep
}

func (m *number) numericDateAt(k int) bool {
	var g [3]int
	return m.groups(k, g[:]) == 3 && m.numericDate(k, g)
}

// bare matches 10 to 13 digits without, or 7 and more with separators right behind a cue.
func (s *scanner) bare(k int) int {
	m := &s.num
	e := m.groupEnd(k)
	least := 10
	if e < m.n && e-k <= 5 {
		least = 7
		for e < m.n && m.d[e].sep != sepDot && m.groupEnd(e)-k <= 12 {
			e = m.groupEnd(e)
		}
	}
	if e-k < least || e-k > 13 || m.numericDateAt(k) || m.dateAt(k) {
		return 0
	}
	if !s.listed(kPhone, m.d[k].start) && !s.cueLeft(phoneCues, kPhone, m.d[k].start) {
		return 0
	}
	return e
}

// currency reports whether a sign of currency stands before i.
func (s *scanner) currency(i int) bool {
	r, j := s.before(i)
	if separator(r) == ' ' {
		r, _ = s.before(j)
	}
	return unicode.Is(unicode.Sc, r)
}
