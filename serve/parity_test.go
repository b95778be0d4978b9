package serve_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/decide"
	"github.com/aegisctl/aegis/limit"
	"github.com/aegisctl/aegis/policy"
)

// The shared cases (testdata/parity) run here through explain's path, simulate and every HTTP door: all must say the same.
// decide's TestParityOnStockOPA runs them on a stock OPA.

// parityCase is one case.
type parityCase struct {
	name  string
	files map[string]string // policies and what they name
	calls []parityCall
	want  []string
}

// parityCall is one call of a case; what a line leaves out is filled in.
type parityCall struct {
	Tenant  string          `json:"tenant"`
	Agent   string          `json:"agent"`
	Tool    string          `json:"tool"`
	Action  string          `json:"action,omitempty"`
	Args    json.RawMessage `json:"args"`
	Chain   []string        `json:"chain,omitempty"`
	Session string          `json:"session,omitempty"`
	Region  string          `json:"region,omitempty"`
	Effect  string          `json:"effect,omitempty"`

	Time    string    `json:"-"`
	Outcome string    `json:"-"`
	at      time.Time // Time, read
}

// envelope writes the call as the native door takes it, with the arguments as they stand in the case.
func (c *parityCall) envelope(t testing.TB) []byte { return marshal(t, c) }

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// policies loads the case's policies.
func (c *parityCase) policies(t testing.TB) *policy.Set {
	t.Helper()
	dir := t.TempDir()
	for name, text := range c.files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	set, err := policy.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// parityCases reads all cases.
func parityCases(t testing.TB) []*parityCase {
	t.Helper()
	paths, err := filepath.Glob("../testdata/parity/*.txt")
	if err != nil || len(paths) < 60 {
		t.Fatalf("%d cases: %v", len(paths), err)
	}
	var out []*parityCase
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, readParity(t, strings.TrimSuffix(filepath.Base(path), ".txt"), string(text)))
	}
	return out
}

func readParity(t testing.TB, name, text string) *parityCase {
	t.Helper()
	c := &parityCase{name: name, files: map[string]string{}}
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	part := ""
	for line := range strings.Lines(text) {
		if inner, ok := strings.CutPrefix(strings.TrimSpace(line), "-- "); ok && strings.HasSuffix(inner, " --") {
			part = strings.TrimSuffix(inner, " --")
			continue
		}
		switch part {
		case "":
		case "want":
			c.want = append(c.want, strings.TrimSuffix(line, "\n"))
		case "calls.jsonl":
			c.calls = append(c.calls, readParityCall(t, name, line, at))
			at = c.calls[len(c.calls)-1].at.Add(time.Second)
		default:
			c.files[part] += line
		}
	}
	if len(c.calls) == 0 || len(c.want) != 0 && len(c.want) != len(c.calls) {
		t.Fatalf("%s: %d calls, %d wanted", name, len(c.calls), len(c.want))
	}
	return c
}

