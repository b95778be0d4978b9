package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"github.com/aegisctl/aegis/serve"
	"github.com/aegisctl/aegis/serve/telemetry"
	"github.com/aegisctl/aegis/source"
)

// telemetryConfig says what serve tells the outside, and whom.
type telemetryConfig struct {
	logFormat    string
	logDecisions string
	endpoint     string
	protocol     string
	tenants      bool
	events       []string // FORMAT=PLACE
	eventsCA     string
}

const groupTelemetry = "Telemetry"

var telemetryOptions = []option{
	{groupTelemetry, "log-format", "text or json: how log lines are written", func(c *serveConfig) any { return &c.telemetry.logFormat }},
	{groupTelemetry, "log-decisions", "level at which every decision is a log line: debug, info, warn, error, or off", func(c *serveConfig) any { return &c.telemetry.logDecisions }},
	{groupTelemetry, "otlp-endpoint", "OpenTelemetry collector that gets a span for every decision, such as http://127.0.0.1:4318; OTEL_EXPORTER_OTLP_* count too",
		func(c *serveConfig) any { return &c.telemetry.endpoint }},
	{groupTelemetry, "otlp-protocol", "http/protobuf or grpc; default: OTEL_EXPORTER_OTLP_PROTOCOL, else http/protobuf", func(c *serveConfig) any { return &c.telemetry.protocol }},
	{groupTelemetry, "metrics-tenants", "count decisions on /metrics by tenant, too", func(c *serveConfig) any { return &c.telemetry.tenants }},
	{groupTelemetry, "events", "FORMAT=PLACE: an event for every decision; jsonl, ocsf, cef, syslog or csv into a file, - or udp://, tcp://, tls://host:port; repeat it for more",
		func(c *serveConfig) any { return &c.telemetry.events }},
	{groupTelemetry, "events-ca", "PEM file of the authorities of tls:// places, instead of the system's", func(c *serveConfig) any { return &c.telemetry.eventsCA }},
}

func defaultTelemetry() telemetryConfig {
	return telemetryConfig{logFormat: "text", logDecisions: "debug"}
}

// telling is the telemetry of a server that runs.
type telling struct {
	log       *slog.Logger
	tenants   bool
	metrics   *telemetry.Metrics
	traces    *telemetry.Traces      // nil: nobody gets spans
	decisions *telemetry.DecisionLog // nil: decisions are no log lines
	events    telemetry.Events
}

// open opens what telemetry is written to.
func (c *telemetryConfig) open(ctx context.Context, a *app) (_ *telling, err error) {
	t := &telling{log: a.log, tenants: c.tenants, metrics: telemetry.NewMetrics()}
	defer func() {
		if err != nil {
			t.close(time.Second)
		}
	}()
	trace := telemetry.TraceOptions{Endpoint: c.endpoint, Protocol: c.protocol, Version: programVersion(), Log: a.log}
	if trace.Wanted() {
		if t.traces, err = telemetry.NewTraces(ctx, trace); err != nil {
			return nil, fmt.Errorf("--otlp-endpoint: %w", err)
		}
	}
	if c.logDecisions != "off" {
		var level slog.Level
		if level.UnmarshalText([]byte(c.logDecisions)) != nil {
			return nil, fmt.Errorf("--log-decisions %q: use debug, info, warn, error or off", c.logDecisions)
		}
		t.decisions = telemetry.NewDecisionLog(a.log, level)
	}
	var ca []byte
	if c.eventsCA != "" {
		if ca, err = os.ReadFile(c.eventsCA); err != nil {
			return nil, fmt.Errorf("--events-ca: %w", err)
		}
	}
	for _, spec := range c.events {
		o, err := telemetry.NewOutput(telemetry.OutputOptions{Spec: spec, Version: programVersion(), Stdout: a.out, CA: ca, Log: a.log})
		if err != nil {
			return nil, fmt.Errorf("--events: %w", err)
		}
		t.events = append(t.events, o)
	}
	return t, nil
}

// observers are told of every decision.
func (t *telling) observers() []serve.Observer {
	out := []serve.Observer{t.metrics}
	if t.traces != nil {
		out = append(out, t.traces)
	}
	if t.decisions != nil {
		out = append(out, t.decisions)
	}
	if len(t.events) > 0 {
		out = append(out, t.events)
	}
	return out
}

// metricsOf begins to count, and returns /metrics.
func (t *telling) metricsOf(svc *serve.Service, captured *serve.Capture) http.Handler {
	opt := telemetry.MetricOptions{Service: svc, Tenants: t.tenants, Outputs: t.events, Log: t.log}
	if captured != nil {
		opt.CaptureLost = captured.Lost
	}
	if t.traces != nil {
		opt.Spans = t.traces.Counts
	}
	if t.decisions != nil {
		opt.LogDropped = t.decisions.Dropped
	}
	t.metrics.Watch(opt)
	return t.metrics.Handler()
}

// watch is told of each look at a source of policies.
func (t *telling) watch(e source.Event) {
	code := e.Code
	if e.Err != nil && code == "" {
		code = string(e.Result)
	}
	t.metrics.LookedAt(e.Source, code, e.Stale)
}

// close sends what is left, within a bound: a collector that is away does not keep the server from ending.
func (t *telling) close(within time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	var errs []error
	if t.traces != nil {
		errs = append(errs, t.traces.Close(ctx))
	}
	for _, o := range t.events {
		errs = append(errs, o.Close(ctx))
	}
	if t.decisions != nil {
		errs = append(errs, t.decisions.Close(ctx))
	}
	if err := errors.Join(errs...); err != nil {
		t.log.Warn("telemetry that was under way is lost", "error", err)
	}
}

// programVersion is the version as aegisctl version says it.
func programVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && version == "" {
		return info.Main.Version
	}
	return version
}
