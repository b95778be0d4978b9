package serve

import "context"

// Trace is the W3C trace context of a request, as the caller sent it: nobody has checked it.
type Trace struct {
	Parent string // traceparent
	State  string // tracestate
}

// Bounds of the headers: a traceparent of version 00 has 55 bytes, and what carries a longer tracestate need not be kept.
const (
	maxTraceparent = 256
	maxTracestate  = 512
)

type traceKey struct{}

// WithTrace adds the trace context that a request came with to its context. Doors call it with the values of the headers
// traceparent and tracestate, "" where there is none; observers read it with TraceOf. Baggage is left where it is: it may
// hold anything.
func WithTrace(ctx context.Context, traceparent, tracestate string) context.Context {
	if traceparent == "" || len(traceparent) > maxTraceparent {
		return ctx
	}
	if len(tracestate) > maxTracestate {
		tracestate = ""
	}
	return context.WithValue(ctx, traceKey{}, Trace{traceparent, tracestate})
}

// TraceOf returns the trace context of a request; zero where it has none.
func TraceOf(ctx context.Context) Trace {
	t, _ := ctx.Value(traceKey{}).(Trace)
	return t
}
