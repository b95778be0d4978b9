package lint

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the pages of docs/lint and the golden files anew")

const pages = "../docs/lint"

// Every rule has a page, made from its text and its examples, and every page has a rule. `go test ./lint -update` writes
// them.
func TestPages(t *testing.T) {
	want := map[string]string{}
	var index strings.Builder
	index.WriteString("# Lint rules\n\n`aegisctl lint PATH…` finds mistakes in policies that load. See [lint](../lint.md) for its flags and formats.\n\n" +
		"| id | name | severity | fixable | what |\n| --- | --- | --- | --- | --- |\n")
	for _, r := range rules {
		name := r.ID + "-" + r.Name + ".md"
		want[name] = r.Page(shown(t, exampleOf(r, "avoid")), shown(t, exampleOf(r, "prefer")))
		fmt.Fprintf(&index, "| [%s](%s) | %s | %s | %s | %s |\n", r.ID, name, r.Name, r.Severity, map[bool]string{true: "yes", false: ""}[r.Fixable], r.Summary)
	}
	want["README.md"] = index.String()
	if *update {
		if err := os.MkdirAll(pages, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range want {
		path := filepath.Join(pages, name)
		if *update {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("%s is not what the rule says (go test ./lint -update): %v", path, err)
		}
	}
	have, err := filepath.Glob(pages + "/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range have {
		if _, ok := want[filepath.Base(path)]; !ok {
			t.Errorf("%s: no rule has this page", path)
		}
	}
}

// shown shows the files of an example.
func shown(t *testing.T, path string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(p)
		if p != path {
			fmt.Fprintf(&b, "`%s`:\n\n", filepath.Base(p))
		}
		fmt.Fprintf(&b, "```%s\n%s\n```\n", strings.TrimPrefix(filepath.Ext(p), "."), strings.TrimRight(string(text), "\n"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
