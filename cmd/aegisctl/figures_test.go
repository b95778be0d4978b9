package main

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/capture"
	"github.com/aegisctl/aegis/decide"
	"github.com/aegisctl/aegis/policy"
	"github.com/aegisctl/aegis/simulate"
)

// The policies of the figures. They read four arguments of each payment; the second adds limits, a budget, session
// history and a taint.
const (
	statelessPolicy = `
tenant: acme
agent: finance-agent
allowed_tools:
  - name: stripe-payments
    actions: [create_payment]
    conditions:
      max_amount: 5000
      require: [amount > 0]
      approval_needed_if: amount > 5000
      args:
        amount: {type: number, decimals: 2}
        currency: {in: [USD, EUR]}
        recipient: {in: [acct_1f3a9c2e77, acct_90bb31aa04, acct_5cc0de1177], else: approval}
        reference: {matches: 'INV-[0-9]{6}', optional: true}
  - {name: stripe-payments, actions: ["get_*", "list_*"], effect: read}
`
	statefulPolicy = `
tenant: acme
agent: finance-agent
limits:
  - rate: 1000/s
  - {budget: 20000000/day of amount, by: currency}
allowed_tools:
  - name: stripe-payments
    actions: [create_payment]
    taints: [paid]
    conditions:
      max_amount: 5000
      require: [amount > 0, 'session.count("stripe-payments/create_payment") < 50']
      approval_needed_if: amount > 5000
      args:
        amount: {type: number, decimals: 2}
        currency: {in: [USD, EUR]}
        recipient: {in: [acct_1f3a9c2e77, acct_90bb31aa04, acct_5cc0de1177], else: approval}
        reference: {matches: 'INV-[0-9]{6}', optional: true}
    limits: [{calls: 100/session}]
  - name: stripe-payments
    actions: ["get_*", "list_*"]
    effect: read
    conditions: {deny_if: 'session.tainted("paid") && amount > 5000'}
`
)

// writeTraffic makes rows of payment traffic in event order: sessions of ten calls, arguments of about 100 bytes.
func writeTraffic(t testing.TB, path string, rows int) {
	t.Helper()
	w, err := capture.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	pick := func(s ...string) string { return s[rng.IntN(len(s))] }
	for i := range rows {
		action := "create_payment"
		if n := rng.IntN(10); n >= 6 {
			action = []string{"get_payment", "get_payment", "get_payment", "list_payments"}[n-6]
		}
		args := fmt.Sprintf(`{"amount":%d.%02d,"currency":"%s","recipient":"%s","reference":"INV-%06d","memo":"invoice of July"}`,
			rng.IntN(7000), rng.IntN(100), pick("USD", "USD", "EUR"), pick("acct_1f3a9c2e77", "acct_90bb31aa04", "acct_5cc0de1177", "acct_zzzzzzzzzz"), i%1000000)
		err := w.Write(capture.Row{TimeMicros: 1_772_359_200_000_000 + int64(i)*10_000, HasTime: true, Tenant: "acme",
			Session: fmt.Sprintf("sess-%08d", i/10), Seq: int64(i % 10), HasSeq: true, Agent: "finance-agent",
			Tool: "stripe-payments", Action: action, Args: []byte(args)})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// walkOnly reads every argument text of a file and walks its JSON, on every processor: the most that any evaluation
// that reads arguments could reach with this reader and parser.
func walkOnly(t testing.TB, path string) {
	t.Helper()
	f, err := capture.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var next, members atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			var b capture.Batch
			var d aegis.Doc
			var shapes aegis.Shapes
			for g := next.Add(1) - 1; g < int64(f.NumGroups()); g = next.Add(1) - 1 {
				if err := f.ReadGroup(int(g), capture.ColAgent|capture.ColTool|capture.ColArgs, &b); err != nil {
					t.Error(err)
					return
				}
				for i := range b.Rows {
					if err := d.ParseLike(b.Args(i), aegis.MaxBody, &shapes); err != nil {
						t.Error(err)
						return
					}
					members.Add(int64(d.Root().Len()) >> 62)
				}
			}
		}()
	}
	wg.Wait()
}

// figure is a measured rate: the median of several runs.
type figure struct {
	name  string
	rows  int
	times []time.Duration
}

func (f *figure) perSecond() float64 {
	slices.Sort(f.times)
	return float64(f.rows) / f.times[len(f.times)/2].Seconds()
}

// measure runs every job in turn, round after round, so that a slow moment of the machine falls on all of them.
func measure(rounds int, names []string, rows []int, jobs []func()) map[string]*figure {
	out := map[string]*figure{}
	for i, n := range names {
		out[n] = &figure{name: n, rows: rows[i]}
	}
	for range rounds {
		for i, job := range jobs {
			start := time.Now()
			job()
			out[names[i]].times = append(out[names[i]].times, time.Since(start))
		}
	}
	return out
}

