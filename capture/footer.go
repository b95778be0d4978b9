package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// Bounds on a file's metadata. They are far above what any writer makes of captured traffic.
const (
	maxFooter       = 16 << 20 // bytes: about 1,000,000,000 rows in row groups of 128k
	maxSchemaNodes  = 10_000
	maxSchemaDepth  = 64
	magic           = "PAR1"
	schemaKey       = "aegis.schema"
	footerSumKey    = "aegis.footer_crc32"
	footerSumBlank  = "00000000"
	footerTailBytes = 8
)

// The physical types of Parquet.
const (
	physBoolean = iota
	physInt32
	physInt64
	physInt96
	physFloat
	physDouble
	physBytes
	physFixed
	physGroup = -1
)

// How often a schema node occurs in its parent.
const (
	required = iota
	optional
	repeated
)

// schemaNode is one element of the file's schema, in the depth-first order of the footer.
type schemaNode struct {
	name             string
	phys             int8
	repetition       int8
	converted        int8 // deprecated annotation, -1 is none
	typeLen          int32
	children         int32
	scale, precision int32
	logical          logicalType
}

// chunkMeta says where one column of one row group lies.
type chunkMeta struct {
	start, size  int64 // bytes in the file, page headers included
	uncompressed int64 // bytes, as declared; a hint only
	values       int64
	codec        int32
	phys         int8
}

type groupMeta struct {
	rows   int64
	chunks []chunkMeta // of the wanted leaves, in the order of fileMeta.wanted
}

// fileMeta is the part of a footer that reading traffic needs.
type fileMeta struct {
	rows   int64
	schema []schemaNode
	groups []groupMeta
	aegis  string // value of the key aegis.schema
	ours   bool   // written by this package, and so with a checksum
	sum    []byte // the checksum, and where in the footer it stands
	sumAt  int
}

// readFooter fetches the footer's bytes, having checked the frame of the file.
func readFooter(r io.ReaderAt, size int64) ([]byte, error) {
	var head [4]byte
	if size < int64(len(magic)) {
		return nil, errors.New("not a Parquet file: it is empty or shorter than 4 bytes")
	}
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return nil, err
	}
	switch {
	case string(head[:]) == "PARE":
		return nil, errors.New("the file is encrypted, which is not supported")
	case string(head[:]) != magic:
		return nil, notParquet(head[:])
	case size < int64(2*len(magic)+footerTailBytes/2):
		return nil, errors.New("the Parquet file is cut off: it has no footer")
	}
	var tail [footerTailBytes]byte
	if _, err := r.ReadAt(tail[:], size-footerTailBytes); err != nil {
		return nil, err
	}
	if string(tail[4:]) == "PARE" {
		return nil, errors.New("the file is encrypted, which is not supported")
	}
	if string(tail[4:]) != magic {
		return nil, errors.New("the Parquet file is cut off, or bytes were added after its end: it does not end with PAR1")
	}
	n := int64(binary.LittleEndian.Uint32(tail[:4]))
	if n == 0 || n > size-footerTailBytes-int64(len(magic)) {
		return nil, fmt.Errorf("damaged Parquet file: a footer of %d bytes does not fit a file of %d", n, size)
	}
	if n > maxFooter {
		return nil, fmt.Errorf("the footer has %d bytes, more than %d: write larger row groups", n, maxFooter)
	}
	footer := make([]byte, n)
	if _, err := r.ReadAt(footer, size-footerTailBytes-n); err != nil {
		return nil, err
	}
	return footer, nil
}

func notParquet(head []byte) error {
	switch {
	case head[0] == '{' || head[0] == '[':
		return errors.New("not a Parquet file: it looks like JSON; aegisctl capture import reads JSON lines")
	case head[0] == 0x1f && head[1] == 0x8b:
		return errors.New("not a Parquet file: it is gzip; aegisctl capture import reads JSON lines in gzip")
	}
	return fmt.Errorf("not a Parquet file: it begins with %q instead of PAR1", head)
}

