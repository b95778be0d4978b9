package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// maxExtra is what a bad file may cost, in bytes allocated altogether, which is more than what is held at once.
const maxExtra = 64 << 20

// allocated runs f and returns how many bytes it allocated.
func allocated(f func()) uint64 {
	var a, b runtime.MemStats
	runtime.ReadMemStats(&a)
	f()
	runtime.ReadMemStats(&b)
	return b.TotalAlloc - a.TotalAlloc
}

// mustRefuse reads data and wants an error that says want, at little cost, and no panic behind it.
func mustRefuse(t *testing.T, data []byte, want string) {
	t.Helper()
	var err error
	if n := allocated(func() { _, err = readBytes(data) }); n > maxExtra {
		t.Errorf("%d bytes were allocated", n)
	}
	var fe *FormatError
	if !errors.As(err, &fe) {
		t.Fatalf("the error is %v", err)
	}
	if p := (panicError{}); errors.As(err, &p) {
		t.Fatalf("a panic: %v", err)
	}
	if !strings.Contains(err.Error(), want) {
		t.Errorf("the error is %q, and does not say %q", err, want)
	}
}

// capturedFile is a valid capture of more than 10,000 rows.
func capturedFile(t testing.TB) ([]byte, []Row) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "t.parquet")
	rows := manyRows(12_000)
	writeRows(t, path, rows)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data, rows
}

// TestBadFiles damages a valid file in every way of the list of bad Parquet files that this product is tested by.
func TestBadFiles(t *testing.T) {
	good, rows := capturedFile(t)
	edit := func(f func(d []byte) []byte) []byte { return f(bytes.Clone(good)) }
	flip := func(off, bit int) []byte {
		return edit(func(d []byte) []byte {
			if off < 0 {
				off += len(d)
			}
			d[off] ^= 1 << bit
			return d
		})
	}
	footerLength := func(n uint32) []byte {
		return edit(func(d []byte) []byte { binary.LittleEndian.PutUint32(d[len(d)-8:], n); return d })
	}
	ok, err := readBytes(good)
	if err != nil || len(ok) != len(rows) || !reflect.DeepEqual(ok[11_999], asRead(rows[11_999])) {
		t.Fatal("the valid file is not read:", err)
	}
	a, tool := textColumnOf("agent", 2, "a"), textColumnOf("tool", 2, "t")
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":           {nil, "not a Parquet file"},
		"short":           {[]byte("PA"), "not a Parquet file"},
		"magic only":      {[]byte("PAR1PAR1"), "cut off"},
		"one byte short":  {good[:len(good)-1], "does not end with PAR1"},
		"half":            {good[:len(good)/2], "does not end with PAR1"},
		"footer length":   {footerLength(math.MaxUint32), "does not fit"},
		"no footer":       {footerLength(0), "does not fit"},
		"footer bit":      {flip(-40, 1), "damaged Parquet footer"},
		"head magic":      {edit(func(d []byte) []byte { copy(d, "XXXX"); return d }), "not a Parquet file"},
		"encrypted":       {edit(func(d []byte) []byte { copy(d, "PARE"); return d }), "encrypted"},
		"page bit":        {flip(2000, 5), "checksum"},
		"appended byte":   {append(bytes.Clone(good), 0), "bytes were added"},
		"CSV":             {[]byte("a,b\n1,2\n"), "not a Parquet file"},
		"JSON":            {[]byte(`{"agent":"a","tool":"t"}`), "capture import"},
		"gzip":            {[]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00"), "capture import"},
		"seq is text":     {rawFile(2, a, tool, textColumnOf("seq", 2, "1")), "column seq: the column is text, but should be an integer"},
		"no tool":         {rawFile(2, a), "column tool: the column is missing"},
		"no agent":        {rawFile(2, tool), "column agent: the column is missing"},
		"time is integer": {rawFile(2, a, tool, rawColumn{name: "time", phys: physInt64}), "column time: the column is int64, but should be a timestamp"},
		"time is INT96":   {rawFile(2, a, tool, rawColumn{name: "time", phys: physInt96}), "INT96"},
		"agent is a list": {rawFile(2, rawColumn{name: "agent", phys: physBytes, nest: 1}, tool), "column agent: the column is a struct, but should be text"},
		"chain is text":   {rawFile(2, a, tool, textColumnOf("chain", 2, "x")), "but should be a list of text"},
		"labels is text":  {rawFile(2, a, tool, textColumnOf("labels", 2, "x")), "but should be a map"},
		"cost is text":    {rawFile(2, a, tool, textColumnOf("estimated_cost", 2, "x")), "but should be decimal(18,6)"},
		"two agents":      {rawFile(2, a, a, tool), "two columns of this name"},
		"deep schema":     {rawFile(2, a, tool, rawColumn{name: "x", phys: physBytes, nest: 9_990}), "nests deeper"},
		"many columns":    {rawFile(2, a, tool, rawColumn{name: "x", phys: physBytes, nest: 20_000}), "elements"},
	} {
		t.Run(name, func(t *testing.T) { mustRefuse(t, c.data, c.want) })
	}
}

