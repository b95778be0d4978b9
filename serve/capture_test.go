package serve_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/capture"
	"github.com/aegisctl/aegis/decide"
	"github.com/aegisctl/aegis/serve"
	"github.com/aegisctl/aegis/simulate"
)

const captured = `
agent: a
allowed_tools:
  - {name: read, effect: read, taints: [untrusted]}
  - name: pay
    limits: [{calls: 3/session}, {budget: 100/session of amount}]
    conditions:
      args: {amount: {type: number, decimals: 2}}
      max_amount: 50
      deny_if: session.tainted("untrusted") && session.count("pay") > 1
  - {name: mail, mode: shadow, sanitize: [{redact: [email]}]}
`

// TestCaptureReproduces: what the server captured under load, a simulation decides again, decision for decision.
func TestCaptureReproduces(t *testing.T) {
	for _, mode := range []aegis.Mode{aegis.Enforce, aegis.Shadow} {
		t.Run(mode.String(), func(t *testing.T) {
			dir := t.TempDir()
			clock := &ticking{now: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)}
			c := serve.NewCapture(serve.CaptureOptions{Dir: dir, Now: clock.next})
			s := service(t, serve.Options{Mode: mode, Observers: []serve.Observer{c}, Now: clock.next}, captured)
			var wg sync.WaitGroup
			for w := range 4 {
				wg.Add(1)
				go func() {
					defer wg.Done()
					for i := range 400 {
						// The workers share sessions, so that calls of one session race.
						send(t, s, (w*131+i*17)%40, i, clock.next())
					}
				}()
			}
			wg.Wait()
			if err := c.Close(); err != nil || c.Lost() != 0 {
				t.Fatal(err, c.Lost())
			}
			files, err := filepath.Glob(filepath.Join(dir, "*.parquet"))
			if err != nil || len(files) != 1 {
				t.Fatal(files, err)
			}
			reproduce(t, files[0], mode)
		})
	}
}

// ticking is a clock that goes on by a millisecond whenever it is looked at.
type ticking struct {
	mu  sync.Mutex
	now time.Time
}

func (c *ticking) next() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Millisecond)
	return c.now
}

func send(t *testing.T, s *serve.Service, session, i int, at time.Time) {
	tool, args := "pay", fmt.Sprintf(`{"amount":%d.5}`, i%60)
	switch i % 5 {
	case 0:
		tool, args = "read", `{}`
	case 1:
		tool, args = "mail", `{"text":"to ann@example.com"}`
	}
	c, err := aegis.DecodeCall(fmt.Appendf(nil, `{"tenant":"default","agent":"a","tool":%q,"session":"s%d","args":%s}`, tool, session, args))
	if err != nil {
		t.Error(err)
		return
	}
	a := s.Decide(context.Background(), &serve.Request{Call: c, Door: "test", Rewrites: true, Received: at})
	// Calls that fail leave nothing in the history: the row says so. Here each outcome comes before the session's next call
	// is ruled on only by chance, so only calls that no history knows are reported.
	if tool == "mail" && a.Passes {
		if err := s.Outcome(a.ID, "", i%2 == 0, nil); err != nil {
			t.Error(err)
		}
	}
}

// reproduce simulates a capture and compares each decision with the recorded one.
func reproduce(t *testing.T, path string, mode aegis.Mode) {
	t.Helper()
	f, err := capture.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	recorded, failed := map[string]string{}, 0
	var b capture.Batch
	for g := range f.NumGroups() {
		if err := f.ReadGroup(g, capture.AllColumns, &b); err != nil {
			t.Fatal(err)
		}
		for i := range b.Rows {
			recorded[fmt.Sprint(b.Session.At(i), "/", b.Seq[i])] = b.RecordedDecision.At(i)
			if b.Outcome.At(i) == "failed" {
				failed++
			}
		}
	}
	if len(recorded) != 1600 || failed == 0 {
		t.Fatalf("%d rows, %d failed", len(recorded), failed)
	}
	_, err = simulate.Run(context.Background(), load(t, captured), simulate.Options{Traffic: []string{path}, Mode: mode,
		EachSeq: func(c *aegis.Call, v *decide.Verdict, seq int64) {
			at := fmt.Sprint(c.Session, "/", seq)
			if recorded[at] != v.Outcome.String() {
				t.Errorf("%s %s: recorded %s, simulated %s", at, c.Tool, recorded[at], v.Outcome)
			}
			delete(recorded, at)
		}})
	if err != nil || len(recorded) != 0 {
		t.Errorf("%v; %d calls were not simulated", err, len(recorded))
	}
}
