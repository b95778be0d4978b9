package capture

import (
	"bytes"
	"encoding/binary"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// texts is a required column of these texts.
func texts(name string, values ...string) rawColumn {
	var body []byte
	for _, v := range values {
		body = append(body, plainTexts(1, v)...)
	}
	return rawColumn{name: name, phys: physBytes, conv: 1, pages: []rawPage{{values: int64(len(values)), body: body}}}
}

// numbers is a required column of numbers of 4 or 8 bytes, annotated with a converted type or -1.
func numbers(name string, phys, conv int64, values ...uint64) rawColumn {
	var body []byte
	for _, v := range values {
		if phys == physInt32 || phys == physFloat {
			body = binary.LittleEndian.AppendUint32(body, uint32(v))
		} else {
			body = binary.LittleEndian.AppendUint64(body, v)
		}
	}
	return rawColumn{name: name, phys: phys, conv: conv + 1, pages: []rawPage{{values: int64(len(values)), body: body}}}
}

// openRaw reads all columns of a file of one row group.
func openRaw(t *testing.T, rows int64, cols ...rawColumn) (*File, *Batch) {
	t.Helper()
	data := rawFile(rows, cols...)
	f, err := openReader(bytes.NewReader(data), int64(len(data)), "memory")
	if err != nil {
		t.Fatal(err)
	}
	b := new(Batch)
	if err := f.ReadGroup(0, AllColumns, b); err != nil {
		t.Fatal(err)
	}
	return f, b
}

func same(v string, n int) []string {
	s := make([]string, n)
	fill(s, v)
	return s
}

// TestNumbers: every type of number becomes microseconds, integers and millionths, or is rejected.
func TestNumbers(t *testing.T) {
	minus := func(n int64) uint64 { return uint64(-n) }
	dollars := func(f ...float64) (u []uint64) {
		for _, x := range f {
			u = append(u, math.Float64bits(x))
		}
		return u
	}
	for name, c := range map[string]struct {
		col      rawColumn
		want     []int64
		rejected []int // rows
		assumed  string
	}{
		"µs":      {numbers("time", physInt64, convertedTimestampMicros, 1, minus(1)), []int64{1, -1}, nil, ""},
		"ms":      {numbers("time", physInt64, convertedTimestampMillis, 1, minus(1)), []int64{1000, -1000}, nil, ""},
		"ms far":  {numbers("time", physInt64, convertedTimestampMillis, 1<<62, minus(1<<62)), []int64{0, 0}, []int{0, 1}, ""},
		"µs far":  {numbers("time", physInt64, convertedTimestampMicros, maxTime, maxTime+1), []int64{maxTime, 0}, []int{1}, ""},
		"int64":   {numbers("seq", physInt64, -1, 1<<63-1, 1<<63), []int64{math.MaxInt64, math.MinInt64}, nil, ""},
		"int32":   {numbers("seq", physInt32, -1, 5, minus(5)), []int64{5, -5}, nil, ""},
		"uint32":  {numbers("seq", physInt32, convertedUint8+2, 5, minus(5)), []int64{5, 1<<32 - 5}, nil, ""},
		"uint64":  {numbers("seq", physInt64, convertedUint8+3, 5, 1<<63), []int64{5, 0}, []int{1}, ""},
		"int8":    {numbers("seq", physInt32, convertedInt8, 5, minus(5)), []int64{5, -5}, nil, ""},
		"whole":   {numbers("estimated_cost", physInt64, -1, 5, minus(5)), []int64{5e6, -5e6}, nil, ""},
		"rich":    {numbers("estimated_cost", physInt64, -1, 5, 1<<62), []int64{5e6, 0}, []int{1}, ""},
		"double":  {numbers("estimated_cost", physDouble, -1, dollars(0.1, -2.0000005)...), []int64{1e5, -2000001}, nil, "rounded to a millionth"},
		"no sum":  {numbers("estimated_cost", physDouble, -1, dollars(math.NaN(), math.Inf(1))...), []int64{0, 0}, []int{0, 1}, "rounded to a millionth"},
		"float":   {numbers("estimated_cost", physFloat, -1, uint64(math.Float32bits(0.25)), uint64(math.Float32bits(-8))), []int64{250000, -8e6}, nil, "rounded to a millionth"},
		"indexed": {rawColumn{name: "seq", phys: physInt64, pages: []rawPage{{kind: pageDictionary, values: 2, body: binary.LittleEndian.AppendUint64(make([]byte, 8), 9)}, {values: 2, enc: encRLEDictionary, body: []byte{1, 3, 0b10}}}}, []int64{0, 9}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f, b := openRaw(t, 2, texts("agent", "a", "a"), texts("tool", "t", "t"), c.col)
			col := columnNumber[c.col.name]
			got := map[int][]int64{colTime: b.Time, colSeq: b.Seq, colCost: b.Cost}[col]
			null := map[int][]bool{colTime: b.TimeNull, colSeq: b.SeqNull, colCost: b.CostNull}[col]
			if !reflect.DeepEqual(got, c.want) || b.NumRejected != len(c.rejected) {
				t.Fatal(got, b.Rejected)
			}
			for _, i := range c.rejected {
				if !null[i] || b.Rejected[i] != map[int]Reject{colTime: RejectTime, colSeq: RejectSeq, colCost: RejectCost}[col] {
					t.Error(null, b.Rejected)
				}
			}
			if c.assumed != "" && !strings.Contains(strings.Join(f.Assumed(), "\n"), c.assumed) {
				t.Error(f.Assumed())
			}
		})
	}
}

