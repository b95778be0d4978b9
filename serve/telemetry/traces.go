package telemetry

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/aegisctl/aegis/serve"
)

// TraceOptions say where spans go. What is empty comes from the environment, by the names that OpenTelemetry defines
// (OTEL_EXPORTER_OTLP_*, OTEL_BSP_*, OTEL_TRACES_SAMPLER, OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME, OTEL_SDK_DISABLED).
type TraceOptions struct {
	Endpoint string // http://host:4318, https://…; for grpc the host and port count
	Protocol string // grpc or http/protobuf
	Version  string // of this program
	Log      *slog.Logger
}

// Wanted reports whether options or environment name a collector.
func (o TraceOptions) Wanted() bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	return o.Endpoint != "" || os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// Traces makes one span of every decision, and exports them by OTLP. It is a serve.Observer.
type Traces struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	spans    *spans
}

// NewTraces makes an exporter. It connects when there is something to send: a collector that is away costs spans, no
// start.
func NewTraces(ctx context.Context, opt TraceOptions) (*Traces, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	exporter, err := newExporter(ctx, opt)
	if err != nil {
		return nil, err
	}
	var instance [16]byte
	rand.Read(instance[:]) // it never fails
	// Nothing is detected: command lines and host names are not everybody's.
	res, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "aegisctl"),
		attribute.String("service.version", opt.Version), attribute.String("service.instance.id", hex.EncodeToString(instance[:]))),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	s := &spans{exporter: exporter, log: opt.Log}
	size := positive("OTEL_BSP_MAX_QUEUE_SIZE", 8192)
	s.queue = newQueue(size, positive("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512),
		time.Duration(positive("OTEL_BSP_SCHEDULE_DELAY", 1000))*time.Millisecond, s.export)
	// The sampler is the environment's, or that of the caller's trace.
	p := sdktrace.NewTracerProvider(sdktrace.WithResource(res), sdktrace.WithSpanProcessor(s))
	return &Traces{p, p.Tracer("github.com/aegisctl/aegis/serve", trace.WithInstrumentationVersion(opt.Version)), s}, nil
}

func positive(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 && n <= 1<<20 {
		return n
	}
	return otherwise
}

// newExporter makes the exporter of a protocol.
func newExporter(ctx context.Context, opt TraceOptions) (*otlptrace.Exporter, error) {
	protocol := opt.Protocol
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if protocol == "" {
			protocol = os.Getenv(name)
		}
	}
	if opt.Endpoint != "" {
		u, err := url.Parse(opt.Endpoint)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, fmt.Errorf("the OTLP endpoint %q is no URL: write http://host:4318 or https://host:4318", opt.Endpoint)
		}
		if u.User != nil {
			return nil, errors.New("the OTLP endpoint carries a password: put it into OTEL_EXPORTER_OTLP_HEADERS")
		}
	}
	switch protocol {
	case "grpc":
		var o []otlptracegrpc.Option
		if opt.Endpoint != "" {
			o = append(o, otlptracegrpc.WithEndpointURL(opt.Endpoint))
		}
		return otlptracegrpc.New(ctx, o...)
	case "", "http/protobuf":
		var o []otlptracehttp.Option
		if opt.Endpoint != "" {
			// As OTEL_EXPORTER_OTLP_ENDPOINT: the address of the collector, not of one of its signals.
			o = append(o, otlptracehttp.WithEndpointURL(strings.TrimSuffix(opt.Endpoint, "/")+"/v1/traces"))
		}
		return otlptracehttp.New(ctx, o...)
	}
	return nil, fmt.Errorf("the OTLP protocol %q is not spoken here: use grpc or http/protobuf", protocol)
}

