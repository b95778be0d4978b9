package main

import (
	"encoding/json"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/capture"
	"github.com/aegisctl/aegis/lint"
	"github.com/aegisctl/aegis/policy"
)

const corpus = "../../lint/testdata/corpus"

// seeded is a defect.json of the corpus, whose README says what its members mean.
type seeded struct {
	Class, File, What, Needs string
	Line                     any
	Or                       []int
}

// The share of the seeded defects that lint has to find: of all, and of what each input shows.
const (
	leastRecall    = 0.95
	leastOfOneNeed = 0.90
)

// share is a number of defects, and how many of them were found.
type share struct{ found, of int }

func (s share) part() float64 { return float64(s.found) / float64(s.of) }

// TestRecall lints the corpus of seeded defects through the inputs of the verb, the schemas and the captured calls
// included, and counts by class how many it finds.
func TestRecall(t *testing.T) {
	byClass, byNeed, all := map[string]share{}, map[string]share{}, share{}
	about := rulesAbout(t)
	dirs, err := filepath.Glob(filepath.Join(corpus, "*", "defect.json"))
	if err != nil || len(dirs) < 200 {
		t.Fatal(len(dirs), err)
	}
	for _, path := range dirs {
		dir, d := filepath.Dir(path), readSeeded(t, path)
		found := lintSeeded(t, dir)
		hit := slices.ContainsFunc(found, func(f aegis.Finding) bool { return d.foundBy(dir, f) && slices.Contains(about[d.Class], f.ID) })
		byClass[d.Class], byNeed[d.Needs], all = byClass[d.Class].with(hit), byNeed[d.Needs].with(hit), all.with(hit)
		if !hit {
			t.Logf("missed %s (%s, line %v or %v): %s\n    found: %v", filepath.Base(dir), d.Class, d.Line, d.Or, d.What, found)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(byClass)) {
		t.Logf("%-26s %3d of %3d", k, byClass[k].found, byClass[k].of)
	}
	for _, k := range slices.Sorted(maps.Keys(byNeed)) {
		t.Logf("recall on what %s shows: %d of %d, %.1f%%", k, byNeed[k].found, byNeed[k].of, 100*byNeed[k].part())
		if byNeed[k].part() < leastOfOneNeed {
			t.Errorf("recall on what %s shows is under %.0f%%", k, 100*leastOfOneNeed)
		}
	}
	t.Logf("recall: %d of %d, %.1f%%", all.found, all.of, 100*all.part())
	if all.part() < leastRecall {
		t.Errorf("recall is under %.0f%%", 100*leastRecall)
	}
}

// TestFalseAlarms lints the controls in the same way. None of them may fail, and say nothing but the infos that it lists;
// what the captured calls did not use is told of every policy.
func TestFalseAlarms(t *testing.T) {
	about := rulesAbout(t)
	dirs, err := filepath.Glob(corpus + "-clean/*/clean.json")
	if err != nil || len(dirs) < 40 {
		t.Fatal(len(dirs), err)
	}
	for _, path := range dirs {
		var control struct{ Infos []string }
		text, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(text, &control)
		}
		if err != nil {
			t.Fatal(path, err)
		}
		tolerated := []string{"AEG070"}
		for _, class := range control.Infos {
			tolerated = append(tolerated, about[class]...)
		}
		for _, f := range lintSeeded(t, filepath.Dir(path)) {
			if f.Severity.Fails() || !slices.Contains(tolerated, f.ID) {
				t.Errorf("false alarm: %s", f)
			}
		}
	}
}

func (s share) with(hit bool) share {
	if s.of++; hit {
		s.found++
	}
	return s
}

// rulesAbout says which rules are about a class of defects: a finding of another rule on the same line is chance.
func rulesAbout(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(corpus, "rules.json"))
	if err != nil {
		t.Fatal(err)
	}
	var about map[string][]string
	if err := json.Unmarshal(text, &about); err != nil {
		t.Fatal(err)
	}
	return about
}

func readSeeded(t *testing.T, path string) seeded {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var d seeded
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return d
}

// lintSeeded lints a case with what lies beside its policy, by the code behind `lint --schema --traffic`.
func lintSeeded(t *testing.T, dir string) []aegis.Finding {
	t.Helper()
	source := filepath.Join(dir, "policies")
	if _, err := os.Stat(source); err != nil {
		source = filepath.Join(dir, "policy.yaml")
	}
	set, err := policy.Load(source)
	if err != nil {
		return lint.FromLoadError(err)
	}
	var in lintInputs
	if schema := filepath.Join(dir, "schema.json"); isFile(schema) {
		in.schemas = []string{schema}
	}
	a := &app{in: strings.NewReader(""), out: io.Discard, err: io.Discard, quiet: true}
	if calls := filepath.Join(dir, "traffic.jsonl"); isFile(calls) {
		captured := filepath.Join(t.TempDir(), "traffic.parquet")
		if err := a.importJSONL(t.Context(), []string{calls}, captured, capture.ImportOptions{}); err != nil {
			t.Fatalf("%s: %v", dir, err)
		}
		in.traffic = []string{captured}
	}
	opt := lint.Options{Now: time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)}
	if err := in.fill(t.Context(), a, set, &opt); err != nil {
		t.Fatalf("%s: %v", dir, err)
	}
	return lint.Run(set, opt)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// foundBy reports whether a finding stands where a good one would.
func (d seeded) foundBy(dir string, f aegis.Finding) bool {
	parts := strings.Split(f.Source, ":")
	if len(parts) < 3 {
		return false
	}
	file, err := filepath.Rel(dir, strings.Join(parts[:len(parts)-2], ":"))
	line, bad := strconv.Atoi(parts[len(parts)-2])
	if err != nil || bad != nil || filepath.ToSlash(file) != d.File {
		return false
	}
	from, to := 0, 0
	switch l := d.Line.(type) {
	case float64:
		from, to = int(l), int(l)
	case []any:
		from, to = int(l[0].(float64)), int(l[1].(float64))
	}
	return line >= from && line <= to || slices.Contains(d.Or, line)
}
