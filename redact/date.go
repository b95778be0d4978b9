package redact

import (
	"strings"
	"unicode/utf8"
)

var dobCues = newCues("dob", "d.o.b.", "d.o.b", "*birth*", "born", "geb", "geb.", "geboren*", "geburts*",
	"naissance", "nacimiento", "nascita")

// dob matches a date beside a cue.
func (s *scanner) dob(k int) (int, int) {
	from, to := s.date(k)
	if to > 0 && from >= s.floor && s.openLeft(s.num.d[k].start) && s.cued(dobCues, kDOB, from, to) {
		return from, to
	}
	return 0, 0
}

// date matches a date whose first digit is k.
func (s *scanner) date(k int) (int, int) {
	m := &s.num
	var g [3]int
	n := m.groups(k, g[:])
	if n == 3 && m.numericDate(k, g) {
		return m.d[k].start, m.d[k+g[0]+g[1]+g[2]-1].end()
	}
	if g[0] == 8 && (m.ymd(k, 4, 2, 2) || m.dmy(k, 2, 2, 4)) {
		return m.d[k].start, m.d[k+7].end()
	}
	return s.namedDate(k, g[0])
}

// numericDate reports whether the three groups at k are a date in one of the usual orders.
func (m *number) numericDate(k int, g [3]int) bool {
	if m.d[k+g[0]].sep == '(' || m.d[k+g[0]+g[1]].sep == '(' {
		return false
	}
	switch {
	case g[0] == 4 && g[1] <= 2 && g[2] <= 2:
		return m.ymd(k, g[0], g[1], g[2])
	case g[0] <= 2 && g[1] <= 2 && (g[2] == 4 || g[2] == 2):
		return m.dmy(k, g[0], g[1], g[2])
	}
	return false
}

func (m *number) ymd(k, y, mo, d int) bool {
	return validYear(m.value(k, k+y)) && validDay(m.value(k+y+mo, k+y+mo+d), m.value(k+y, k+y+mo))
}

// dmy takes day and month in either order.
func (m *number) dmy(k, d, mo, y int) bool {
	a, b := m.value(k, k+d), m.value(k+d, k+d+mo)
	if y == 4 && !validYear(m.value(k+d+mo, k+d+mo+y)) {
		return false
	}
	return validDay(a, b) || validDay(b, a)
}

func validYear(y int) bool       { return 1850 <= y && y < 2100 }
func validDay(d, month int) bool { return 1 <= d && d <= 31 && 1 <= month && month <= 12 }

// namedDate matches a date with the name of a month: 12 March 1985, March 12, 1985, 1985-Mar-12.
func (s *scanner) namedDate(k, g int) (int, int) {
	m := &s.num
	if g != 1 && g != 2 && g != 4 {
		return 0, 0
	}
	v, e := m.value(k, k+g), m.d[k+g-1].end()
	if g == 4 && !validYear(v) || g < 4 && (v < 1 || v > 31) {
		return 0, 0
	}
	i := pastGap(s.text, ordinal(s.text, e))
	next, ok := s.byteAt(i)
	if !ok || next < utf8.RuneSelf && !isDigit(next) && !monthInitial[next] {
		return 0, 0
	}
	if at := monthAfter(s.text, e); at > 0 {
		y, n, end := digitsAt(s.text, at)
		if g == 4 && (n == 1 || n == 2) && 1 <= y && y <= 31 || g < 4 && (n == 2 || n == 4 && validYear(y)) {
			return m.d[k].start, end
		}
	}
	if from := s.monthBefore(m.d[k].start); from >= 0 && g < 4 {
		y, n, end := digitsAt(s.text, ordinal(s.text, e))
		if n == 2 || n == 4 && validYear(y) {
			return from, end
		}
	}
	return 0, 0
}

// digitsAt reads the separators and the digits at i: the number, how many digits it has, and where it ends.
func digitsAt(text string, i int) (v, n, end int) {
	for gap := 0; gap < 4 && i < len(text) && strings.IndexByte(" -./,'", text[i]) >= 0; gap++ {
		i++
	}
	for i < len(text) && n < 5 {
		r, size := utf8.DecodeRuneInString(text[i:])
		d := digitValue(r)
		if d < 0 {
			break
		}
		v, n, i = v*10+d, n+1, i+size
	}
	return v, n, i
}

// ordinal passes over the ending of an ordinal: 1st, 2nd, 3rd, 4th.
func ordinal(text string, i int) int {
	if i+2 > len(text) || !isLetter(text[i]) || i+2 < len(text) && isLetter(text[i+2]) {
		return i
	}
	for _, w := range [...]string{"st", "nd", "rd", "th"} {
		if strings.EqualFold(text[i:i+2], w) {
			return i + 2
		}
	}
	return i
}

func dateGap(c byte) bool {
	switch c {
	case ' ', '-', '.', '/', ',':
		return true
	}
	return false
}

// monthAfter returns where the name of a month that follows i ends, or 0.
func monthAfter(text string, i int) int {
	i = ordinal(text, i)
	for gap := 0; gap < 3 && i < len(text) && dateGap(text[i]); gap++ {
		i++
	}
	if i+3 <= len(text) && strings.EqualFold(text[i:i+3], "of ") {
		i += 3
	}
	j := i
	for j < len(text) && j-i < 12 && monthByte(text[j]) {
		j++
	}
	if isMonth(text[i:j]) {
		return j
	}
	return 0
}

// monthBefore returns where the name of a month that precedes i begins, or -1.
func (s *scanner) monthBefore(i int) int {
	for gap := 0; gap < 3 && i > s.floor && dateGap(s.text[i-1]); gap++ {
		i--
	}
	j := i
	for j > s.floor && i-j < 12 && monthByte(s.text[j-1]) {
		j--
	}
	if isMonth(s.text[j:i]) {
		return j
	}
	return -1
}

// monthByte reports whether c may be part of the name of a month; the bytes beyond ASCII are for März.
func monthByte(c byte) bool { return isLetter(c) || c == 0xC3 || c == 0xA4 || c == 0x84 }

// months holds the names of months by their first letters.
var months = func() (m [256][]string) {
	for _, w := range strings.Fields("january february march april may june july august september october november " +
		"december januar februar märz maerz mai juni juli oktober dezember " +
		"jan feb mar apr jun jul aug sep sept oct nov dec mär mrz okt dez") {
		m[w[0]] = append(m[w[0]], w)
	}
	return
}()

func isMonth(w string) bool {
	if len(w) < 3 {
		return false
	}
	for _, name := range months[lower(w[0])] {
		if len(name) == len(w) && strings.EqualFold(name, w) {
			return true
		}
	}
	return false
}
