package capture

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
)

// python runs a script of testdata. Where DuckDB or pyarrow are missing the test is skipped, but not in CI.
func python(t *testing.T, args ...string) []byte {
	t.Helper()
	interpreter := os.Getenv("AEGIS_PYTHON")
	if interpreter == "" {
		interpreter = "python3"
	}
	var stderr bytes.Buffer
	cmd := exec.Command(interpreter, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err == nil {
		return out
	}
	missing := cmd.ProcessState == nil || cmd.ProcessState.ExitCode() == 77
	why := fmt.Sprintf("%s %s: %v: %s%s", interpreter, args[0], err, out, stderr.Bytes())
	if !missing || os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip("NOT TESTED: files of other programs, because DuckDB or pyarrow is missing (set AEGIS_PYTHON): ", why)
	return nil
}

// foreignRow is a line of the rows.jsonl that foreign.py writes.
type foreignRow struct {
	Time    *int64
	Tenant  string
	Session string
	Seq     *int64
	Agent   string
	Chain   []string
	Tool    string
	Action  string
	Args    *string
	Effect  string
	Region  string
	Cost    *float64          `json:"estimated_cost"`
	Dec     string            `json:"recorded_decision"`
	Ver     string            `json:"recorded_policy_version"`
	Outcome string            `json:"outcome"`
	Cover   string            `json:"coverage"`
	Labels  map[string]string `json:"labels"`
}

func foreignRows(t testing.TB, data []byte) (rows []Row) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	for d.More() {
		var f foreignRow
		if err := d.Decode(&f); err != nil {
			t.Fatal(err)
		}
		r := Row{Tenant: f.Tenant, Session: f.Session, Agent: f.Agent, Chain: f.Chain, Tool: f.Tool, Action: f.Action,
			Effect: f.Effect, Region: f.Region, RecordedDecision: f.Dec, RecordedPolicyVersion: f.Ver, Outcome: f.Outcome,
			Coverage: f.Cover, Labels: f.Labels}
		if f.Time != nil {
			r.TimeMicros, r.HasTime = *f.Time*1000, true
		}
		if f.Seq != nil {
			r.Seq, r.HasSeq = *f.Seq, true
		}
		if f.Args != nil {
			r.Args = []byte(*f.Args)
		}
		if f.Cost != nil {
			r.CostMicro, r.HasCost = int64(math.Round(*f.Cost*1e6)), true
		}
		rows = append(rows, asRead(r))
	}
	return rows
}

func compareRows(t *testing.T, want, got []Row) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d rows of %d", len(got), len(want))
	}
	for i := range want {
		if !reflect.DeepEqual(want[i], got[i]) {
			t.Fatalf("row %d:\nwant %+v\ngot  %+v", i, want[i], got[i])
		}
	}
}

// TestForeignFiles reads what DuckDB and pyarrow write, in every physical layout that they have.
func TestForeignFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 165,000 rows; TestForeignSamples reads some")
	}
	dir := t.TempDir()
	t.Logf("%s", python(t, "testdata/foreign.py", dir))
	data, err := os.ReadFile(filepath.Join(dir, "rows.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	want := foreignRows(t, data)
	files, _ := filepath.Glob(filepath.Join(dir, "*.parquet"))
	if len(files) < 50 {
		t.Fatal("only these files:", files)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			f, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if !f.Has(AllColumns) {
				t.Fatal("columns are missing")
			}
			naive := strings.Contains(strings.Join(f.Assumed(), "\n"), "no time zone")
			if want := strings.HasSuffix(path, "-naive.parquet") || strings.HasSuffix(path, "-s.parquet") ||
				strings.HasSuffix(path, "duck-ms.parquet") || strings.HasSuffix(path, "duck-ns.parquet"); want != naive {
				t.Error("assumed:", f.Assumed())
			}
			got, err := Head(path, len(want)+1)
			if err != nil {
				t.Fatal(err)
			}
			compareRows(t, want, got)
			// The same in small parts, which skip and take within pages.
			f.divideEvery(171)
			compareAll(t, f, want)
		})
	}
}

// divideEvery cuts the file into parts of n rows.
func (f *File) divideEvery(n int64) {
	f.parts, f.seeks.points = nil, map[int][]seekPoint{}
	start := int64(0)
	for g := range f.meta.groups {
		rows := f.meta.groups[g].rows
		for at := int64(0); at < rows; at += n {
			f.parts = append(f.parts, part{g, at, min(at+n, rows), start + at})
		}
		start += rows
	}
}

// foreignSamples are files of DuckDB and pyarrow that need no Python, made by foreign.py with 150 rows.
func foreignSamples(t testing.TB) (files map[string][]byte, rows []Row) {
	t.Helper()
	paths, err := filepath.Glob("testdata/foreign/*.gz")
	if err != nil || len(paths) != 9 {
		t.Fatal(paths, err)
	}
	files = map[string][]byte{}
	for _, p := range paths {
		packed, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(filepath.Base(p), "rows.") {
			rows = foreignRows(t, data)
			continue
		}
		files[strings.TrimSuffix(filepath.Base(p), ".gz")] = data
	}
	return files, rows
}

