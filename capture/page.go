package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"
)

// Bounds on pages. DuckDB writes pages of up to 100 MB; other writers stay near 1 MiB.
const (
	maxPage       = 128 << 20 // bytes of a page, compressed or not
	maxValue      = 16 << 20  // bytes of one value
	maxPageHeader = 1 << 20   // bytes; only statistics can make it longer than 100
	maxDictionary = 1 << 21   // entries
	maxGroupData  = 1 << 30   // bytes of one column that one ReadGroup holds
	readAhead     = 1 << 20   // bytes fetched at a time
	maxEmptyPages = 1000      // pages without values in one column chunk
	bombFloor     = 56 << 20  // bytes that one ReadGroup decompresses of a column before bombRatio counts
	bombRatio     = 1000      // how many bytes a byte of the file may become; of real arguments it is 2 to 30
)

// The types of pages.
const (
	pageData       = 0
	pageDictionary = 2
	pageDataV2     = 3
)

// The encodings of Parquet.
const (
	encPlain           = 0
	encPlainDictionary = 2
	encRLE             = 3
	encDelta           = 5
	encDeltaLength     = 6
	encDeltaBytes      = 7
	encRLEDictionary   = 8
	encByteStreamSplit = 9
)

// pageHeader is the part of a page's header that reading needs.
type pageHeader struct {
	kind           int32
	size, packed   int32 // bytes after and before decompression
	crc            uint32
	hasCRC         bool
	values         int32 // entries, nulls included
	rows           int32 // of a data page of version 2, else -1
	enc            int32
	defEnc, repEnc int32
	defLen, repLen int32 // bytes of levels in a page of version 2
	stored         bool  // version 2: the values are not compressed
}

func (h *pageHeader) parse(t *thrift) {
	*h = pageHeader{kind: -1, size: -1, packed: -1, values: -1, rows: -1, defEnc: encRLE, repEnc: encRLE}
	body := false
	var last int16
	for {
		id, typ := t.field(&last)
		if typ == thriftStop {
			break
		}
		switch id {
		case 1:
			h.kind = t.int32(typ)
		case 2:
			h.size = t.int32(typ)
		case 3:
			h.packed = t.int32(typ)
		case 4:
			h.crc, h.hasCRC = uint32(t.int32(typ)), true
		case 5, 7, 8:
			if body {
				t.fail("its header describes two pages")
				return
			}
			body = true
			h.parseBody(t, typ, id)
		default:
			t.skip(typ)
		}
	}
	if t.err == nil && (!body || h.size < 0 || h.packed < 0 || h.values < 0 || h.defLen < 0 || h.repLen < 0) {
		t.fail("its header is damaged")
	}
}

// parseBody reads the header of one kind of page: 5 data, 7 dictionary, 8 data of version 2.
func (h *pageHeader) parseBody(t *thrift, typ byte, kind int16) {
	if h.kind != [...]int32{5: pageData, 7: pageDictionary, 8: pageDataV2}[kind] {
		t.fail("its header describes another kind of page")
		return
	}
	t.enter(typ)
	var last int16
	for {
		id, ft := t.field(&last)
		switch {
		case ft == thriftStop:
			return
		case id == 1:
			h.values = t.int32(ft)
		case kind != 8 && id == 2 || kind == 8 && id == 4:
			h.enc = t.int32(ft)
		case kind == 5 && id == 3:
			h.defEnc = t.int32(ft)
		case kind == 5 && id == 4:
			h.repEnc = t.int32(ft)
		case kind == 8 && id == 3:
			h.rows = t.int32(ft)
		case kind == 8 && id == 5:
			h.defLen = t.int32(ft)
		case kind == 8 && id == 6:
			h.repLen = t.int32(ft)
		case kind == 8 && id == 7:
			h.stored = !t.bool(ft)
		default:
			t.skip(ft)
		}
	}
}

// pageReader walks the pages of one column chunk.
type pageReader struct {
	r        io.ReaderAt
	pos, end int64 // of the next byte to take, and of the chunk, in the file
	codec    int32
	buf      []byte // holds the file's bytes from pos on
	kept     []byte // the memory behind buf
	empty    int    // pages without values so far
	in, out  int64  // bytes of the pages loaded so far, before and after decompression
	flate    decompressor
	scratch  []byte
}

func (p *pageReader) open(r io.ReaderAt, c *chunkMeta) {
	p.r, p.pos, p.end, p.codec, p.buf = r, c.start, c.start+c.size, c.codec, nil
	p.empty, p.in, p.out = 0, 0, 0
}

// seek goes on at another place of the chunk.
func (p *pageReader) seek(pos int64) {
	if ahead := pos - p.pos; ahead >= 0 && ahead <= int64(len(p.buf)) {
		p.buf = p.buf[ahead:]
	} else {
		p.buf = nil
	}
	p.pos = pos
}

// window makes n bytes available in p.buf, or as many as the chunk has left.
func (p *pageReader) window(n int) error {
	left := p.end - p.pos
	if int64(n) > left {
		n = int(left)
	}
	if len(p.buf) >= n {
		return nil
	}
	want := max(n, int(min(readAhead, left)))
	if cap(p.kept) < want {
		p.kept = make([]byte, want)
	}
	have := copy(p.kept[:want], p.buf)
	p.buf = p.kept[:want]
	if _, err := p.r.ReadAt(p.buf[have:], p.pos+int64(have)); err != nil {
		p.buf = nil
		return fmt.Errorf("reading the file: %w", err)
	}
	return nil
}

