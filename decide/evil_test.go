package decide

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/limit"
	"github.com/aegisctl/aegis/policy"
)

// hostile is one case of calls_evil.jsonl.
type hostile struct {
	ID, Class, Why string
	Expect         []string
	Raw            *string
	RawB64         string          `json:"raw_b64"`
	RawGen         json.RawMessage `json:"raw_gen"`
}

// TestHostileCalls decides every hostile call under the reference policies, on both engines.
func TestHostileCalls(t *testing.T) {
	set, err := policy.Load("../testdata/redteam/policies")
	if err != nil {
		t.Fatal(err)
	}
	gate, err := NewGate(set, Options{Engine: Both, Tenant: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open("../testdata/redteam/calls_evil.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	in := bufio.NewScanner(file)
	in.Buffer(nil, 1<<20)
	n := 0
	for in.Scan() {
		var c hostile
		if err := json.Unmarshal(in.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		n++
		gate.ledger = limit.New() // the expectations suppose unspent budgets
		if got := decideText(t, gate, c.body(t)); !slices.Contains(c.Expect, got) {
			t.Errorf("%s (%s): %s, want one of %v", c.ID, c.Why, got, c.Expect)
		}
	}
	if n < 159 {
		t.Errorf("only %d cases", n)
	}
}

func (c *hostile) body(t *testing.T) []byte {
	t.Helper()
	switch {
	case c.Raw != nil:
		return []byte(*c.Raw)
	case c.RawB64 != "":
		b, err := base64.StdEncoding.DecodeString(c.RawB64)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var g struct {
		Prefix, Repeat, Mid, Suffix string
		RepeatClose                 string `json:"repeat_close"`
		Times                       int
	}
	if err := json.Unmarshal(c.RawGen, &g); err != nil {
		t.Fatal(err)
	}
	return []byte(g.Prefix + strings.Repeat(g.Repeat, g.Times) + g.Mid + strings.Repeat(g.RepeatClose, g.Times) + g.Suffix)
}

// decideText decides one envelope as explain does.
func decideText(t *testing.T, gate *Gate, text []byte) string {
	t.Helper()
	var s Scratch
	c, err := aegis.DecodeCall(text)
	if err != nil {
		return gate.Malformed(&s).Outcome.String()
	}
	c.Time, c.HasTime = 1_790_000_000_000_000, true
	v, err := gate.Decide(&s, gate.Engine.Plan(c.Tenant, c.Agent, c.Tool, c.Action), c, gate.Session(c.Tenant, c.Session))
	if err != nil {
		t.Fatalf("%.200s: %v", text, err)
	}
	return v.Outcome.String()
}
