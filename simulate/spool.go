package simulate

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"

	"github.com/aegisctl/aegis/capture"
)

// Rows that must change places go through buckets: each bucket holds a stretch of the event order, is written in input
// order, and is put in order when its turn comes.

// Bounds of buckets: rows in one, while there are few; and how many there may be (each is an open file).
const (
	bucketRows = 1 << 17
	maxBuckets = 512
)

type bucket struct {
	file *os.File // nil: in memory, for the only bucket
	mem  bytes.Buffer
	w    *bufio.Writer
	rows int
}

// distribute writes every row to its bucket. byRow yields record{row, place in event order}.
func (r *run) distribute(dir string, byRow *sorter, total int64) (_ stream, err error) {
	per := max(bucketRows, (total+maxBuckets-1)/maxBuckets)
	s := &spool{run: r, dir: dir}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	for at := int64(0); at < total; at += per {
		b := &bucket{}
		if total <= per {
			b.w = bufio.NewWriter(&b.mem)
		} else {
			if b.file, err = os.CreateTemp(dir, "rows-*"); err != nil {
				return nil, err
			}
			b.w = bufio.NewWriterSize(b.file, 1<<15)
		}
		s.buckets = append(s.buckets, b)
	}
	in := r.newFileStream(r.src.columns())
	defer in.stop()
	var from *batch
	i := 0
	var buf []byte
	err = byRow.each(func(rec record) error {
		for from == nil || i == from.Rows {
			if from != nil {
				in.release(from)
			}
			if from, err = in.next(); err != nil {
				return err
			}
			if from == nil {
				return errors.New("a file changed while it was read")
			}
			i = 0
			r.src.note(from)
			if err := r.ctx.Err(); err != nil {
				return err
			}
		}
		buf = s.encode(buf[:0], from, i, rec[1])
		i++
		b := s.buckets[int64(rec[1])/per]
		b.rows++
		_, err := b.w.Write(buf)
		return err
	})
	for _, b := range s.buckets {
		err = errors.Join(err, b.w.Flush())
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// spool yields the buckets, each in order.
type spool struct {
	run     *run
	dir     string
	buckets []*bucket
	at      int
}

func (s *spool) release(*batch) {}

// stop may be called more than once.
func (s *spool) stop() {
	for _, b := range s.buckets {
		if b.file != nil {
			b.file.Close()
			b.file = nil
		}
	}
	os.RemoveAll(s.dir)
}

// encode appends row i of a batch, with its length first.
func (s *spool) encode(dst []byte, b *batch, i int, pos uint64) []byte {
	flags := byte(0)
	for j, null := range []bool{b.TimeNull[i], b.SeqNull[i], b.CostNull[i], b.ArgsNull[i], b.Chain.Index[i] < 0} {
		if null {
			flags |= 1 << j
		}
	}
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.AppendUvarint(dst, pos)
	dst = append(dst, flags, byte(b.Coverage[i]), byte(b.Rejected[i]))
	dst = binary.AppendVarint(dst, b.Time[i])
	dst = binary.AppendVarint(dst, b.Seq[i])
	dst = binary.AppendVarint(dst, b.Cost[i])
	for _, c := range b.strings() {
		dst = appendString(dst, c, i)
	}
	for _, name := range s.run.src.labels {
		c := s.run.src.labelColumn(b, name)
		dst = appendString(dst, &c, i)
	}
	chain := b.Callers(i)
	dst = binary.AppendUvarint(dst, uint64(len(chain)))
	for _, name := range chain {
		dst = append(binary.AppendUvarint(dst, uint64(len(name))), name...)
	}
	dst = append(dst, b.ArgsData[b.ArgsStart[i]:b.ArgsEnd[i]]...)
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst
}

// strings lists the columns that evaluating reads, in one order.
func (b *batch) strings() []*capture.StringColumn {
	return []*capture.StringColumn{&b.Tenant, &b.Session, &b.Agent, &b.Tool, &b.Action, &b.Effect, &b.Region, &b.Outcome}
}

// appendString writes a value of a column: 0 is null, else its length and one more.
func appendString(dst []byte, c *capture.StringColumn, i int) []byte {
	k := c.Index[i]
	if k < 0 {
		return append(dst, 0)
	}
	v := c.Dict[k]
	return append(binary.AppendUvarint(dst, uint64(len(v))+1), v...)
}

// next reads a bucket, puts its rows in order and makes a batch of them.
func (s *spool) next() (*batch, error) {
	if s.at == len(s.buckets) {
		s.stop()
		return nil, nil
	}
	b := s.buckets[s.at]
	s.at++
	data := b.mem.Bytes()
	if b.file != nil {
		var err error
		if _, err = b.file.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		if data, err = io.ReadAll(b.file); err != nil {
			return nil, err
		}
		if err := errors.Join(b.file.Close(), os.Remove(b.file.Name())); err != nil {
			return nil, err
		}
		b.file = nil
	}
	type item struct {
		pos uint64
		row []byte
	}
	items := make([]item, 0, b.rows)
	for len(data) > 0 {
		n := binary.LittleEndian.Uint32(data)
		row := data[4 : 4+n]
		pos, k := binary.Uvarint(row)
		items = append(items, item{pos, row[k:]})
		data = data[4+n:]
	}
	slices.SortFunc(items, func(a, b item) int {
		if a.pos < b.pos {
			return -1
		}
		return 1
	})
	out := newBuilder(s.run)
	for _, it := range items {
		out.row(it.row)
	}
	return out.end(), nil
}

// builder makes a batch of spooled rows.
type builder struct {
	b      batch
	dicts  []map[string]int32
	chains map[string]int32
}

func newBuilder(r *run) *builder {
	o := &builder{b: batch{file: spooled}}
	o.b.labels = make([]capture.StringColumn, len(r.src.labels))
	o.dicts = make([]map[string]int32, len(o.b.strings())+len(o.b.labels))
	for i := range o.dicts {
		o.dicts[i] = map[string]int32{}
	}
	o.chains = map[string]int32{}
	return o
}

func (o *builder) end() *batch {
	o.b.Rows = len(o.b.Time)
	return &o.b
}

func (o *builder) row(row []byte) {
	b := &o.b
	flags := row[0]
	b.Coverage = append(b.Coverage, capture.Coverage(row[1]))
	b.Rejected = append(b.Rejected, capture.Reject(row[2]))
	row = row[3:]
	number := func() int64 {
		v, n := binary.Varint(row)
		row = row[n:]
		return v
	}
	b.Time, b.TimeNull = append(b.Time, number()), append(b.TimeNull, flags&1 != 0)
	b.Seq, b.SeqNull = append(b.Seq, number()), append(b.SeqNull, flags&2 != 0)
	b.Cost, b.CostNull = append(b.Cost, number()), append(b.CostNull, flags&4 != 0)
	b.ArgsNull = append(b.ArgsNull, flags&8 != 0)
	columns := b.strings()
	for i := range b.labels {
		columns = append(columns, &b.labels[i])
	}
	for i, c := range columns {
		n, k := binary.Uvarint(row)
		row = row[k:]
		if n == 0 {
			c.Index = append(c.Index, -1)
			continue
		}
		c.Index = append(c.Index, o.intern(i, c, row[:n-1]))
		row = row[n-1:]
	}
	row = o.chain(row, flags&16 != 0)
	b.ArgsStart = append(b.ArgsStart, uint32(len(b.ArgsData)))
	b.ArgsData = append(b.ArgsData, row...)
	b.ArgsEnd = append(b.ArgsEnd, uint32(len(b.ArgsData)))
}

func (o *builder) intern(i int, c *capture.StringColumn, v []byte) int32 {
	k, ok := o.dicts[i][string(v)]
	if !ok {
		k = int32(len(c.Dict))
		s := string(v)
		o.dicts[i][s] = k
		c.Dict = append(c.Dict, s)
	}
	return k
}

// chain reads a chain, which its own bytes name in the dictionary, and returns the rest of the row.
func (o *builder) chain(row []byte, null bool) []byte {
	n, k := binary.Uvarint(row)
	rest := row[k:]
	var names []string
	for range n {
		m, k := binary.Uvarint(rest)
		names = append(names, string(rest[k:k+int(m)]))
		rest = rest[k+int(m):]
	}
	c := &o.b.Chain
	if null {
		c.Index = append(c.Index, -1)
		return rest
	}
	key := string(row[:len(row)-len(rest)])
	i, ok := o.chains[key]
	if !ok {
		i = int32(len(c.Dict))
		o.chains[key] = i
		c.Dict = append(c.Dict, names)
	}
	c.Index = append(c.Index, i)
	return rest
}
