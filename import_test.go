package aegis_test

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/aegisctl/aegis"

// TestArrows holds the house to its plan (ARCHITECTURE.md): who may import whom.
func TestArrows(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,Standard", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	// May holds, for every room, the rooms it may import. The front doors never import each other.
	may := map[string][]string{
		"":              {},
		"limit":         {},
		"redact":        {},
		"policy":        {"", "limit", "redact"},
		"capture":       {""},
		"decide":        {"", "limit", "policy", "redact"},
		"lint":          {"", "policy"},
		"simulate":      {"", "capture", "decide", "policy"},
		"cmd/aegisctl":  {"", "capture", "decide", "lint", "policy", "simulate"},
		"examples/make": {"", "capture"},
	}
	onOPA := []string{"policy", "lint", "decide"}
	dec := json.NewDecoder(strings.NewReader(string(out)))
	seen := map[string]bool{}
	for dec.More() {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		room := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		seen[room] = true
		allowed, known := may[room]
		if !known {
			t.Errorf("room %s is not in the plan: say here what it may import, and draw it in ARCHITECTURE.md", room)
		}
		for _, imp := range p.Imports {
			switch {
			case imp == module || strings.HasPrefix(imp, module+"/"):
				if other := strings.TrimPrefix(strings.TrimPrefix(imp, module), "/"); !slices.Contains(allowed, other) {
					t.Errorf("%s imports %s", room, other)
				}
			case strings.Contains(strings.SplitN(imp, "/", 2)[0], "."):
				if room == "" {
					t.Errorf("the root package imports %s, which is not the standard library", imp)
				}
				if strings.HasPrefix(imp, "github.com/open-policy-agent/opa/") && !slices.Contains(onOPA, room) {
					t.Errorf("%s imports OPA", room)
				}
				for _, heavy := range []string{"/v1/sdk", "/v1/runtime", "/cmd"} {
					if strings.HasPrefix(imp, "github.com/open-policy-agent/opa") && strings.HasSuffix(imp, heavy) {
						t.Errorf("%s imports %s, which costs start-up", room, imp)
					}
				}
			}
		}
	}
	for room := range may {
		if !seen[room] {
			t.Errorf("room %s is in the plan and not in the house", room)
		}
	}
}
