package limit

import (
	"fmt"
	"testing"
	"time"
)

// benchCharges returns, for each of n agents, a charge of a rate, of calls per session and of a budget per day.
func benchCharges(n int) [][]Charge {
	rate := &Spec{Ledger: "acme/a#limits[0]", Kind: Rate, Count: 1_000_000, Per: time.Second}
	calls := &Spec{Ledger: "acme/a#limits[1]", Kind: Calls, Count: MaxWhole, Window: Session}
	budget := &Spec{Ledger: "acme/a#limits[2]", Kind: Budget, Cap: MaxWhole * micro, Window: Day}
	charges := make([][]Charge, n)
	for i := range charges {
		key, session := fmt.Sprintf("acme/agent-%d", i), fmt.Sprintf("acme/session-%d", i)
		charges[i] = []Charge{
			{Spec: rate, Key: key, Amount: 1},
			{Spec: calls, Key: key, Session: session, Amount: 1},
			{Spec: budget, Key: key, Amount: 20_000},
		}
	}
	return charges
}

func warmed(charges [][]Charge) *Ledger {
	l := New()
	for _, c := range charges {
		l.Reserve(0, c)
	}
	return l
}

// BenchmarkReserve is the simulator's path, on keys that were seen before and by one goroutine.
func BenchmarkReserve(b *testing.B) {
	for _, agents := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("agents=%d", agents), func(b *testing.B) {
			charges := benchCharges(agents)
			l := warmed(charges)
			b.ReportAllocs()
			now, i := int64(0), 0
			for b.Loop() {
				now += 1000
				if _, over, err := l.Reserve(now, charges[i]); over != 0 || err != nil {
					b.Fatal(over, err)
				}
				if i++; i == agents {
					i = 0
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reserves/s")
		})
	}
}

// BenchmarkCall is what the server does for one call: peek, reserve, settle.
func BenchmarkCall(b *testing.B) {
	charges := benchCharges(100)
	l := warmed(charges)
	b.ReportAllocs()
	now, i := int64(0), 0
	for b.Loop() {
		now += 1000
		i = (i + 1) % len(charges)
		l.Peek(now, charges[i])
		r, _, _ := l.Reserve(now, charges[i])
		if err := l.Settle(&r, AsReserved, AsReserved, 15_000); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReserveParallel has every core charge the one ledger.
func BenchmarkReserveParallel(b *testing.B) {
	charges := benchCharges(100)
	l := warmed(charges)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i = (i + 1) % len(charges) {
			l.Reserve(int64(i), charges[i])
		}
	})
}

// BenchmarkForget sweeps keys none of which can go.
func BenchmarkForget(b *testing.B) {
	l := warmed(benchCharges(10_000))
	for b.Loop() {
		l.Forget(0)
	}
}