// zeros makes a compressed page of n zero bytes without holding them.
func zeros(t *testing.T, codec int64, n int) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&out)
	if codec == codecZstd {
		z, err := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
		if err != nil {
			t.Fatal(err)
		}
		w = z
	}
	block := make([]byte, 1<<20)
	for range n / len(block) {
		if _, err := w.Write(block); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestBombs: a few bytes that claim to be very many.
func TestBombs(t *testing.T) {
	a, tool := textColumnOf("agent", 2, "a"), textColumnOf("tool", 2, "t")
	args := func(codec int64, pages ...rawPage) []byte {
		return rawFile(2, a, tool, rawColumn{name: "args", phys: physBytes, conv: 1, codec: codec, pages: pages})
	}
	gz, zs := zeros(t, codecGzip, 256<<20), zeros(t, codecZstd, 1<<30)
	run := func(v ...byte) []byte {
		return append([]byte{1}, append([]byte{0xfe, 0xff, 0xff, 0xff, 0x0f}, v...)...)
	}
	huge := binary.AppendUvarint(binary.AppendUvarint(binary.AppendUvarint(nil, 128), 4), 1<<30)
	huge = append(binary.AppendVarint(huge, 0), 0, 0, 0, 0, 0)
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"1 GiB":           {args(codecZstd, rawPage{values: 2, body: zs, size: 1 << 30}), "claims 1073741824 bytes"},
		"1 GiB that lies": {args(codecZstd, rawPage{values: 2, body: zs, size: 100}), "not the size that it declares"},
		"gzip that lies":  {args(codecGzip, rawPage{values: 2, body: gz, size: 100}), "not the size that it declares"},
		"64 MiB, 1 value": {args(codecZstd, rawPage{values: 1, body: zs, size: 64 << 20}), "claims 67108864 bytes"},
		"64 MiB, 8 values": {rawFile(8, textColumnOf("agent", 8, "a"), textColumnOf("tool", 8, "t"), rawColumn{name: "args", phys: physBytes, conv: 1,
			codec: codecZstd, pages: []rawPage{{values: 8, body: zs[:20_000], size: 64 << 20}}}), "decompression bomb"},
		"dictionary":       {args(0, rawPage{kind: pageDictionary, values: math.MaxInt32, body: make([]byte, 100)}), "dictionary"},
		"run beyond rows":  {args(0, rawPage{kind: pageDictionary, values: 1, body: plainTexts(1, "x")}, rawPage{values: math.MaxInt32, enc: encRLEDictionary, body: run(0)}), "more than the 2 rows"},
		"index":            {args(0, rawPage{kind: pageDictionary, values: 1, body: plainTexts(1, "x")}, rawPage{values: 2, enc: encRLEDictionary, body: run(1)}), "dictionary entry"},
		"no dictionary":    {args(0, rawPage{values: 2, enc: encRLEDictionary, body: run(0)}), "dictionary entry"},
		"two dictionaries": {args(0, rawPage{kind: pageDictionary, values: 1, body: plainTexts(1, "x")}, rawPage{kind: pageDictionary, values: 1, body: plainTexts(1, "x")}), "two dictionaries"},
		"length":           {args(0, rawPage{values: 2, body: []byte{0xff, 0xff, 0xff, 0x7f, 1}}), "fewer values"},
		"17 MiB":           {args(0, rawPage{values: 2, body: plainTexts(1, strings.Repeat("x", 17<<20))}), "16777216"},
		"delta":            {args(0, rawPage{values: 2, enc: encDeltaLength, body: huge}), "damaged"},
		"LZO":              {args(3, rawPage{values: 2, body: []byte{1}, size: 5}), "LZO"},
		"unknown codec":    {args(99, rawPage{values: 2, body: []byte{1}, size: 5}), "unknown kind 99"},
		"unknown encoding": {args(0, rawPage{values: 2, enc: 77, body: []byte{1}}), "encoding 77"},
		"too few pages":    {args(0, rawPage{values: 1, body: plainTexts(1, "x")}), "ends after 1 of 2 rows"},
		"no pages":         {args(0), "ends after 0 of 2 rows"},
		"levels too long":  {args(0, rawPage{kind: pageDataV2, values: 2, rows: 2, defLen: 1 << 20, body: plainTexts(2, "x")}), "levels are longer"},
		"page past chunk":  {rawFile(2, a, tool, rawColumn{name: "args", phys: physBytes, conv: 1, pages: []rawPage{{values: 2, body: plainTexts(2, "x")}}, values: 3}), "has 3 values for 2 rows"},
	} {
		t.Run(name, func(t *testing.T) { mustRefuse(t, c.data, c.want) })
	}
}

