// Command collector is the OpenTelemetry Collector's own OTLP receiver, and nothing behind it: every span that arrives is a
// line of JSON on standard output. It is a module of its own, so that the collector's dependencies stay out of Aegis.
//
//	collector GRPC-ADDRESS HTTP-ADDRESS
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
)

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(grpc, http string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	factory := otlpreceiver.NewFactory()
	cfg := factory.CreateDefaultConfig()
	conf := confmap.NewFromStringMap(map[string]any{"protocols": map[string]any{
		"grpc": map[string]any{"endpoint": grpc}, "http": map[string]any{"endpoint": http}}})
	if err := conf.Unmarshal(cfg); err != nil {
		return err
	}
	next, err := consumer.NewTraces(func(_ context.Context, t ptrace.Traces) error { return print(t) })
	if err != nil {
		return err
	}
	r, err := factory.CreateTraces(ctx, receivertest.NewNopSettings(component.MustNewType("otlp")), cfg, next)
	if err != nil {
		return err
	}
	if err := r.Start(ctx, componenttest.NewNopHost()); err != nil {
		return err
	}
	fmt.Println(`{"ready":true}`)
	<-ctx.Done()
	return r.Shutdown(context.Background())
}

// print writes each span as one line.
func print(t ptrace.Traces) error {
	enc := json.NewEncoder(os.Stdout)
	for _, rs := range t.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				err := enc.Encode(map[string]any{"name": s.Name(), "trace": s.TraceID().String(), "span": s.SpanID().String(),
					"parent": s.ParentSpanID().String(), "state": s.TraceState().AsRaw(), "kind": s.Kind().String(),
					"nanos": int64(s.EndTimestamp() - s.StartTimestamp()), "attributes": s.Attributes().AsRaw(), "resource": rs.Resource().Attributes().AsRaw()})
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}
