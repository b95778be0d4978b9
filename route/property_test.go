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

// narrower reports whether a has a text wherever the two differ.
func narrower(a, b *policy.Route) bool {
	for i := range a.Path {
		if a.Path[i].Param && !b.Path[i].Param {
			return false
		}
	}
	return true
}

// TestNarrowestRoute compares the tree with a search through all routes: sets of routes that load have, for every request, one
// route that is narrower than all others that match, and that is what Find returns. Sets that do not load have a request
// for which there is none.
func TestNarrowestRoute(t *testing.T) {
	loaded, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		segment := rapid.SampledFrom([]string{"a", "b", "{x}"})
		var texts []string
		for range rapid.IntRange(1, 5).Draw(t, "routes") {
			p := rapid.SliceOfN(segment, 1, 3).Draw(t, "path")
			for i := range p {
				if p[i] == "{x}" {
					p[i] = fmt.Sprintf("{x%d}", i)
				}
			}
			if rapid.Bool().Draw(t, "slash") {
				p = append(p, "")
			}
			texts = append(texts, fmt.Sprintf("  - {match: \"GET h.test/%s\", call: t}\n", strings.Join(p, "/")))
		}
		var all [][]string
		for n := 1; n <= 4; n++ {
			all = append(all, words(n)...)
		}
		set, err := policy.LoadText("r.yaml", "routes:\n"+strings.Join(texts, ""))
		if err != nil {
			refused++
			if !slices.ContainsFunc(all, func(path []string) bool { return undecided(t, texts, path) }) {
				t.Fatalf("refused for no reason: %v", err)
			}
			return
		}
		loaded++
		tab := New(set, "default")
		for _, path := range all {
			var want *policy.Route
			for _, r := range set.Routes[0].Routes {
				if matches(r, path) && (want == nil || narrower(r, want)) {
					want = r
				}
			}
			got, err := tab.Find(&Request{Method: "GET", Host: "h.test", Path: "/" + strings.Join(path, "/")})
			if got != want {
				t.Fatalf("%v: found %v (%v), want %v", path, got, err, want)
			}
		}
	})
	if loaded < 10 || refused < 10 {
		t.Errorf("%d sets were loaded and %d refused: too few of one kind", loaded, refused)
	}
}

// undecided reports whether two of the routes match the path and neither is the narrower. Each route is loaded alone.
func undecided(t *rapid.T, texts []string, path []string) bool {
	var fit []*policy.Route
	for _, text := range texts {
		set, err := policy.LoadText("r.yaml", "routes:\n"+text)
		if err != nil {
			t.Fatal(err)
		}
		if r := set.Routes[0].Routes[0]; matches(r, path) {
			fit = append(fit, r)
		}
	}
	for i, a := range fit {
		for _, b := range fit[:i] {
			if narrower(a, b) == narrower(b, a) {
				return true
			}
		}
	}
	return false
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
