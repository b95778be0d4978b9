//go:build unix

package capture

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func writeTraffic(t testing.TB, path string, n int) {
	w, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	r := rand.New(rand.NewPCG(7, 7))
	rows := make([]Row, 1000)
	for i := 0; i < n; i += len(rows) {
		rows = rows[:min(len(rows), n-i)]
		for k := range rows {
			rows[k] = trafficRow(r, i+k)
		}
		if err := w.Write(rows...); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func openBench(b *testing.B) *File {
	path := filepath.Join(b.TempDir(), "traffic.parquet")
	writeTraffic(b, path, benchRows)
	f, err := Open(path)
	if err != nil {
		b.Fatal(err)
	}
	return f
}

func readAll(b *testing.B, f *File, cols Columns, workers int) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			var batch Batch
			for {
				g := int(next.Add(1)) - 1
				if g >= f.NumGroups() {
					return
				}
				if err := f.ReadGroup(g, cols, &batch); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

const benchRows = 8 * GroupRows

func cpuSeconds() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

func BenchmarkRead(b *testing.B) {
	f := openBench(b)
	defer f.Close()
	for _, c := range []struct {
		name string
		cols Columns
	}{
		{"all", AllColumns},
		{"nolabels", AllColumns &^ ColLabels},
		{"order", OrderColumns},
		{"args", ColArgs},
		{"names", ColAgent | ColTool | ColAction},
	} {
		for _, workers := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/workers=%d", c.name, workers), func(b *testing.B) {
				runtime.GC()
				b.ResetTimer()
				before := cpuSeconds()
				for range b.N {
					readAll(b, f, c.cols, workers)
				}
				b.ReportMetric(float64(f.NumRows())*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
				// What counts on a machine that does other work, too.
				b.ReportMetric(float64(f.NumRows())*float64(b.N)/(cpuSeconds()-before)/1e6, "Mrows/cpu-s")
			})
		}
	}
}

// BenchmarkLimit only reads and decompresses all pages: what BenchmarkRead cannot beat.
func BenchmarkLimit(b *testing.B) {
	f := openBench(b)
	defer f.Close()
	b.ResetTimer()
	before := cpuSeconds()
	p := pageReader{r: f.r}
	for range b.N {
		for g := range f.meta.groups {
			for i := range f.meta.groups[g].chunks {
				c := &f.meta.groups[g].chunks[i]
				p.open(f.r, c)
				var h pageHeader
				for p.next(&h) == nil {
					if err := p.window(int(h.packed)); err != nil {
						b.Fatal(err)
					}
					body := p.buf[h.defLen+h.repLen : h.packed]
					var err error
					if size := int(h.size - h.defLen - h.repLen); size > 0 {
						if p.scratch, err = p.flate.append(p.scratch[:0], body, p.codec, size); err != nil {
							b.Fatal(err)
						}
					}
					p.skip(&h)
				}
			}
		}
	}
	b.ReportMetric(float64(f.NumRows())*float64(b.N)/(cpuSeconds()-before)/1e6, "Mrows/cpu-s")
}

func BenchmarkDecisions(b *testing.B) {
	rows := make([]Decided, 4096)
	for i := range rows {
		rows[i] = Decided{Tenant: "acme", Session: fmt.Sprintf("sess-%08x", i/12), Seq: int64(i % 12), HasSeq: true,
			Agent: fmt.Sprint("agent-", i%10), Tool: fmt.Sprint("svc-", i%17), Action: "create_payment", Decision: "allow",
			PolicyVersion: "sha256:0123456789abcdef0123456789abcdef"}
		if i%7 == 0 {
			rows[i].Decision, rows[i].Reasons, rows[i].Rules = "deny", []string{"max_exceeded"}, []string{"acme/agent/svc#max_amount"}
		}
	}
	path := filepath.Join(b.TempDir(), "d.parquet")
	before, n := cpuSeconds(), 0
	for range b.N {
		w, err := CreateDecisions(path)
		if err != nil {
			b.Fatal(err)
		}
		for range 128 {
			if err := w.Write(rows...); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
		n += 128 * len(rows)
	}
	b.ReportMetric(float64(n)/(cpuSeconds()-before)/1e6, "Mrows/cpu-s")
}

func BenchmarkWrite(b *testing.B) {
	rows := manyRows(20_000)
	path := filepath.Join(b.TempDir(), "t.parquet")
	before, n := cpuSeconds(), 0
	for range b.N {
		w, err := Create(path)
		if err != nil {
			b.Fatal(err)
		}
		for range 10 {
			if err := w.Write(rows...); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
		n += 10 * len(rows)
	}
	b.ReportMetric(float64(n)/(cpuSeconds()-before)/1e6, "Mrows/cpu-s")
}
