package capture

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// Bounds on how a file is cut into the units of ReadGroup.
const (
	maxRowGroup = 1 << 31   // rows of a row group in the file
	maxParts    = 1 << 20   // units of a file
	partBytes   = 128 << 20 // of arguments that a unit should hold at most
)

// File is an open file of captured traffic. Its methods may be called from several goroutines.
type File struct {
	path  string
	f     *os.File
	r     io.ReaderAt
	meta  *fileMeta
	bind  *binding
	parts []part
	seeks seekIndex
}

// part is a unit of ReadGroup: rows from to to of a row group, where start is the number of the first in the file.
type part struct {
	group           int
	from, to, start int64
}

// Open opens a Parquet file and checks its metadata: the frame, the schema, the types of the columns of captured
// traffic and where they lie. The error is a *FormatError unless the file cannot be read at all.
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%s: not a regular file", path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	file, err := openReader(f, st.Size(), path)
	if err != nil {
		f.Close()
		return nil, err
	}
	file.f = f
	return file, nil
}

// openReader opens size bytes of r.
func openReader(r io.ReaderAt, size int64, path string) (file *File, err error) {
	defer rescue(path, -1, &err)
	fail := func(err error) (*File, error) {
		if fe := (*FormatError)(nil); errors.As(err, &fe) {
			fe.Path = path
			return nil, fe
		}
		return nil, &FormatError{Path: path, Group: -1, Err: err}
	}
	footer, err := readFooter(r, size)
	if err != nil {
		return fail(err)
	}
	m, groupsAt, err := parseFooter(footer)
	if err == nil {
		err = m.checkSum(footer)
	}
	if err != nil {
		return fail(err)
	}
	leaves, err := m.leaves()
	if err != nil {
		return fail(err)
	}
	bind, fe := bindColumns(m, leaves)
	if fe != nil {
		return fail(fe)
	}
	if err := m.parseGroups(footer, groupsAt, leaves, bind.wanted, size-footerTailBytes-int64(len(footer))); err != nil {
		return fail(err)
	}
	file = &File{path: path, r: r, meta: m, bind: bind, seeks: seekIndex{points: map[int][]seekPoint{}}}
	if err := file.divide(); err != nil {
		return fail(err)
	}
	return file, nil
}

// rescue turns a panic into an error that names the file. The decoder has no known way to panic; a file that finds
// one must not take the program down.
func rescue(path string, group int, err *error) {
	if p := recover(); p != nil {
		*err = &FormatError{Path: path, Group: group, Err: panicError{p}}
	}
}

// panicError is a panic that was caught. Tests tell it from errors that were meant.
type panicError struct{ value any }

func (p panicError) Error() string { return fmt.Sprintf("damaged Parquet file: %v", p.value) }

// divide cuts row groups into parts that fit in memory, whatever the writer's idea of a row group was.
func (f *File) divide() error {
	start := int64(0)
	for g := range f.meta.groups {
		m := &f.meta.groups[g]
		if m.rows > maxRowGroup {
			return fmt.Errorf("row group %d has %d rows, more than %d", g, m.rows, int64(maxRowGroup))
		}
		n := (m.rows + GroupRows - 1) / GroupRows
		if c := f.bind.cols[colArgs].chunk; c >= 0 {
			// What the footer claims counts only as far as the pages could be decompressed.
			size := min(m.chunks[c].uncompressed, bombFloor+bombRatio*m.chunks[c].size)
			n = max(n, min(size/partBytes+1, m.rows))
		}
		if n == 0 {
			continue
		}
		if int64(len(f.parts))+n > maxParts {
			return fmt.Errorf("the file has more rows than can be read (%d)", f.meta.rows)
		}
		for i := int64(0); i < n; i++ {
			from, to := m.rows*i/n, m.rows*(i+1)/n
			f.parts = append(f.parts, part{g, from, to, start + from})
		}
		start += m.rows
	}
	return nil
}

// Close closes the file.
func (f *File) Close() error {
	if f.f == nil {
		return nil
	}
	return f.f.Close()
}

// Path returns the path that the file was opened by.
func (f *File) Path() string { return f.path }

// NumRows returns the number of rows in the file.
func (f *File) NumRows() int64 { return f.meta.rows }

// NumGroups returns the number of units that ReadGroup reads: the row groups, where a row group that is larger than
// GroupRows, or has very large arguments, counts as several.
func (f *File) NumGroups() int { return len(f.parts) }

// GroupRows returns the number of rows of group i.
func (f *File) GroupRows(i int) int { return int(f.parts[i].to - f.parts[i].from) }

// GroupStart returns the number of the first row of group i in the file, from 0.
func (f *File) GroupStart(i int) int64 { return f.parts[i].start }

// Has reports whether the file has all columns of c.
func (f *File) Has(c Columns) bool { return f.bind.has&c == c }

// Assumed says in words what is assumed because the file does not say it, such as "no column tenant: every call is
// tenant default".
func (f *File) Assumed() []string { return f.bind.assumed }

// Ignored returns the names of the columns that captured traffic does not have.
func (f *File) Ignored() []string { return f.bind.ignored }

// ReadGroup reads the columns cols of group i into b, replacing what was there. It may be called from several
// goroutines, each with a Batch of its own. After an error, which is a *FormatError, b holds nothing of use.
func (f *File) ReadGroup(i int, cols Columns, b *Batch) (err error) {
	if i < 0 || i >= len(f.parts) {
		return fmt.Errorf("%s: there is no row group %d", f.path, i)
	}
	p := f.parts[i]
	defer rescue(f.path, p.group, &err)
	if cols&ColCoverage != 0 {
		cols |= ColArgs
	}
	b.reset(int(p.to - p.from))
	b.Start, b.Cols = p.start, cols
	if column, err := b.readColumns(f, p); err != nil {
		return &FormatError{Path: f.path, Group: p.group, Column: column, Err: err}
	}
	return nil
}

// span returns what of a column belongs to a part.
func (f *File) span(p part, chunk int, l *leaf) span {
	g := &f.meta.groups[p.group]
	s := span{chunk: &g.chunks[chunk], leaf: l, from: p.from, to: p.to, rows: g.rows}
	if p.to-p.from < g.rows {
		s.seek, s.seekKey = &f.seeks, p.group*2*columnCount+chunk
	}
	return s
}
