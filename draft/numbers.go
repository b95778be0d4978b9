package draft

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	"github.com/aegisctl/aegis"
)

// numbers is what was seen of numbers at one place.
type numbers struct {
	n        int64
	least    float64
	most     float64
	fraction bool // some is no integer
	decimals int
	odd      bool // some is out of the range that rules can read
}

func (x *numbers) add(v aegis.Value) {
	num, ok := v.Num()
	if !ok {
		x.odd = true
		return
	}
	d := 0
	if !num.IsInt() {
		d = decimals(v.Text(), num)
	}
	f := num.Float()
	x.merge(&numbers{n: 1, least: f, most: f, fraction: !num.IsInt(), decimals: d})
}

// decimals counts decimal places, from the literal where it has no exponent: that is much faster.
func decimals(text []byte, num aegis.Num) int {
	if bytes.ContainsAny(text, "eE") {
		return num.Decimals()
	}
	text = bytes.TrimRight(text, "0")
	return len(text) - 1 - bytes.IndexByte(text, '.')
}

func (x *numbers) merge(o *numbers) {
	x.odd = x.odd || o.odd
	switch {
	case o.n == 0:
		return
	case x.n == 0:
		o.odd = x.odd
		*x = *o
		return
	}
	x.n += o.n
	x.least, x.most = math.Min(x.least, o.least), math.Max(x.most, o.most)
	x.fraction = x.fraction || o.fraction
	x.decimals = max(x.decimals, o.decimals)
}

// ladder holds the readable numbers between 1 and 10.
var ladder = []string{"1", "1.2", "1.5", "2", "2.5", "3", "4", "5", "6", "8", "10"}

// largest is the size from which on no bound is written: float64 cannot tell neighbours apart.
const largest = 1e15

// outward returns the least readable number that is not below x, for x > 0, as a decimal without exponent.
func outward(x float64) string {
	e := int(math.Floor(math.Log10(x)))
	for ; ; e++ {
		for _, m := range ladder {
			f, err := strconv.ParseFloat(m+"e"+strconv.Itoa(e), 64)
			if err == nil && f >= x {
				return strconv.FormatFloat(f, 'f', -1, 64)
			}
		}
	}
}

// about writes x with two digits, rounded away from zero, so that the number itself cannot be read off.
func about(x float64) string {
	if x == 0 {
		return "0"
	}
	sign, a := "", math.Abs(x)
	if x < 0 {
		sign = "-"
	}
	e := int(math.Floor(math.Log10(a))) - 1
	m := math.Ceil(a / math.Pow10(e) * (1 - 1e-12))
	f, err := strconv.ParseFloat(strconv.FormatFloat(m, 'f', 0, 64)+"e"+strconv.Itoa(e), 64)
	if err != nil {
		return sign + "?"
	}
	return sign + grouped(strconv.FormatFloat(f, 'f', -1, 64))
}

// bounds returns the least and the greatest number to be let through, "" for none.
func (x *numbers) bounds() (least, most string) {
	switch {
	case x.least >= 1 && !x.fraction:
		least = "1"
	case x.least >= 0:
		least = "0"
	case x.least > -largest:
		least = "-" + outward(-x.least)
	}
	switch {
	case x.most <= 0:
		most = "0"
	case x.most < largest:
		most = outward(x.most)
	}
	return least, most
}

// lengthBound returns a readable bound on lengths, with a quarter of headroom.
func lengthBound(n int) int {
	if n <= 0 {
		return 1
	}
	bound, err := strconv.ParseFloat(outward(float64(n)*1.25), 64)
	if err != nil {
		return n
	}
	return int(math.Ceil(bound))
}

// grouped puts commas between the thousands.
func grouped(s string) string {
	whole, frac, point := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if point {
		whole += "." + frac
	}
	return whole
}

func count(n int64) string { return grouped(strconv.FormatInt(n, 10)) }
