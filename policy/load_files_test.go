package policy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const minimal = "agent: a\nallowed_tools: []\n"

// TestDirectories reads what a directory holds, and nothing that only looks like a policy.
func TestDirectories(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"a.yaml": minimal, "sub/b.YML": "agent: b\nallowed_tools: []\n", "sub/c.json": `{"agent": "c", "allowed_tools": []}`,
		"a_test.yaml": "tests: []\n", "sub/x_test.json": "no policy", "testdata/bad.yaml": "no policy", ".git/x.yaml": "no policy",
		".hidden.yaml": "no policy", "README.md": "no policy", "names.txt": "no policy", "x.rego": "no policy",
	})
	s, err := Load(dir)
	if err != nil || len(s.Policies) != 3 {
		t.Fatal(s, err)
	}
	again, err := Load(filepath.Join(dir, "sub"), filepath.Join(dir, "a.yaml"), dir)
	if err != nil || again.Version != s.Version || len(again.Policies) != 3 {
		t.Error("a file that is named twice is not read once:", err)
	}
	if pos := s.Policies[0].Pos; pos.File != filepath.Join(dir, "a.yaml") {
		t.Errorf("the place is %v", pos)
	}
}

func TestUnreadablePaths(t *testing.T) {
	empty := writeFiles(t, map[string]string{"README.md": ""})
	for path, words := range map[string]string{
		filepath.Join(empty, "none.yaml"): "none.yaml: no such file",
		empty:                             "holds no policy",
		os.DevNull:                        "not a regular file",
	} {
		s, err := Load(path)
		wantError(t, s, err, words)
	}
	s, err := Load()
	wantError(t, s, err, "no policy is named")
	_, err = LoadParams(filepath.Join(empty, "none.yaml"))
	wantError(t, nil, err, "no such file")
}

// TestNothingIsHalfLoaded refuses all sources for one that is wrong.
func TestNothingIsHalfLoaded(t *testing.T) {
	dir := writeFiles(t, map[string]string{"a.yaml": minimal, "b.yaml": "agent: b\nallowed_tools: [{}]\n"})
	s, err := Load(dir)
	wantError(t, s, err, "b.yaml:2:17: the entry has no name")
}

func symlink(t *testing.T, to, from string) {
	t.Helper()
	if err := os.Symlink(to, from); err != nil {
		t.Skip(err)
	}
}

// TestLinks follows links to files, as Kubernetes mounts them, but never silently skips a linked directory, which could
// hold a guardrail.
func TestLinks(t *testing.T) {
	dir := writeFiles(t, map[string]string{"..2026/a.yaml": minimal})
	symlink(t, "..2026", filepath.Join(dir, "..data"))
	symlink(t, "..data/a.yaml", filepath.Join(dir, "a.yaml"))
	s, err := Load(dir)
	if err != nil || len(s.Policies) != 1 {
		t.Fatal(s, err)
	}
	symlink(t, t.TempDir(), filepath.Join(dir, "more"))
	s, err = Load(dir)
	wantError(t, s, err, "links to directories are not followed")
	broken := writeFiles(t, map[string]string{"a.yaml": minimal})
	symlink(t, "nowhere.yaml", filepath.Join(broken, "b.yaml"))
	s, err = Load(broken)
	wantError(t, s, err, "no such file")
}

