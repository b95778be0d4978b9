package simulate

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/capture"
	"github.com/aegisctl/aegis/decide"
	"github.com/aegisctl/aegis/policy"
)

// drawPolicy makes a policy for the traffic of drawRows: with or without memory, grants, limits and sanitizing.
func drawPolicy(t *rapid.T, name string) string {
	pick := func(what string, choices ...string) string { return rapid.SampledFrom(choices).Draw(t, name+" "+what) }
	var b strings.Builder
	b.WriteString("agent: a\n")
	b.WriteString(pick("limits", "", "", "limits: [{calls: 6/day}]\n", "limits: [{calls: 9/day}, {rate: 2/m}]\n"))
	b.WriteString("allowed_tools:\n  - name: pay\n    conditions:\n")
	fmt.Fprintf(&b, "      max_amount: %s\n", pick("max", "20", "50", "60"))
	b.WriteString(pick("approval", "", "      approval_needed_if: amount > 20\n", "      approval_needed_if: amount > 50\n"))
	b.WriteString(pick("require", "", "", "      require: [amount > 3]\n", "      require: ['session.count(\"pay\") < 3']\n"))
	b.WriteString(pick("entry limits", "", "", "    limits: [{budget: 120/day of amount}, {calls: 4/session}]\n"))
	b.WriteString(pick("sanitize", "", "    sanitize: [{redact: [email], fields: [memo]}]\n"))
	b.WriteString(pick("read", "", "  - {name: read, effect: read, taints: [seen]}\n"))
	b.WriteString(pick("mail", "", "  - {name: mail, conditions: {deny_if: 'session.tainted(\"seen\")'}}\n", "  - {name: mail}\n"))
	return b.String()
}

// decidedRow is a row of a file of decisions.
type decidedRow struct {
	Seq      int64    `parquet:"seq,optional"`
	Session  string   `parquet:"session,optional"`
	Decision string   `parquet:"decision"`
	Reasons  []string `parquet:"reasons,list"`
	Rules    []string `parquet:"rules,list"`
	Version  string   `parquet:"policy_version,optional"`
	Baseline *string  `parquet:"baseline_decision,optional"`
}

// decidedBy runs a simulation and returns its report and its decisions by seq.
func decidedBy(t *rapid.T, set *policy.Set, opt Options) (*Report, map[int64]decidedRow) {
	rep, err := Run(context.Background(), set, opt)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := parquet.ReadFile[decidedRow](opt.Decisions)
	if err != nil {
		t.Fatal(err)
	}
	out := map[int64]decidedRow{}
	for _, r := range rows {
		out[r.Seq] = r
	}
	return rep, out
}

func writeMemos(t *rapid.T, path string, rows []modelRow) {
	w, err := capture.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		row := capture.Row{TimeMicros: r.time, HasTime: r.timed, Session: r.session, Seq: r.seq, HasSeq: true, Agent: "a", Tool: r.tool,
			Args: fmt.Appendf(nil, `{"amount":%d,"memo":"%s"}`, r.amount, []string{"hi", "ask bob@example.com"}[r.amount%2])}
		if r.failed {
			row.Outcome = "boom"
		}
		if r.amount == 13 {
			row.Coverage = "redacted"
		}
		if err := w.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestBaselineIsTwoRuns: a comparison is what two separate runs say, joined call by call.
func TestBaselineIsTwoRuns(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "p.yaml")
	load := func(t *rapid.T, text string) *policy.Set {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		set, err := policy.Load(path)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		return set
	}
	rapid.Check(t, func(t *rapid.T) {
		old, new := load(t, drawPolicy(t, "old")), load(t, drawPolicy(t, "new"))
		rows := drawRows(t)
		traffic := filepath.Join(dir, "t.parquet")
		writeMemos(t, traffic, rows)
		opt := Options{Traffic: []string{traffic}, Examples: true, Workers: rapid.IntRange(1, 3).Draw(t, "workers"),
			Held: rapid.SampledFrom([]decide.Held{decide.Granted, decide.Refused}).Draw(t, "held"),
			Mode: rapid.SampledFrom([]aegis.Mode{aegis.Enforce, aegis.Shadow}).Draw(t, "mode")}
		opt.Decisions = filepath.Join(dir, "1.parquet")
		oldReport, was := decidedBy(t, old, opt)
		opt.Decisions = filepath.Join(dir, "2.parquet")
		newReport, is := decidedBy(t, new, opt)
		opt.Decisions, opt.Baseline = filepath.Join(dir, "3.parquet"), old
		rep, both := decidedBy(t, new, opt)
		for seq, got := range both {
			want := is[seq]
			base := was[seq].Decision
			want.Baseline = &base
			if fmt.Sprint(got.Seq, got.Session, got.Decision, got.Reasons, got.Rules, got.Version, *got.Baseline) !=
				fmt.Sprint(want.Seq, want.Session, want.Decision, want.Reasons, want.Rules, want.Version, *want.Baseline) {
				t.Fatalf("seq %d: got %+v (%s), separately %+v (%s)", seq, got, *got.Baseline, want, base)
			}
		}
		if rep.Decisions != newReport.Decisions || rep.WouldBlock != newReport.WouldBlock {
			t.Fatalf("the policy's own report changed: %v, alone %v", rep.Decisions, newReport.Decisions)
		}
		checkChanges(t, rep.Changes, both, oldReport)
	})
}

