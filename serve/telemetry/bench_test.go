package telemetry_test

import (
	"context"
	"io"
	"log/slog"
	"syscall"
	"testing"

	"github.com/aegisctl/aegis/serve"
	"github.com/aegisctl/aegis/serve/telemetry"
)

// BenchmarkDecide measures a decision without telemetry and with each kind of it, in one run. Spans go to a collector that is
// away, so that the export itself does not count.
func BenchmarkDecide(b *testing.B) {
	var alone float64
	for _, c := range []struct {
		name string
		make func(*testing.B) ([]serve.Observer, func(*serve.Service))
	}{
		{"alone", func(*testing.B) ([]serve.Observer, func(*serve.Service)) { return nil, func(*serve.Service) {} }},
		{"metrics", func(b *testing.B) ([]serve.Observer, func(*serve.Service)) { return benchMetrics() }},
		{"spans", func(b *testing.B) ([]serve.Observer, func(*serve.Service)) {
			return []serve.Observer{benchTraces(b)}, func(*serve.Service) {}
		}},
		{"events", func(b *testing.B) ([]serve.Observer, func(*serve.Service)) {
			return []serve.Observer{benchEvents(b)}, func(*serve.Service) {}
		}},
		{"log line", func(b *testing.B) ([]serve.Observer, func(*serve.Service)) {
			return []serve.Observer{benchLog(b)}, func(*serve.Service) {}
		}},
		{"metrics and spans", func(b *testing.B) ([]serve.Observer, func(*serve.Service)) {
			o, watch := benchMetrics()
			return append(o, benchTraces(b)), watch
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			observers, watch := c.make(b)
			s := service(b, serve.Options{Observers: observers}, payments)
			watch(s)
			r := request(b, "acme", "finance-agent", "ledger-x", `{"account":"a-1","amount":50}`)
			b.ReportAllocs()
			before := cpu(b)
			for b.Loop() {
				s.Decide(context.Background(), r)
			}
			// Processor time of the whole process: that of what goes on behind the queues counts, that of other programs does not.
			per := float64(cpu(b)-before) / float64(b.N)
			b.ReportMetric(per, "cpu-ns/op")
			if c.name == "alone" {
				alone = per
			}
			if alone > 0 {
				b.ReportMetric(per/alone, "×alone")
			}
		})
	}
}

// cpu is the processor time that the process has used, in nanoseconds.
func cpu(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

func benchMetrics() ([]serve.Observer, func(*serve.Service)) {
	m := telemetry.NewMetrics()
	return []serve.Observer{m}, func(s *serve.Service) { m.Watch(telemetry.MetricOptions{Service: s}) }
}

func benchTraces(b *testing.B) *telemetry.Traces {
	t, err := telemetry.NewTraces(context.Background(), telemetry.TraceOptions{Endpoint: "http://127.0.0.1:1"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		t.Close(ctx)
	})
	return t
}

func benchEvents(b *testing.B) telemetry.Events {
	o, err := telemetry.NewOutput(telemetry.OutputOptions{Spec: "ocsf=-", Stdout: io.Discard})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		w, f, d := o.Counts()
		if w+f+d == 0 {
			b.Error("nothing was written")
		}
		o.Close(context.Background())
	})
	return telemetry.Events{o}
}

func benchLog(b *testing.B) *telemetry.DecisionLog {
	log, err := telemetry.NewLogger(io.Discard, "json", slog.LevelInfo)
	if err != nil {
		b.Fatal(err)
	}
	l := telemetry.NewDecisionLog(log, slog.LevelInfo)
	b.Cleanup(func() { l.Close(context.Background()) })
	return l
}
