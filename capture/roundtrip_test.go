package capture

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"
)

var (
	anyName    = rapid.StringMatching(`[!-~]{1,20}`)
	anyText    = rapid.String()
	optName    = rapid.OneOf(rapid.Just(""), anyName)
	optText    = rapid.OneOf(rapid.Just(""), anyText)
	anySession = rapid.StringMatching(`[ -~é世]{1,30}`)
)

// anyRow draws a row that a file can hold.
func anyRow(t *rapid.T) Row {
	r := Row{
		Tenant: optName.Draw(t, "tenant"), Agent: anyName.Draw(t, "agent"), Tool: anyName.Draw(t, "tool"),
		Action: optName.Draw(t, "action"), Region: optName.Draw(t, "region"),
		Session:          rapid.OneOf(rapid.Just(""), anySession).Draw(t, "session"),
		Effect:           rapid.SampledFrom([]string{"", "read", "write"}).Draw(t, "effect"),
		Coverage:         rapid.SampledFrom([]string{"", "full", "redacted", "absent"}).Draw(t, "coverage"),
		RecordedDecision: optText.Draw(t, "decision"), RecordedPolicyVersion: optText.Draw(t, "version"),
		Outcome: optText.Draw(t, "outcome"),
	}
	if r.HasTime = rapid.Bool().Draw(t, "timed"); r.HasTime {
		r.TimeMicros = rapid.Int64Range(minTime, maxTime).Draw(t, "time")
	}
	if r.HasSeq = rapid.Bool().Draw(t, "hasSeq"); r.HasSeq {
		r.Seq = rapid.Int64().Draw(t, "seq")
	}
	if r.HasCost = rapid.Bool().Draw(t, "hasCost"); r.HasCost {
		r.CostMicro = rapid.Int64Range(1-maxCost, maxCost-1).Draw(t, "cost")
	}
	if rapid.Bool().Draw(t, "chained") {
		r.Chain = rapid.SliceOfN(anyName, 0, 4).Draw(t, "chain")
	}
	if rapid.Bool().Draw(t, "hasArgs") {
		r.Args = []byte(anyText.Draw(t, "args"))
	}
	if rapid.Bool().Draw(t, "labelled") {
		r.Labels = rapid.MapOfN(anyText, anyText, 0, 5).Draw(t, "labels")
	}
	return r
}

// asRead is the row as it comes back: an empty map is null, coverage is derived.
func asRead(r Row) Row {
	if len(r.Labels) == 0 {
		r.Labels = nil
	}
	if r.Coverage == "" {
		r.Coverage = "full"
	}
	if r.Args == nil && r.Coverage == "full" {
		r.Coverage = "absent"
	}
	return r
}

func writeRows(t testing.TB, path string, rows []Row) {
	t.Helper()
	w, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(rows...); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestWhatIsWrittenIsRead: rows → file → rows.
func TestWhatIsWrittenIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.parquet")
	rapid.Check(t, func(rt *rapid.T) {
		rows := rapid.SliceOfN(rapid.Custom(anyRow), 0, 40).Draw(rt, "rows")
		writeRows(t, path, rows)
		got, err := Head(path, 1000)
		if err != nil {
			rt.Fatal(err)
		}
		if len(got) != len(rows) {
			rt.Fatalf("%d rows of %d", len(got), len(rows))
		}
		for i := range rows {
			if want := asRead(rows[i]); !reflect.DeepEqual(want, got[i]) {
				rt.Fatalf("row %d:\nwant %+v\ngot  %+v", i, want, got[i])
			}
		}
	})
}

