package simulate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/capture"
	"github.com/aegisctl/aegis/decide"
)

// write makes a file of rows.
func write(t *testing.T, path string, rows ...capture.Row) string {
	t.Helper()
	w, err := capture.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(rows...); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// many returns rows of one agent, ten calls to a session, a second apart.
func many(n int) []capture.Row {
	rows := make([]capture.Row, n)
	for i := range rows {
		rows[i] = capture.Row{TimeMicros: 1_772_359_200*micros + int64(i)*micros, HasTime: true, Session: fmt.Sprint("s", i/10), Seq: int64(i % 10),
			HasSeq: true, Agent: "a", Tool: "pay", Args: fmt.Appendf(nil, `{"amount":%d}`, i%100)}
	}
	return rows
}

// TestCancel: a run that is stopped leaves nothing behind.
func TestCancel(t *testing.T) {
	for name, text := range map[string]string{"parallel": "agent: a\nallowed_tools: [{name: pay}]\n", "in order": modelPolicy} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			traffic := write(t, filepath.Join(t.TempDir(), "t.parquet"), many(50_000)...)
			ctx, cancel := context.WithCancel(context.Background())
			opt := Options{Traffic: []string{traffic}, Decisions: filepath.Join(dir, "out.parquet"), Workers: 2}
			if name == "in order" {
				opt.Each = func(*aegis.Call, *decide.Verdict) { cancel() }
			} else {
				cancel()
			}
			if _, err := Run(ctx, loadText(t, text), opt); !errors.Is(err, context.Canceled) {
				t.Errorf("a cancelled run returns %v", err)
			}
			left, err := os.ReadDir(dir)
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %v %v", left, err)
			}
		})
	}
}

// TestWorkersAgree: the report does not depend on how many lanes there are, or on whether calls go in order.
func TestWorkersAgree(t *testing.T) {
	traffic := write(t, filepath.Join(t.TempDir(), "t.parquet"), many(300_000)...)
	set := loadText(t, "agent: a\nallowed_tools: [{name: pay, conditions: {max_amount: 90, approval_needed_if: amount > 97}}]\n")
	var first string
	for _, opt := range []Options{{Workers: 1}, {Workers: 2}, {Workers: 5}, {Workers: 2, Each: func(*aegis.Call, *decide.Verdict) {}}} {
		opt.Traffic = []string{traffic}
		rep, err := Run(context.Background(), set, opt)
		if err != nil {
			t.Fatal(err)
		}
		rep.ElapsedSeconds, rep.CallsPerSecond = 0, 0
		b, err := json.Marshal(rep)
		if err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = string(b)
		}
		if string(b) != first {
			t.Errorf("workers %d:\n%s\nfirst:\n%s", opt.Workers, b, first)
		}
	}
}

// TestUnknownAndRejected: what is not known is said, with its reason and out of the rates.
func TestUnknownAndRejected(t *testing.T) {
	row := func(f func(*capture.Row)) capture.Row {
		r := capture.Row{Agent: "a", Tool: "pay", Args: []byte(`{"amount":1}`), Session: "s"}
		f(&r)
		return r
	}
	traffic := write(t, filepath.Join(t.TempDir(), "t.parquet"),
		row(func(*capture.Row) {}),
		row(func(r *capture.Row) { r.Coverage = "redacted" }),
		row(func(r *capture.Row) { r.Args = nil }),
		row(func(r *capture.Row) { r.Args = []byte(`{"amount":1,"amount":2}`) }),
		row(func(r *capture.Row) { r.Tool, r.Coverage = "other", "redacted" }))
	rep, err := Run(context.Background(), loadText(t, "agent: a\nallowed_tools: [{name: pay, conditions: {max_amount: 5}}]\n"),
		Options{Traffic: []string{traffic}, Label: "class"})
	if err != nil {
		t.Fatal(err)
	}
	want := Counts{aegis.Allow: 1, aegis.Unknown: 2, aegis.Reject: 1, aegis.Deny: 1}
	if rep.Decisions != want {
		t.Errorf("decisions %v, want %v", rep.Decisions, want)
	}
	if rep.WouldBlock.Count != 2 || rep.WouldBlock.Rate != 2.0/3 {
		t.Errorf("would block %+v, want 2 of 3", rep.WouldBlock)
	}
	if len(rep.Unknown) != 2 || rep.Labels["(none)"].Total() != 5 {
		t.Errorf("unknown %v, labels %v", rep.Unknown, rep.Labels)
	}
	if h := rep.Headline(); !strings.HasPrefix(h, "2 of 5 calls (40.0%) cannot be decided") {
		t.Errorf("headline: %s", h)
	}
}

// TestHostileText: labels and sessions are anyone's text, and must stay text in every format.
func TestHostileText(t *testing.T) {
	evil := "<script>alert(1)</script>|`@all`\n\x1b]52;c;AAAA\a\u202e[x](http://evil.test)"
	traffic := write(t, filepath.Join(t.TempDir(), "t.parquet"),
		capture.Row{Agent: "a", Tool: "pay|<b>", Args: []byte(`{}`), Labels: map[string]string{"class": evil}})
	rep, err := Run(context.Background(), loadText(t, "agent: a\nallowed_tools: [{name: pay}]\n"), Options{Traffic: []string{traffic}, Label: "class"})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := rep.WriteText(&text, false); err != nil {
		t.Fatal(err)
	}
	html, err := rep.HTML()
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]string{"text": text.String(), "markdown": rep.Markdown(), "html": html} {
		for _, bad := range []string{"\x1b", "\a", "\u202e"} {
			if strings.Contains(s, bad) {
				t.Errorf("%s holds %q", name, bad)
			}
		}
	}
	if strings.Contains(html, "<script") {
		t.Error("html holds markup of the traffic")
	}
	if md := rep.Markdown(); strings.Contains(md, "\n\x1b") || strings.Contains(md, "|`@all`\n") {
		t.Error("markdown holds a line of the traffic")
	}
}

// TestUntimed: calls without times are limited by session all the same, in order or put in order first.
func TestUntimed(t *testing.T) {
	rows := many(20)
	for i := range rows {
		rows[i].HasTime, rows[i].TimeMicros = false, 0
	}
	shuffled := append([]capture.Row{rows[9]}, rows[:9]...)
	shuffled = append(shuffled, rows[10:]...)
	set := loadText(t, "agent: a\nallowed_tools: [{name: pay, limits: [{calls: 4/session}]}]\n")
	for name, rows := range map[string][]capture.Row{"in order": rows, "out of order": shuffled} {
		traffic := write(t, filepath.Join(t.TempDir(), "t.parquet"), rows...)
		rep, err := Run(context.Background(), set, Options{Traffic: []string{traffic}})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if want := (Counts{aegis.Allow: 8, aegis.Deny: 12}); rep.Decisions != want || rep.Reordered != (name != "in order") {
			t.Errorf("%s: %v, want %v; reordered %v", name, rep.Decisions, want, rep.Reordered)
		}
	}
}
