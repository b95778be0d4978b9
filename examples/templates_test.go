package examples_test

import (
	"bytes"
	"io/fs"
	"strings"
	"testing"

	"github.com/aegisctl/aegis/examples"
)

// TestTemplates holds what `aegisctl init` writes to: paths below the directory, no placeholder left, policies with their
// tests, and little weight in the binary. That they lint clean and pass is checked where the verb is.
func TestTemplates(t *testing.T) {
	total := 0
	for _, tmpl := range examples.Templates() {
		for _, traffic := range []bool{false, true} {
			files, err := tmpl.Files(traffic)
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]bool{}
			tests := 0
			for _, f := range files {
				if !fs.ValidPath(f.Path) || seen[f.Path] || len(f.Data) == 0 {
					t.Errorf("%s: %q is no path, stands twice, or is empty", tmpl.Name, f.Path)
				}
				seen[f.Path] = true
				if bytes.Contains(f.Data, []byte("<<")) && !strings.HasSuffix(f.Path, ".parquet") {
					t.Errorf("%s: %s has a placeholder", tmpl.Name, f.Path)
				}
				if bytes.Contains(f.Data, []byte("examples/")) && !strings.HasSuffix(f.Path, ".parquet") {
					t.Errorf("%s: %s speaks of examples/", tmpl.Name, f.Path)
				}
				if strings.HasSuffix(f.Path, "_test.yaml") {
					tests++
				}
				total += len(f.Data)
			}
			if tests == 0 || seen["traffic.parquet"] != traffic || !seen["README.md"] {
				t.Errorf("%s, traffic %v: %v", tmpl.Name, traffic, seen)
			}
		}
	}
	if total > 2<<20 {
		t.Errorf("the templates weigh %d bytes", total)
	}
}
