package lint

import (
	"strings"
	"testing"

	"github.com/aegisctl/aegis/policy"
)

// Whether patterns meet or cover each other agrees with what names fit them, tried on all short names.
func TestPatterns(t *testing.T) {
	var names []string
	for n := 1; n < 5; n++ {
		names = append(names, texts("ab", n)...)
	}
	patterns := []policy.Pattern{"*"}
	for n := 1; n < 3; n++ {
		for _, s := range texts("ab", n) {
			patterns = append(patterns, policy.Pattern(s), policy.Pattern(s+"*"))
		}
	}
	for _, a := range patterns {
		for _, b := range patterns {
			meets, covers := false, true
			for _, n := range names {
				meets = meets || a.Match(n) && b.Match(n)
				covers = covers && (a.Match(n) || !b.Match(n))
			}
			if patternsMeet(a, b) != meets {
				t.Errorf("%s and %s meet: %t", a, b, !meets)
			}
			if patternCovers(a, b) != covers {
				t.Errorf("%s covers %s: %t", a, b, !covers)
			}
		}
	}
}

func TestEntriesBeside(t *testing.T) {
	set, err := policy.LoadText("p.yaml", agent(`{id: all, name: "b*"}`, `{id: bank, name: bank}`, `{id: pay, name: [bank, shop], actions: [pay]}`,
		`{id: get, name: bank, actions: ["get_*", {id: one, name: get_x}]}`, `{id: shop, name: shop, actions: ["p*"]}`, `{id: far, name: c}`))
	if err != nil {
		t.Fatal(err)
	}
	u := unitsOf(set)[0]
	for _, e := range u.entries {
		var got []string
		for _, x := range u.beside(e) {
			got = append(got, x.ID[strings.LastIndex(x.ID, "/")+1:])
			if !meet(x, e) || !meet(e, x) {
				t.Errorf("%s and %s do not meet", x.ID, e.ID)
			}
		}
		for _, x := range u.entries {
			if in := contains(u.beside(e), x); in != (x != e && meet(x, e)) {
				t.Errorf("%s beside %s: %t", x.ID, e.ID, in)
			}
		}
		if e.ID == "default/a/far" && got != nil {
			t.Errorf("beside far: %v", got)
		}
	}
	byID := map[string]*policy.Entry{}
	for _, e := range u.entries {
		byID[strings.TrimPrefix(e.ID, "default/a/")] = e
	}
	for _, x := range []struct {
		a, b string
		want bool
	}{{"bank", "all", true}, {"all", "bank", false}, {"pay", "bank", false}, {"one", "get", true}, {"get", "one", false},
		{"get", "bank", true}, {"bank", "get", false}} {
		if within(byID[x.a], byID[x.b]) != x.want {
			t.Errorf("%s within %s: %t", x.a, x.b, !x.want)
		}
	}
}

func contains(es []*policy.Entry, e *policy.Entry) bool {
	for _, x := range es {
		if x == e {
			return true
		}
	}
	return false
}

func TestWords(t *testing.T) {
	for name, want := range map[string]string{"to_address": "to address", "toAddress": "to address", "to-address": "to address",
		"URL": "url", "callbackURL": "callback url", "a.b/c": "a b c", "": "", "host(url)": "host url", "x1": "x1"} {
		if got := strings.Join(words(name), " "); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