func readParityCall(t testing.TB, name, line string, at time.Time) parityCall {
	t.Helper()
	c := parityCall{Tenant: "acme", Agent: "a", Args: json.RawMessage("{}"), at: at}
	var beside struct{ Time, Outcome string }
	d := json.NewDecoder(strings.NewReader(line))
	if err := d.Decode(&c); err != nil {
		t.Fatalf("%s: %s: %v", name, line, err)
	}
	if err := json.Unmarshal([]byte(line), &beside); err != nil {
		t.Fatal(err)
	}
	c.Time, c.Outcome = beside.Time, beside.Outcome
	if c.Time != "" {
		var err error
		if c.at, err = time.Parse(time.RFC3339Nano, c.Time); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return c
}

// said writes a decision as a line of want.
func said(decision string, reasons, errs []aegis.Reason) string {
	if decision == aegis.Reject.String() {
		return decision // its only reason is what could not be read
	}
	var lines []string
	for _, r := range slices.Concat(reasons, errs) {
		lines = append(lines, r.Rule+" "+r.Code.String())
	}
	slices.Sort(lines)
	return strings.TrimSpace(decision + "  " + strings.Join(slices.Compact(lines), "; "))
}

// compare compares what one way says with what is wanted.
func (c *parityCase) compare(t *testing.T, way string, got []string) {
	t.Helper()
	for i := range c.calls {
		if said := at(got, i); said != c.want[i] && !(way == "simulate" && c.calls[i].untold(said)) {
			t.Errorf("%s, call %d %s: %s says\n  %s\nwant\n  %s", c.name, i+1, bytes.TrimSpace(c.calls[i].envelope(t)), way, at(got, i), c.want[i])
		}
	}
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return "nothing"
}

// untold reports whether a simulation does not know what it would take: captured traffic does not tell whether a call had no
// session or region, or whether that was not captured, and never holds the claims of tokens, which a policy's own Rego may
// read. A server knows, and denies where a rule asks.
func (c *parityCall) untold(said string) bool {
	return strings.Contains(said, " no_claims") || c.Session == "" && strings.Contains(said, " no_session") || c.Region == "" && strings.Contains(said, " no_region")
}

// TestParity runs every case through everything but OPA.
func TestParity(t *testing.T) {
	for _, c := range parityCases(t) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			set := c.policies(t)
			explained := c.explain(t, set)
			if len(c.want) == 0 {
				if os.Getenv("AEGIS_UPDATE") == "" {
					t.Fatal("the case does not say what is wanted")
				}
				c.write(t, explained)
			}
			c.compare(t, "explain", explained)
			c.compare(t, "simulate", c.simulate(t, set, c.parquet(t), aegis.Enforce))
			for _, door := range []parityDoor{nativeDoor{}, authzenDoor{}, seriesDoor{}} {
				c.compare(t, door.name(), c.through(t, set, door, aegis.Enforce))
			}
			c.shadow(t, set)
		})
	}
}

// write notes what is said as wanted.
func (c *parityCase) write(t *testing.T, want []string) {
	t.Helper()
	path := filepath.Join("../testdata/parity", c.name+".txt")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c.want = want
	if err := os.WriteFile(path, fmt.Appendf(text, "-- want --\n%s\n", strings.Join(want, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
}

// explain decides the calls one after the other as explain does, on one gate that remembers.
func (c *parityCase) explain(t *testing.T, set *policy.Set) (got []string) {
	t.Helper()
	gate, err := decide.NewGate(set, decide.Options{Engine: decide.Both, Held: decide.Refused, Ledger: limit.New()})
	if err != nil {
		t.Fatal(err)
	}
	var s decide.Scratch
	for i := range c.calls {
		k := &c.calls[i]
		call, err := aegis.DecodeCall(k.envelope(t))
		if err != nil {
			got = append(got, said(gate.Malformed(&s).Outcome.String(), nil, nil))
			continue
		}
		call.Time, call.HasTime = k.at.UnixMicro(), true
		session := gate.Session(call.Tenant, call.Session)
		plan := gate.Engine.Plan(call.Tenant, call.Agent, call.Tool, call.Action)
		v, err := gate.Judge(&s, plan, call, session)
		if err == nil {
			err = gate.Commit(&s, session, k.Outcome != "failed")
		}
		if err != nil {
			t.Fatal(err)
		}
		reasons, errs := gate.Engine.Explain(call, v)
		got = append(got, said(v.Outcome.String(), reasons, errs))
	}
	return got
}

// hands is a clock that stands where it is put.
type hands struct {
	mu    sync.Mutex
	times []time.Time // the last is where it stays
}

func (h *hands) set(times ...time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.times = times
}

func (h *hands) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.times[0]
	if len(h.times) > 1 {
		h.times = h.times[1:]
	}
	return now
}

// shadow runs the case through a server in shadow: nothing but what cannot be read is blocked, and what was captured is
// simulated as such a server decided it.
func (c *parityCase) shadow(t *testing.T, set *policy.Set) {
	t.Helper()
	simulated := c.simulate(t, set, c.parquet(t), aegis.Shadow)
	for _, door := range []parityDoor{nativeDoor{}, authzenDoor{}} {
		got := c.through(t, set, door, aegis.Shadow)
		for i := range got {
			if got[i] != simulated[i] && !c.calls[i].untold(simulated[i]) {
				t.Errorf("%s, call %d in shadow: %s says\n  %s\nsimulate\n  %s", c.name, i+1, door.name(), got[i], simulated[i])
			}
		}
	}
}
