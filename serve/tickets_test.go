package serve

import (
	"testing"
	"time"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
	"pgregory.net/rapid"
)

// TestWaitingIsBounded: arguments that wait for outcomes are memory, and what is given back is counted exactly.
func TestWaitingIsBounded(t *testing.T) {
	set, err := policy.LoadText("p.yaml", "agent: a\nallowed_tools: [{name: x, conditions: {deny_if: 'session.sum(\"x\", \"n\") > 1000'}}]\n")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		s := New(Options{})
		defer s.Close()
		if err := s.Install([]Source{{Name: "s", Set: set}}); err != nil {
			rt.Fatal(err)
		}
		s.tickets.most = 100
		var waits []string
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			if len(waits) > 0 && rapid.IntRange(0, 2).Draw(rt, "end") == 0 {
				if err := s.Outcome(waits[0], "", rapid.Bool().Draw(rt, "failed"), nil); err != nil {
					rt.Fatal(err)
				}
				waits = waits[1:]
				continue
			}
			c, err := aegis.DecodeCall([]byte(`{"tenant":"default","agent":"a","tool":"x","session":"s","args":{"n":1}}`))
			if err != nil {
				rt.Fatal(err)
			}
			a := s.Decide(rt.Context(), &Request{Call: c})
			if !a.Passes {
				rt.Fatal(a.Decision)
			}
			if _, ok := s.tickets.of[a.ID]; ok {
				waits = append(waits, a.ID)
			} else if len(waits) < 100/len(`{"n":1}`) {
				rt.Fatalf("only %d wait", len(waits))
			}
			if s.tickets.size > 100 || s.tickets.size != len(waits)*len(`{"n":1}`) {
				rt.Fatalf("%d bytes wait in %d tickets", s.tickets.size, len(waits))
			}
		}
		s.tickets.expire(time.Now().Add(time.Hour))
		if s.tickets.size != 0 || len(s.tickets.of) != 0 {
			rt.Fatalf("%d bytes, %d tickets are left", s.tickets.size, len(s.tickets.of))
		}
	})
}
