package route

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/aegisctl/aegis"
)

// plainDecimal reports whether a text is a number as forms write it: digits and a point, no sign but -, no exponent, no
// leading zero, no space. What one server reads as 1000 and another as 1 ("1e3") is none.
func plainDecimal(s string) bool {
	if len(s) > aegis.MaxNumber {
		return false
	}
	s = strings.TrimPrefix(s, "-")
	whole, frac, point := strings.Cut(s, ".")
	return digits(whole) && (len(whole) == 1 || whole[0] != '0') && (!point || digits(frac))
}

func digits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// appendScaled appends the JSON number lit times ten to the power of scale, as a decimal without an exponent or needless
// zeros. It is false where that is longer than a number may be.
func appendScaled(dst []byte, lit []byte, scale int) ([]byte, bool) {
	mant, exp := lit, scale
	if i := bytes.IndexAny(lit, "eE"); i >= 0 {
		e, err := strconv.Atoi(strings.TrimPrefix(string(lit[i+1:]), "+"))
		if err != nil {
			return dst, false
		}
		mant, exp = lit[:i], exp+e
	}
	var room [aegis.MaxNumber]byte
	sig := room[:0]
	mant, neg := bytes.CutPrefix(mant, []byte("-"))
	for i, c := range mant {
		if c == '.' {
			exp -= len(mant) - i - 1
			continue
		}
		if len(sig) > 0 || c != '0' {
			sig = append(sig, c)
		}
	}
	for len(sig) > 0 && sig[len(sig)-1] == '0' {
		sig, exp = sig[:len(sig)-1], exp+1
	}
	if len(sig) == 0 {
		return append(dst, '0'), true
	}
	if whole := len(sig) + exp; whole > aegis.MaxNumber-1 || -exp > aegis.MaxNumber-3 {
		return dst, false
	}
	return appendDecimal(dst, neg, sig, exp), true
}

// appendDecimal appends sig times ten to the power of exp.
func appendDecimal(dst []byte, neg bool, sig []byte, exp int) []byte {
	if neg {
		dst = append(dst, '-')
	}
	whole := len(sig) + exp
	switch {
	case exp >= 0:
		dst = append(dst, sig...)
		return append(dst, strings.Repeat("0", exp)...)
	case whole > 0:
		dst = append(dst, sig[:whole]...)
		return append(append(dst, '.'), sig[whole:]...)
	}
	dst = append(dst, "0."...)
	dst = append(dst, strings.Repeat("0", -whole)...)
	return append(dst, sig...)
}
