package telemetry

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/serve"
)

// MetricOptions say what /metrics shows. Functions may be nil: then their metrics are not there.
type MetricOptions struct {
	Service *serve.Service
	Tenants bool // a label tenant on what is counted by tool

	CaptureLost func() int64                               // rows of captured traffic that are lost
	Spans       func() (exported, failed, dropped int64)   // of Traces
	LogDropped  func() int64                               // of DecisionLog
	Outputs     []*Output                                  // events for logs and security systems
	Parts       map[string]func(ctx context.Context) error // by name (store, audit): whether a part that decisions need works
	Log         *slog.Logger
}

// Metrics counts decisions for Prometheus. It is a serve.Observer.
type Metrics struct {
	registry *prometheus.Registry
	opt      MetricOptions
	names    names
	looks    looks

	decisions, wouldBlock, wouldHold, reasons *prometheus.CounterVec
	failedOpen, malformed                     prometheus.Counter
	latency                                   *prometheus.HistogramVec
}

// buckets suit decisions, most of which take microseconds, and doors that wait for stores. In seconds.
var buckets = []float64{50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 500e-3, 1}

// NewMetrics makes the metrics. Watch must be called before the first decision.
func NewMetrics() *Metrics {
	return &Metrics{registry: prometheus.NewRegistry(), looks: looks{of: map[string]*look{}}}
}

// Watch begins to count. It is apart from NewMetrics because a service is made with its observers.
func (m *Metrics) Watch(opt MetricOptions) {
	m.opt = opt
	m.names = names{units: opt.Service.Units, pairs: map[pair]bool{}, tools: map[string]bool{}}
	tool := []string{"tool"}
	if opt.Tenants {
		tool = append(tool, "tenant")
	}
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m.decisions = vec("aegis_decisions_total", "Decisions, by what was decided, whether it bound, and the tool as policies name it.",
		append([]string{"decision", "mode"}, tool...)...)
	m.wouldBlock = vec("aegis_would_block_total", "Decisions to deny or reject that were not enforced.", tool...)
	m.wouldHold = vec("aegis_would_hold_total", "Decisions to ask a human that were not enforced.", tool...)
	m.reasons = vec("aegis_decision_reasons_total", "Decisions that cite a reason code; one may cite several.", "code", "mode")
	m.failedOpen = prometheus.NewCounter(prometheus.CounterOpts{Name: "aegis_failed_open_total",
		Help: "Calls that were let through because the server could not decide them and their entries say on_failure: open."})
	m.malformed = prometheus.NewCounter(prometheus.CounterOpts{Name: "aegis_malformed_total", Help: "Requests that were no call."})
	m.latency = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "aegis_decision_duration_seconds",
		Help: "Time from the door to the decision, by door.", Buckets: buckets,
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 160}, []string{"door"})
	m.registry.MustRegister(m.decisions, m.wouldBlock, m.wouldHold, m.reasons, m.failedOpen, m.malformed, m.latency, &health{m},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
}

// Observe counts a decision.
func (m *Metrics) Observe(_ context.Context, r *serve.Record) {
	d := r.Answer.Decision
	tenant, tool := m.names.labelsOf(r.Call.Tenant, r.Call.Tool)
	with := [4]string{d.Decision, d.Mode, tool}
	n := 3
	if m.opt.Tenants {
		with[3], with[2] = m.names.admitPair(tenant, tool)
		n = 4
	}
	m.decisions.WithLabelValues(with[:n]...).Inc()
	if d.WouldBlock {
		m.wouldBlock.WithLabelValues(with[2:n]...).Inc()
	}
	if d.WouldHold {
		m.wouldHold.WithLabelValues(with[2:n]...).Inc()
	}
	m.latency.WithLabelValues(r.Door).Observe(r.Latency.Seconds())
	if r.Malformed {
		m.malformed.Inc()
	}
	if len(d.Reasons) > 0 || len(d.Errors) > 0 {
		m.why(d)
	}
}

// why counts the codes that a decision cites, each once.
func (m *Metrics) why(d *aegis.Decision) {
	var seen [aegis.Codes]bool
	for _, list := range [2][]aegis.Reason{d.Reasons, d.Errors} {
		for i := range list {
			code := list[i].Code
			if seen[code] {
				continue
			}
			seen[code] = true
			m.reasons.WithLabelValues(code.String(), d.Mode).Inc()
			if code == aegis.FailedOpen {
				m.failedOpen.Inc()
			}
		}
	}
}

// Handler serves the metrics. It belongs on the admin listener.
func (m *Metrics) Handler() http.Handler {
	var log promhttp.Logger
	if m.opt.Log != nil {
		log = printer{m.opt.Log}
	}
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorLog: log, ErrorHandling: promhttp.ContinueOnError,
		MaxRequestsInFlight: 4, EnableOpenMetrics: true})
}

// printer hands what promhttp says to the log.
type printer struct{ log *slog.Logger }

func (p printer) Println(v ...any) { p.log.Error("metrics could not be gathered", "error", v) }
