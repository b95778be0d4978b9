package redact

var ssnCues = newCues("ssn", "ssns", "social security", "soc sec", "sozialversicherung*")

// ssn matches three, two and four digits with separators, or nine digits beside a cue.
func (s *scanner) ssn(k int) (int, int) {
	m := &s.num
	if m.n-k < 9 || !m.validSSN(k) {
		return 0, 0
	}
	var g [9]int
	m.groups(k, g[:])
	end := m.d[k+8].end()
	whole := m.sepAt(k+9) != 0 || k+9 >= m.n
	if !whole {
		return 0, 0
	}
	from := m.d[k].start
	open := s.openLeft(from) && s.openRight(end)
	switch {
	case g[0] == 3 && g[1] == 2 && g[2] == 4 && ssnSep(m.d[k+3].sep) && ssnSep(m.d[k+5].sep):
		if open && m.apart(k) {
			return from, end
		}
	case g[0] == 9 && open && m.hiddenSSN(k):
		return from, end
	}
	if s.cued(ssnCues, kSSN, from, end) {
		return from, end
	}
	return 0, 0
}

func ssnSep(c byte) bool { return c == '-' || c == ' ' || c == '.' }

// validSSN reports whether nine digits may have been issued: no all-zero part, no area 666 or from 900.
func (m *number) validSSN(k int) bool {
	area := m.value(k, k+3)
	return area != 0 && area != 666 && area < 900 && m.value(k+3, k+5) != 0 && m.value(k+5, k+9) != 0
}

// apart reports whether the number of nine digits at k is not the middle of a longer one: its own separators do not
// stand beside it too.
func (m *number) apart(k int) bool {
	inner := m.d[k+3].sep
	return m.d[k].sep != inner && m.sepAt(k+9) != inner
}

// hiddenSSN reports whether just the separators of a social security number are there, but none can be seen.
func (m *number) hiddenSSN(k int) bool {
	for i := 1; i < 9; i++ {
		if m.d[k+i].hidden != (i == 3 || i == 5) {
			return false
		}
	}
	return true
}
