package decide

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aegisctl/aegis"
)

// parseCase reads a committed case: a comment, then files that begin with lines like -- p.yaml --.
func parseCase(text string) map[string]string {
	files := map[string]string{}
	name := ""
	for line := range strings.Lines(text) {
		if inner, ok := strings.CutPrefix(strings.TrimSpace(line), "-- "); ok && strings.HasSuffix(inner, " --") {
			name = strings.TrimSuffix(inner, " --")
			continue
		}
		files[name] += line
	}
	return files
}

// TestDiffCases runs every difference ever found between the engines, and what came close to one: both must say what is
// wanted. With AEGIS_UPDATE=1, what native says is written down as wanted where nothing is; read it before it is
// committed.
func TestDiffCases(t *testing.T) {
	paths, err := filepath.Glob("testdata/diff/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d cases: %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			want := runCase(t, parseCase(string(text)))
			if want != "" && os.Getenv("AEGIS_UPDATE") != "" {
				if err := os.WriteFile(path, append(bytes.TrimRight(text, "\n"), "\n-- want --\n"+want...), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// runCase judges a case's calls, and returns what native says where the case does not say what is wanted.
func runCase(t *testing.T, files map[string]string) string {
	var fs []diffFile
	for name, text := range files {
		if name != "" && name != "calls.jsonl" && name != "want" {
			fs = append(fs, diffFile{name: name, text: text})
		}
	}
	s, err := loadFiles(t.TempDir(), fs)
	if err != nil {
		t.Fatal(err)
	}
	e, err := newEngines(s)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for line := range strings.Lines(files["calls.jsonl"]) {
		d := new(diffCall)
		if err := json.Unmarshal([]byte(line), d); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		native, opa, _, err := e.judgeWritten(new(Scratch), d)
		if err != nil || native != opa {
			t.Errorf("%snative: %s\nopa:    %s %v", line, native, opa, err)
		}
		got.WriteString(native + "\n")
	}
	if files["want"] == "" {
		return got.String()
	}
	if got.String() != files["want"] {
		t.Errorf("got\n%swant\n%s", got.String(), files["want"])
	}
	return ""
}

// TestDiffGrid judges literals as an argument under conditions on it. What is no number is never allowed.
func TestDiffGrid(t *testing.T) {
	text, err := os.ReadFile("testdata/diff_grid.json")
	if err != nil {
		t.Fatal(err)
	}
	var grid struct{ Literals, Expressions []string }
	if err := json.Unmarshal(text, &grid); err != nil {
		t.Fatal(err)
	}
	allowed := 0
	for _, expr := range grid.Expressions {
		s, err := loadFiles(t.TempDir(), []diffFile{{name: "p.yaml", doc: yamlMap{{"agent", "a"}, {"tenant", "acme"}, {"allowed_tools", yamlList{
			yamlMap{{"name", "t"}, {"conditions", yamlMap{{"args", yamlMap{{"amount", yamlMap{{"type", "number"}}}}}, {"require", strs(expr)}}}}}}}}})
		if err != nil {
			t.Fatal(err)
		}
		e, err := newEngines(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, literal := range grid.Literals {
			args := fmt.Sprintf(`{"amount":%s,"currency":"USD"}`, literal)
			if literal == "MISSING" {
				args = `{"currency":"USD"}`
			}
			native, opa, _, err := e.judgeWritten(new(Scratch), &diffCall{Tenant: "acme", Agent: "a", Tool: "t", Args: json.RawMessage(args)})
			if err != nil || native != opa {
				t.Errorf("%s with amount %s: native %s, opa %s, %v", expr, literal, native, opa, err)
			}
			if strings.HasPrefix(native, aegis.Allow.String()) {
				allowed++
				if strings.ContainsAny(literal[:1], `"ntf[{M`) {
					t.Errorf("%s with amount %s: %s", expr, literal, native)
				}
			}
		}
	}
	if allowed == 0 {
		t.Error("nothing was allowed")
	}
}
