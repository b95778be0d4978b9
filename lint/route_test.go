package lint

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// routeExample is the routes of a tenant, the entries of an agent there, and what one rule says of them.
type routeExample struct {
	name            string
	routes, entries string
	want            []string // a part of each finding's message
}

func checkRouteRule(t *testing.T, id string, examples []routeExample) {
	t.Helper()
	for _, x := range examples {
		t.Run(x.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range map[string]string{"routes.yaml": "routes:\n" + x.routes, "policy.yaml": agent(x.entries)} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			found := lintOnly(t, id, dir)
			for i, f := range found {
				if i < len(x.want) && !strings.Contains(f.Message, x.want[i]) || f.Hint == "" {
					t.Errorf("found %s, want a message with %q", f, x.want[i])
				}
			}
			if len(found) != len(x.want) {
				t.Errorf("%d findings, want %d: %v", len(found), len(x.want), found)
			}
		})
	}
}

func formRoute(args string) string {
	return "  - {match: POST h.test/pay, call: bank/pay, body: form, args: {" + args + "}}\n"
}
