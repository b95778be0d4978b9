package capture

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"
)

// thriftOut writes the compact protocol, for files that no honest writer makes.
type thriftOut struct {
	bytes.Buffer
	last []int16
}

func (o *thriftOut) uvarint(u uint64) { o.Write(binary.AppendUvarint(nil, u)) }
func (o *thriftOut) zigzag(v int64)   { o.Write(binary.AppendVarint(nil, v)) }

func (o *thriftOut) open() { o.last = append(o.last, 0) }
func (o *thriftOut) shut() {
	o.WriteByte(thriftStop)
	o.last = o.last[:len(o.last)-1]
}

func (o *thriftOut) field(id int16, typ byte) {
	last := &o.last[len(o.last)-1]
	if d := id - *last; d > 0 && d < 16 {
		o.WriteByte(byte(d)<<4 | typ)
	} else {
		o.WriteByte(typ)
		o.zigzag(int64(id))
	}
	*last = id
}

func (o *thriftOut) i32(id int16, v int64) { o.field(id, thriftI32); o.zigzag(v) }
func (o *thriftOut) i64(id int16, v int64) { o.field(id, thriftI64); o.zigzag(v) }
func (o *thriftOut) text(id int16, s string) {
	o.field(id, thriftBinary)
	o.uvarint(uint64(len(s)))
	o.WriteString(s)
}
func (o *thriftOut) list(id int16, n int, elem byte) {
	o.field(id, thriftList)
	o.WriteByte(0xf0 | elem)
	o.uvarint(uint64(n))
}
func (o *thriftOut) structure(id int16, fill func()) {
	o.field(id, thriftStruct)
	o.open()
	fill()
	o.shut()
}

// node writes an element of the schema.
func (o *thriftOut) node(name string, phys, rep, children, conv int64) {
	o.open()
	if phys >= 0 {
		o.i32(1, phys)
	}
	o.i32(3, rep)
	o.text(4, name)
	if children > 0 {
		o.i32(5, children)
	}
	if conv > 0 {
		o.i32(6, conv-1)
	}
	o.shut()
}

// rawPage is a page as it stands in the file.
type rawPage struct {
	kind         int32 // pageData, pageDictionary, pageDataV2
	values, rows int64
	enc          int32
	defLen       int64 // version 2
	body         []byte
	size         int64 // declared after decompression; 0 means len(body)
	crc          bool
}

func (p *rawPage) bytes() []byte {
	o := &thriftOut{}
	o.open()
	size := p.size
	if size == 0 {
		size = int64(len(p.body))
	}
	o.i32(1, int64(p.kind))
	o.i32(2, size)
	o.i32(3, int64(len(p.body)))
	if p.crc {
		o.i32(4, int64(int32(crc32.ChecksumIEEE(p.body))))
	}
	switch p.kind {
	case pageData:
		o.structure(5, func() { o.i32(1, p.values); o.i32(2, int64(p.enc)); o.i32(3, encRLE); o.i32(4, encRLE) })
	case pageDictionary:
		o.structure(7, func() { o.i32(1, p.values); o.i32(2, int64(p.enc)) })
	case pageDataV2:
		o.structure(8, func() {
			o.i32(1, p.values)
			o.i32(2, 0)
			o.i32(3, p.rows)
			o.i32(4, int64(p.enc))
			o.i32(5, p.defLen)
			o.i32(6, 0)
		})
	}
	o.shut()
	return append(o.Bytes(), p.body...)
}

// rawColumn is a top-level column with its pages, or a chain of groups above one.
type rawColumn struct {
	name   string
	phys   int64
	rep    int64
	codec  int64
	conv   int64 // converted type + 1; 0 is none
	values int64 // of the chunk; 0 means rows of the file
	pages  []rawPage
	nest   int // groups above the column
}

// rawFile writes a file of one row group.
func rawFile(rows int64, cols ...rawColumn) []byte {
	var out bytes.Buffer
	out.WriteString(magic)
	starts := make([]int64, len(cols)+1)
	for i := range cols {
		starts[i] = int64(out.Len())
		for k := range cols[i].pages {
			out.Write(cols[i].pages[k].bytes())
		}
	}
	starts[len(cols)] = int64(out.Len())
	footer := rawFooter(rows, cols, starts)
	out.Write(footer)
	out.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(footer))))
	out.WriteString(magic)
	return out.Bytes()
}

func rawFooter(rows int64, cols []rawColumn, starts []int64) []byte {
	o := &thriftOut{}
	o.open()
	o.i32(1, 2)
	nodes := 1
	for _, c := range cols {
		nodes += 1 + c.nest
	}
	o.list(2, nodes, thriftStruct)
	o.node("root", -1, 0, int64(len(cols)), 0)
	for _, c := range cols {
		for range c.nest {
			o.node(c.name, -1, optional, 1, 0)
		}
		o.node(c.name, c.phys, c.rep, 0, c.conv)
	}
	o.i64(3, rows)
	o.list(4, 1, thriftStruct)
	o.open()
	o.list(1, len(cols), thriftStruct)
	for i, c := range cols {
		values := c.values
		if values == 0 {
			values = rows
		}
		o.open()
		o.i64(2, 0)
		o.structure(3, func() {
			o.i32(1, c.phys)
			o.list(2, 0, thriftI32)
			o.list(3, 1+c.nest, thriftBinary)
			for range 1 + c.nest {
				o.uvarint(uint64(len(c.name)))
				o.WriteString(c.name)
			}
			o.i32(4, c.codec)
			o.i64(5, values)
			o.i64(6, starts[i+1]-starts[i])
			o.i64(7, starts[i+1]-starts[i])
			o.i64(9, starts[i])
		})
		o.shut()
	}
	o.i64(2, 0)
	o.i64(3, rows)
	o.shut()
	o.shut()
	return o.Bytes()
}

// plainTexts is a page of n times the same text, without levels.
func plainTexts(n int, s string) []byte {
	var b []byte
	for range n {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	return b
}

// textColumnOf is a required column that has s in every row.
func textColumnOf(name string, rows int, s string) rawColumn {
	return rawColumn{name: name, phys: physBytes, conv: 1,
		pages: []rawPage{{values: int64(rows), enc: encPlain, body: plainTexts(rows, s), crc: true}}}
}

// readBytes opens a file in memory and reads all of it; it returns the rows.
func readBytes(data []byte) (rows []Row, err error) {
	f, err := openReader(bytes.NewReader(data), int64(len(data)), "memory")
	if err != nil {
		return nil, err
	}
	var b Batch
	for g := range f.NumGroups() {
		if err := f.ReadGroup(g, AllColumns, &b); err != nil {
			return nil, err
		}
		for i := range b.Rows {
			rows = append(rows, Row{})
			b.Row(i, &rows[len(rows)-1])
			b.Label("class")
		}
	}
	return rows, nil
}

func TestRawFileIsRead(t *testing.T) {
	rows, err := readBytes(rawFile(3, textColumnOf("agent", 3, "a"), textColumnOf("tool", 3, "t")))
	if err != nil || len(rows) != 3 || rows[2].Agent != "a" || rows[2].Tool != "t" {
		t.Fatal(rows, err)
	}
}