// TestFigures prints the figures of the README. It is slow and asserts no times: `make bench` runs it.
func TestFigures(t *testing.T) {
	if os.Getenv("AEGIS_BENCH") == "" {
		t.Skip("figures are printed by `make bench`")
	}
	dir := t.TempDir()
	rows, few := 4_000_000, 60_000
	if s := os.Getenv("AEGIS_BENCH_ROWS"); s != "" {
		rows, _ = strconv.Atoi(s)
	}
	big, small := filepath.Join(dir, "big.parquet"), filepath.Join(dir, "small.parquet")
	writeTraffic(t, big, rows)
	writeTraffic(t, small, few)
	sets := map[string]*policy.Set{"stateless": mustLoad(t, dir, "stateless", statelessPolicy), "stateful": mustLoad(t, dir, "stateful", statefulPolicy)}
	run := func(path, set string, engine decide.EngineKind) func() {
		return func() {
			if _, err := simulate.Run(context.Background(), sets[set], simulate.Options{Traffic: []string{path}, Engine: engine}); err != nil {
				t.Fatal(err)
			}
		}
	}
	compare := func(set string) func() {
		return func() {
			if _, err := simulate.Run(context.Background(), sets[set], simulate.Options{Traffic: []string{big}, Baseline: sets[set], Examples: true}); err != nil {
				t.Fatal(err)
			}
		}
	}
	names := []string{"walk", "stateless", "stateful", "duckdb", "stateless baseline", "stateful baseline"}
	counts := []int{rows, rows, rows, rows, rows, rows}
	jobs := []func(){func() { walkOnly(t, big) }, run(big, "stateless", decide.Native), run(big, "stateful", decide.Native), duckDB(t, big),
		compare("stateless"), compare("stateful")}
	fs := measure(5, names, counts, jobs)
	ofs := measure(3, []string{"opa stateless", "opa stateful", "small stateless", "small stateful"}, []int{few, few, few, few},
		[]func(){run(small, "stateless", decide.OnOPA), run(small, "stateful", decide.OnOPA), run(small, "stateless", decide.Native), run(small, "stateful", decide.Native)})
	t.Logf("%d rows of payment traffic, %d processors; medians of 5 (OPA: of 3, on %d rows of the same traffic)", rows, runtime.GOMAXPROCS(0), few)
	for _, f := range []*figure{fs["walk"], fs["stateless"], fs["stateful"], fs["duckdb"], ofs["opa stateless"], ofs["opa stateful"], ofs["small stateless"], ofs["small stateful"]} {
		t.Logf("%-18s %10.0f calls/s", f.name, f.perSecond())
	}
	ratio := func(what string, a, b *figure) { t.Logf("%-60s %6.2f", what, a.perSecond()/b.perSecond()) }
	ratio("simulate without session state : reading and walking JSON", fs["stateless"], fs["walk"])
	ratio("simulate with limits, budgets, taints : reading and walking", fs["stateful"], fs["walk"])
	ratio("simulate without session state : DuckDB, one JSON field", fs["stateless"], fs["duckdb"])
	ratio("simulate without session state : embedded OPA, same rows", ofs["small stateless"], ofs["opa stateless"])
	ratio("simulate with session state : embedded OPA, same rows", ofs["small stateful"], ofs["opa stateful"])
	ratio("simulate without session state : the same with a baseline", fs["stateless"], fs["stateless baseline"])
	ratio("simulate with limits, budgets, taints : the same with a baseline", fs["stateful"], fs["stateful baseline"])
	startup(t, dir)
}

func mustLoad(t testing.TB, dir, name, text string) *policy.Set {
	t.Helper()
	path := filepath.Join(dir, name+".yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := policy.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// python returns the Python of the tests, which has duckdb.
func python() string {
	if p := os.Getenv("AEGIS_PYTHON"); p != "" {
		return p
	}
	return "python3"
}

// duckDB keeps one interpreter running, so that only the query is timed.
func duckDB(t testing.TB, path string) func() {
	t.Helper()
	cmd := exec.Command(python(), "-u", "-c", `
import sys, duckdb
con = duckdb.connect()
q = "select count(*) from read_parquet('%s') where try_cast(json_extract(args, '$.amount') as double) > 5000" % sys.argv[1]
for _ in sys.stdin:
    print(con.execute(q).fetchone()[0])
`, path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	answers := bufio.NewReader(out)
	return func() {
		if _, err := in.Write([]byte("go\n")); err != nil {
			t.Fatal(err)
		}
		if _, err := answers.ReadString('\n'); err != nil {
			t.Fatal("duckdb gave no answer:", err)
		}
	}
}

// startup times whole commands from the shell's point of view.
func startup(t *testing.T, dir string) {
	bin := filepath.Join(dir, "aegisctl")
	if out, err := exec.Command("go", "build", "-trimpath", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	ten := filepath.Join(dir, "ten.parquet")
	writeTraffic(t, ten, 10_000)
	command := func(args ...string) func() {
		return func() {
			if out, err := exec.Command(bin, args...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
		}
	}
	call := filepath.Join(dir, "call.json")
	err := os.WriteFile(call, []byte(`{"tenant":"acme","agent":"finance-agent","tool":"stripe-payments","action":"create_payment",
		"args":{"amount":7200.5,"currency":"GBP","recipient":"acct_zz","reference":"x"}}`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"version", "simulate", "explain"}
	fs := measure(21, names, []int{1, 1, 1}, []func(){command("version"),
		command("simulate", ten, "--policy", filepath.Join(dir, "stateful.yaml")),
		command("explain", "--call", call, "--policy", filepath.Join(dir, "stateless.yaml"))})
	for _, n := range names {
		fs[n].perSecond()
		t.Logf("aegisctl %-28s %8.1f ms (median of %d processes)", map[string]string{"version": "version",
			"simulate": "simulate of 10,000 calls", "explain": "explain of four flaws"}[n],
			float64(fs[n].times[len(fs[n].times)/2].Microseconds())/1000, len(fs[n].times))
	}
}