// TestListsFromFiles reads lists below the policy's directory, and nothing else.
func TestListsFromFiles(t *testing.T) {
	outside := filepath.Join(writeFiles(t, map[string]string{"secret.txt": "x\n"}), "secret.txt")
	policy := func(from string) string {
		return "agent: a\nlists: {l: {from: \"" + from + "\"}}\nallowed_tools: [{name: t, conditions: {args: {x: {in: $l}}}}]\n"
	}
	files := map[string]string{"d/p.yaml": policy("sub/l.txt"), "d/sub/l.txt": "b\r\n\na\n", "d/l.json": `["a", "b"]`, "l.txt": "a\nb\n",
		"d/mixed.json": `["a", 1]`, "d/map.json": `{"a": 1}`, "d/space.txt": "a\n b\n", "d/wide.txt": "a\tb\n", "d/bad.json": "[1,]",
		"d/dir.txt/x": "", "d/big.txt": strings.Repeat("a\n", MaxSource)}
	dir := writeFiles(t, files)
	p := filepath.Join(dir, "d/p.yaml")
	symlink(t, outside, filepath.Join(dir, "d/link.txt"))
	symlink(t, "sub/l.txt", filepath.Join(dir, "d/inner.txt"))
	first, err := Load(p)
	if err != nil || len(first.Policies[0].Entries[0].Conditions.Args[0].Checks[0].List) != 2 {
		t.Fatal(first, err)
	}
	load := func(from string) (*Set, error) {
		if err := os.WriteFile(p, []byte(policy(from)), 0o600); err != nil {
			t.Fatal(err)
		}
		return Load(p)
	}
	for _, from := range []string{"l.json", "inner.txt"} {
		if s, err := load(from); err != nil || s.Version != first.Version {
			t.Errorf("%s: %v", from, err)
		}
	}
	for from, words := range map[string]string{"link.txt": "cannot be read", "../l.txt": "does not lie below", outside: "does not lie below",
		"sub/../l.json": "does not lie below", "none.txt": "cannot be read", "l.csv": "neither", "mixed.json": "a number among strings",
		"map.json": "must hold a list", "space.txt": "space.txt:2:1", "wide.txt": "a tab", "bad.json": "bad.json:1:4", "dir.txt": "no regular",
		"big.txt": "larger"} {
		s, err := load(from)
		wantError(t, s, err, words)
	}
	s, err := LoadText("p.yaml", policy("l.txt"))
	wantError(t, s, err, "not read from a directory")
}

// TestListsAreBounded refuses to put a long list in place again and again.
func TestListsAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("agent: a\nlists: {l: [" + strings.Repeat("a,", 9_000) + "]}\nallowed_tools:\n")
	for range 200 {
		b.WriteString("  - {name: t, conditions: {args: {x: {in: $l}}}}\n")
	}
	s, err := LoadText("p.yaml", b.String())
	wantError(t, s, err, "more than 1000000 items together")
}

// TestCustomRego loads the hostile modules: what is no business of a policy's own Rego is refused where it stands.
func TestCustomRego(t *testing.T) {
	want := map[string]string{"conflict": "4:1", "http_send": "4:24", "rand_time": "4:24", "runtime_env": "4:27", "shadow_allow": "2:1"}
	modules, err := filepath.Glob("testdata/rego_abuse/*.rego")
	if err != nil || len(modules) < 9 {
		t.Fatal(modules, err)
	}
	for _, m := range modules {
		text, err := os.ReadFile(m)
		if err != nil {
			t.Fatal(err)
		}
		dir := writeFiles(t, map[string]string{"m.rego": string(text), "p.yaml": "agent: a\nrego: [m.rego]\nallowed_tools: []\n"})
		s, err := Load(dir)
		place, refused := want[strings.TrimSuffix(filepath.Base(m), ".rego")]
		if !refused {
			if err != nil || s.Policies[0].Custom[0].Source != string(text) || !hasRule(s, "default/a#rego[0]") {
				t.Errorf("%s: %v", m, err)
			}
			continue
		}
		wantError(t, s, err, "m.rego:"+place+": ")
	}
	for text, words := range map[string]string{
		"package aegis.custom\ndeny contains x if x := data":         "data",
		"package aegis.custom\ndeny if input.a":                      "m.rego:2:1",
		"package aegis.custom\ndeny contains \"x\" if time.now_ns()": "undefined function",
		"package aegis.custom\nimport data.x\ndeny contains 1":       "m.rego:2:",
		"package aegis.custom\ndeny contains \"x\" if {":             "m.rego:2:",
		"": "m.rego:1:1",
	} {
		dir := writeFiles(t, map[string]string{"m.rego": text, "p.yaml": "agent: a\nrego: [m.rego]\nallowed_tools: []\n"})
		s, err := Load(dir)
		wantError(t, s, err, words)
	}
}
