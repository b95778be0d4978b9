package decide

import (
	"errors"
	"testing"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// TestResults: each sanitizer rewrites what its where and its fields say, where its entry binds.
func TestResults(t *testing.T) {
	set, err := policy.LoadText("p.yaml", `
agent: a
allowed_tools:
  - {name: args, sanitize: [{redact: [email]}]}
  - {name: all, sanitize: [{redact: [email], where: [args, result]}]}
  - {name: fields, sanitize: [{redact: [email], where: [result], fields: [memo, "notes.**"]}, {match: 'MRN-\d+', replace: '[MRN]', where: [result]}]}
  - {name: shadow, mode: shadow, sanitize: [{redact: [email], where: [result]}]}
`)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		tool, json, want string
		mode             aegis.Mode
	}{
		{"args", "", "none", aegis.Enforce},
		{"shadow", "", "none", aegis.Enforce},
		{"all", "", "none", aegis.Shadow},
		{"all", `{"a":["x@example.com"], "x@example.com": 1}`, `{"a":["[EMAIL]"], "x@example.com": 1}`, aegis.Enforce},
		{"fields", `{"memo":"x@example.com","to":"x@example.com MRN-1","notes":{"a":["x@example.com"]}}`,
			`{"memo":"[EMAIL]","to":"x@example.com [MRN]","notes":{"a":["[EMAIL]"]}}`, aegis.Enforce},
	} {
		gate, err := NewGate(set, Options{Mode: c.mode})
		if err != nil {
			t.Fatal(err)
		}
		call := &aegis.Call{Tenant: "default", Agent: "a", Tool: c.tool}
		r := gate.Results(gate.Engine.Plan("default", "a", c.tool, ""), call)
		if (r == nil) != (c.want == "none") {
			t.Errorf("%s: %v", c.tool, r)
		}
		if r == nil {
			continue
		}
		if got, err := r.JSON([]byte(c.json), aegis.MaxBody); err != nil || string(got) != c.want {
			t.Errorf("%s: %s, %v", c.tool, got, err)
		}
		got, err := r.Text([]byte("x@example.com"))
		if c.tool == "fields" && !errors.Is(err, ErrResultFields) || c.tool == "all" && string(got) != "[EMAIL]" {
			t.Errorf("%s: %q, %v", c.tool, got, err)
		}
	}
}

// FuzzResults: what is rewritten is JSON again, holds nothing more to replace, and is rewritten no further.
func FuzzResults(f *testing.F) {
	set, err := policy.LoadText("p.yaml", `{agent: a, allowed_tools: [{name: t, sanitize: [{redact: [email, phone], where: [result]}]}]}`)
	if err != nil {
		f.Fatal(err)
	}
	gate, err := NewGate(set, Options{})
	if err != nil {
		f.Fatal(err)
	}
	r := gate.Results(gate.Engine.Plan("default", "a", "t", ""), &aegis.Call{Tenant: "default", Agent: "a", Tool: "t"})
	f.Add(` {"a": "ann@example.com", "b": [1.50, "+1 202 555 0143"]} `)
	f.Add(`"ann\u0040example.com"`)
	f.Fuzz(func(t *testing.T, text string) {
		out, err := r.JSON([]byte(text), aegis.MaxBody)
		if err != nil {
			return
		}
		again, err := r.JSON(out, 2*aegis.MaxBody)
		if err != nil || string(again) != string(out) {
			t.Errorf("%q became %q, and that %q (%v)", text, out, again, err)
		}
	})
}
