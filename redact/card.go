package redact

// card matches 13 to 19 digits, alone or in the groups cards are printed in.
func (s *scanner) card(k int) (int, int) {
	m := &s.num
	if v := m.d[k].value; v < 2 || v == 7 || v == 9 { // no issuer has these
		return 0, 0
	}
	if m.n-k < 13 || !s.openLeft(m.d[k].start) || s.fraction(k) {
		return 0, 0
	}
	// The commonest length first: an expiry date or a security code often follows.
	for _, n := range [...]int{16, 15, 14, 13, 19, 18, 17} {
		if k+n > m.n || m.sepAt(k+n) == 0 && k+n < m.n {
			continue
		}
		end := m.d[k+n-1].end()
		if m.issuer(k, n) && m.cardGroups(k, k+n) && m.luhn(k, n) && s.openRight(end) {
			return m.d[k].start, end
		}
	}
	return 0, 0
}

// fraction reports whether the group k is the fraction of a decimal number such as 0.4111111111111111.
func (s *scanner) fraction(k int) bool {
	m := &s.num
	if m.d[k].sep != '.' || m.groupEnd(k) < m.n {
		return false
	}
	return k > 0 && k <= 3 && int(m.d[k-1].group) == k-1 && m.d[k].start == m.d[k-1].end()+1
}

// cardGroups reports whether the digits [k,e) stand together as on a card: no group but the last shorter than three, or
// all alike, and neither slashes nor brackets between.
func (m *number) cardGroups(k, e int) bool {
	printed, alike := true, true
	size := m.groupEnd(k) - k
	for k < e {
		g := m.groupEnd(k)
		if g > e {
			return false
		}
		printed = printed && (g-k >= 3 || g == e)
		alike = alike && g-k == size
		if g < e && !ssnSep(m.d[g].sep) {
			return false
		}
		k = g
	}
	return printed || alike
}

// issuer reports whether cards of n digits begin with the digits at k.
func (m *number) issuer(k, n int) bool {
	p2, p3, p4 := m.value(k, k+2), m.value(k, k+3), m.value(k, k+4)
	switch {
	case p2/10 == 4: // Visa
		return n == 13 || n == 16 || n == 19
	case 51 <= p2 && p2 <= 55, 2221 <= p4 && p4 <= 2720: // Mastercard
		return n == 16
	case p2 == 34, p2 == 37: // American Express
		return n == 15
	case 2200 <= p4 && p4 <= 2204, p2 == 35: // Mir, JCB
		return n >= 16
	case 300 <= p3 && p3 <= 305, p3 == 309, p2 == 36, p2 == 38, p2 == 39: // Diners Club
		return n == 14 || n >= 16
	case p2 == 60, p2 == 62, 644 <= p3 && p3 <= 649, p2 == 65, p2 == 81, p2 == 82: // Discover, UnionPay, RuPay
		return n >= 16
	case p2 == 50, 56 <= p2 && p2 <= 58, p2 == 63, p2 == 67: // Maestro
		return n >= 16
	}
	return false
}

// luhn reports whether the n digits at k have the right check digit.
func (m *number) luhn(k, n int) bool {
	sum := 0
	for i := range n {
		v := int(m.d[k+n-1-i].value)
		if i%2 == 1 {
			v *= 2
			if v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return sum%10 == 0
}

// embeddedCard looks into runs of 20 and more digits, which no card is but which may be cards strung together. Only the
// commonest ranges count there, since one place in ten has a right check digit.
func (s *scanner) embeddedCard(k int) (hit, bool) {
	m := &s.num
	if !s.on(kCard) || m.n-k < 15 || int(m.d[k].group)+m.groupEnd(k)-k < 20 {
		return hit{}, false
	}
	n := 16
	switch p := m.value(k, k+2); {
	case p == 34 || p == 37:
		n = 15
	case p/10 != 4 && (p < 51 || p > 55):
		return hit{}, false
	}
	if m.groupEnd(k) < k+n || !m.luhn(k, n) {
		return hit{}, false
	}
	return hit{m.d[k].start, m.d[k+n-1].end(), kCard}, true
}
