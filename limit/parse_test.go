package limit

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestParseRate(t *testing.T) {
	for s, want := range map[string]struct {
		n   int64
		per time.Duration
	}{
		"5/s":             {5, time.Second},
		"10/m":            {10, time.Minute},
		"100/h":           {100, time.Hour},
		"1000/d":          {1000, 24 * time.Hour},
		"9200000000000/d": {MaxWhole, 24 * time.Hour},
	} {
		if n, per, err := ParseRate(s); n != want.n || per != want.per || err != nil {
			t.Errorf("%s: %d, %v, %v", s, n, per, err)
		}
	}
}

func TestParseCalls(t *testing.T) {
	for s, want := range map[string]struct {
		n int64
		w Window
	}{
		"200/session": {200, Session}, "1/hour": {1, Hour}, "1/day": {1, Day}, "7/week": {7, Week}, "30/month": {30, Month},
	} {
		if n, w, err := ParseCalls(s); n != want.n || w != want.w || err != nil {
			t.Errorf("%s: %d, %v, %v", s, n, w, err)
		}
	}
}

func TestParseBudget(t *testing.T) {
	for s, want := range map[string]struct {
		cap   int64
		w     Window
		money bool
		arg   string
	}{
		"$20/day":                   {20_000_000, Day, true, ""},
		"$0.5/session":              {500_000, Session, true, ""},
		"$20.50/week":               {20_500_000, Week, true, ""},
		"$0.000001/hour":            {1, Hour, true, ""},
		"20000/day of amount":       {20_000_000_000, Day, false, "amount"},
		"1.25/month of a.b":         {1_250_000, Month, false, "a.b"},
		"3/day of order of merit":   {3_000_000, Day, false, "order of merit"},
		"3/day of größe":            {3_000_000, Day, false, "größe"},
		"$9200000000000/day":        {MaxWhole * micro, Day, true, ""},
		"$9199999999999.999999/day": {MaxWhole*micro - 1, Day, true, ""},
	} {
		cap, w, money, arg, err := ParseBudget(s)
		if cap != want.cap || w != want.w || money != want.money || arg != want.arg || err != nil {
			t.Errorf("%s: %d, %v, %v, %q, %v", s, cap, w, money, arg, err)
		}
	}
}

// parseErrors lists, for each parser, what it must refuse and what it must say.
var parseErrors = []struct {
	parser string
	cases  [][2]string
}{
	{"rate", [][2]string{
		{"", `rate "": write a count and a unit, as in 5/s`},
		{"5", `write a count and a unit`},
		{"/s", `"" is not a whole number`},
		{"5/", `"" is not a unit: use s, m, h or d`},
		{"5/w", `"w" is not a unit: use s, m, h or d`},
		{"5/S", `"S" is not a unit`},
		{"5/day", `"day" is not a unit`},
		{"5/s/s", `"s/s" is not a unit`},
		{"5/s ", `"s " is not a unit`},
		{"5 /s", `"5 " is not a whole number: use the digits 0 to 9 without signs, spaces or separators`},
		{"5.5/s", `"5.5" is not a whole number`},
		{"1e3/s", `"1e3" is not a whole number`},
		{"1_000/s", `"1_000" is not a whole number`},
		{"+5/s", `"+5" is not a whole number`},
		{"-5/s", `"-5" is negative: use a number over 0`},
		{"0/s", `0 would allow nothing: use 1 or more`},
		{"05/s", `"05" has a leading zero`},
		{"00/s", `"00" has a leading zero`},
		{"٥/s", `"٥" is not a whole number`},
		{"５/s", `"５" is not a whole number`},
		{"9200000000001/s", `"9200000000001" is too large: the most is 9200000000000`},
		{"99999999999999999999999/s", `is too large`},
		{strings.Repeat("é", 50) + "/s", `…: "`},
	}},
	{"calls", [][2]string{
		{"", `calls "": write a count and a window, as in 200/session`},
		{"200", `write a count and a window`},
		{"200/0s", `"0s" is not a window: use session, hour, day, week or month`},
		{"200/", `"" is not a window`},
		{"200/Day", `"Day" is not a window`},
		{"200/day ", `"day " is not a window`},
		{"200/year", `"year" is not a window`},
		{"200/day of amount", `"day of amount" is not a window`},
		{"0/day", `0 would allow nothing: use 1 or more`},
		{"-1/day", `"-1" is negative`},
		{"1.5/day", `"1.5" is not a whole number`},
		{"01/day", `"01" has a leading zero`},
		{"$1/day", `"$1" is not a whole number`},
		{"9200000000001/day", `is too large`},
	}},
	{"budget", [][2]string{
		{"", `budget "": write an amount and a window, as in $20/day or 20000/day of amount`},
		{"$20", `write an amount and a window`},
		{"$", `write an amount and a window`},
		{"$20/0s", `"0s" is not a window: use session, hour, day, week or month`},
		{"$20/d", `"d" is not a window`},
		{"$ 20/day", `" 20" is not a decimal number`},
		{"20$/day", `"20$" is not a decimal number`},
		{"$$20/day", `"$20" is not a decimal number`},
		{"$1,000/day", `"1,000" is not a decimal number`},
		{"$1e3/day", `"1e3" is not a decimal number`},
		{"$.5/day", `"" is not a decimal number`},
		{"$5./day", `"5." is not a decimal number: digits must follow the point`},
		{"$5.x/day", `"5.x" is not a decimal number`},
		{"$5.-1/day", `"5.-1" is not a decimal number`},
		{"$5.5.5/day", `"5.5.5" is not a decimal number`},
		{"$0.٥/day", `"0.٥" is not a decimal number`},
		{"$0/day", `0 would allow nothing: use a number over 0`},
		{"$0.000000/day", `0 would allow nothing`},
		{"$-1/day", `"-1" is negative: use a number over 0`},
		{"$-0.5/day", `is negative`},
		{"$007/day", `"007" has a leading zero`},
		{"$00.5/day", `"00" has a leading zero`},
		{"$0.0000001/day", `"0.0000001" has more than 6 decimals`},
		{"$0.5000000/day", `has more than 6 decimals`},
		{"$9200000000000.000001/day", `is too large: the most is 9200000000000`},
		{"$9200000000001/day", `is too large`},
		{"$9223372036854775808/day", `is too large`},
		{"20/day", `neither money nor an argument: write $ before the amount, or "of" and an argument after the window`},
		{"$20/day of amount", `a budget in $ is of the estimated cost: drop the $ or the argument`},
		{"20/day of ", `"" is not the name of an argument`},
		{"20/day of", `"day of" is not a window`},
		{"20/day  of amount", `"day " is not a window`},
		{"20/day of  amount", `" amount" is not the name of an argument`},
		{"20/day of amount ", `"amount " is not the name of an argument`},
		{"20/day of a\nb", `"a\nb" is not the name of an argument`},
		{"20/day of a\xff", `"a\xff" is not the name of an argument`},
	}},
}

