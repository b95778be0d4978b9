package aegis

import (
	"math/big"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// literals that people and attackers write: short decimals, near misses, the edges of int64 and float64.
var literals = rapid.OneOf(
	rapid.StringMatching(`-?(0|[1-9][0-9]{0,3})(\.[0-9]{1,8})?`),
	rapid.StringMatching(`-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][-+]?[0-9]{1,3})?`),
	rapid.SampledFrom([]string{"9223372036854775807", "9223372036854775808", "-9223372036854775808", "9007199254740993",
		"0.1", "0.30000000000000004", "5000.00000000000000000001", "1e400", "1e-400", "-0", "-0.0e5", "1e18", "123456789012345.6"}),
)

// inRange is the definition, word for word: an integer in int64, or equal to its float64's shortest decimal below 2^63.
func inRange(lit string) bool {
	r, ok := new(big.Rat).SetString(lit)
	if !ok {
		return false
	}
	if r.IsInt() {
		return r.Num().IsInt64()
	}
	f, err := strconv.ParseFloat(lit, 64)
	if err != nil {
		return false
	}
	s, _ := new(big.Rat).SetString(strconv.FormatFloat(f, 'g', -1, 64))
	return s.Cmp(r) == 0 && f < 1<<63 && f > -(1<<63)
}

func TestParseNumProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lit := literals.Draw(t, "lit")
		n, ok := ParseNum([]byte(lit))
		if ok != inRange(lit) {
			t.Fatalf("%s: in range %v, want %v", lit, ok, inRange(lit))
		}
		if !ok {
			return
		}
		want, _ := new(big.Rat).SetString(lit)
		got, _ := new(big.Rat).SetString(n.Text())
		if got.Cmp(want) != 0 {
			t.Fatalf("%s reads as %s", lit, n.Text())
		}
		if n.IsInt() != want.IsInt() {
			t.Fatalf("%s: integer %v", lit, n.IsInt())
		}
		scaled, d := new(big.Rat).Set(want), 0
		for !scaled.IsInt() {
			scaled.Mul(scaled, big.NewRat(10, 1))
			d++
		}
		if n.Decimals() != d {
			t.Fatalf("%s has %d decimals, want %d", lit, n.Decimals(), d)
		}
		if m, ok := n.Micro(); ok {
			if new(big.Rat).SetFrac64(m, micro).Cmp(want) != 0 {
				t.Fatalf("%s is %d millionths", lit, m)
			}
			if back, ok := FromMicro(m); !ok || back != n {
				t.Fatalf("%s: millionths read back as %v %v", lit, back, ok)
			}
		}
	})
}

func TestArithProperty(t *testing.T) {
	most, mostFrac := big.NewRat(MaxArith, 1), big.NewRat(MaxArithFrac, 1)
	within := func(r *big.Rat) bool {
		a := new(big.Rat).Abs(r)
		if r.IsInt() {
			return a.Cmp(most) <= 0
		}
		return a.Cmp(mostFrac) <= 0 && new(big.Rat).Mul(r, big.NewRat(micro, 1)).IsInt()
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := literals.Draw(t, "a"), literals.Draw(t, "b")
		x, ok := ParseNum([]byte(a))
		y, ok2 := ParseNum([]byte(b))
		if !ok || !ok2 {
			return
		}
		r, s := new(big.Rat), new(big.Rat)
		r.SetString(a)
		s.SetString(b)
		if want := r.Cmp(s); x.Cmp(y) != want || (x == y) != (want == 0) {
			t.Fatalf("%s against %s: %d, want %d", a, b, x.Cmp(y), want)
		}
		for op, f := range map[byte]func(*big.Rat, *big.Rat, *big.Rat) *big.Rat{'+': (*big.Rat).Add, '-': (*big.Rat).Sub, '*': (*big.Rat).Mul} {
			want := f(new(big.Rat), r, s)
			got, ok := Arith(op, x, y)
			if ok != (within(r) && within(s) && within(want)) {
				t.Fatalf("%s %c %s: decided %v", a, op, b, ok)
			}
			if g, _ := new(big.Rat).SetString(got.Text()); ok && g.Cmp(want) != 0 {
				t.Fatalf("%s %c %s is %s, want %s", a, op, b, got.Text(), want)
			}
		}
	})
}