// parseFooter reads the metadata without the row groups' contents; they need the wanted leaves, which are chosen by
// schema, and are read by parseGroups from the returned offset.
func parseFooter(footer []byte) (m *fileMeta, groupsAt int, err error) {
	m, groupsAt = new(fileMeta), -1
	t := &thrift{b: footer}
	var last int16
	for t.err == nil {
		id, typ := t.field(&last)
		if typ == thriftStop {
			break
		}
		switch id {
		case 2:
			m.parseSchema(t, typ)
		case 3:
			m.rows = t.int(typ)
		case 4:
			groupsAt = t.p
			if typ != thriftList {
				t.fail("metadata holds no list of row groups")
			}
			t.skip(typ)
		case 5:
			m.parseKeyValues(t, typ)
		case 6:
			m.ours = bytes.HasPrefix(t.bytes(typ), []byte(createdByApp+" "))
		case 8:
			t.fail("the file is encrypted, which is not supported")
		default:
			t.skip(typ)
		}
	}
	switch {
	case t.err != nil:
		return nil, 0, fmt.Errorf("damaged Parquet footer: %w", t.err)
	case t.p != len(footer):
		return nil, 0, fmt.Errorf("damaged Parquet footer: %d bytes are left over", len(footer)-t.p)
	case len(m.schema) == 0 || groupsAt < 0 && m.rows != 0:
		return nil, 0, errors.New("damaged Parquet footer: it has no schema or no row groups")
	case m.rows < 0:
		return nil, 0, fmt.Errorf("damaged Parquet footer: %d rows", m.rows)
	}
	return m, groupsAt, nil
}

// checkSum compares the footer with the checksum in it, if there is one.
func (m *fileMeta) checkSum(footer []byte) error {
	if (m.ours || m.sum != nil) && (m.sum == nil || !bytes.Equal(m.sum, footerSum(footer, m.sumAt, len(m.sum)))) {
		return errors.New("damaged Parquet footer: its checksum does not match")
	}
	return nil
}

func (m *fileMeta) parseSchema(t *thrift, typ byte) {
	n := t.list(typ, thriftStruct)
	if n > maxSchemaNodes {
		t.fail("the schema has %d elements, more than %d", n, maxSchemaNodes)
		return
	}
	m.schema = make([]schemaNode, n)
	for i := range m.schema {
		if m.schema[i].parse(t); t.err != nil {
			return
		}
	}
}

func (s *schemaNode) parse(t *thrift) {
	s.phys, s.converted = physGroup, -1
	small := func(typ byte) int8 {
		v := t.int32(typ)
		if v < 0 || v > 100 {
			t.fail("metadata holds an unknown type %d", v)
		}
		return int8(v)
	}
	var last int16
	for {
		id, typ := t.field(&last)
		switch {
		case typ == thriftStop:
			if s.phys > physFixed || s.repetition > repeated || s.children < 0 {
				t.fail("column %.80q has an unknown type", s.name)
			}
			return
		case id == 1:
			s.phys = small(typ)
		case id == 2:
			s.typeLen = t.int32(typ)
		case id == 3:
			s.repetition = small(typ)
		case id == 4:
			s.name = string(t.bytes(typ))
		case id == 5:
			s.children = t.int32(typ)
		case id == 6:
			s.converted = small(typ)
		case id == 7:
			s.scale = t.int32(typ)
		case id == 8:
			s.precision = t.int32(typ)
		case id == 10:
			s.logical.parse(t, typ)
		default:
			t.skip(typ)
		}
	}
}

// parseKeyValues looks for our own keys.
func (m *fileMeta) parseKeyValues(t *thrift, typ byte) {
	for n := t.list(typ, thriftStruct); n > 0 && t.err == nil; n-- {
		var key, value []byte
		var valueEnd int
		var last int16
		for {
			id, ft := t.field(&last)
			if ft == thriftStop {
				break
			}
			switch id {
			case 1:
				key = t.bytes(ft)
			case 2:
				value = t.bytes(ft)
				valueEnd = t.p
			default:
				t.skip(ft)
			}
		}
		switch string(key) {
		case schemaKey:
			m.aegis = string(value)
		case footerSumKey:
			m.sum, m.sumAt = value, valueEnd-len(value)
		}
	}
}

// footerSum is the CRC-32 of the footer, in hexadecimal, taken with the n bytes at the place where it is stored blank.
func footerSum(footer []byte, at, n int) []byte {
	if n != len(footerSumBlank) {
		return nil
	}
	sum := crc32.ChecksumIEEE(footer[:at])
	sum = crc32.Update(sum, crc32.IEEETable, []byte(footerSumBlank))
	sum = crc32.Update(sum, crc32.IEEETable, footer[at+n:])
	return fmt.Appendf(nil, "%08x", sum)
}