// trafficRow makes the i-th of a sequence of ordinary payment calls, with arguments of about 110 bytes.
func trafficRow(r *rand.Rand, i int) Row {
	tool, action := fmt.Sprint("svc-", i%17), "get_contact"
	if i%3 == 0 {
		action = "create_payment"
	}
	session := i / 12
	return Row{
		TimeMicros: 1_761_955_200_000_000 + int64(i)*700 + r.Int64N(1000), HasTime: true,
		Tenant: fmt.Sprint("acme-", session%5), Session: fmt.Sprintf("sess-%08x", uint32(session)*2654435761),
		Seq: int64(i % 12), HasSeq: true,
		Agent: fmt.Sprint("agent-", session%10), Tool: tool, Action: action,
		Args: fmt.Appendf(nil, `{"amount":%d.%02d,"currency":"USD","recipient":"acct_%012X","memo":"invoice %d","urgent":false}`,
			r.IntN(6000), r.IntN(100), r.Int64N(1<<44), r.IntN(1000000)),
		Effect: "write", Region: "eu", CostMicro: r.Int64N(30000), HasCost: true,
		Labels: map[string]string{"class": "benign", "model": fmt.Sprint("m", session%4)},
	}
}

// manyRows makes rows that need every kind of dictionary, null and list.
func manyRows(n int) []Row {
	r := rand.New(rand.NewPCG(1, 2))
	rows := make([]Row, n)
	for i := range rows {
		rows[i] = trafficRow(r, i)
		x := &rows[i]
		switch r.IntN(5) {
		case 0:
			x.Args, x.Labels, x.HasTime, x.TimeMicros = nil, nil, false, 0
		case 1:
			x.Chain, x.Tenant, x.Region = []string{"root", fmt.Sprint("mid-", i%9)}, "", ""
		case 2:
			x.Chain, x.HasCost, x.CostMicro, x.Outcome = []string{}, false, 0, fmt.Sprint("error ", i)
		case 3:
			x.HasSeq, x.Seq, x.Coverage, x.Action = false, 0, "redacted", ""
		}
	}
	return rows
}

// TestManyRowGroups writes more than one row group and reads them in parts of every kind of column set.
func TestManyRowGroups(t *testing.T) {
	if testing.Short() {
		t.Skip("compares 200,000 rows")
	}
	rows := manyRows(GroupRows + 70_000)
	path := filepath.Join(t.TempDir(), "t.parquet")
	writeRows(t, path, rows)
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.NumRows() != int64(len(rows)) || f.NumGroups() != 2 || f.GroupRows(1) != 70_000 || f.GroupStart(1) != GroupRows {
		t.Fatal(f.NumRows(), f.NumGroups())
	}
	if len(f.Assumed())+len(f.Ignored()) != 0 || !f.Has(AllColumns) {
		t.Fatal(f.Assumed(), f.Ignored())
	}
	compareAll(t, f, rows)
}

// compareAll reads all groups, with one Batch, and compares them with the rows.
func compareAll(t *testing.T, f *File, rows []Row) {
	t.Helper()
	var b, order Batch
	for g := range f.NumGroups() {
		if err := f.ReadGroup(g, AllColumns, &b); err != nil {
			t.Fatal(err)
		}
		if err := f.ReadGroup(g, OrderColumns, &order); err != nil {
			t.Fatal(err)
		}
		class, none := b.Label("class"), b.Label("no such label")
		for i := range b.Rows {
			want, got := asRead(rows[b.Start+int64(i)]), Row{}
			b.Row(i, &got)
			if !reflect.DeepEqual(want, got) {
				t.Fatalf("row %d of group %d:\nwant %+v\ngot  %+v", i, g, want, got)
			}
			if class.At(i) != want.Labels["class"] || none.Index[i] >= 0 {
				t.Fatalf("row %d of group %d: label %q", i, g, class.At(i))
			}
			if order.Session.At(i) != want.Session || order.TimeNull[i] == want.HasTime || order.Agent.Index[i] >= 0 {
				t.Fatalf("row %d of group %d read in part differs", i, g)
			}
		}
	}
}

