package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestServeTelemetry: what the flags ask for is there, and is whole when the server has ended.
func TestServeTelemetry(t *testing.T) {
	bin := aegisctlBinary(t)
	key, paths := bundles(t, bin, 1)
	dir := t.TempDir()
	s := startServe(t, bin, "--bundle", paths[0], "--key", key, "--log-format", "json", "--log-decisions", "warn",
		"--events", "jsonl="+filepath.Join(dir, "events"), "--events", "csv="+filepath.Join(dir, "csv"), "--otlp-endpoint", "http://127.0.0.1:1")
	const calls = 5
	for range calls {
		if _, err := s.ask(http.DefaultClient); err != nil {
			t.Fatal(err)
		}
	}
	status, metrics := s.get("/metrics")
	for _, want := range []string{"aegis_decisions_total{", "aegis_decision_duration_seconds_count{door=\"native\"} 5", "aegis_bundle_last_success_timestamp_seconds{",
		"aegis_policy_info{", "aegis_spans_total{", "aegis_events_total{output=\"jsonl to a file\""} {
		if status != 200 || !strings.Contains(metrics, want) {
			t.Errorf("%d: no %s in\n%s", status, want, metrics)
		}
	}
	s.signal(syscall.SIGTERM)
	if err := <-s.ended; err != nil {
		t.Errorf("%v\n%s", err, s.stderr())
	}
	if n := strings.Count(s.stderr(), `"msg":"decision"`); n != calls {
		t.Errorf("%d log lines for %d decisions:\n%s", n, calls, s.stderr())
	}
	for file, want := range map[string]int{"events": calls, "csv": calls + 1} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil || strings.Count(string(text), "\n") != want {
			t.Errorf("%s: %v: %s", file, err, text)
		}
	}
}
