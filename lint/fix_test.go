package lint

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/aegisctl/aegis/policy"
)

func fixText(t interface {
	Fatal(...any)
	Helper()
}, dir, text string) (string, *policy.Set, error) {
	t.Helper()
	path := filepath.Join(dir, "p.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := policy.Load(path)
	if err != nil {
		return "", nil, err
	}
	files, err := Fix(set, []string{path}, Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		return text, set, nil
	}
	return string(files[0].After), set, nil
}

func TestFix(t *testing.T) {
	const tail = "allowed_tools: []\n"
	for _, x := range []struct{ name, before, after string }{
		{"a list", "agent: a\n# people\nlists:\n  x: [a, b]   # old\n  y: [c]\n" + pays("$y"), "agent: a\n# people\nlists:\n  y: [c]\n" + pays("$y")},
		{"the last list", "agent: a\nlists:\n  x:\n    - a\n    - b\n# after\n" + tail, "agent: a\n# after\n" + tail},
		{"all of them", "agent: a\nlists:\n  x: [a]\n  y: [b]\nparams: {p: 5}\n" + tail, "agent: a\n" + tail},
		{"in braces", "agent: a\nlists: {x: [a], y: [c], z: [d]}\n" + pays("$y"), "agent: a\nlists: {y: [c]}\n" + pays("$y")},
		{"from a file of its own", "agent: a\nparams:\n  p: 'it is'\n  q: \"c\"\n" + pays("[$q]"), "agent: a\nparams:\n  q: \"c\"\n" + pays("[$q]")},
		{"an item", "agent: a\nallowed_tools:\n  - {name: b, actions: [get_a, \"get_*\"], effect: read}\n", "agent: a\nallowed_tools:\n  - {name: b, actions: [\"get_*\"], effect: read}\n"},
		{"the last item", "agent: a\nallowed_tools:\n  - {name: b, actions: [\"get_*\", get_a], effect: read}\n", "agent: a\nallowed_tools:\n  - {name: b, actions: [\"get_*\"], effect: read}\n"},
		{"an item on a line", "agent: a\nallowed_tools:\n  - name: b\n    actions:\n      - get_a # one\n      - \"get_*\"\n    effect: read\n", "agent: a\nallowed_tools:\n  - name: b\n    actions:\n      - \"get_*\"\n    effect: read\n"},
		{"a comment", "agent: a # aegis:ignore AEG002 it was\n" + tail, "agent: a\n" + tail},
		{"a comment of its own", "agent: a\n  # aegis:ignore AEG002 it was\n" + tail, "agent: a\n" + tail},
		{"CR LF", "agent: a\r\n# aegis:ignore AEG002 it was\r\nallowed_tools: [] # stays\r\n", "agent: a\r\nallowed_tools: [] # stays\r\n"},
		{"nothing", "agent: a\n" + tail, "agent: a\n" + tail},
	} {
		t.Run(x.name, func(t *testing.T) {
			after, _, err := fixText(t, t.TempDir(), x.before)
			if err != nil {
				t.Fatal(err)
			}
			if after != x.after {
				t.Errorf("%q\nwant %q", after, x.after)
			}
			if again, _, err := fixText(t, t.TempDir(), after); err != nil || again != after {
				t.Errorf("fixed twice: %q, %v", again, err)
			}
		})
	}
}

func pays(to string) string {
	return "allowed_tools:\n  - name: bank\n    conditions:\n      args: {to: {in: " + to + "}}\n"
}

// However a policy is written, what is left after a fix loads, means the same (but for names that a wildcard covers),
// keeps every comment but those on lines that go, and has no finding that it had not before.
func TestFixKeepsTheMeaning(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pick := func(of ...string) string { return rapid.SampledFrom(of).Draw(t, "part") }
		text := pick("", "# top\n") + "agent: a" + pick("", " # who", " # aegis:ignore AEG002 why") + "\n" +
			pick("", "lists:\n  x: [a, b]\n", "lists: {x: [a], y: [b, 'c, d']}\n", "lists:\n  # two\n  x:\n  - a\n  - \"b # c\"\n  y: [c] # used\n", "lists:\n\n  x: {from: l.txt}\n\n") +
			pick("", "params: {p: 5}\n", "params:\n  p: 5 # five\n  q: 'it''s'\n", "params:\n  p: >-\n    folded\n    text\n") +
			"allowed_tools:\n" + pick("", "  # one\n") +
			pick("  - name: b\n    actions: [get_a, \"get_*\"]\n", "  - name: [b, 'b*']\n    actions:\n    - \"get_*\"\n    - get_b\n    # c\n    - get_c\n", "  - {name: b, actions: [ get_a , \"get_*\" ], effect: read}\n") +
			pick("", "  # aegis:ignore AEG010 why\n", "\n") + pick("", "  - name: c\n    conditions: {max_n: $p}\n", "  - {name: c, conditions: {args: {u: {in: $y}}}}\n")
		dir := os.TempDir()
		tmp, err := os.MkdirTemp(dir, "fix")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(tmp)
		if err := os.WriteFile(filepath.Join(tmp, "l.txt"), []byte("one\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		after, set, err := fixText(t, tmp, text)
		if err != nil {
			return // it never loaded
		}
		if err := os.WriteFile(filepath.Join(tmp, "p.yaml"), []byte(after), 0o600); err != nil {
			t.Fatal(err)
		}
		fixed, err := policy.Load(filepath.Join(tmp, "p.yaml"))
		if err != nil {
			t.Fatalf("%s\nbecame\n%s\n%v", text, after, err)
		}
		covered := len(lintIDs(set, "AEG027")) > 0
		if !covered && fixed.Version != set.Version {
			t.Fatalf("%s\nbecame\n%s\nwhich means something else", text, after)
		}
		before := lintIDs(set, "")
		for id, n := range lintIDs(fixed, "") {
			if n > before[id] {
				t.Fatalf("%s\nbecame\n%s\nwith a new %s", text, after, id)
			}
		}
		for _, c := range []string{"# top", "# who", "# one", "# c\n"} {
			if strings.Contains(text, "\n"+c) != strings.Contains(after, "\n"+c) && strings.HasPrefix(c, "# c") {
				t.Fatalf("%s\nbecame\n%s\nwithout %s", text, after, c)
			}
		}
	})
}

func lintIDs(set *policy.Set, id string) map[string]int {
	out := map[string]int{}
	for _, f := range Run(set, Options{Now: now}) {
		if id == "" || f.ID == id {
			out[f.ID]++
		}
	}
	return out
}

func TestDiff(t *testing.T) {
	before := "agent: a\nlists: {x: [a], y: [b]}\nallowed_tools:\n  - {name: b, actions: [get_a, get_b, \"get_*\"], effect: read, conditions: {args: {u: {in: $y}}}}\n"
	path := filepath.Join(writeFiles(t, map[string]string{"p.yaml": before}), "p.yaml")
	set, err := policy.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	files, err := Fix(set, []string{path}, Options{})
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	want := "--- " + path + "\n+++ " + path + "\n@@ line 2 @@\n-lists: {x: [a], y: [b]}\n+lists: {y: [b]}\n@@ line 4 @@\n" +
		"-  - {name: b, actions: [get_a, get_b, \"get_*\"], effect: read, conditions: {args: {u: {in: $y}}}}\n" +
		"+  - {name: b, actions: [\"get_*\"], effect: read, conditions: {args: {u: {in: $y}}}}\n"
	if got := files[0].Diff(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