// writeSmallPages writes one row group of pages of a few hundred bytes, of version 1 or 2 of Parquet's pages.
func writeSmallPages(t *testing.T, path string, version int, rows []Row) {
	t.Helper()
	w, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w.t.w = parquet.NewGenericWriter[any](w.t.buf, parquet.NewSchema("call", parquet.SchemaOf(fileRow{})), parquet.PageBufferSize(900),
		parquet.DataPageVersion(version), parquet.KeyValueMetadata(footerSumKey, footerSumBlank), parquet.Compression(&parquet.Snappy))
	w.t.cols = w.t.w.ColumnWriters()
	for len(rows) > 0 {
		n := min(100, len(rows))
		if err := w.Write(rows[:n]...); err != nil {
			t.Fatal(err)
		}
		rows = rows[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestLargeRowGroupsAreReadInParts: a row group may be larger than what one ReadGroup may hold.
func TestLargeRowGroupsAreReadInParts(t *testing.T) {
	const n = 9_000
	rows := manyRows(n)
	path := filepath.Join(t.TempDir(), "t.parquet")
	for version := 1; version <= 2; version++ {
		writeSmallPages(t, path, version, rows)
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if len(f.meta.groups) != 1 {
			t.Fatal("row groups:", len(f.meta.groups))
		}
		for _, size := range []int64{n, 999} {
			f.divideEvery(size)
			compareAll(t, f, rows)
			compareAll(t, f, rows) // now that it is remembered where pages begin
			slices.Reverse(f.parts)
			compareAll(t, f, rows)
			f.seeks.points = map[int][]seekPoint{}
			compareAll(t, f, rows) // backwards first
		}
		if len(f.seeks.points) < columnCount || len(f.seeks.points[colArgs]) < 5 {
			t.Error("no page is remembered")
		}
	}
}

// TestReadersAtTheSameTime: several goroutines, each with its own Batch, share a File and what it remembers of pages.
func TestReadersAtTheSameTime(t *testing.T) {
	rows := manyRows(4000)
	path := filepath.Join(t.TempDir(), "t.parquet")
	writeSmallPages(t, path, 1, rows)
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.divideEvery(300)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			var b Batch
			for i := range f.NumGroups() {
				g := (i*7 + w) % f.NumGroups()
				if err := f.ReadGroup(g, AllColumns, &b); err != nil {
					t.Error(err)
					return
				}
				for k := range b.Rows {
					var got Row
					if b.Row(k, &got); !reflect.DeepEqual(got, asRead(rows[b.Start+int64(k)])) {
						t.Errorf("row %d of group %d differs", k, g)
						return
					}
				}
			}
		})
	}
	wg.Wait()
}

// TestPartsOfLargeRowGroups: how a file is cut up.
func TestPartsOfLargeRowGroups(t *testing.T) {
	group := func(rows, bytes int64) groupMeta {
		return groupMeta{rows: rows, chunks: []chunkMeta{{uncompressed: bytes, size: 512 << 10}}}
	}
	f := &File{meta: &fileMeta{groups: []groupMeta{group(GroupRows, 1), group(GroupRows+1, 1), group(0, 0), group(4000, 1<<40),
		group(3, 5)}}, bind: &binding{}}
	for i := range f.bind.cols {
		f.bind.cols[i].chunk = -1
	}
	f.bind.cols[colArgs].chunk = 0
	if err := f.divide(); err != nil {
		t.Fatal(err)
	}
	want := []part{{0, 0, 131072, 0}, {1, 0, 65536, 131072}, {1, 65536, 131073, 196608}, {3, 0, 800, 262145},
		{3, 800, 1600, 262945}, {3, 1600, 2400, 263745}, {3, 2400, 3200, 264545}, {3, 3200, 4000, 265345}, {4, 0, 3, 266145}}
	if !reflect.DeepEqual(f.parts, want) {
		t.Fatal(f.parts)
	}
	f.meta.groups = []groupMeta{group(maxRowGroup+1, 1)}
	if f.parts = nil; f.divide() == nil {
		t.Error("a row group of 2^31+1 rows was divided")
	}
	f.meta.groups = slices.Repeat([]groupMeta{group(maxRowGroup, 1)}, 65)
	if f.parts = nil; f.divide() == nil {
		t.Error("2^37 rows were divided")
	}
}