func TestForeignSamples(t *testing.T) {
	files, want := foreignSamples(t)
	for name, data := range files {
		t.Run(name, func(t *testing.T) {
			got, err := readBytes(data)
			if err != nil {
				t.Fatal(err)
			}
			compareRows(t, want, got)
			f, err := openReader(bytes.NewReader(data), int64(len(data)), name)
			if err != nil {
				t.Fatal(err)
			}
			f.divideEvery(7)
			compareAll(t, f, want)
		})
	}
}

// seen is what look.py prints.
type seen struct {
	Types map[string]string `json:"types"`
	Rows  int               `json:"rows"`
	Sums  []string          `json:"sums"`
	Meta  map[string]string `json:"meta"`
}

func look(t *testing.T, path string) (s seen) {
	t.Helper()
	if err := json.Unmarshal(python(t, "testdata/look.py", path), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestDuckDBReadsWhatWeWrite compares types, counts and sums.
func TestDuckDBReadsWhatWeWrite(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 136,000 rows")
	}
	path := filepath.Join(t.TempDir(), "t.parquet")
	rows := manyRows(GroupRows + 5000)
	writeRows(t, path, rows)
	s := look(t, path)
	types := map[string]string{"time": "TIMESTAMP WITH TIME ZONE", "seq": "BIGINT", "chain": "VARCHAR[]",
		"estimated_cost": "DECIMAL(18,6)", "labels": "MAP(VARCHAR, VARCHAR)"}
	for i := range specs {
		want := types[specs[i].name]
		if want == "" {
			want = "VARCHAR"
		}
		if got := s.Types[specs[i].name]; got != want {
			t.Errorf("column %s is %s, not %s", specs[i].name, got, want)
		}
	}
	if s.Rows != len(rows) || s.Meta[schemaKey] != SchemaVersion || len(s.Types) != columnCount {
		t.Error(s.Rows, s.Meta, len(s.Types))
	}
	var times, last, args, bytes, seq, cost, chains, callers, labels, outcomes, amounts int64
	sessions := map[string]bool{}
	for _, r := range rows {
		if r.HasTime {
			times++
			last = max(last, r.TimeMicros)
		}
		if r.Args != nil {
			args++
			bytes += int64(len(r.Args))
			if strings.Contains(string(r.Args), `"amount"`) {
				amounts++
			}
		}
		seq += r.Seq
		cost += r.CostMicro
		sessions[r.Session] = true
		if r.Chain != nil {
			chains++
			callers += int64(len(r.Chain))
		}
		if len(r.Labels) > 0 {
			labels++
		}
		if r.Outcome != "" {
			outcomes++
		}
	}
	want := fmt.Sprint([]string{fmt.Sprint(times), fmt.Sprint(last), fmt.Sprint(args), fmt.Sprint(bytes), fmt.Sprint(len(sessions)),
		fmt.Sprint(seq), fmt.Sprintf("%d.%06d", cost/1e6, cost%1e6), fmt.Sprint(chains), fmt.Sprint(callers), fmt.Sprint(labels),
		fmt.Sprint(labels), fmt.Sprint(outcomes), fmt.Sprint(amounts)})
	if got := fmt.Sprint(s.Sums); got != want {
		t.Errorf("DuckDB sees %s\nwe wrote   %s", got, want)
	}
}

// TestDecisions: what DuckDB sees of a file of decisions.
func TestDecisions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "d.parquet")
	w, err := CreateDecisions(path)
	if err != nil {
		t.Fatal(err)
	}
	rows := make([]Decided, 5000)
	for i := range rows {
		rows[i] = Decided{Session: "s", Seq: int64(i), HasSeq: i%2 == 0, Agent: "a", Tool: "t", Decision: "allow"}
		if i%5 == 0 {
			rows[i].Decision, rows[i].Reasons, rows[i].Rules = "deny", []string{"max_exceeded", "bad \xff"}, []string{"r#1"}
		}
	}
	rows[7].Session, rows[7].Agent = "\xff", ""
	if err := w.Write(rows...); err != nil {
		t.Fatal(err)
	}
	if w.Rows() != 5000 {
		t.Fatal(w.Rows())
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s := look(t, path)
	if got := fmt.Sprint(s.Sums); got != "[2500 6247500 2000 1000 5000 allow]" {
		t.Error(got)
	}
	if s.Types["reasons"] != "VARCHAR[]" || s.Types["seq"] != "BIGINT" || s.Rows != 5000 || s.Types["baseline_decision"] != "VARCHAR" || len(s.Types) != 11 {
		t.Error(s)
	}
}