// TestDecimals: two's complement of any length, scaled to millionths.
func TestDecimals(t *testing.T) {
	for _, c := range []struct {
		b    []byte
		want int64
	}{
		{[]byte{5}, 5}, {[]byte{0xff}, -1}, {[]byte{0, 0xff}, 255}, {[]byte{0xff, 0x7f}, -129},
		{bytes.Repeat([]byte{0xff}, 16), -1}, {append(make([]byte, 15), 7), 7}, {nil, badInt},
		{append([]byte{1}, make([]byte, 8)...), badInt}, {append([]byte{0, 0x80}, make([]byte, 7)...), badInt},
		{append([]byte{0xff, 0x7f}, make([]byte, 7)...), badInt}, {append([]byte{0x80}, make([]byte, 7)...), math.MinInt64},
	} {
		if got := bigEndian(c.b); got != c.want {
			t.Errorf("%x is %d, not %d", c.b, got, c.want)
		}
	}
	decimal := &leaf{node: &schemaNode{converted: convertedDecimal}}
	for _, c := range []struct{ v, div, want int64 }{{149, 100, 1}, {150, 100, 2}, {-149, 100, -1}, {-151, 100, -2}, {7, 1, 7}} {
		if got, ok := rescale(c.v, &column{leaf: decimal, mul: 1, div: c.div}, false); got != c.want || !ok {
			t.Errorf("%d/%d is %d, not %d", c.v, c.div, got, c.want)
		}
	}
	if got, _ := rescale(-1, &column{leaf: &leaf{node: &schemaNode{converted: -1}}, mul: 1, div: 1000}, false); got != -1 {
		t.Error("a nanosecond before 1970 is", got)
	}
}

// TestRejectedRows: what no live call may have makes a row rejected, whatever column it is in.
func TestRejectedRows(t *testing.T) {
	long := strings.Repeat("x", 129)
	cols := map[string][]string{
		"agent":    {"a", "a", "a", "a", "a", "a", "a", "a", "a\x00", long},
		"tool":     {"t", " ", "t", "t", "t", "t", "t", "t", "", "t"},
		"tenant":   {"", "x", "é", "x", "x", "x", "x", "x", "x", "x"},
		"action":   {"", "", "", "a b", "", "", "", "", "", ""},
		"session":  {"", "s", "s", "s", "s\n", "\xff", "s", "s", "s", "s"},
		"region":   {"", "eu", "eu", "eu", "eu", "eu", "e u", "eu", "eu", "eu"},
		"effect":   {"", "read", "write", "read", "read", "read", "read", "Read", "read", "read"},
		"coverage": {"", "full", "full", "full", "full", "full", "full", "full", "half", "full"},
	}
	var raw []rawColumn
	for name, values := range cols {
		raw = append(raw, texts(name, values...))
	}
	_, b := openRaw(t, 10, raw...)
	want := []Reject{Accepted, RejectToolName, RejectTenantName, RejectActionName, RejectSession, RejectSession, RejectRegion,
		RejectEffect, RejectAgentName, RejectAgentName}
	if !reflect.DeepEqual(b.Rejected, want) || b.NumRejected != 9 {
		t.Fatal(b.Rejected)
	}
	if b.Tenant.Index[0] != -1 || b.Coverage[0] != CoverageAbsent || b.Session.Index[0] != -1 {
		t.Error("empty text is not null")
	}
	for r := Accepted; int(r) < len(rejectNames); r++ {
		if (r.String() == "") != (r == Accepted) {
			t.Error(r, "has no name")
		}
	}
}

