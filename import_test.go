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
		"":                {},
		"limit":           {},
		"store":           {},
		"store/storetest": {},
		"redact":          {},
		"policy":          {"", "limit", "redact"},
		"bundle":          {"", "policy"},
		"route":           {"", "policy"},
		"sign":            {"", "bundle"},
		"capture":         {""},
		"compile":         {"bundle", "policy"},
		"decide":          {"", "limit", "policy", "redact"},
		"lint":            {"", "limit", "policy"},
		"lint/suite":      {"", "decide", "limit", "policy"},
		"draft":           {"", "capture", "decide", "policy", "redact"},
		"simulate":        {"", "capture", "decide", "policy", "redact"},
		"serve":           {"", "capture", "decide", "limit", "policy", "route"},
		"serve/envoy":     {"", "policy", "route", "serve"},
		"source":          {"bundle", "policy", "sign"},
		"serve/admin":     {"serve", "source"},
		"serve/native":    {"", "serve"},
		"serve/authzen":   {"", "serve"},
		"serve/openapi":   {"serve"},
		"cmd/aegisctl": {"", "bundle", "capture", "compile", "decide", "draft", "examples", "lint", "lint/suite", "policy", "route", "sign", "simulate",
			"serve", "source", "serve/admin", "serve/authzen", "serve/envoy", "serve/native", "serve/openapi", "serve/telemetry"},
		"bench/serve":   {}, // it drives programs
		"examples":      {}, // its tests stand on simulate
		"examples/make": {"", "capture"},

		"serve/telemetry": {"", "limit", "serve"},
	}
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
			if imp == module || strings.HasPrefix(imp, module+"/") {
				if other := strings.TrimPrefix(strings.TrimPrefix(imp, module), "/"); !slices.Contains(allowed, other) {
					t.Errorf("%s imports %s", room, other)
				}
			} else if strings.Contains(strings.SplitN(imp, "/", 2)[0], ".") {
				foreign(t, room, imp)
			}
		}
	}
	for room := range may {
		if !seen[room] {
			t.Errorf("room %s is in the plan and not in the house", room)
		}
	}
}

// foreign judges an import from outside the project and the standard library.
func foreign(t *testing.T, room, imp string) {
	t.Helper()
	if room == "" {
		t.Errorf("the root package imports %s, which is not the standard library", imp)
	}
	if strings.HasPrefix(imp, "go.opentelemetry.io/") && room != "serve/telemetry" {
		t.Errorf("%s imports OpenTelemetry", room)
	}
	const opa = "github.com/open-policy-agent/opa"
	if !strings.HasPrefix(imp, opa) {
		return
	}
	if !slices.Contains([]string{"policy", "lint", "compile", "sign", "decide"}, room) {
		t.Errorf("%s imports OPA", room)
	}
	for _, heavy := range []string{"/v1/sdk", "/v1/runtime", "/cmd"} {
		if strings.HasSuffix(imp, heavy) {
			t.Errorf("%s imports %s, which costs start-up", room, imp)
		}
	}
}
