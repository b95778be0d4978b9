package redact

import (
	"unicode"
	"unicode/utf8"
)

// digitValue returns the value of a decimal digit of any script, or -1. The digits of a script stand in order, ten by
// ten, so the distance from the start of a Unicode range tells the value.
func digitValue(r rune) int {
	if r < utf8.RuneSelf {
		if '0' <= r && r <= '9' {
			return int(r - '0')
		}
		return -1
	}
	if r <= 0xFFFF {
		for _, x := range unicode.Nd.R16 {
			if uint16(r) <= x.Hi {
				if uint16(r) < x.Lo {
					return -1
				}
				return int(uint16(r)-x.Lo) % 10
			}
		}
		return -1
	}
	for _, x := range unicode.Nd.R32 {
		if uint32(r) <= x.Hi {
			if uint32(r) < x.Lo {
				return -1
			}
			return int(uint32(r)-x.Lo) % 10
		}
	}
	return -1
}

// invisible reports whether a reader does not see r: zero-width and bidi marks, the soft hyphen, variation selectors.
func invisible(r rune) bool {
	switch {
	case r < 0xAD:
		return false
	case r == 0xAD, r == 0x034F, r == 0x061C, r == 0x180E, r == 0x3164, r == 0xFEFF:
		return true
	case 0x200B <= r && r <= 0x200F, 0x202A <= r && r <= 0x202E, 0x2060 <= r && r <= 0x206F:
		return true
	case 0xFE00 <= r && r <= 0xFE0F, 0xE0000 <= r && r <= 0xE0FFF:
		return true
	}
	return false
}

// separator returns the ASCII twin of a character that may stand between the groups of a number, or 0.
func separator(r rune) byte {
	switch r {
	case ' ', '\t', 0xA0, 0x1680, 0x202F, 0x205F, 0x3000:
		return ' '
	case '-', '_', 0x2212, 0xFE58, 0xFE63, 0xFF0D, 0x2043, 0x00AF, 0x02D7:
		return '-'
	case '.', 0x00B7, 0x2024, 0x2027, 0xFF0E, 0x3002:
		return '.'
	case '/', 0x2044, 0x2215, 0xFF0F:
		return '/'
	case '(', ')', 0xFF08, 0xFF09:
		return '('
	}
	if 0x2000 <= r && r <= 0x200A {
		return ' '
	}
	if 0x2010 <= r && r <= 0x2015 {
		return '-'
	}
	return 0
}

// byteAt returns the byte at i, if there is one.
func (s *scanner) byteAt(i int) (byte, bool) {
	if i < len(s.text) {
		return s.text[i], true
	}
	return 0, false
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isUpper(c byte) bool  { return 'A' <= c && c <= 'Z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isAlnum(c byte) bool  { return isLetter(c) || isDigit(c) }
func isHex(c byte) bool    { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

func lower(c byte) byte {
	if isUpper(c) {
		return c | 0x20
	}
	return c
}

// before returns the visible rune that ends at or before i, and where it begins; (-1, floor) at the floor.
func (s *scanner) before(i int) (rune, int) {
	for i > s.floor {
		r, n := utf8.DecodeLastRuneInString(s.text[s.floor:i])
		i -= n
		if !invisible(r) {
			return r, i
		}
	}
	return -1, s.floor
}

// after returns the visible rune that begins at or after i, and where it ends; (-1, len) at the end.
func (s *scanner) after(i int) (rune, int) {
	for i < len(s.text) {
		r, n := utf8.DecodeRuneInString(s.text[i:])
		i += n
		if !invisible(r) {
			return r, i
		}
	}
	return -1, i
}

// openLeft reports whether a number may begin at i: no ASCII letter is attached to it, save a whole word ("SSN123…") or
// the letter of an escape such as \n, which a JSON text inside a string has.
func (s *scanner) openLeft(i int) bool {
	j := i
	hex := true
	for j > s.floor && i-j < 3 && isLetter(s.text[j-1]) {
		j--
		hex = hex && isHex(s.text[j])
	}
	if j == i {
		return true
	}
	if i-j == 1 && s.escapeAt(j) {
		return true
	}
	return i-j == 3 && !hex
}

// escapeAt reports whether the letter at i belongs to an escape such as \n.
func (s *scanner) escapeAt(i int) bool {
	if i <= s.floor || s.text[i-1] != '\\' {
		return false
	}
	switch s.text[i] {
	case 'n', 'r', 't', 'b', 'f':
		return true
	}
	return false
}

// openRight reports whether a number may end at i, by the same rule.
func (s *scanner) openRight(i int) bool {
	j := i
	hex := true
	for j < len(s.text) && j-i < 3 && isLetter(s.text[j]) {
		hex = hex && isHex(s.text[j])
		j++
	}
	return j == i || j-i == 3 && !hex
}