func TestCoverage(t *testing.T) {
	_, b := openRaw(t, 4, texts("agent", same("a", 4)...), texts("tool", same("t", 4)...), texts("args", same("{}", 4)...),
		texts("coverage", "", "full", "redacted", "absent"))
	if want := []Coverage{CoverageFull, CoverageFull, CoverageRedacted, CoverageAbsent}; !reflect.DeepEqual(b.Coverage, want) {
		t.Error(b.Coverage)
	}
	_, b = openRaw(t, 3, texts("agent", same("a", 3)...), texts("tool", same("t", 3)...), texts("coverage", "full", "redacted", ""))
	if want := []Coverage{CoverageAbsent, CoverageRedacted, CoverageAbsent}; !reflect.DeepEqual(b.Coverage, want) {
		t.Error(b.Coverage)
	}
}

// chains is a bare repeated column: the levels of a page, and its texts.
func chains(values int64, reps, defs []byte, list ...string) rawColumn {
	level := func(b []byte) []byte { return append(binary.LittleEndian.AppendUint32(nil, uint32(len(b))), b...) }
	body := append(level(reps), level(defs)...)
	for _, s := range list {
		body = append(body, plainTexts(1, s)...)
	}
	return rawColumn{name: "chain", phys: physBytes, conv: 1, rep: repeated, values: values,
		pages: []rawPage{{values: values, body: body}}}
}

func TestChains(t *testing.T) {
	a, tool := texts("agent", same("a", 3)...), texts("tool", same("t", 3)...)
	// Rows: [x y], [], [x y z w].
	_, b := openRaw(t, 3, a, tool, chains(7, []byte{3, 0b1110010}, []byte{3, 0b1111011}, "x", "y", "x", "y", "z", "no name"))
	if want := [][]string{{"x", "y"}, {}, {"x", "y", "z", "no name"}}; !reflect.DeepEqual(b.Chain.Dict, want) ||
		!reflect.DeepEqual(b.Chain.Index, []int32{0, 1, 2}) || b.Rejected[2] != RejectChain || b.NumRejected != 1 {
		t.Fatal(b.Chain, b.Rejected)
	}
	all := []byte{7 << 1, 1}
	for name, c := range map[string]struct {
		col  rawColumn
		want string
	}{
		"begins inside a row": {chains(7, []byte{3, 0b1110011}, all, same("x", 7)...), "run lengths are damaged"},
		"too few levels":      {chains(7, []byte{2 << 1, 0}, all, same("x", 7)...), "fewer values"},
		"too few rows":        {chains(7, []byte{3, 0b1111110}, all, same("x", 7)...), "does not have the 3 rows"},
		"too many rows":       {chains(7, []byte{7 << 1, 0}, all, same("x", 7)...), "does not have the 3 rows"},
		"too few values":      {chains(7, []byte{3, 0b1110010}, all, same("x", 6)...), "fewer values"},
		"an empty list goes on": {chains(7, []byte{3, 0b1110010}, []byte{3, 0b1110111}, same("x", 7)...),
			"run lengths are damaged"},
		"2^31 elements": {chains(math.MaxInt32, []byte{1 << 1, 0, 0xfc, 0xff, 0xff, 0xff, 0x0f, 1}, []byte{0xfe, 0xff, 0xff, 0xff, 0x0f, 1},
			same("x", 3000)...), ""},
	} {
		t.Run(name, func(t *testing.T) { mustRefuse(t, rawFile(3, a, tool, c.col), c.want) })
	}
}