// checkChanges recounts a comparison from the joined decisions.
func checkChanges(t *rapid.T, c *Changes, both map[int64]decidedRow, oldReport *Report) {
	type session struct{ n, denied, allowed, held, blocked, before int64 }
	sessions := map[string]*session{}
	matrix, kindsSeen, comparable := map[string]Counts{}, kindCounts{}, int64(0)
	for seq, r := range both {
		from, _ := aegis.ParseOutcome(*r.Baseline)
		to, _ := aegis.ParseOutcome(r.Decision)
		row := matrix[*r.Baseline]
		row[to]++
		matrix[*r.Baseline] = row
		kind := KindOf(from, to)
		kindsSeen[kind]++
		if from == aegis.Unknown || to == aegis.Unknown {
			continue
		}
		comparable++
		key := r.Session
		if key == "" {
			key = fmt.Sprint("alone ", seq)
		}
		s := made(sessions, key)
		s.n++
		for _, x := range []struct {
			n  *int64
			is bool
		}{{&s.denied, kind == NewlyDenied}, {&s.allowed, kind == NewlyAllowed}, {&s.held, kind == NewlyHeld},
			{&s.blocked, to >= aegis.Deny}, {&s.before, from >= aegis.Deny}} {
			if x.is {
				*x.n++
			}
		}
	}
	var sums changeSums
	for _, s := range sessions {
		sums.denied.Add(s.n, s.denied)
		sums.allowed.Add(s.n, s.allowed)
		sums.held.Add(s.n, s.held)
		sums.blocked.Add(s.n, s.blocked, s.before)
	}
	var old Counts
	for from, row := range c.Matrix {
		if row != matrix[from] {
			t.Fatalf("matrix from %s: %v, want %v", from, row, matrix[from])
		}
		o, _ := aegis.ParseOutcome(from)
		old[o] = row.Total()
	}
	lo, hi := sums.blocked.Diff95()
	if old != oldReport.Decisions || c.Comparable != comparable || c.WouldBlock.CI95 != [2]float64{lo, hi} {
		t.Fatalf("baseline %v, want %v; comparable %d, want %d; %v", old, oldReport.Decisions, c.Comparable, comparable, c.WouldBlock)
	}
	want := []Rate{rate(kindsSeen[NewlyDenied], comparable, sums.denied), rate(kindsSeen[NewlyAllowed], comparable, sums.allowed),
		rate(kindsSeen[NewlyHeld], comparable, sums.held)}
	if got := []Rate{c.NewlyDenied, c.NewlyAllowed, c.NewlyHeld}; !slices.Equal(got, want) {
		t.Fatalf("rates %v, want %v", got, want)
	}
	checkGroups(t, c, kindsSeen, both)
}

// checkGroups: groups partition the changed calls, and every example is one of its group's.
func checkGroups(t *rapid.T, c *Changes, want kindCounts, both map[int64]decidedRow) {
	var got kindCounts
	for _, g := range c.Groups {
		got[g.Change] += g.Calls
	}
	got[Same] = want[Same]
	if got != want || len(c.Examples) != len(c.Groups) {
		t.Fatalf("groups hold %v, want %v; %d examples of %d groups", got, want, len(c.Examples), len(c.Groups))
	}
	for _, e := range c.Examples {
		r := both[*e.Seq]
		if r.Decision != e.New.Decision || *r.Baseline != e.Old.Decision || c.Groups[e.Group].Change != e.Change {
			t.Fatalf("example %+v is no call of its group: %+v", e, r)
		}
		for _, reason := range e.New.Reasons {
			if !slices.Contains(r.Reasons, reason.Code.String()) {
				t.Fatalf("example %+v: its call has reasons %v", e, r.Reasons)
			}
		}
	}
	if text, err := json.Marshal(c); err != nil || strings.Contains(string(text), "example.com") {
		t.Fatalf("the report holds an address of the traffic: %s %v", text, err)
	}
}
