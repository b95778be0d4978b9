package decide

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	captured "github.com/aegisctl/aegis/capture"
	"github.com/aegisctl/aegis/compile"
	"github.com/aegisctl/aegis/policy"
)

// TestParityOnStockOPA runs the shared cases (testdata/parity) on a stock OPA with the compiled bundle. The gate provides the
// facts of each call, as it would have them, and must say what is wanted; OPA must say the same.
func TestParityOnStockOPA(t *testing.T) {
	opa := stockTool(t, "AEGIS_OPA")
	paths, err := filepath.Glob("../testdata/parity/*.txt")
	if err != nil || len(paths) < 60 {
		t.Fatalf("%d cases: %v", len(paths), err)
	}
	t.Parallel()
	var lanes sync.WaitGroup
	next := make(chan string)
	for range 2 {
		lanes.Go(func() {
			for path := range next {
				text, err := os.ReadFile(path)
				if err != nil {
					t.Error(err)
				}
				t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) { parityOnOPA(t, opa, parseCase(string(text))) })
			}
		})
	}
	for _, path := range paths {
		next <- path
	}
	close(next)
	lanes.Wait()
}

// notOnOPA are the decisions that a bundle on a stock OPA does not reach, with what the gate does and OPA does not.
var notOnOPA = map[string]string{
	"deny  acme/a#rego[0] custom_error":       "OPA takes a failing builtin for undefined where the gate denies",
	"deny  acme/a#limits[0] expression_error": "the gate, which keeps the ledgers, denies a call without the session that a limit needs",
}

func parityOnOPA(t *testing.T, opa string, files map[string]string) {
	dir := t.TempDir()
	for name, text := range files {
		if name != "" && name != "calls.jsonl" && name != "want" {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	set, err := policy.LoadOptions{Portable: true}.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	a, err := compile.Build(set, compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	packed, err := a.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	gate, err := NewGate(set, Options{Held: Refused})
	if err != nil {
		t.Fatal(err)
	}
	ask, stop := startOPA(t, opa, packed)
	defer stop()
	in, told, want := newInputs(set), toldMessages(set), strings.Split(files["want"], "\n")
	var scratch Scratch
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	i := 0
	for line := range strings.Lines(files["calls.jsonl"]) {
		row := parityRow(t, line, &at)
		c, ok := stockDecide(t, gate, in, told, &scratch, &row)
		if ok && c.said() != want[i] {
			t.Errorf("%sthe gate says %s, want %s", line, c.said(), want[i])
		}
		// What the gate answers alone no bundle knows: keys that differ in case, a rewrite to no avail.
		if alone := want[i] == "reject" || strings.Contains(want[i], "sanitize_failed"); ok == alone {
			t.Errorf("%sasked of OPA: %t", line, ok)
		}
		switch {
		case !ok:
		case notOnOPA[want[i]] != "":
			if got := ask(c.input); !strings.Contains(string(got), `"decision":"allow"`) {
				t.Errorf("%sOPA says %s: is it still true that %s?", line, got, notOnOPA[want[i]])
			}
		default:
			compareStock(t, c, ask(c.input))
		}
		i++
	}
}

// said writes what the gate decided as the cases write it.
func (c *stockCall) said() string {
	var lines []string
	for _, r := range slices.Concat(c.want.Reasons, c.want.Errors) {
		lines = append(lines, r.Rule+" "+r.Code)
	}
	slices.Sort(lines)
	return strings.TrimSpace(c.want.Decision + "  " + strings.Join(slices.Compact(lines), "; "))
}

// parityRow reads a line of calls.jsonl; at is when the call happens where the line does not say.
func parityRow(t *testing.T, line string, at *time.Time) captured.Row {
	t.Helper()
	c := struct {
		Tenant, Agent, Tool, Action, Session, Region, Effect, Time, Outcome string
		Args                                                                json.RawMessage
		Chain                                                               []string
	}{Tenant: "acme", Agent: "a", Args: json.RawMessage("{}")}
	if err := json.Unmarshal([]byte(line), &c); err != nil {
		t.Fatal(err)
	}
	if c.Time != "" {
		var err error
		if *at, err = time.Parse(time.RFC3339Nano, c.Time); err != nil {
			t.Fatal(err)
		}
	}
	row := captured.Row{TimeMicros: at.UnixMicro(), HasTime: true, Tenant: c.Tenant, Agent: c.Agent, Tool: c.Tool, Action: c.Action, Args: c.Args,
		Chain: c.Chain, Session: c.Session, Region: c.Region, Effect: c.Effect, Outcome: c.Outcome}
	*at = at.Add(time.Second)
	return row
}
