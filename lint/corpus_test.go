package lint_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/lint"
	"github.com/aegisctl/aegis/policy"
)

// lintCase lints a case with what lies beside its policy.
func lintCase(t *testing.T, dir string) []aegis.Finding {
	t.Helper()
	set, err := policy.Load(policyOf(dir))
	if err != nil {
		return lint.FromLoadError(err)
	}
	return lint.Run(set, optionsOf(t, dir, set))
}

// clock is the present of the corpus.
var clock = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// rulesAbout says which rules are about a class of defects. Recall, which counts only those, is measured by the command,
// that has the captured calls as well.
func rulesAbout(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("testdata/corpus/rules.json")
	if err != nil {
		t.Fatal(err)
	}
	var about map[string][]string
	if err := json.Unmarshal(text, &about); err != nil {
		t.Fatal(err)
	}
	for class, ids := range about {
		for _, id := range ids {
			if _, ok := lint.Lookup(id); !ok {
				t.Errorf("%s: no rule is called %s", class, id)
			}
		}
	}
	return about
}

// TestFalseAlarms lints what is right: the clean controls, the examples and the policy of the language's page.
func TestFalseAlarms(t *testing.T) {
	alarms, linted := 0, 0
	about := rulesAbout(t)
	for _, dir := range cases(t, "corpus-clean", 40) {
		linted++
		var c struct {
			Infos []string `json:"infos"`
		}
		text, err := os.ReadFile(filepath.Join(dir, "clean.json"))
		if err != nil || json.Unmarshal(text, &c) != nil {
			t.Fatal(dir, err)
		}
		var tolerated []string
		for _, class := range c.Infos {
			tolerated = append(tolerated, about[class]...)
		}
		for _, f := range lintCase(t, dir) {
			if f.Severity.Fails() || !slices.Contains(tolerated, f.ID) {
				alarms++
				t.Errorf("false alarm: %s", f)
			}
		}
	}
	examples, err := filepath.Glob("../examples/*/policies")
	if err != nil || len(examples) < 5 {
		t.Fatal(examples, err)
	}
	for _, dir := range append(examples, "testdata/clean/seed.yaml") {
		linted++
		set, err := policy.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range lint.Run(set, lint.Options{Now: clock}) {
			if f.Severity.Fails() || dir == "testdata/clean/seed.yaml" {
				alarms++
				t.Errorf("false alarm: %s", f)
			}
		}
	}
	t.Logf("%d policies that are right, %d false alarms", linted, alarms)
}

// optionsOf are the options that show what lies beside a case's policy.
func optionsOf(t *testing.T, dir string, set *policy.Set) lint.Options {
	t.Helper()
	opt := lint.Options{Now: clock}
	text, err := os.ReadFile(filepath.Join(dir, "schema.json"))
	if os.IsNotExist(err) {
		return opt
	}
	if err != nil {
		t.Fatal(err)
	}
	opt.Schema = new(lint.Schema)
	if err := opt.Schema.Add("", text); err != nil {
		t.Fatalf("%s: %v", dir, err)
	}
	return opt
}
