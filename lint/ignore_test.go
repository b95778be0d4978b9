package lint

import (
	"strings"
	"testing"

	"github.com/aegisctl/aegis/policy"
)

func TestIgnore(t *testing.T) {
	const head = "agent: a\nallowed_tools:\n  - name: bank\n    actions: [pay]\n    conditions:\n"
	for _, x := range []struct{ name, body, want string }{
		{"on the line", "      max_n: -1 # aegis:ignore AEG002 ops switched it off\n", ""},
		{"by name", "      max_n: -1 # aegis:ignore negative-ceiling ops switched it off\n", ""},
		{"on the line above", "      # aegis:ignore AEG002 ops switched it off\n      max_n: -1\n", ""},
		{"above a comment", "      # aegis:ignore AEG002 ops switched it off\n      # see below\n\n      max_n: -1\n", ""},
		{"two rules", "      max_tokens: -1 # aegis:ignore AEG002, AEG008 ops switched it off\n", ""},
		{"two comments", "      # aegis:ignore AEG008 it is an argument\n      max_tokens: -1 # aegis:ignore AEG002 ops switched it off\n", ""},
		{"behind a value, for the line below", "      min_k: 0 # aegis:ignore AEG002 ops\n      max_n: -1\n", "6:16 nothing here is left to ignore|7:7 max_n is -1"},
		{"two lines above", "      # aegis:ignore AEG002 ops\n      min_k: 0\n      max_n: -1\n", "6:7 nothing here is left|8:7 max_n is -1"},
		{"no reason", "      max_n: -1 # aegis:ignore AEG002\n", "6:17 AEG002 is ignored without a reason"},
		{"no rule", "      max_n: -1 # aegis:ignore\n", "6:7 max_n is -1|6:17 the comment names no rule"},
		{"no such rule", "      max_n: -1 # aegis:ignore AEG999 ops\n", "6:7 max_n is -1|6:17 no rule is called AEG999"},
		{"one of two", "      max_n: -1 # aegis:ignore AEG002, AEG010 ops\n", "6:17 nothing here is left to ignore: AEG010"},
		{"what cannot be", "      max_n: 1 # aegis:ignore AEG000 ops\n", "6:16 AEG000 cannot be ignored"},
		{"in a text", "      max_n: -1\n      require: ['m != \"# aegis:ignore AEG002 x\"']\n", "6:7 max_n is -1"},
		{"another word", "      max_n: -1 # aegis:ignored AEG002 x\n", "6:7 max_n is -1"},
	} {
		t.Run(x.name, func(t *testing.T) {
			set, err := policy.LoadText("p.yaml", head+x.body)
			if err != nil {
				t.Fatal(err)
			}
			found := Run(set, Options{})
			want := strings.Split(x.want, "|")
			if x.want == "" {
				want = nil
			}
			if len(found) != len(want) {
				t.Fatalf("%v, want %v", found, want)
			}
			for i, w := range want {
				at, msg, _ := strings.Cut(w, " ")
				if found[i].Source != "p.yaml:"+at || !strings.HasPrefix(found[i].Message, msg) {
					t.Errorf("%s, want %s", found[i], w)
				}
			}
		})
	}
}

// An ignore of a rule that does not run, or that lacks what it would need, is not idle.
func TestIgnoreOfWhatDoesNotRun(t *testing.T) {
	set, err := policy.LoadText("p.yaml", "agent: a\nuntil: \"2020-01-01\" # aegis:ignore AEG037 kept for the record\nallowed_tools: []\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, opt := range []Options{{Now: now}, {}, {Disable: []string{"AEG037"}, Now: now}, {Enable: []string{"AEG001", "AEG049"}, Now: now}} {
		if found := Run(set, opt); len(found) > 0 {
			t.Errorf("%+v: %v", opt, found)
		}
	}
}
