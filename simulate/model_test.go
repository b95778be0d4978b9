package simulate

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/capture"
	"github.com/aegisctl/aegis/decide"
	"github.com/aegisctl/aegis/policy"
)

// The model is simulate once more, slow and obvious: rows are structs, order is a sort by the definition, and the one
// policy below is written out in Go. It shares no code with what it checks.

const modelPolicy = `
agent: a
limits: [{calls: 6/day}]
allowed_tools:
  - name: pay
    conditions:
      require: ['session.count("pay") < 3']
      approval_needed_if: amount > 50
    limits: [{budget: 120/day of amount}, {calls: 4/session}]
  - {name: read, effect: read, taints: [seen]}
  - name: mail
    conditions: {deny_if: 'session.tainted("seen")'}
`

// modelRow is one generated call.
type modelRow struct {
	input   int
	time    int64
	timed   bool
	session string
	seq     int64
	tool    string
	amount  int64
	failed  bool

	at, at2 int64 // its place: time, then input order for untimed calls
}

const micros = 1_000_000

// arrange sorts by the definition: a call is placed at the latest place of its session's calls up to it by seq.
func arrange(rows []modelRow) []modelRow {
	for i := range rows {
		r := &rows[i]
		r.at, r.at2 = own(r)
		for _, o := range rows {
			if o.session != "" && o.session == r.session && (o.seq < r.seq || o.seq == r.seq && o.input < r.input) {
				if a, b := own(&o); a > r.at || a == r.at && b > r.at2 {
					r.at, r.at2 = a, b
				}
			}
		}
	}
	slices.SortStableFunc(rows, func(a, b modelRow) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.at2, b.at2), strings.Compare(a.session, b.session),
			cmp.Compare(a.seq, b.seq), cmp.Compare(a.input, b.input))
	})
	return rows
}

func own(r *modelRow) (int64, int64) {
	if r.timed {
		return r.time, 0
	}
	return 1 << 62, int64(r.input)
}

// modelSession is what a session's calls left behind.
type modelSession struct {
	pays, charged int
	tainted       bool
	last          int64
}

// model decides rows in order.
func model(rows []modelRow, held decide.Held) []string {
	out := make([]string, len(rows))
	sessions := map[string]*modelSession{}
	day, calls, spent := int64(-1), 0, int64(0)
	for _, r := range arrange(slices.Clone(rows)) {
		s := sessions[r.session]
		if s == nil || r.timed && s.last != 0 && r.time-s.last >= 24*3600*micros {
			s = &modelSession{}
			sessions[r.session] = s
		}
		if r.timed {
			s.last = max(s.last, r.time)
			if d := r.time / (24 * 3600 * micros); d > day {
				day, calls, spent = d, 0, 0
			}
		}
		outcome := "allow"
		rank := func(o string) {
			order := []string{"allow", "approval_needed", "unknown", "deny"}
			if slices.Index(order, o) > slices.Index(order, outcome) {
				outcome = o
			}
		}
		lost := r.session == ""
		switch r.tool {
		case "pay":
			if lost {
				rank("unknown") // session.count and the limit per session
			} else if s.pays >= 3 {
				rank("deny")
			}
			if r.amount > 50 {
				rank("approval_needed")
			}
			if !lost && s.charged >= 4 {
				rank("deny")
			}
			if r.timed && spent+r.amount > 120 {
				rank("deny")
			}
		case "mail":
			if lost {
				rank("unknown")
			} else if s.tainted {
				rank("deny")
			}
		}
		if !r.timed {
			rank("unknown") // limits by day
		} else if calls >= 6 {
			rank("deny")
		}
		out[r.input] = outcome
		if outcome == "allow" || outcome == "approval_needed" && held == decide.Granted {
			calls++
			if r.tool == "pay" {
				spent += r.amount
				s.charged++
			}
			if !r.failed {
				if r.tool == "pay" {
					s.pays++
				}
				s.tainted = s.tainted || r.tool == "read"
			}
		}
	}
	return out
}

