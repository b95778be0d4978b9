package telemetry

import (
	"context"
	"strings"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/serve"
)

// Event is one decision as logs and security systems hear of it: who asked for what, and what was said. It holds no
// argument, no token and no header, and nothing longer than 256 bytes that a caller has chosen.
type Event struct {
	ID            string        `json:"decision_id"`
	Time          time.Time     `json:"time"`
	Door          string        `json:"door"`
	Principal     string        `json:"principal,omitempty"`
	Tenant        string        `json:"tenant"`
	Agent         string        `json:"agent"`
	Session       string        `json:"session,omitempty"`
	Tool          string        `json:"tool"`
	Action        string        `json:"action,omitempty"`
	Effect        string        `json:"effect"`
	Decision      string        `json:"decision"`
	Mode          string        `json:"mode"`
	Passed        bool          `json:"passed"` // the call may go ahead, whatever the decision says
	WouldBlock    bool          `json:"would_block"`
	WouldHold     bool          `json:"would_hold"`
	PolicyVersion string        `json:"policy_version,omitempty"`
	Reasons       []Reason      `json:"reasons"`
	CostMicro     int64         `json:"estimated_cost_micro_usd"`
	Latency       time.Duration `json:"latency_ns"`
	TraceID       string        `json:"trace_id,omitempty"`
}

// Reason is why: a code, and the rule that says so. Messages of rules are left out, since some quote arguments.
type Reason struct {
	Code string `json:"code"`
	Rule string `json:"rule,omitempty"`
}

// maxReasons bounds the reasons of an event.
const maxReasons = 16

// newEvent copies of a record what telemetry may know.
func newEvent(ctx context.Context, r *serve.Record) *Event {
	c, d := r.Call, r.Answer.Decision
	e := &Event{ID: r.ID, Time: r.Time.UTC(), Door: r.Door, Principal: clip(r.Who), Tenant: clip(c.Tenant), Agent: clip(c.Agent),
		Session: clip(c.Session), Tool: clip(c.Tool), Action: clip(c.Action), Effect: r.Effect().String(), Decision: d.Decision, Mode: d.Mode,
		Passed: r.Answer.Passes, WouldBlock: d.WouldBlock, WouldHold: d.WouldHold, PolicyVersion: d.PolicyVersion,
		CostMicro: int64(d.EstimatedCost), Latency: r.Latency}
	if sc := remote(ctx); sc.IsValid() {
		e.TraceID = sc.TraceID().String()
	}
	e.Reasons = make([]Reason, 0, min(maxReasons, len(d.Reasons)+len(d.Errors)))
	for _, list := range [][]aegis.Reason{d.Reasons, d.Errors} {
		for _, why := range list {
			if len(e.Reasons) < maxReasons {
				e.Reasons = append(e.Reasons, Reason{why.Code.String(), why.Rule})
			}
		}
	}
	return e
}

// blocked reports whether the decision is one that blocks where it is enforced.
func (e *Event) blocked() bool { return e.Decision == "deny" || e.Decision == "reject" }

// codes joins the codes of the reasons, without repeats.
func (e *Event) codes() string {
	var b strings.Builder
	seen := map[string]bool{}
	for _, r := range e.Reasons {
		if !seen[r.Code] {
			seen[r.Code] = true
			if b.Len() > 0 {
				b.WriteByte(',')
			}
			b.WriteString(r.Code)
		}
	}
	return b.String()
}

// remote returns the span that a request belongs to, if it came with a valid trace context.
func remote(ctx context.Context) trace.SpanContext {
	t := serve.TraceOf(ctx)
	if t.Parent == "" {
		return trace.SpanContext{}
	}
	in := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{"traceparent": t.Parent, "tracestate": t.State})
	return trace.SpanContextFromContext(in)
}
