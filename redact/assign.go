package redact

import "strings"

// secretNames are what the names of secret values end in, in lower case and without _ and -.
var secretNames = [...]string{"password", "passwd", "pwd", "passphrase", "passwort", "kennwort", "secret", "token",
	"apikey", "accesskey", "secretkey", "privatekey", "authorization", "credential", "credentials"}

const maxSecret = 1024 // how far a quoted value is followed

// assigned matches the value after the sign at i, where what is named before it is a secret: password=…, "token": "…".
// The name stays.
func (s *scanner) assigned(i int) (int, int) {
	if !s.secretName(i) {
		return 0, 0
	}
	from, quote := s.openQuote(i + 1)
	from = s.pastScheme(from)
	to := s.bareEnd(from)
	if quote != 0 {
		to = s.quotedEnd(from, quote)
	}
	value := s.text[from:to]
	if s.text[i] == ':' && quote == 0 && !random(value) {
		return 0, 0
	}
	if len(value) < 3 || placeholder(value) {
		return 0, 0
	}
	return from, to
}

// openQuote passes over what may stand between the sign and its value, up to and with a quote, and returns that.
func (s *scanner) openQuote(i int) (from int, quote byte) {
	for n := 0; n < 6 && i < len(s.text); n++ {
		switch c := s.text[i]; c {
		case '"', '\'', '`':
			return i + 1, c
		case ' ', '\t', '=', '>', '\\':
			i++
		default:
			return i, 0
		}
	}
	return i, 0
}

// secretName reports whether the word before the sign at i is the name of a secret.
func (s *scanner) secretName(i int) bool {
	for n := 0; n < 4 && i > s.floor && strings.IndexByte(" \t\\\"'`", s.text[i-1]) >= 0; n++ {
		i--
	}
	var b [16]byte
	k := len(b)
	for j := i; j > s.floor && k > 0; j-- {
		c := s.text[j-1]
		if c == '_' || c == '-' {
			continue
		}
		if !isLetter(c) {
			break
		}
		k--
		b[k] = lower(c)
	}
	for _, w := range secretNames {
		if len(w) <= len(b)-k && string(b[len(b)-len(w):]) == w {
			return true
		}
	}
	return false
}

// pastScheme passes over the scheme of an Authorization header.
func (s *scanner) pastScheme(i int) int {
	for _, w := range [...]string{"Bearer ", "Basic ", "Token "} {
		if len(s.text)-i > len(w) && strings.EqualFold(s.text[i:i+len(w)], w) {
			return i + len(w)
		}
	}
	return i
}

func (s *scanner) bareEnd(i int) int {
	for i < len(s.text) && strings.IndexByte(" \t\r\n,;&\"'`<>(){}\\", s.text[i]) < 0 {
		i++
	}
	return i
}

// quotedEnd returns where a quoted value ends, or a bare one where the quote is not closed soon.
func (s *scanner) quotedEnd(i int, q byte) int {
	for j := i; j < len(s.text) && j-i < maxSecret; j++ {
		if s.text[j] == q || s.text[j] == '\n' {
			for j > i && s.text[j-1] == '\\' {
				j-- // the quote of a JSON text inside a string
			}
			return j
		}
	}
	return s.bareEnd(i)
}

// random reports whether v is unlike a word of prose, as after "token: ".
func random(v string) bool {
	v = strings.TrimRight(v, ".!?:")
	if len(v) < 5 {
		return false
	}
	letters, capitals := 0, 0
	for i := range len(v) {
		if isLetter(v[i]) {
			letters++
		}
		if i > 0 && isUpper(v[i]) {
			capitals++
		}
	}
	return letters < len(v) || capitals > 0 && capitals < letters-1
}

// placeholder reports whether v stands for a value: something replaced before, a variable, stars.
func placeholder(v string) bool {
	for _, t := range tokens {
		if v == t {
			return true
		}
	}
	if strings.HasPrefix(v, "$") && (len(v) > 1 && (v[1] == '{' || v[1] == '(' || isUpper(v[1]))) {
		return true
	}
	return strings.Trim(v, "*.x") == "" || v == "null" || v == "true" || v == "false"
}
