package policy

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the expected texts in testdata anew")

// errorCase is one case of testdata/errors.txt.
type errorCase struct {
	name, want string
	files      map[string]string
	head       string // everything before the expected text
}

func readErrorCases(t *testing.T) (preface string, cases []errorCase) {
	t.Helper()
	text, err := os.ReadFile("testdata/errors.txt")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split("\n"+string(text), "\n### ")
	for _, p := range parts[1:] {
		head, want, ok := strings.Cut(p, "\n===")
		if !ok {
			t.Fatalf("no expected text: %s", p)
		}
		sources := strings.Split(head, "\n--- ")
		c := errorCase{name: strings.TrimSpace(sources[0]), want: strings.TrimSpace(want), files: map[string]string{}, head: head}
		for _, s := range sources[1:] {
			name, body, _ := strings.Cut(s, "\n")
			c.files[name] = body + "\n"
		}
		cases = append(cases, c)
	}
	return parts[0], cases
}

// TestErrorTexts holds what Load says of typical mistakes: where, what, and the remedy.
func TestErrorTexts(t *testing.T) {
	preface, cases := readErrorCases(t)
	var out strings.Builder
	out.WriteString(strings.TrimPrefix(preface, "\n"))
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range c.files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			set, err := Load(dir)
			if err == nil || set != nil {
				t.Fatal("loaded")
			}
			if _, ok := err.(Errors); !ok {
				t.Fatalf("the error is a %T", err)
			}
			got := strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), "")
			if !*update && got != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, c.want)
			}
			out.WriteString("\n### " + c.head + "\n===\n" + got)
		})
	}
	out.WriteString("\n")
	if *update {
		if err := os.WriteFile("testdata/errors.txt", []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