// next reads the header of the next page; the page's bytes follow at p.pos. The error is io.EOF at the chunk's end.
func (p *pageReader) next(h *pageHeader) error {
	if p.pos >= p.end {
		return io.EOF
	}
	for n := 256; ; n *= 16 {
		if err := p.window(n); err != nil {
			return err
		}
		t := thrift{b: p.buf}
		h.parse(&t)
		if t.err == errThriftShort && int64(len(p.buf)) < p.end-p.pos && n < maxPageHeader {
			continue
		}
		if t.err != nil {
			return fmt.Errorf("damaged page: %w", t.err)
		}
		p.seek(p.pos + int64(t.p))
		break
	}
	if h.kind != pageDictionary && h.values == 0 {
		// They make no progress, and would cost their time again in every part of a large row group.
		if p.empty++; p.empty > maxEmptyPages {
			return errors.New("damaged page: there are too many empty ones")
		}
	}
	if int64(h.packed) > p.end-p.pos {
		return errors.New("damaged page: it ends behind its column")
	}
	if h.size > maxPage || h.packed > maxPage || int64(h.size) > (int64(h.values)+1)*(maxValue+64) {
		return fmt.Errorf("a page of %d values claims %d bytes after decompression: more than %d for a value or %d for a page",
			h.values, h.size, maxValue, maxPage)
	}
	return nil
}

// skip passes over the page whose header was read.
func (p *pageReader) skip(h *pageHeader) { p.seek(p.pos + int64(h.packed)) }

// page is one page ready to decode.
type page struct {
	values   int  // entries, nulls included
	count    int  // values in data as far as it is known: of a page that cannot have nulls, else -1
	def, rep runs // levels; those of a column that has none are never read
	data     []byte
	enc      int32
}

// load reads, checks and decompresses the page whose header was read. The decompressed bytes are appended to dst, or
// are valid until the next call where dst is nil.
func (p *pageReader) load(h *pageHeader, l *leaf, dst []byte) (pg page, _ []byte, err error) {
	n := int(h.packed)
	p.in, p.out = p.in+int64(n), p.out+int64(h.size)
	if p.out > bombFloor && p.out/bombRatio > p.in {
		return pg, dst, fmt.Errorf("a decompression bomb: %d bytes of pages claim to become %d", p.in, p.out)
	}
	if err := p.window(n); err != nil {
		return pg, dst, err
	}
	body := p.buf[:n]
	if h.hasCRC && crc32.ChecksumIEEE(body) != h.crc {
		return pg, dst, errors.New("damaged page: its checksum does not match")
	}
	pg = page{values: int(h.values), count: -1, enc: h.enc}
	codec, size := p.codec, int(h.size)
	var levels []byte
	if h.kind == pageDataV2 {
		k := int(h.defLen) + int(h.repLen)
		if k > n || k > size {
			return pg, dst, errors.New("damaged page: its levels are longer than it")
		}
		levels, body, size = body[:k], body[k:], size-k
		if h.stored {
			codec = codecNone
		}
	}
	if codec == codecNone && len(body) != size {
		return pg, dst, fmt.Errorf("damaged page: %w", errSize)
	}
	switch {
	case size == 0: // nulls only; some writers store nothing then, not even an empty compressed frame
	case codec == codecNone && dst == nil:
		pg.data = body
	case dst == nil:
		p.scratch, err = p.flate.append(p.scratch[:0], body, codec, size)
		pg.data = p.scratch
	default:
		at := len(dst)
		dst, err = p.flate.append(dst, body, codec, size)
		if err == nil {
			pg.data = dst[at:len(dst):len(dst)]
		}
	}
	if err == nil {
		err = pg.splitLevels(h, l, levels)
	}
	p.skip(h)
	if err != nil {
		return pg, dst, fmt.Errorf("damaged page: %w", err)
	}
	return pg, dst, nil
}

// splitLevels finds the page's levels: before its values in version 1, apart from them in version 2.
func (pg *page) splitLevels(h *pageHeader, l *leaf, v2 []byte) error {
	if h.kind == pageDictionary {
		pg.count = pg.values
		return nil
	}
	if h.kind == pageDataV2 {
		pg.rep = runs{src: v2[:h.repLen], width: uint(bits.Len8(l.maxRep))}
		pg.def = runs{src: v2[h.repLen:], width: uint(bits.Len8(l.maxDef))}
		if l.maxDef == 0 {
			pg.count = pg.values
		}
		return nil
	}
	var err error
	if l.maxRep > 0 {
		if pg.rep, err = pg.levelsV1(h.repEnc, l.maxRep); err != nil {
			return err
		}
	}
	if l.maxDef == 0 {
		pg.count = pg.values
		return nil
	}
	pg.def, err = pg.levelsV1(h.defEnc, l.maxDef)
	return err
}

func (pg *page) levelsV1(enc int32, maxLevel uint8) (runs, error) {
	if enc != encRLE {
		return runs{}, fmt.Errorf("its levels have encoding %d, which is not supported", enc)
	}
	if len(pg.data) < 4 {
		return runs{}, errors.New("its levels are cut off")
	}
	n := uint64(binary.LittleEndian.Uint32(pg.data))
	if n > uint64(len(pg.data)-4) {
		return runs{}, errors.New("its levels are longer than it")
	}
	r := runs{src: pg.data[4 : 4+n], width: uint(bits.Len8(maxLevel))}
	pg.data = pg.data[4+n:]
	return r, nil
}
