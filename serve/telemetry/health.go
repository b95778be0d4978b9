package telemetry

import (
	"context"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aegisctl/aegis/limit"
)

// health makes the metrics that are looked up when somebody asks.
type health struct{ m *Metrics }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	policyInfo   = desc("aegis_policy_info", "1 for each source of policies in force, with their version.", "source", "policy_version", "signed")
	policySerial = desc("aegis_policy_serial", "Serial of the bundle in force; 0 where it has none.", "source")
	policySince  = desc("aegis_policy_loaded_timestamp_seconds", "When the policies in force were put in force.", "source")
	bundleStale  = desc("aegis_bundle_stale", "1 where what is in force of a source expired, or was signed too long ago.", "source")
	bundleOK     = desc("aegis_bundle_last_success_timestamp_seconds", "When a source was last read and found good, changed or not.", "source")
	bundleFails  = desc("aegis_bundle_reload_failures_total", "Attempts to load a source that failed, by why; what was in force stays.", "source", "code")
	modeInfo     = desc("aegis_mode_info", "1, with the mode of the server.", "mode")
	sessionsDesc = desc("aegis_sessions", "Sessions that are remembered.")
	captureLost  = desc("aegis_capture_rows_lost_total", "Decisions that are not in the captured traffic.")
	spansDesc    = desc("aegis_spans_total", "Spans by what became of them: exported, failed (the collector did not take them), dropped (the queue was full).", "result")
	logDropped   = desc("aegis_log_decisions_dropped_total", "Decisions that are no log line, because the queue was full.")
	eventsDesc   = desc("aegis_events_total", "Events for logs and security systems by output and what became of them: written, failed, dropped (the queue was full).", "output", "result")
	partUp       = desc("aegis_component_up", "Whether a part that decisions need (store, audit) works.", "component")
	limitUsed    = desc("aegis_limit_used_ratio", "How much of a limit per calendar window is used up, of the key that has least left; ledger says whether it binds.", "limit", "kind", "ledger")
	limitLeft    = desc("aegis_limit_left", "What is left of a limit per calendar window, of the key that has least left: calls, dollars, or units of the argument that is summed.", "limit", "kind", "ledger")
	limitKeys    = desc("aegis_limit_keys", "Keys (agents, tenants, values of arguments) that have spent of a limit per calendar window.", "limit", "kind", "ledger")
)

// Describe sends nothing: what there is depends on the policies.
func (h *health) Describe(chan<- *prometheus.Desc) {}

// Collect looks everything up.
func (h *health) Collect(out chan<- prometheus.Metric) {
	o := &h.m.opt
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	count := func(d *prometheus.Desc, v int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge(modeInfo, 1, o.Service.Mode())
	gauge(sessionsDesc, float64(o.Service.Sessions()))
	h.bundles(gauge, count)
	h.limits(gauge)
	if o.CaptureLost != nil {
		count(captureLost, o.CaptureLost())
	}
	if o.Spans != nil {
		exported, failed, dropped := o.Spans()
		count(spansDesc, exported, "exported")
		count(spansDesc, failed, "failed")
		count(spansDesc, dropped, "dropped")
	}
	if o.LogDropped != nil {
		count(logDropped, o.LogDropped())
	}
	seen := map[string]int{}
	for _, output := range o.Outputs {
		name := output.Name()
		if seen[name]++; seen[name] > 1 {
			name += " (" + strconv.Itoa(seen[name]) + ")"
		}
		written, failed, dropped := output.Counts()
		count(eventsDesc, written, name, "written")
		count(eventsDesc, failed, name, "failed")
		count(eventsDesc, dropped, name, "dropped")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for name, check := range o.Parts {
		up := 1.0
		if check(ctx) != nil {
			up = 0
		}
		gauge(partUp, up, name)
	}
}

func (h *health) bundles(gauge func(*prometheus.Desc, float64, ...string), count func(*prometheus.Desc, int64, ...string)) {
	seen := map[string]bool{}
	for _, u := range h.m.opt.Service.Units() {
		name := sourceLabel(u.Name)
		if seen[name] { // two of one name would be the same series
			continue
		}
		seen[name] = true
		signed := "false"
		if u.Signed {
			signed = "true"
		}
		gauge(policyInfo, 1, name, u.Set.Version, signed)
		gauge(policySerial, float64(u.Serial), name)
		gauge(policySince, float64(u.Since.UnixMilli())/1e3, name)
	}
	h.m.looks.Lock()
	defer h.m.looks.Unlock()
	for name, l := range h.m.looks.of {
		gauge(bundleStale, l.stale, name)
		if !l.success.IsZero() {
			gauge(bundleOK, float64(l.success.UnixMilli())/1e3, name)
		}
		for code, n := range l.failures {
			count(bundleFails, n, name, code)
		}
	}
}

// looks is what came of looking at the sources of policies.
type looks struct {
	sync.Mutex
	of map[string]*look
}

type look struct {
	success  time.Time // when it was last read and found good, changed or not
	failures map[string]int64
	stale    float64
}

// LookedAt counts a look at a source of policies. code is why it failed, of a fixed list, or "" where all is well; stale says
// that what is in force of it is no longer fresh.
func (m *Metrics) LookedAt(source, code string, stale bool) {
	m.looks.Lock()
	defer m.looks.Unlock()
	name := sourceLabel(source)
	l := m.looks.of[name]
	if l == nil {
		l = &look{failures: map[string]int64{}}
		m.looks.of[name] = l
	}
	if code == "" {
		l.success = time.Now()
	} else {
		l.failures[label(code)]++
	}
	l.stale = 0
	if stale {
		l.stale = 1
	}
}

// Bounds of what is told of limits: calls wait while the keys of one limit are looked at, and each limit is six series.
const (
	maxLimitKeys = 1000
	maxLimits    = 1000
)

func (h *health) limits(gauge func(*prometheus.Desc, float64, ...string)) {
	bound, shadow := h.m.opt.Service.Usage(maxLimitKeys)
	for ledger, list := range map[string][]limit.Usage{"enforce": bound, "shadow": shadow} {
		seen := map[string]bool{}
		for _, u := range list {
			id, kind := label(u.Ledger), u.Kind.String()
			if len(seen) == maxLimits {
				break
			}
			if seen[id+kind] {
				continue
			}
			seen[id+kind] = true
			left := float64(max(0, u.Cap-u.Spent))
			if u.Kind == limit.Budget {
				left /= 1e6
			}
			gauge(limitUsed, float64(u.Spent)/float64(u.Cap), id, kind, ledger)
			gauge(limitLeft, left, id, kind, ledger)
			gauge(limitKeys, float64(u.Keys), id, kind, ledger)
		}
	}
}

// sourceLabel shows a source without what may be secret in its address.
func sourceLabel(s string) string {
	if u, err := url.Parse(s); err == nil && u.Host != "" {
		u.User, u.RawQuery, u.Fragment = nil, "", ""
		s = u.String()
	}
	return label(s)
}