// TestEqualRowsMakeEqualFiles whatever the size of the writes.
func TestEqualRowsMakeEqualFiles(t *testing.T) {
	rows, dir := manyRows(5000), t.TempDir()
	a, b := filepath.Join(dir, "a.parquet"), filepath.Join(dir, "b.parquet")
	writeRows(t, a, rows)
	w, err := Create(b)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		if err := w.Write(rows[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	x, _ := os.ReadFile(a)
	y, _ := os.ReadFile(b)
	if !bytes.Equal(x, y) {
		t.Fatal("the files differ")
	}
	if again := w.Close(); again != nil {
		t.Fatal("a second Close fails:", again)
	}
	if err := w.Write(rows[0]); err == nil {
		t.Fatal("a write after Close succeeds")
	}
}

// TestNothingHalfWritten: until Close, and after Abort or an error, there is no file and no rest of one.
func TestNothingHalfWritten(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "t.parquet")
	names := func() (s []string) {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			s = append(s, e.Name())
		}
		return s
	}
	w, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(manyRows(3)...); err != nil {
		t.Fatal(err)
	}
	if n := names(); len(n) != 1 || n[0] == "t.parquet" {
		t.Fatal("before Close there is", n)
	}
	w.Abort()
	w.Abort()
	if n := names(); len(n) != 0 || w.Close() != nil {
		t.Fatal("after Abort there is", n)
	}
	for _, bad := range []Row{{Tool: "t"}, {Agent: "a b", Tool: "t"}, {Agent: "a", Tool: "t", Effect: "delete"},
		{Agent: "a", Tool: "t", Outcome: "\xff"}, {Agent: "a", Tool: "t", Args: make([]byte, maxValue+1)},
		{Agent: "a", Tool: "t", Labels: map[string]string{"k": "\xff"}}, {Agent: "a", Tool: "t", Chain: []string{""}},
		{Agent: "a", Tool: "t", HasCost: true, CostMicro: maxCost}} {
		if w, err = Create(path); err != nil {
			t.Fatal(err)
		}
		if err := w.Write(bad); err == nil {
			t.Fatalf("%.100v was written", bad)
		}
		if err := w.Close(); err == nil {
			t.Fatal("Close hides the error of Write")
		}
		if n := names(); len(n) != 0 {
			t.Fatal("after an error there is", n)
		}
	}
	if _, err := Create(filepath.Join(dir, "no", "such")); err == nil {
		t.Fatal("a file in no directory")
	}
	if _, err := Create(dir); err == nil || !strings.Contains(err.Error(), "regular") {
		t.Fatal(err)
	}
}

// TestRowsOfManyBytes: a row group ends early when its arguments are large, and no page holds too much.
func TestRowsOfManyBytes(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 160 MiB")
	}
	path := filepath.Join(t.TempDir(), "t.parquet")
	w, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	big := Row{Agent: "a", Tool: "t", Args: bytes.Repeat([]byte("x"), 4<<20)}
	for i := range 40 {
		big.Args[0] = byte('a' + i%26)
		if err := w.Write(big); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if len(f.meta.groups) != 4 {
		t.Fatal("row groups:", len(f.meta.groups))
	}
	var b Batch
	for g := range f.NumGroups() {
		if err := f.ReadGroup(g, ColArgs, &b); err != nil {
			t.Fatal(err)
		}
		for i := range b.Rows {
			if a := b.Args(i); len(a) != 4<<20 || a[0] != byte('a'+(b.Start+int64(i))%26) || a[1] != 'x' {
				t.Fatal("row", b.Start+int64(i), len(a))
			}
		}
	}
}

func TestNoFile(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if _, err := Open(t.TempDir()); err == nil {
		t.Fatal("a directory was opened")
	}
}
