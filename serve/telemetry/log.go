package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/aegisctl/aegis/serve"
)

// NewLogger makes a logger of lines of text or JSON that hold no control characters, whoever chose the values.
func NewLogger(w io.Writer, form string, level slog.Leveler) (*slog.Logger, error) {
	opt := &slog.HandlerOptions{Level: level}
	switch form {
	case "text":
		return slog.New(slog.NewTextHandler(SafeLines(w), opt)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(SafeLines(w), opt)), nil
	}
	return nil, fmt.Errorf("log format %q: use text or json", form)
}

// DecisionLog writes one log line for every decision. It is a serve.Observer.
type DecisionLog struct {
	log   *slog.Logger
	level slog.Level
	queue *queue[*Event]
}

// NewDecisionLog makes a log of decisions at a level. Where the logger does not take that level, nothing is done.
func NewDecisionLog(log *slog.Logger, level slog.Level) *DecisionLog {
	l := &DecisionLog{log: log, level: level}
	l.queue = newQueue(queued, 256, 100*time.Millisecond, l.write)
	return l
}

// Observe queues a line.
func (l *DecisionLog) Observe(ctx context.Context, r *serve.Record) {
	if l.log.Enabled(ctx, l.level) {
		l.queue.put(newEvent(ctx, r))
	}
}

// Dropped returns how many lines found the queue full.
func (l *DecisionLog) Dropped() int64 { return l.queue.dropped.Load() }

// Close writes what is left, no longer than ctx allows.
func (l *DecisionLog) Close(ctx context.Context) error { return l.queue.close(ctx) }

func (l *DecisionLog) write(ctx context.Context, events []*Event) {
	for _, e := range events {
		attrs := []slog.Attr{slog.String("decision_id", e.ID), slog.String("decision", e.Decision), slog.String("mode", e.Mode),
			slog.Bool("passed", e.Passed), slog.String("tenant", e.Tenant), slog.String("agent", e.Agent), slog.String("tool", e.Tool)}
		for _, a := range [][2]string{{"action", e.Action}, {"session", e.Session}, {"reasons", e.codes()}, {"policy_version", e.PolicyVersion},
			{"door", e.Door}, {"trace_id", e.TraceID}} {
			if a[1] != "" {
				attrs = append(attrs, slog.String(a[0], a[1]))
			}
		}
		attrs = append(attrs, slog.Duration("latency", e.Latency))
		l.log.LogAttrs(ctx, l.level, "decision", attrs...)
	}
}
