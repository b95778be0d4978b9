package capture

import (
	"bufio"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
	thriftlib "github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// Bounds on what a writer holds in memory.
const (
	writePage  = 1 << 20  // bytes of a page before compression
	writeGroup = 40 << 20 // bytes of large values in a row group, which ends early then; with one more value it is
	// below bombFloor, so that what is written can be read however well it compresses
	writeAtOnce  = 1024 // rows turned into columns at a time
	createdByApp = "aegisctl"
)

var errClosed = errors.New("capture: the writer is closed")

// table is a Parquet file that is being written under a temporary name.
type table struct {
	path, temp string
	f          *os.File
	buf        *bufio.Writer
	w          *parquet.GenericWriter[any]
	cols       []*parquet.ColumnWriter
	vals       []parquet.Value
	rows       int64
	inGroup    int // rows of the current row group
	groupBytes int // bytes of large values in it
	err        error
}

// newTable begins a file with the schema, called name, of model's struct tags.
func newTable(path, name string, model any) (*table, error) {
	if st, err := os.Stat(path); err == nil {
		if !st.Mode().IsRegular() {
			return nil, fmt.Errorf("%s: exists and is not a regular file", path)
		}
		// Write where a symbolic link points to rather than replace the link.
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return nil, err
		}
	}
	t := &table{path: path, temp: filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+rand.Text()[:8]+".tmp")}
	f, err := os.OpenFile(t.temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, err
	}
	t.f, t.buf = f, bufio.NewWriterSize(f, 1<<20)
	// Nothing here may depend on the time, the machine or the program's version: equal rows make equal files.
	schema := parquet.NewSchema(name, parquet.SchemaOf(model))
	options := []parquet.WriterOption{
		schema,
		parquet.Compression(&zstd.Codec{Level: zstd.SpeedDefault}),
		parquet.PageBufferSize(writePage),
		parquet.CreatedBy(createdByApp, SchemaVersion, ""),
		parquet.KeyValueMetadata(schemaKey, SchemaVersion),
		parquet.KeyValueMetadata(footerSumKey, footerSumBlank),
		parquet.DataPageStatistics(false),
	}
	for _, path := range schema.Columns() {
		if leaf, _ := schema.Lookup(path...); leaf.Node.Type().Kind() == parquet.ByteArray {
			// Texts may be 16 MiB long, and are nobody's business in a footer.
			options = append(options, parquet.SkipPageBounds(path...))
		}
	}
	t.w = parquet.NewGenericWriter[any](t.buf, options...)
	t.cols = t.w.ColumnWriters()
	return t, nil
}

// add accounts for n rows whose columns have been written, with so many bytes of large values.
func (t *table) add(n, large int) error {
	t.rows += int64(n)
	t.inGroup += n
	t.groupBytes += large
	if t.inGroup < GroupRows && t.groupBytes < writeGroup {
		return nil
	}
	t.inGroup, t.groupBytes = 0, 0
	return t.fail(t.w.Flush())
}

// fail remembers the first error: after it the file cannot be completed.
func (t *table) fail(err error) error {
	if t.err == nil && err != nil {
		t.err = fmt.Errorf("writing %s: %w", t.path, err)
	}
	return t.err
}

// begin says how many of n rows to turn into columns next, so that no row group has more than GroupRows.
func (t *table) begin(n int) int { return min(n, writeAtOnce, GroupRows-t.inGroup) }

// put writes t.vals to column i and empties it.
func (t *table) put(i int) {
	if t.err == nil {
		_, err := t.cols[i].WriteRowValues(t.vals)
		t.fail(err)
	}
	t.vals = t.vals[:0]
}

// text appends a text as the value of a column with the definition levels of present and null.
func (t *table) text(s string, present int) {
	if s == "" && present > 0 {
		t.vals = append(t.vals, parquet.Value{}.Level(0, 0, 0))
		return
	}
	t.vals = append(t.vals, textValue(s).Level(0, present, 0))
}

func (t *table) number(v int64, has bool) {
	if has {
		t.vals = append(t.vals, parquet.Int64Value(v).Level(0, 1, 0))
	} else {
		t.vals = append(t.vals, parquet.Value{}.Level(0, 0, 0))
	}
}

// texts appends a list of texts in an optional list of required elements.
func (t *table) texts(list []string) {
	if len(list) == 0 {
		def := 1
		if list == nil {
			def = 0
		}
		t.vals = append(t.vals, parquet.Value{}.Level(0, def, 0))
		return
	}
	for i, s := range list {
		t.vals = append(t.vals, textValue(s).Level(min(i, 1), 2, 0))
	}
}

// textValue makes a value that shares the memory of s; the column writer copies it.
func textValue(s string) parquet.Value {
	return parquet.ByteArrayValue(unsafe.Slice(unsafe.StringData(s), len(s)))
}

// close completes the file and gives it its name.
func (t *table) close() error {
	if t.f == nil {
		if t.err == errClosed {
			return nil
		}
		return t.err
	}
	defer t.abort()
	if t.err != nil {
		return t.err
	}
	if err := t.fail(t.w.Close()); err != nil {
		return err
	}
	if err := t.fail(t.buf.Flush()); err != nil {
		return err
	}
	if err := t.fail(finishFooter(t.f)); err != nil {
		return err
	}
	if err := t.fail(t.f.Sync()); err != nil {
		return err
	}
	if err := t.fail(t.f.Close()); err != nil { // Windows does not rename an open file
		return err
	}
	if err := t.fail(os.Rename(t.temp, t.path)); err != nil {
		return err
	}
	t.temp = ""
	// A rename survives a crash only when its directory is on disk, too. Not every file system can sync one.
	if d, err := os.Open(filepath.Dir(t.path)); err == nil {
		_ = d.Sync()
		d.Close()
	}
	return nil
}

// abort removes the temporary file, if the file was not completed.
func (t *table) abort() {
	if t.f == nil {
		return
	}
	t.f.Close()
	t.f = nil
	if t.temp != "" {
		os.Remove(t.temp)
	}
	if t.err == nil {
		t.err = errClosed
	}
}

// finishFooter replaces the footer that the library wrote. The library's page index claims bounds for columns of which
// it was told to keep none, so that readers that trust the index would miss rows; and Parquet has checksums of pages but
// none of the footer, so that ours carries its own.
func finishFooter(f *os.File) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	old, err := readFooter(f, st.Size())
	if err != nil {
		return err
	}
	var meta format.FileMetaData
	var compact thriftlib.CompactProtocol
	if err := thriftlib.Unmarshal(&compact, old, &meta); err != nil {
		return err
	}
	end := st.Size() - footerTailBytes - int64(len(old))
	for g := range meta.RowGroups {
		for i := range meta.RowGroups[g].Columns {
			c := &meta.RowGroups[g].Columns[i]
			if c.ColumnIndexOffset > 0 {
				end = min(end, c.ColumnIndexOffset)
			}
			c.ColumnIndexOffset, c.ColumnIndexLength, c.OffsetIndexOffset, c.OffsetIndexLength = 0, 0, 0, 0
		}
	}
	footer, err := thriftlib.Marshal(&compact, &meta)
	if err != nil {
		return err
	}
	m, _, err := parseFooter(footer)
	if err != nil {
		return err
	}
	copy(footer[m.sumAt:], footerSum(footer, m.sumAt, len(m.sum)))
	footer = binary.LittleEndian.AppendUint32(footer, uint32(len(footer)))
	if _, err = f.WriteAt(append(footer, magic...), end); err != nil {
		return err
	}
	return f.Truncate(end + int64(len(footer)+len(magic)))
}
