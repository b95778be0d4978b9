package redact

import "strings"

// secret matches the credential that the byte at i belongs to. Each family is tried at its rarest byte.
func (s *scanner) secret(i int) (hit, bool) {
	from, to := 0, 0
	switch s.text[i] {
	case 'K', 'S':
		from, to = s.accessKey(i)
	case 'J':
		from, to = s.jwt(i)
	case 'x':
		from, to = s.slack(i)
	case '_':
		from, to = s.prefixed(i)
	case '-':
		from, to = s.pem(i)
	case '=', ':':
		from, to = s.assigned(i)
	}
	return hit{from, to, kSecret}, to > 0
}

// begins reports whether word stands at i and no letter, digit or one of more is attached before it.
func (s *scanner) begins(i int, word, more string) bool {
	if i < s.floor || !strings.HasPrefix(s.text[i:], word) {
		return false
	}
	if i == s.floor || s.escapeAt(i-1) {
		return true
	}
	c := s.text[i-1]
	return !isAlnum(c) && strings.IndexByte(more, c) < 0
}

// run returns where the letters, digits and bytes of more that begin at i end.
func (s *scanner) run(i int, more string) int {
	for i < len(s.text) && (isAlnum(s.text[i]) || strings.IndexByte(more, s.text[i]) >= 0) {
		i++
	}
	return i
}

// accessKey matches the identifier of an AWS access key, AKIA or ASIA and sixteen capitals and digits.
func (s *scanner) accessKey(i int) (int, int) {
	from := i - 1
	if !s.begins(from, "AKIA", "") && !s.begins(from, "ASIA", "") {
		return 0, 0
	}
	end := s.run(from, "")
	if end-from != 20 || strings.ToUpper(s.text[from:end]) != s.text[from:end] {
		return 0, 0
	}
	return from, end
}

// jwt matches a JSON web token, signed or encrypted.
func (s *scanner) jwt(i int) (int, int) {
	from := i - 2
	if !s.begins(from, "eyJ", "-_") {
		return 0, 0
	}
	parts, end := 0, from
	for parts < 5 {
		e := s.run(end, "-_")
		if parts < 1 && e-end < 10 {
			return 0, 0
		}
		parts, end = parts+1, e
		if e == len(s.text) || s.text[e] != '.' || parts == 5 || e+1 == s.run(e+1, "-_") && parts != 1 {
			break
		}
		end++
	}
	if parts < 2 || end-from < 30 {
		return 0, 0
	}
	return from, end
}

// slack matches the tokens xoxa-, xoxb-, xoxp- and their like.
func (s *scanner) slack(i int) (int, int) {
	if !s.begins(i, "xox", "-_") || i+5 > len(s.text) || !isLetter(s.text[i+3]) || s.text[i+4] != '-' {
		return 0, 0
	}
	if end := s.run(i, "-"); end-i >= 15 {
		return i, end
	}
	return 0, 0
}

// prefixed matches tokens whose prefix ends in an underscore.
func (s *scanner) prefixed(i int) (int, int) {
	for _, p := range [...]struct {
		word  string
		upto  int // how much of word precedes its first underscore
		least int
	}{
		{"ghp_", 3, 20}, {"gho_", 3, 20}, {"ghu_", 3, 20}, {"ghs_", 3, 20}, {"ghr_", 3, 20}, {"github_pat_", 6, 20},
		{"sk_live_", 2, 10}, {"rk_live_", 2, 10},
	} {
		from := i - p.upto
		if !s.begins(from, p.word, "") {
			continue
		}
		body := from + len(p.word)
		if end := s.run(body, "_"); end-body >= p.least {
			return from, end
		}
	}
	return 0, 0
}

// pem matches a block with a private key, to the end of the text where its end is missing.
func (s *scanner) pem(i int) (int, int) {
	const begin, end = "-----BEGIN ", "-----END "
	if !strings.HasPrefix(s.text[i:], begin) {
		return 0, 0
	}
	j := i + len(begin)
	for j < len(s.text) && (isAlnum(s.text[j]) || s.text[j] == ' ') && j-i < 60 {
		j++
	}
	if !strings.Contains(s.text[i:j], "PRIVATE KEY") {
		return 0, 0
	}
	e := strings.Index(s.text[j:], end)
	if e < 0 {
		return i, len(s.text)
	}
	j += e + len(end)
	if e = strings.Index(s.text[j:min(len(s.text), j+60)], "-----"); e >= 0 {
		j += e + len("-----")
	}
	return i, j
}
