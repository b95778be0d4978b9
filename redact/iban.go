package redact

// ibanLen holds the length of the account numbers of each country in the IBAN registry.
var ibanLen = func() (m [26][26]int) {
	for n, countries := range map[int]string{
		15: "NO", 16: "BE", 18: "DKFKFOFINLSD", 19: "MKSI", 20: "ATBAEEKZLTLUMNXK", 21: "CHHRLILV",
		22: "BGBHCRDEGBGEIEMERSVA", 23: "AEGIILIQOMSOTL", 24: "ADCZESMDPKROSASESKTNVG", 25: "LYPTST",
		26: "ISTR", 27: "BIDJFRGRITMCMRSM", 28: "ALAZBYCYDOGTHUHNLBNIPLSV", 29: "BRPSQAUA", 30: "JOKWMUYE",
		31: "MTSC", 32: "LC", 33: "RU",
	} {
		for i := 0; i < len(countries); i += 2 {
			m[countries[i]-'A'][countries[i+1]-'A'] = n
		}
	}
	return
}()

// iban matches the account number whose first check digit is k: a country before it, then that country's length.
func (s *scanner) iban(k int) (int, int) {
	m := &s.num
	if m.d[k].sep != sepFirst || !s.afterCountry(m.d[k].start) {
		return 0, 0
	}
	r2, i := s.before(m.d[k].start)
	if sep := separator(r2); sep == ' ' || sep == '-' {
		r2, i = s.before(i)
	}
	c2 := asciiUpper(r2)
	if c2 < 'A' {
		return 0, 0
	}
	r1, from := s.before(i)
	c1 := asciiUpper(r1)
	if c1 < 'A' {
		return 0, 0
	}
	n := ibanLen[c1-'A'][c2-'A']
	if n == 0 || !s.openLeft(from) {
		return 0, 0
	}
	if end := s.ibanEnd(from, n); end > 0 {
		return from, end
	}
	return 0, 0
}

// ibanEnd reads n letters and digits from i on and returns where they end if their remainder is right, or 0.
func (s *scanner) ibanEnd(i, n int) int {
	var c [34]byte
	gap := 0
	for k := 0; k < n; {
		r, e := s.after(i)
		ch := asciiUpper(r)
		if v := digitValue(r); v >= 0 {
			ch = '0' + byte(v)
		}
		switch {
		case ch != 0:
			c[k] = ch
			k, gap = k+1, 0
		case gap < 2 && ssnSep(separator(r)):
			gap++
		default:
			return 0
		}
		i = e
	}
	if r, _ := s.after(i); digitValue(r) >= 0 {
		return 0
	}
	rem := 0
	for k := range n {
		ch := c[(k+4)%n] // the country and the check digits count last
		if isDigit(ch) {
			rem = (rem*10 + int(ch-'0')) % 97
		} else {
			rem = (rem*100 + int(ch-'A') + 10) % 97
		}
	}
	if rem != 1 || !isDigit(c[2]) || !isDigit(c[3]) {
		return 0
	}
	return i
}

// asciiUpper returns the capital twin of an ASCII or fullwidth letter, or 0.
func asciiUpper(r rune) byte {
	if 0xFF21 <= r && r <= 0xFF5A {
		r -= 0xFF21 - 'A'
	}
	if 'a' <= r && r <= 'z' {
		r -= 'a' - 'A'
	}
	if 'A' <= r && r <= 'Z' {
		return byte(r)
	}
	return 0
}
