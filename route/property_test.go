package route

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// matches says in the plainest way whether a route matches the segments of a path.
func matches(r *policy.Route, segments []string) bool {
	if len(r.Path) != len(segments) {
		return false
	}
	for i, s := range r.Path {
		if s.Param && segments[i] == "" || !s.Param && s.Text != segments[i] {
			return false
		}
	}
	return true
}

// narrowest says in the plainest way which of the routes that match is narrower than all others; nil: none is.
func narrowest(routes []*policy.Route, path []string) *policy.Route {
	var fit []*policy.Route
	for _, r := range routes {
		if matches(r, path) {
			fit = append(fit, r)
		}
	}
	for _, a := range fit {
		if !slices.ContainsFunc(fit, func(b *policy.Route) bool {
			return slices.ContainsFunc(a.Path, func(s policy.Segment) bool { return s.Param && !b.Path[slices.Index(a.Path, s)].Param })
		}) {
			return a
		}
	}
	return nil
}

// TestNarrowestRoute compares the tree with a search through all routes: a request has the route that is narrower than all
// others that match it, or none. Routes of one pattern do not load.
func TestNarrowestRoute(t *testing.T) {
	var all [][]string
	for n := 1; n <= 4; n++ {
		all = append(all, words(n)...)
	}
	loaded, refused, denied := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		segment := rapid.SampledFrom([]string{"a", "b", "{x}"})
		var text strings.Builder
		patterns, twice := map[string]bool{}, false
		for range rapid.IntRange(1, 9).Draw(t, "routes") {
			p := rapid.SliceOfN(segment, 1, 3).Draw(t, "path")
			if rapid.Bool().Draw(t, "slash") {
				p = append(p, "")
			}
			pattern := strings.Join(p, "/")
			twice = twice || patterns[pattern]
			patterns[pattern] = true
			for i := range p {
				if p[i] == "{x}" {
					p[i] = fmt.Sprintf("{x%d}", i)
				}
			}
			fmt.Fprintf(&text, "  - {match: \"GET h.test/%s\", call: t}\n", strings.Join(p, "/"))
		}
		set, err := policy.LoadText("r.yaml", "routes:\n"+text.String())
		if (err != nil) != twice {
			t.Fatalf("two routes of one pattern: %t, and %v", twice, err)
		}
		if err != nil {
			refused++
			return
		}
		loaded++
		tab := New(set, "default")
		for _, path := range all {
			want := narrowest(set.Routes[0].Routes, path)
			got, err := tab.Find(&Request{Method: "GET", Host: "h.test", Path: "/" + strings.Join(path, "/")})
			if got != want {
				t.Fatalf("%v: found %v (%v), want %v", path, got, err, want)
			}
			if err != nil && strings.Contains(err.Error(), "fits two routes") {
				denied++
			}
		}
	})
	if loaded < 10 || refused < 10 || denied == 0 {
		t.Errorf("%d sets were loaded and %d refused, %d requests denied: too few of one kind", loaded, refused, denied)
	}
}

// words returns every path of n segments from a, b and c, the last of which may be empty.
func words(n int) (out [][]string) {
	if n == 1 {
		return [][]string{{"a"}, {"b"}, {"c"}, {""}}
	}
	for _, w := range words(n - 1) {
		for _, s := range []string{"a", "b", "c"} {
			out = append(out, append([]string{s}, w...))
		}
	}
	return out
}

// TestScaleIsExact compares scaled numbers with rational arithmetic.
func TestScaleIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lit := rapid.StringMatching(`-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,12})?([eE][+-]?[0-9]{1,2})?`).Draw(t, "number")
		scale := rapid.IntRange(-18, 18).Draw(t, "scale")
		got, ok := appendScaled(nil, []byte(lit), scale)
		want, _ := new(big.Rat).SetString(lit)
		ten := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(scale, -scale))), nil))
		if scale < 0 {
			want.Quo(want, ten)
		} else {
			want.Mul(want, ten)
		}
		if !ok {
			if len(strings.TrimRight(want.FloatString(130), "0")) <= aegis.MaxNumber {
				t.Fatalf("%s by 10^%d is refused", lit, scale)
			}
			return
		}
		if x, valid := new(big.Rat).SetString(string(got)); !valid || x.Cmp(want) != 0 {
			t.Fatalf("%s by 10^%d is %s", lit, scale, got)
		}
		if d, err := aegis.Parse(got); err != nil || d.Root().Kind() != aegis.Number || strings.ContainsAny(string(got), "eE") ||
			strings.Contains(string(got), ".") && strings.HasSuffix(string(got), "0") || string(got) == "-0" {
			t.Fatalf("%s by 10^%d is written %s (%v)", lit, scale, got, err)
		}
	})
}
