package limit

import "testing"

// TestUsage: the key with the smallest part left is told, of limits that bind per window and have few enough keys.
func TestUsage(t *testing.T) {
	l := New()
	day := int64(1_000_000)
	b, c := budget(100, Day), calls(10, Day)
	reserve(t, l, day, 0, Charge{Spec: b, Key: "a", Amount: 30}, Charge{Spec: c, Key: "a", Amount: 1})
	reserve(t, l, day, 0, Charge{Spec: b, Key: "b", Amount: 80})
	reserve(t, l, day, 0, Charge{Spec: rate(5, 1_000_000_000), Key: "a", Amount: 1})
	reserve(t, l, day, 0, Charge{Spec: calls(4, Session), Session: "s", Key: "a", Amount: 1})
	got := l.Usage(day, 2)
	want := []Usage{{c.Ledger, Calls, 1, 1, 10}, {b.Ledger, Budget, 2, 80, 100}}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Fatalf("%+v, want %+v", got, want)
	}
	if got := l.Usage(day, 1); len(got) != 1 || got[0] != want[0] {
		t.Fatalf("with one key at most: %+v", got)
	}
	next := day + 24*3600*1_000_000
	if got := l.Usage(next, 2); len(got) != 2 || got[1].Spent != 0 {
		t.Fatalf("in the next window: %+v", got)
	}
	if l.Usage(maxTime+1, 2) != nil {
		t.Fatal("a time that is none")
	}
}
