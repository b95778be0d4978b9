package lint_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/aegisctl/aegis/policy"
)

// seeded is a defect.json of the corpus; testdata/corpus/README.md says what its members mean.
type seeded struct {
	Class    string `json:"class"`
	File     string `json:"file"`
	Line     any    `json:"line"`
	Or       []int  `json:"or"`
	What     string `json:"what"`
	Needs    string `json:"needs"`
	Severity string `json:"severity"`
}

// policyOf is what to load of a case: policies/ where it has one, else policy.yaml.
func policyOf(dir string) string {
	if p := filepath.Join(dir, "policies"); isDir(p) {
		return p
	}
	return filepath.Join(dir, "policy.yaml")
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func cases(t *testing.T, corpus string, atLeast int) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", corpus, "*", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dirs []string
	for _, f := range files {
		if b := filepath.Base(f); b == "defect.json" || b == "clean.json" {
			dirs = append(dirs, filepath.Dir(f))
		}
	}
	if len(dirs) < atLeast {
		t.Fatalf("%s has %d cases, want at least %d", corpus, len(dirs), atLeast)
	}
	return dirs
}

// A defect that the loader refuses measures the loader and not the rules, so only those of class load may be refused.
func TestCorpusLoads(t *testing.T) {
	for _, dir := range cases(t, "corpus", 200) {
		text, err := os.ReadFile(filepath.Join(dir, "defect.json"))
		if err != nil {
			t.Fatal(err)
		}
		var d seeded
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatalf("%s: %v", dir, err)
		}
		if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(d.File))); err != nil {
			t.Errorf("%s: the defect's file: %v", dir, err)
		}
		if _, err := policy.Load(policyOf(dir)); (err != nil) != (d.Class == "load") {
			t.Errorf("%s: class %s: %v", dir, d.Class, err)
		}
	}
}

func TestCleanCorpusLoads(t *testing.T) {
	for _, dir := range cases(t, "corpus-clean", 40) {
		if _, err := policy.Load(policyOf(dir)); err != nil {
			t.Errorf("%s: %v", dir, err)
		}
	}
}