// Observe makes the span of a decision, which ends now and took as long as the decision did.
func (t *Traces) Observe(ctx context.Context, r *serve.Record) {
	c, d := r.Call, r.Answer.Decision
	end := time.Now()
	from := remote(ctx)
	if t.spans.queue.full() && (from.IsSampled() || !from.IsValid()) {
		t.spans.queue.dropped.Add(1) // where more spans come than can be sent, those that are lost cost nothing
		return
	}
	parent := trace.ContextWithRemoteSpanContext(context.Background(), from)
	_, span := t.tracer.Start(parent, "aegis.decide", trace.WithTimestamp(end.Add(-r.Latency)), trace.WithSpanKind(trace.SpanKindInternal))
	if span.IsRecording() {
		agent, tool := clip(c.Agent), clip(c.Tool)
		attrs := append(make([]attribute.KeyValue, 0, 24),
			attribute.String("gen_ai.operation.name", "execute_tool"), // what is decided about
			attribute.String("gen_ai.tool.name", tool),
			attribute.String("gen_ai.agent.id", agent),
			attribute.String("aegis.agent_id", agent),
			attribute.String("aegis.tool_name", tool),
			attribute.String("aegis.tenant", clip(c.Tenant)),
			attribute.String("aegis.decision", d.Decision),
			attribute.String("aegis.mode", d.Mode),
			attribute.String("aegis.policy_version", d.PolicyVersion),
			attribute.Float64("aegis.latency", r.Latency.Seconds()),
			attribute.Float64("aegis.estimated_cost", float64(d.EstimatedCost)/1e6),
			attribute.String("aegis.decision_id", r.ID),
			attribute.String("aegis.door", r.Door),
			attribute.Bool("aegis.enforced", d.Enforced),
			attribute.Bool("aegis.would_block", d.WouldBlock),
			attribute.Bool("aegis.would_hold", d.WouldHold))
		if c.Action != "" {
			attrs = append(attrs, attribute.String("aegis.action", clip(c.Action)))
		}
		if c.Session != "" {
			attrs = append(attrs, attribute.String("gen_ai.conversation.id", clip(c.Session)))
		}
		var codes []string
		for i := range d.Reasons[:min(len(d.Reasons), maxReasons)] {
			codes = append(codes, d.Reasons[i].Code.String())
		}
		for i := range d.Errors[:min(len(d.Errors), maxReasons)] {
			codes = append(codes, d.Errors[i].Code.String())
		}
		if len(codes) > 0 {
			attrs = append(attrs, attribute.StringSlice("aegis.reasons", codes))
		}
		span.SetAttributes(attrs...)
	}
	span.End(trace.WithTimestamp(end))
}

// Counts returns how many spans were exported, how many the collector did not take, and how many found the queue full.
func (t *Traces) Counts() (exported, failed, dropped int64) {
	return t.spans.exported.Load(), t.spans.failed.Load(), t.spans.queue.dropped.Load()
}

// Close sends what is left, no longer than ctx allows.
func (t *Traces) Close(ctx context.Context) error { return t.provider.Shutdown(ctx) }

// spans is a span processor that never waits, and counts. That of the SDK drops silently.
type spans struct {
	exporter         *otlptrace.Exporter
	queue            *queue[sdktrace.ReadOnlySpan]
	log              *slog.Logger
	exported, failed atomic.Int64
	failing          bool // of the exporting goroutine
}

// exportWithin bounds one export, with all that is tried again.
const exportWithin = 10 * time.Second

func (s *spans) export(ctx context.Context, batch []sdktrace.ReadOnlySpan) {
	ctx, cancel := context.WithTimeout(ctx, exportWithin)
	defer cancel()
	if err := s.exporter.ExportSpans(ctx, batch); err != nil {
		s.failed.Add(int64(len(batch)))
		if !s.failing { // once, not for every batch
			s.log.Warn("spans could not be exported; they are counted in aegis_spans_total", "error", err)
		}
		s.failing = true
		return
	}
	s.exported.Add(int64(len(batch)))
	if s.failing {
		s.log.Warn("spans are exported again")
	}
	s.failing = false
}

// OnStart does nothing.
func (s *spans) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd queues a span.
func (s *spans) OnEnd(span sdktrace.ReadOnlySpan) {
	if span.SpanContext().IsSampled() {
		s.queue.put(span)
	}
}

// ForceFlush does nothing: spans leave within OTEL_BSP_SCHEDULE_DELAY.
func (s *spans) ForceFlush(context.Context) error { return nil }

// Shutdown sends what is left.
func (s *spans) Shutdown(ctx context.Context) error {
	return errors.Join(s.queue.close(ctx), s.exporter.Shutdown(ctx))
}