func TestParseErrors(t *testing.T) {
	for _, p := range parseErrors {
		for _, c := range p.cases {
			var err error
			switch p.parser {
			case "rate":
				_, _, err = ParseRate(c[0])
			case "calls":
				_, _, err = ParseCalls(c[0])
			case "budget":
				_, _, _, _, err = ParseBudget(c[0])
			}
			if err == nil {
				t.Errorf("%s %q: accepted", p.parser, c[0])
				continue
			}
			if msg := err.Error(); !strings.Contains(msg, c[1]) || !strings.HasPrefix(msg, p.parser+` "`) || len(msg) > 250 {
				t.Errorf("%s %q: %s, want %s", p.parser, c[0], msg, c[1])
			}
		}
	}
}

func TestNames(t *testing.T) {
	if Rate.String() != "rate" || Budget.String() != "budget" || Kind(9).String() != "" || Window(9).String() != "" {
		t.Error("a name is wrong")
	}
}

func writeRate(n int64, per time.Duration) string {
	unit := map[time.Duration]string{time.Second: "s", time.Minute: "m", time.Hour: "h", 24 * time.Hour: "d"}[per]
	return strconv.FormatInt(n, 10) + "/" + unit
}

func writeBudget(cap int64, w Window, money bool, arg string) string {
	s := strconv.FormatInt(cap/micro, 10)
	if frac := cap % micro; frac != 0 {
		s += strings.TrimRight("."+strconv.FormatInt(micro+frac, 10)[1:], "0")
	}
	if s += "/" + w.String(); money {
		return "$" + s
	}
	return s + " of " + arg
}

// FuzzParse holds the parsers to one spelling: what they accept is what they would write, but for trailing zeros of a
// decimal, and what they write means the same.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"5/s", "1000/d", "200/session", "$20/day", "$0.50/week", "20000/day of amount", "1/day of x of y"} {
		f.Add(s)
	}
	for _, p := range parseErrors {
		for _, c := range p.cases {
			f.Add(c[0])
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, per, err := ParseRate(s); err == nil {
			if w := writeRate(n, per); w != s || n < 1 {
				t.Errorf("rate %q is written %q", s, w)
			}
		}
		if n, w, err := ParseCalls(s); err == nil {
			if out := strconv.FormatInt(n, 10) + "/" + w.String(); out != s || n < 1 {
				t.Errorf("calls %q is written %q", s, out)
			}
		}
		cap, w, money, arg, err := ParseBudget(s)
		if err != nil {
			return
		}
		out := writeBudget(cap, w, money, arg)
		num, rest, _ := strings.Cut(s, "/")
		if strings.Contains(num, ".") {
			num = strings.TrimRight(strings.TrimRight(num, "0"), ".")
		}
		if out != num+"/"+rest || cap < 1 || cap > MaxWhole*micro {
			t.Errorf("budget %q is written %q", s, out)
		}
		if cap2, w2, money2, arg2, err := ParseBudget(out); cap2 != cap || w2 != w || money2 != money || arg2 != arg || err != nil {
			t.Errorf("budget %q is written %q, which means something else", s, out)
		}
	})
}