// TestStats adds up a file by hand.
func TestStats(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.parquet")
	writeRows(t, path, []Row{
		{Agent: "a", Tool: "t", Tenant: "x", Session: "s", Args: []byte(`{}`), TimeMicros: 5, HasTime: true, Labels: map[string]string{"k": "1"}},
		{Agent: "a", Tool: "t", Tenant: "x", Session: "s", Args: []byte(`{"a":1}`), TimeMicros: -3, HasTime: true, Action: "go"},
		{Agent: "a", Tool: "u", Tenant: "y", Session: "s", Args: []byte(`{"ab":1}`), Labels: map[string]string{"k": "2", "l": ""}},
		{Agent: "b", Tool: "u", Chain: []string{"a"}, Labels: map[string]string{"k": "2"}},
	})
	got, err := ComputeStats(path)
	if err != nil {
		t.Fatal(err)
	}
	got.Files[0].Bytes = 0
	want := &Stats{
		Files: []FileStats{{Path: path, Rows: 4}}, Rows: 4, Rejected: []Count{}, Timed: 2, FirstTime: -3, LastTime: 5, Sessions: 2,
		Agents: []Count{{"x/a", 2}, {"b", 1}, {"y/a", 1}}, Tools: []Count{{"t", 2}, {"u", 2}},
		Actions: []Count{{"u", 2}, {"t", 1}, {"t/go", 1}}, Coverage: []Count{{"full", 3}, {"absent", 1}},
		Labels: []LabelStats{{"k", 3, 2}, {"l", 1, 1}}, ArgsMin: 2, ArgsMedian: 7, ArgsMax: 8,
		Nulls: []Count{{"time", 2}, {"tenant", 1}, {"session", 1}, {"seq", 4}, {"agent", 0}, {"chain", 3}, {"tool", 0}, {"action", 3},
			{"args", 1}, {"effect", 4}, {"region", 4}, {"estimated_cost", 4}, {"recorded_decision", 4},
			{"recorded_policy_version", 4}, {"outcome", 4}, {"coverage", 4}, {"labels", 1}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\nwant %+v\ngot  %+v", want, got)
	}
	if head, err := Head(path, 2); err != nil || len(head) != 2 || head[1].Action != "go" {
		t.Error(head, err)
	}
	if head, err := Head(path, -1); err != nil || len(head) != 0 {
		t.Error(head, err)
	}
	none := filepath.Join(t.TempDir(), "none.parquet")
	writeRows(t, none, nil)
	if got, err = ComputeStats(none, path); err != nil || got.Rows != 4 || got.Sessions != 2 || len(got.Files) != 2 {
		t.Error(got, err)
	}
	if _, err := ComputeStats("no such file"); err == nil {
		t.Error("no such file, and no error")
	}
}

// TestReadGroupTwice: a Batch forgets what it held.
func TestReadGroupTwice(t *testing.T) {
	f, b := openRaw(t, 3, texts("agent", same("a", 3)...), texts("tool", same("t", 3)...), texts("args", same("{}", 3)...))
	if err := f.ReadGroup(0, ColAgent, b); err != nil {
		t.Fatal(err)
	}
	if b.Args(0) != nil || b.Tool.Index[0] != -1 || b.NumRejected != 0 || b.Agent.At(2) != "a" || len(b.LabelKeys()) != 0 {
		t.Errorf("%+v", b)
	}
	var r Row
	if b.Row(0, &r); !reflect.DeepEqual(r, Row{Agent: "a"}) {
		t.Errorf("%+v", r)
	}
	if f.ReadGroup(1, ColAgent, b) == nil || f.ReadGroup(-1, ColAgent, b) == nil {
		t.Error("a group that does not exist was read")
	}
	if f.Close() != nil || f.Path() != "memory" || f.Has(ColTime) || !f.Has(ColAgent|ColTool|ColArgs) {
		t.Error("the file's properties are wrong")
	}
}