// TestRowsOfNoBytes: 2^31 rows take a hundred bytes as run lengths. They are read in parts, none of which costs more
// than its rows.
func TestRowsOfNoBytes(t *testing.T) {
	const rows = math.MaxInt32
	text := func(name, s string) rawColumn {
		return rawColumn{name: name, phys: physBytes, conv: 1, pages: []rawPage{
			{kind: pageDictionary, values: 1, body: plainTexts(1, s)},
			{values: rows, enc: encRLEDictionary, body: []byte{1, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0}}}}
	}
	data := rawFile(rows, text("agent", "a"), text("tool", "t"))
	var f *File
	var b Batch
	n := allocated(func() {
		var err error
		if f, err = openReader(bytes.NewReader(data), int64(len(data)), "memory"); err != nil {
			t.Fatal(err)
		}
		for _, g := range []int{0, f.NumGroups() / 2, f.NumGroups() - 1} {
			if err := f.ReadGroup(g, AllColumns, &b); err != nil {
				t.Fatal(err)
			}
		}
	})
	if n > maxExtra || b.Start+int64(b.Rows) != rows || b.Agent.At(b.Rows-1) != "a" || b.Rows > GroupRows {
		t.Fatal(n, b.Start, b.Rows)
	}
}

// TestNullAgent: such rows are rejected, not read as agent "".
func TestNullAgent(t *testing.T) {
	// Rows 0 and 2 have a value, row 1 has none; row 3 has a name with a space, row 4 an empty one.
	def := []byte{2, 0, 0, 0, 1<<1 | 1, 0b11101}
	body := append(def, plainTexts(2, "a")...)
	body = append(append(body, plainTexts(1, "a b")...), plainTexts(1, "")...)
	agent := rawColumn{name: "agent", phys: physBytes, rep: optional, conv: 1, pages: []rawPage{{values: 5, body: body}}}
	data := rawFile(5, agent, textColumnOf("tool", 5, "t"))
	f, err := openReader(bytes.NewReader(data), int64(len(data)), "memory")
	if err != nil {
		t.Fatal(err)
	}
	var b Batch
	if err := f.ReadGroup(0, AllColumns, &b); err != nil {
		t.Fatal(err)
	}
	want := []Reject{Accepted, RejectAgentNull, Accepted, RejectAgentName, RejectAgentName}
	if !reflect.DeepEqual(b.Rejected, want) || b.NumRejected != 3 {
		t.Fatal(b.Rejected)
	}
	if b.Agent.Index[1] != -1 || b.Agent.At(2) != "a" || b.Coverage[0] != CoverageAbsent {
		t.Fatal(b.Agent, b.Coverage)
	}
	if len(f.Assumed()) == 0 || !strings.Contains(strings.Join(f.Assumed(), "\n"), "no column tenant: every call is tenant default") {
		t.Fatal(f.Assumed())
	}
}

// TestParquetTestingBadData reads every column of the files that made other readers fail.
func TestParquetTestingBadData(t *testing.T) {
	files, err := filepath.Glob("testdata/parquet-testing/*.gz")
	if err != nil || len(files) != 8 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			packed, err := os.ReadFile(name)
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
			mustRefuse(t, data, "")
			if n := allocated(func() { err = readAnything(data) }); n > maxExtra {
				t.Errorf("%d bytes were allocated", n)
			}
			t.Log(err)
		})
	}
}

// readAnything decodes every column that the decoder knows, whatever its name, and returns the first error.
func readAnything(data []byte) error {
	r := bytes.NewReader(data)
	footer, err := readFooter(r, r.Size())
	if err != nil {
		return err
	}
	m, at, err := parseFooter(footer)
	if err != nil {
		return err
	}
	leaves, err := m.leaves()
	if err != nil {
		return err
	}
	wanted := make([]int, len(leaves))
	for i := range wanted {
		wanted[i] = i
	}
	if err := m.parseGroups(footer, at, leaves, wanted, r.Size()-8-int64(len(footer))); err != nil {
		return err
	}
	p := pageReader{r: r}
	var levels []uint8
	for g := range m.groups {
		n := m.groups[g].rows
		if n > 1<<20 {
			return errors.New("too many rows for a test")
		}
		for i := range leaves {
			l := &leaves[i]
			sp := span{chunk: &m.groups[g].chunks[i], leaf: l, to: n, rows: n}
			var err error
			switch {
			case l.maxRep > 1 || l.node.phys == physBoolean || l.node.phys == physInt96 || l.node.phys == physFixed && (l.node.typeLen > 16 || l.node.typeLen < 1):
			case l.maxRep == 1 && l.node.phys == physBytes:
				err = p.nested(sp, &list{})
			case l.maxRep == 1:
			case l.node.phys == physBytes:
				err = p.flat(sp, &textColumn{index: make([]int32, n)}, &levels)
			default:
				c := &intColumn{out: make([]int64, n), null: make([]bool, n)}
				c.src.init(l)
				err = p.flat(sp, c, &levels)
			}
			if err != nil {
				return &FormatError{Path: "memory", Group: g, Column: l.name(), Err: err}
			}
		}
	}
	return nil
}
