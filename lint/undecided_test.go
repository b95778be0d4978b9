package lint

import (
	"testing"

	"github.com/aegisctl/aegis/policy"
)

func TestUndecided(t *testing.T) {
	checkRule(t, "AEG055", []example{
		{"a product", pay(`deny_if: n * price > 500`), []string{"not decided whether deny_if can be true and false here: n * price is a product"}},
		{"a sum", pay(`require: [a + b < 9]`), []string{"a + b has several arguments"}},
		{"a constant added", pay(`require: [a + 1 < 9]`), nil},
		{"a host", pay(`deny_if: 'host(url) == "x"'`), []string{"host(url) is a part of a text"}},
		{"elements", pay(`require: ['tags.all(x, x == "a")']`), []string{"is about elements of a list"}},
		{"one relation", pay(`deny_if: a > b`), nil},
		{"relations", pay(`deny_if: a > b && b > c && c > a`), []string{"more than once"}},
		{"decided all the same", pay(`deny_if: n * price > 500 && n > 3, args: {n: {max: 2}}`), nil},
		{"intervals and lists", pay(`deny_if: 'a > 5 && c in ["x"]'`), nil},
		{"the session may be anything", pay(`deny_if: 'session.tainted("x")'`), nil},
		{"too many alternatives", pay(`deny_if: (a > 1 || b > 1) && (c > 1 || d > 1)`), nil},
	})
}

// It is said when it is asked for.
func TestUndecidedIsOptIn(t *testing.T) {
	set, err := policy.LoadText("p.yaml", pay(`deny_if: n * price > 500`))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		opt  Options
		want int
	}{{Options{}, 0}, {Options{Undecided: true}, 1}, {Options{Undecided: true, Disable: []string{"undecided"}}, 0}, {Options{Enable: []string{"AEG055"}}, 1}} {
		n := 0
		for _, f := range Run(set, x.opt) {
			if f.ID == "AEG055" {
				n++
			}
		}
		if n != x.want {
			t.Errorf("%+v: %d findings, want %d", x.opt, n, x.want)
		}
	}
}