// drawRows generates sessions whose clocks run forward with seq (or that have none), and shuffles their rows: what a
// ledger makes of a clock that runs backward is the limit room's matter, and tested there.
func drawRows(t *rapid.T) []modelRow {
	var rows []modelRow
	for _, session := range []string{"s", "t", "u", "v", ""} {
		timed := rapid.IntRange(0, 4).Draw(t, "timed") > 0
		at := int64(1_772_359_200)
		for range rapid.IntRange(0, 10).Draw(t, "n") {
			at += rapid.SampledFrom([]int64{0, 0, 1, 2, 60, 3600, 50_000, 90_000}).Draw(t, "step")
			rows = append(rows, modelRow{time: at * micros, timed: timed, session: session, seq: int64(len(rows)),
				tool:   rapid.SampledFrom([]string{"pay", "pay", "read", "mail"}).Draw(t, "tool"),
				amount: rapid.Int64Range(0, 70).Draw(t, "amount"), failed: rapid.IntRange(0, 4).Draw(t, "failed") == 0})
		}
	}
	if rapid.Bool().Draw(t, "shuffle") {
		rows = rapid.Permutation(rows).Draw(t, "rows")
	} else {
		slices.SortStableFunc(rows, func(a, b modelRow) int { return cmp.Compare(a.time, b.time) })
	}
	for i := range rows {
		rows[i].input = i
	}
	return rows
}

// writeRows writes rows to one or two files.
func writeRows(t *rapid.T, dir string, rows []modelRow) []string {
	cut := rapid.IntRange(0, len(rows)).Draw(t, "cut")
	var paths []string
	for i, part := range [][]modelRow{rows[:cut], rows[cut:]} {
		path := filepath.Join(dir, fmt.Sprintf("%d.parquet", i))
		w, err := capture.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range part {
			row := capture.Row{TimeMicros: r.time, HasTime: r.timed, Session: r.session, Seq: r.seq, HasSeq: true, Agent: "a", Tool: r.tool,
				Args: fmt.Appendf(nil, `{"amount":%d}`, r.amount)}
			if r.failed {
				row.Outcome = "boom"
			}
			if err := w.Write(row); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

func loadText(t testing.TB, text string) *policy.Set {
	t.Helper()
	path := filepath.Join(t.TempDir(), "p.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := policy.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestModel compares simulate with the model, decision by decision, in memory and with everything sorted on disk.
func TestModel(t *testing.T) {
	set, dir := loadText(t, modelPolicy), t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		rows := drawRows(t)
		paths := writeRows(t, dir, rows)
		for _, held := range []decide.Held{decide.Granted, decide.Refused} {
			want := slices.Clone(model(rows, held))
			slices.Sort(want)
			for _, opt := range []Options{{Workers: 1}, {Workers: 3, SpillRows: 5}} {
				opt.Traffic, opt.Held = paths, held
				var got []string
				opt.Each = func(c *aegis.Call, v *decide.Verdict) { got = append(got, v.Outcome.String()) }
				rep, err := Run(context.Background(), set, opt)
				if err != nil {
					t.Fatal(err)
				}
				inOrder := slices.Clone(got)
				slices.Sort(got)
				if !slices.Equal(got, want) || !slices.Equal(inOrder, ordered(rows, model(rows, held))) {
					t.Fatalf("held %s, workers %d, spill %d:\n got %v\nwant %v\nrows %+v", held, opt.Workers, opt.SpillRows, inOrder,
						ordered(rows, model(rows, held)), rows)
				}
				checkSums(t, rep)
			}
		}
	})
}

// ordered lists decisions, which are by input, in event order.
func ordered(rows []modelRow, decisions []string) []string {
	out := []string{}
	for _, r := range arrange(slices.Clone(rows)) {
		out = append(out, decisions[r.input])
	}
	return out
}

// checkSums: every grouping that covers all calls adds up to them.
func checkSums(t *rapid.T, rep *Report) {
	if rep.Decisions.Total() != rep.Calls {
		t.Fatalf("decisions sum to %d of %d calls", rep.Decisions.Total(), rep.Calls)
	}
	for _, by := range []string{"agent", "tool", "action"} {
		var sum Counts
		for _, row := range rep.By[by] {
			sum.add(row.Counts)
		}
		if sum != rep.Decisions {
			t.Fatalf("by %s: %v, decisions %v", by, sum, rep.Decisions)
		}
	}
	for _, r := range []Rate{rep.WouldBlock, rep.WouldHold} {
		if r.CI95[0] > r.Rate+1e-12 || r.CI95[1] < r.Rate-1e-12 || r.CI95[0] < 0 || r.CI95[1] > 1 {
			t.Fatalf("interval %v of %v", r.CI95, r.Rate)
		}
	}
}
