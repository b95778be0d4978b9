package examples_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/decide"
	"github.com/aegisctl/aegis/lint"
	"github.com/aegisctl/aegis/policy"
	"github.com/aegisctl/aegis/route"
)

// TestRoutes holds every request of the examples of routes to the decision that its first line expects, on both evaluators.
func TestRoutes(t *testing.T) {
	for _, api := range []string{"stripe", "github", "slack", "fhir", "kubernetes"} {
		set, err := policy.Load(filepath.Join("routes", api, "policies"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range lint.Run(set, lint.Options{}) {
			if f.Severity.Fails() {
				t.Errorf("%s", f)
			}
		}
		files, err := filepath.Glob(filepath.Join("routes", api, "requests", "*.http"))
		if err != nil || len(files) < 6 {
			t.Errorf("%s: %d requests, %v", api, len(files), err)
		}
		table := route.New(set, "default")
		agent := string(set.Policies[0].Agents[0])
		for _, file := range files {
			t.Run(file, func(t *testing.T) {
				text := []byte(read(t, file))
				want := strings.TrimPrefix(strings.SplitN(string(text), "\n", 2)[0], "# expect: ")
				if got := judge(t, set, table, agent, text); got != want {
					t.Errorf("%s, want %s", got, want)
				}
			})
		}
	}
}

// judge returns the decision over a request and the first code of its reasons and errors. A comment "body:" is the body that
// a door forwards.
func judge(t *testing.T, set *policy.Set, table *route.Table, agent string, text []byte) string {
	t.Helper()
	req, err := route.ParseRequest(text)
	if err != nil {
		t.Fatal(err)
	}
	var m route.Matched
	var refused *route.Refusal
	if err := table.Match(req, &m); errors.As(err, &refused) {
		return refused.Outcome.String() + " " + refused.Code.String()
	} else if err != nil {
		t.Fatal(err)
	}
	gate, err := decide.NewGate(set, decide.Options{Engine: decide.Both, Held: decide.Refused})
	if err != nil {
		t.Fatal(err)
	}
	call := m.Call
	call.Agent, call.Region, call.Session = agent, "eu-central-1", "s"
	call.Time, call.HasTime = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC).UnixMicro(), true
	var s decide.Scratch
	v, err := gate.Decide(&s, gate.Engine.Plan(call.Tenant, call.Agent, call.Tool, call.Action), &call, gate.Session(call.Tenant, call.Session))
	if err != nil {
		t.Fatal(err)
	}
	if v.Outcome == aegis.Sanitize {
		_, want, _ := bytes.Cut(text, []byte("# body: "))
		want, _, _ = bytes.Cut(want, []byte("\n"))
		if body, err := m.Rewrite(v.Args); err != nil || !bytes.Equal(body, want) {
			t.Errorf("forwarded %s, %v, want %s", body, err, want)
		}
	}
	reasons, errs := gate.Engine.Explain(&call, v)
	if reasons = slices.Concat(reasons, errs); len(reasons) == 0 {
		return v.Outcome.String()
	}
	return v.Outcome.String() + " " + reasons[0].Code.String()
}

// TestRoutesReadme: the page names every API and every agent.
func TestRoutesReadme(t *testing.T) {
	page := read(t, "routes/README.md")
	dirs, err := os.ReadDir("routes")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		if d.IsDir() && !strings.Contains(page, "["+d.Name()+"]("+d.Name()+")") {
			t.Errorf("README.md does not name %s", d.Name())
		}
	}
}
