package draft

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/aegisctl/aegis/capture"
)

// BenchmarkDraft drafts from payments of 20,000 sessions: both passes, from the file to the policy.
func BenchmarkDraft(b *testing.B) {
	path := filepath.Join(b.TempDir(), "t.parquet")
	w, err := capture.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	const rows = 200_000
	for i := range rows {
		err := w.Write(capture.Row{TimeMicros: int64(i) * 1e6, HasTime: true, Tenant: "acme", Session: fmt.Sprint("s", i/10), Agent: "pay-agent",
			Tool: "stripe", Action: []string{"create_payment", "get_payment"}[i%2], Region: "eu-west-1", Args: fmt.Appendf(nil,
				`{"amount":%d.%02d,"currency":"EUR","recipient":"acct_%08x","reference":"INV-%06d","memo":"invoice of July"}`, i%4999, i%100, i*7, i%1000000)})
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Run(context.Background(), Options{Traffic: []string{path}, Holdout: 0.2}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s")
}
