package telemetry_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/serve"
	"github.com/aegisctl/aegis/serve/telemetry"
)

func scrape(t testing.TB, m *telemetry.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// full is a server with everything that /metrics tells of, after calls with every outcome.
func full(t *testing.T, tenants bool) (*serve.Service, *telemetry.Metrics) {
	t.Helper()
	dir := t.TempDir()
	events, done := outputs(t, "jsonl="+dir+"/a", "jsonl="+dir+"/b")
	t.Cleanup(done)
	m := telemetry.NewMetrics()
	s := service(t, serve.Options{Mode: aegis.Shadow, Observers: []serve.Observer{m, events}}, payments, globex)
	m.Watch(telemetry.MetricOptions{Service: s, Tenants: tenants, Outputs: events, CaptureLost: func() int64 { return 3 },
		LogDropped: func() int64 { return 4 }, Spans: func() (int64, int64, int64) { return 1, 2, 3 },
		Parts: map[string]func(context.Context) error{"store": func(context.Context) error { return nil },
			"audit": func(context.Context) error { return fmt.Errorf("away") }}})
	m.LookedAt("https://ann:pass@bundles.example/b.tar.gz?token=secret", "", false)
	m.LookedAt("https://ann:pass@bundles.example/b.tar.gz?token=secret", "unreachable", true)
	for _, c := range [][3]string{{"acme", "pay", `{"amount":5}`}, {"acme", "refund", `{"amount":9999}`}, {"acme", "pay", `{"amount":2000}`},
		{"acme", "mail", `{"to":"ann@example.com"}`}, {"acme", "ledger-x", `{}`}, {"globex", "pay", `{"amount":5}`}, {"nobody", "x", `{}`}} {
		s.Decide(context.Background(), request(t, c[0], "finance-agent", c[1], c[2]))
	}
	s.Decide(context.Background(), &serve.Request{Bad: fmt.Errorf("no JSON"), Door: "native"})
	return s, m
}

func TestMetrics(t *testing.T) {
	_, m := full(t, false)
	text := scrape(t, m)
	for _, want := range []string{
		`aegis_decisions_total{decision="allow",mode="shadow",tool="pay"} 2`,
		`aegis_decisions_total{decision="deny",mode="shadow",tool="refund"} 1`,
		`aegis_decisions_total{decision="approval_needed",mode="shadow",tool="pay"} 1`,
		`aegis_decisions_total{decision="allow",mode="shadow",tool="ledger-*"} 1`,
		`aegis_decisions_total{decision="deny",mode="shadow",tool="(other)"} 1`,
		`aegis_would_block_total{tool="refund"} 1`,
		`aegis_would_hold_total{tool="pay"} 1`,
		`aegis_decision_reasons_total{code="max_exceeded",mode="shadow"} 1`,
		`aegis_decision_duration_seconds_bucket{door="native",le="5e-05"}`,
		`aegis_decision_duration_seconds_count{door="native"} 8`,
		`aegis_malformed_total 1`,
		`aegis_policy_serial{source="policies/a"} 7`,
		`aegis_bundle_reload_failures_total{code="unreachable",source="https://bundles.example/b.tar.gz"} 1`,
		`aegis_bundle_stale{source="https://bundles.example/b.tar.gz"} 1`,
		`aegis_component_up{component="audit"} 0`,
		`aegis_component_up{component="store"} 1`,
		`aegis_capture_rows_lost_total 3`,
		`aegis_spans_total{result="dropped"} 3`,
		`aegis_limit_left{kind="budget",ledger="shadow",limit="acme/finance-agent#limits[1]"} 499.9`,
		`aegis_mode_info{mode="shadow"} 1`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	for _, never := range []string{"acme\",tool", "secret", "nobody"} {
		if strings.Contains(text, never) {
			t.Errorf("%q is told", never)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
	_, m = full(t, true)
	if want := `aegis_decisions_total{decision="deny",mode="shadow",tenant="(other)",tool="(other)"} 1`; !strings.Contains(scrape(t, m), want) {
		t.Errorf("no %s in\n%s", want, scrape(t, m))
	}
}

// TestPromtool hands what is served to Prometheus' own checker.
func TestPromtool(t *testing.T) {
	promtool := tool(t, "AEGIS_PROMTOOL", "promtool")
	for _, tenants := range []bool{false, true} {
		_, m := full(t, tenants)
		c := exec.Command(promtool, "check", "metrics")
		c.Stdin = strings.NewReader(scrape(t, m))
		if out, err := c.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%v: %s", err, out)
		}
	}
}

// TestNativeHistogram: scrapers that ask for protocol buffers get the native histogram beside the classic buckets.
func TestNativeHistogram(t *testing.T) {
	_, m := full(t, false)
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/metrics", nil)
	r.Header.Set("Accept", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text")
	m.Handler().ServeHTTP(w, r)
	text := w.Body.String()
	if !regexp.MustCompile(`positive_span: *{`).MatchString(text) || !regexp.MustCompile(`upper_bound: +0.0001\b`).MatchString(text) {
		t.Errorf("not both kinds of buckets:\n%.3000s", text)
	}
}

// TestSeriesAreBounded is the case tm-label: names that callers make up, and names that ever more policies state.
func TestSeriesAreBounded(t *testing.T) {
	n := 20_000
	if os.Getenv("AEGIS_LONG") != "" {
		n = 200_000
	}
	m := telemetry.NewMetrics()
	s := service(t, serve.Options{Observers: []serve.Observer{m}}, payments)
	m.Watch(telemetry.MetricOptions{Service: s, Tenants: true})
	before := strings.Count(scrape(t, m), "\n")
	for i := range n {
		name := fmt.Sprint("made-up-", i)
		r := request(t, name, name, name, `{}`)
		r.Call.Session = ""
		s.Decide(context.Background(), r)
	}
	if after := strings.Count(scrape(t, m), "\n"); after > before+60 {
		t.Errorf("%d lines of metrics became %d", before, after)
	}
	// 3,000 names that policies state are more than may become labels.
	var b strings.Builder
	b.WriteString("tenant: acme\nagent: finance-agent\nallowed_tools:\n")
	for i := range 3000 {
		fmt.Fprintf(&b, "  - {name: tool-%d}\n", i)
	}
	install(t, s, b.String())
	for i := range 3000 {
		s.Decide(context.Background(), request(t, "acme", "finance-agent", fmt.Sprint("tool-", i), `{}`))
	}
	text := scrape(t, m)
	if got := strings.Count(text, `aegis_decisions_total{decision="allow"`); got < 1500 || got > 2001 {
		t.Errorf("%d series of allowed calls", got)
	}
	if !strings.Contains(text, `tool="(other)"`) {
		t.Error("nothing is counted as (other)")
	}
}

const deployed = "../../deploy/grafana/"

// TestDeployed: every metric that the dashboard and the rules ask for is one that a server tells of.
func TestDeployed(t *testing.T) {
	_, m := full(t, false)
	known := map[string]bool{"up": true}
	for _, l := range regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)`).FindAllStringSubmatch(scrape(t, m), -1) {
		known[l[1]] = true
		if l[2] == "histogram" {
			known[l[1]+"_bucket"], known[l[1]+"_count"], known[l[1]+"_sum"] = true, true, true
		}
	}
	for _, file := range []string{"dashboard.json", "rules.yaml"} {
		text, err := os.ReadFile(deployed + file)
		if err != nil {
			t.Fatal(err)
		}
		names := regexp.MustCompile(`\b(?:aegis|process|go)_[a-z0-9_]+\b`).FindAllString(string(text), -1)
		if len(names) < 5 {
			t.Errorf("%s asks for %d metrics", file, len(names))
		}
		for _, n := range names {
			if !known[n] {
				t.Errorf("%s asks for %s, which no server tells", file, n)
			}
		}
	}
}

// TestRules hands rules and configuration to Prometheus' own checker, and the rules' cases to its tester.
func TestRules(t *testing.T) {
	promtool := tool(t, "AEGIS_PROMTOOL", "promtool")
	for _, args := range [][]string{{"check", "rules", deployed + "rules.yaml"}, {"check", "config", deployed + "prometheus.yaml"},
		{"test", "rules", deployed + "rules_test.yaml"}} {
		if out, err := exec.Command(promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v: %s", args, err, out)
		}
	}
}

// TestDashboard holds the dashboard to what Grafana needs of one: panels with ids that differ and places that do not overlap,
// queries with a data source and a legend, units, descriptions, and variables that are declared.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile(deployed + "dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	type source struct{ Type, UID string }
	var d struct {
		Title, UID, Timezone string
		SchemaVersion        int
		Editable             *bool
		Templating           struct {
			List []struct {
				Name, Type, Query string
				Datasource        *source
			}
		}
		Panels []struct {
			ID                       int
			Type, Title, Description string
			Datasource               *source
			GridPos                  struct{ H, W, X, Y int }
			FieldConfig              struct{ Defaults struct{ Unit string } }
			Targets                  []struct {
				RefID, Expr, LegendFormat string
				Datasource                *source
			}
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if d.Title == "" || d.UID == "" || d.SchemaVersion < 36 || len(d.Panels) < 5 {
		t.Errorf("title %q, uid %q, schema %d, %d panels", d.Title, d.UID, d.SchemaVersion, len(d.Panels))
	}
	vars := map[string]bool{"__rate_interval": true, "__range": true}
	for _, v := range d.Templating.List {
		vars[v.Name] = true
	}
	ids, taken := map[int]string{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if p.Title == "" || ids[p.ID] != "" || p.ID == 0 {
			t.Errorf("panel %d: title %q, id also of %q", p.ID, p.Title, ids[p.ID])
		}
		ids[p.ID] = p.Title
		g := p.GridPos
		if g.W < 1 || g.H < 1 || g.X < 0 || g.X+g.W > 24 {
			t.Errorf("%s: place %+v", p.Title, g)
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if taken[[2]int{x, y}] != "" {
					t.Fatalf("%s overlaps %s", p.Title, taken[[2]int{x, y}])
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.Description == "" || p.FieldConfig.Defaults.Unit == "" || len(p.Targets) == 0 {
			t.Errorf("%s: no description, unit or query", p.Title)
		}
		refs := map[string]bool{}
		for _, q := range p.Targets {
			if q.Expr == "" || q.RefID == "" || refs[q.RefID] || q.Datasource == nil || q.Datasource.UID != "${datasource}" || q.LegendFormat == "" {
				t.Errorf("%s: query %+v", p.Title, q)
			}
			refs[q.RefID] = true
			for _, v := range regexp.MustCompile(`\$\{?(\w+)`).FindAllStringSubmatch(q.Expr, -1) {
				if !vars[v[1]] {
					t.Errorf("%s: no variable %s", p.Title, v[1])
				}
			}
		}
	}
	promtool := tool(t, "AEGIS_PROMTOOL", "promtool")
	// Rules are the one form in which promtool reads queries without a server.
	var rules strings.Builder
	rules.WriteString("groups:\n- name: dashboard\n  rules:\n")
	n := 0
	for _, p := range d.Panels {
		for _, q := range p.Targets {
			n++
			expr := strings.NewReplacer("$__rate_interval", "5m", "$__range", "1h", "$job", "aegis", "$tool", ".*", "$instance", ".*").Replace(q.Expr)
			fmt.Fprintf(&rules, "  - record: dashboard:q%d\n    expr: %q\n", n, expr)
		}
	}
	file := t.TempDir() + "/rules.yaml"
	if err := os.WriteFile(file, []byte(rules.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(promtool, "check", "rules", file).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
