package limit

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// ParseRate reads a rate: a count, a slash and s, m, h or d, as in "5/s".
func ParseRate(s string) (count int64, per time.Duration, err error) {
	num, unit, ok := strings.Cut(s, "/")
	if !ok {
		return 0, 0, fmt.Errorf("rate %s: write a count and a unit, as in 5/s", quote(s))
	}
	if count, err = parseCount(num); err != nil {
		return 0, 0, fmt.Errorf("rate %s: %w", quote(s), err)
	}
	switch unit {
	case "s":
		per = time.Second
	case "m":
		per = time.Minute
	case "h":
		per = time.Hour
	case "d":
		per = 24 * time.Hour
	default:
		return 0, 0, fmt.Errorf("rate %s: %s is not a unit: use s, m, h or d", quote(s), quote(unit))
	}
	return count, per, nil
}

// ParseCalls reads a number of calls per window, as in "200/session".
func ParseCalls(s string) (cap int64, w Window, err error) {
	num, window, ok := strings.Cut(s, "/")
	if !ok {
		return 0, 0, fmt.Errorf("calls %s: write a count and a window, as in 200/session", quote(s))
	}
	if cap, err = parseCount(num); err == nil {
		w, err = parseWindow(window)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("calls %s: %w", quote(s), err)
	}
	return cap, w, nil
}

// ParseBudget reads a budget per window, of money as in "$20/day", or of an argument as in "20000/day of amount". The
// cap is in millionths. An argument is returned as written; what its path means is the policy's business.
func ParseBudget(s string) (cap int64, w Window, money bool, arg string, err error) {
	fail := func(err error) (int64, Window, bool, string, error) {
		return 0, 0, false, "", fmt.Errorf("budget %s: %w", quote(s), err)
	}
	rest, money := strings.CutPrefix(s, "$")
	num, rest, ok := strings.Cut(rest, "/")
	if !ok {
		return fail(errors.New("write an amount and a window, as in $20/day or 20000/day of amount"))
	}
	if cap, err = parseDecimal(num); err != nil {
		return fail(err)
	}
	window, arg, of := strings.Cut(rest, " of ")
	if w, err = parseWindow(window); err != nil {
		return fail(err)
	}
	switch {
	case money && of:
		return fail(errors.New("a budget in $ is of the estimated cost: drop the $ or the argument"))
	case !money && !of:
		return fail(errors.New("neither money nor an argument: write $ before the amount, or \"of\" and an argument after the window"))
	case of && !plainName(arg):
		return fail(fmt.Errorf("%s is not the name of an argument", quote(arg)))
	}
	return cap, w, money, arg, nil
}

func parseWindow(s string) (Window, error) {
	for w := Session; w <= Month; w++ {
		if s == windowNames[w] {
			return w, nil
		}
	}
	return 0, fmt.Errorf("%s is not a window: use session, hour, day, week or month", quote(s))
}

// parseCount reads a whole number of at least 1, in the one way there is to write it.
func parseCount(s string) (int64, error) {
	n, err := parseWhole(s, "a whole number")
	if err == nil && n == 0 {
		err = errors.New("0 would allow nothing: use 1 or more")
	}
	return n, err
}

func parseWhole(s, want string) (int64, error) {
	if strings.HasPrefix(s, "-") {
		return 0, fmt.Errorf("%s is negative: use a number over 0", quote(s))
	}
	if !digits(s) {
		return 0, fmt.Errorf("%s is not %s: use the digits 0 to 9 without signs, spaces or separators", quote(s), want)
	}
	if len(s) > 1 && s[0] == '0' {
		return 0, fmt.Errorf("%s has a leading zero", quote(s))
	}
	var n int64
	for i := range len(s) {
		if n = n*10 + int64(s[i]-'0'); n > MaxWhole {
			return 0, fmt.Errorf("%s is too large: the most is 9200000000000", quote(s))
		}
	}
	return n, nil
}

// parseDecimal reads a number over 0 with at most six decimals, in millionths.
func parseDecimal(s string) (int64, error) {
	const want = "a decimal number"
	whole, frac, point := strings.Cut(s, ".")
	n, err := parseWhole(whole, want)
	if err != nil {
		return 0, err
	}
	if point && !digits(frac) {
		return 0, fmt.Errorf("%s is not %s: digits must follow the point", quote(s), want)
	}
	if len(frac) > 6 {
		return 0, fmt.Errorf("%s has more than 6 decimals", quote(s))
	}
	m := n * micro
	scale := int64(micro)
	for i := range len(frac) {
		scale /= 10
		m += int64(frac[i]-'0') * scale
	}
	switch {
	case m == 0:
		return 0, errors.New("0 would allow nothing: use a number over 0")
	case m > MaxWhole*micro:
		return 0, fmt.Errorf("%s is too large: the most is 9200000000000", quote(s))
	}
	return m, nil
}

// digits reports whether s is one or more ASCII digits; digits of other scripts look like numbers to a reader only.
func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// plainName refuses what a reader would not see or would take for something else: outer spaces, control characters and
// broken UTF-8.
func plainName(s string) bool {
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return s != "" && s[0] != ' ' && s[len(s)-1] != ' ' && utf8.ValidString(s)
}

// quote makes text from a policy safe and short enough for a message.
func quote(s string) string {
	const most = 60
	if len(s) <= most {
		return fmt.Sprintf("%q", s)
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return fmt.Sprintf("%q…", s[:cut])
}
