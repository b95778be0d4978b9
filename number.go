package aegis

import (
	"bytes"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// Num is an exact decimal number in the range that the policy language and both of its evaluators share: the integers
// of int64, and other decimals that equal the shortest decimal of their float64, below 2^63 in size. Nothing is ever
// rounded: a literal outside the range is not a Num. The zero Num is 0.
type Num struct {
	i    int64
	f    float64
	frac bool // the number is f and no integer; else it is i
}

// Int returns n as a Num.
func Int(n int64) Num { return Num{i: n} }

var pow10 = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16}

// ParseNum reads a JSON number literal. It is false for a number that is out of range; the caller has made sure of
// the grammar.
func ParseNum(lit []byte) (Num, bool) {
	neg, i := false, 0
	if len(lit) > 0 && lit[0] == '-' {
		neg, i = true, 1
	}
	if len(lit)-i > 17 || len(lit) == i {
		return parseNumSlow(lit)
	}
	var m int64
	frac := -1
	for ; i < len(lit); i++ {
		switch c := lit[i]; {
		case '0' <= c && c <= '9':
			m = m*10 + int64(c-'0')
			if frac >= 0 {
				frac++
			}
		case c == '.' && frac < 0:
			frac = 0
		default:
			return parseNumSlow(lit)
		}
	}
	for frac > 0 && m%10 == 0 {
		m /= 10
		frac--
	}
	if neg {
		m = -m
	}
	if frac <= 0 {
		return Num{i: m}, true
	}
	if m > -1e15 && m < 1e15 {
		// Up to 15 digits, the quotient of two exact doubles is the double nearest to the decimal, and the decimal
		// is that double's shortest.
		return Num{f: float64(m) / pow10[frac], frac: true}, true
	}
	return parseNumSlow(lit)
}

func parseNumSlow(lit []byte) (Num, bool) {
	neg, digits, exp, ok := decompose(lit)
	if !ok || len(digits) == 0 {
		return Num{}, ok
	}
	if exp >= 0 {
		if len(digits)+exp > 19 {
			return Num{}, false
		}
		s := string(digits) + strings.Repeat("0", exp)
		if neg {
			s = "-" + s
		}
		i, err := strconv.ParseInt(s, 10, 64)
		return Num{i: i}, err == nil
	}
	f, err := strconv.ParseFloat(string(lit), 64)
	if err != nil || math.Abs(f) >= 1<<63 {
		return Num{}, false
	}
	_, d, e, _ := decompose(strconv.AppendFloat(nil, f, 'e', -1, 64))
	return Num{f: f, frac: true}, e == exp && bytes.Equal(d, digits)
}

// decompose splits a literal into sign, significant digits without zeros at either end, and the exponent of the last
// digit. Zero has no digits. It is false for an exponent that no number in range can have.
func decompose(lit []byte) (neg bool, digits []byte, exp int, ok bool) {
	if len(lit) == 0 {
		return
	}
	mant, point := lit, false
	if i := bytes.IndexAny(lit, "eE"); i >= 0 {
		mant = lit[:i]
		e, err := strconv.Atoi(string(bytes.TrimPrefix(lit[i+1:], []byte("+"))))
		if err != nil || e > 9999 || e < -9999 {
			return
		}
		exp = e
	}
	if mant[0] == '-' {
		neg, mant = true, mant[1:]
	}
	digits = make([]byte, 0, len(mant))
	for _, c := range mant {
		if c == '.' {
			point = true
			continue
		}
		digits = append(digits, c)
		if point {
			exp--
		}
	}
	digits = bytes.TrimLeft(digits, "0")
	n := len(digits)
	digits = bytes.TrimRight(digits, "0")
	exp += n - len(digits)
	if len(digits) == 0 {
		return false, nil, 0, true
	}
	return neg, digits, exp, true
}

// IsInt reports whether n is an integer.
func (n Num) IsInt() bool { return !n.frac }

// Int64 returns the integer n; it is meaningless where IsInt is false.
func (n Num) Int64() int64 { return n.i }

// Float returns the float64 nearest to n.
func (n Num) Float() float64 {
	if n.frac {
		return n.f
	}
	return float64(n.i)
}

// Cmp compares by value: -1, 0 or +1.
func (n Num) Cmp(m Num) int {
	if !n.frac && !m.frac {
		switch {
		case n.i < m.i:
			return -1
		case n.i > m.i:
			return 1
		}
		return 0
	}
	// A fraction has a float64 of its own, below 2^53 in size; an integer that float64 rounds lies beyond all of them.
	x, y := n.Float(), m.Float()
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// Text returns the shortest decimal, without exponent for integers.
func (n Num) Text() string {
	if !n.frac {
		return strconv.FormatInt(n.i, 10)
	}
	return strconv.FormatFloat(n.f, 'g', -1, 64)
}

// Decimals returns how many decimal places n has.
func (n Num) Decimals() int {
	if !n.frac {
		return 0
	}
	_, _, exp, _ := decompose(strconv.AppendFloat(nil, n.f, 'e', -1, 64))
	return -exp
}

// Bounds of arithmetic: integers to MaxArith, others to MaxArithFrac with at most 6 decimals.
const (
	MaxArith     = 1_000_000_000_000
	MaxArithFrac = 1_000_000_000
	micro        = 1_000_000
)

// Micro returns n in millionths, exactly. It is false outside the bounds of arithmetic.
func (n Num) Micro() (int64, bool) {
	if !n.frac {
		return n.i * micro, n.i <= MaxArith && n.i >= -MaxArith
	}
	if math.Abs(n.f) > MaxArithFrac {
		return 0, false
	}
	// The product is off by far less than one half, and the quotient of two exact doubles is correctly rounded, so
	// equality holds just when n has at most six decimals.
	m := math.Round(n.f * micro)
	return int64(m), m/micro == n.f
}

// FromMicro is the inverse of Micro; false outside the bounds of arithmetic.
func FromMicro(m int64) (Num, bool) {
	if m%micro == 0 {
		return Num{i: m / micro}, m <= MaxArith*micro && m >= -MaxArith*micro
	}
	if m > MaxArithFrac*micro || m < -MaxArithFrac*micro {
		return Num{}, false
	}
	return Num{f: float64(m) / micro, frac: true}, true
}

// Arith computes x op y for op one of + - *, exactly; false where an operand or the result leaves the bounds of
// arithmetic, or a product has more than six decimals.
func Arith(op byte, x, y Num) (Num, bool) {
	a, ok := x.Micro()
	b, ok2 := y.Micro()
	if !ok || !ok2 {
		return Num{}, false
	}
	switch op {
	case '+':
		return FromMicro(a + b)
	case '-':
		return FromMicro(a - b)
	}
	neg := (a < 0) != (b < 0)
	hi, lo := bits.Mul64(abs(a), abs(b))
	if hi >= micro {
		return Num{}, false
	}
	q, rem := bits.Div64(hi, lo, micro)
	if rem != 0 || q > MaxArith*micro {
		return Num{}, false
	}
	if neg {
		return FromMicro(-int64(q))
	}
	return FromMicro(int64(q))
}

func abs(x int64) uint64 {
	if x < 0 {
		return uint64(-x)
	}
	return uint64(x)
}

// FormatMicro writes a number of millionths as an exact decimal.
func FormatMicro(m int64) string {
	sign := ""
	if m < 0 {
		sign = "-"
	}
	u := abs(m)
	s := sign + strconv.FormatUint(u/micro, 10)
	if r := u % micro; r != 0 {
		s += strings.TrimRight("."+strconv.FormatUint(r+micro, 10)[1:], "0")
	}
	return s
}
