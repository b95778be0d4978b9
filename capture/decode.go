package capture

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

var errGroupData = fmt.Errorf("one row group holds more than %d bytes of it: write smaller row groups", maxGroupData)

// span is the part of a column chunk that a ReadGroup wants: rows from (inclusive) to (exclusive).
type span struct {
	chunk    *chunkMeta
	leaf     *leaf
	from, to int64
	rows     int64 // of the whole chunk
	seek     *seekIndex
	seekKey  int
}

// seekIndex remembers where pages begin in row groups that are read in parts, so that reading the parts in turn does
// not walk the pages before them again and again.
type seekIndex struct {
	mu     sync.Mutex
	points map[int][]seekPoint // ascending rows
}

type seekPoint struct{ row, pos int64 }

// find returns the last known page that begins at row or before it.
func (x *seekIndex) find(key int, row int64) (p seekPoint, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, q := range x.points[key] {
		if q.row > row {
			break
		}
		p, ok = q, true
	}
	return p, ok
}

func (x *seekIndex) note(key int, p seekPoint) {
	x.mu.Lock()
	defer x.mu.Unlock()
	// A point for every few rows is enough, and bounds what a file of tiny pages costs.
	if s := x.points[key]; len(s) == 0 || s[len(s)-1].row+1024 < p.row && s[len(s)-1].pos < p.pos {
		x.points[key] = append(s, p)
	}
}

// sink takes the pages of a column without repetition.
type sink interface {
	dictionary(pg *page) error
	// page stores values of pg: it skips the first skip and takes the next take. They belong to the rows from row on;
	// where nulls is not nil it has an element for each of the rows, nonzero where the row has a value.
	page(pg *page, skip, take, row int, hasValue []uint8) error
	// buffer is what the page's bytes are appended to, nil if they need not outlive the page.
	buffer() []byte
	keep(buf []byte) error
}

// flat decodes a column without repetition into s.
func (p *pageReader) flat(sp span, s sink, levels *[]uint8) error {
	p.open(p.r, sp.chunk)
	var h pageHeader
	row, dict, jumped := int64(0), false, sp.seek == nil
	for row < sp.to {
		at := p.pos
		if err := p.next(&h); err == io.EOF {
			return fmt.Errorf("it ends after %d of %d rows", row, sp.rows)
		} else if err != nil {
			return err
		}
		if h.kind == pageDictionary {
			if dict {
				return errors.New("it has two dictionaries")
			}
			dict = true
			if err := p.dictionary(&h, sp, s); err != nil {
				return err
			}
			continue
		}
		if !jumped {
			// The first page tells whether there is a dictionary; now the pages before from can be left out.
			jumped = true
			if q, ok := sp.seek.find(sp.seekKey, sp.from); ok && q.row > row {
				row = q.row
				p.seek(q.pos)
				continue
			}
		}
		if sp.seek != nil {
			sp.seek.note(sp.seekKey, seekPoint{row, at})
		}
		next := row + int64(h.values)
		if next > sp.rows {
			return fmt.Errorf("its pages have more than the %d rows of the row group", sp.rows)
		}
		if next <= sp.from {
			p.skip(&h)
			row = next
			continue
		}
		if err := p.flatPage(&h, sp, s, row, levels); err != nil {
			return err
		}
		row = next
	}
	return nil
}

func (p *pageReader) dictionary(h *pageHeader, sp span, s sink) error {
	if h.enc != encPlain && h.enc != encPlainDictionary {
		return errEncoding(h.enc)
	}
	pg, buf, err := p.load(h, sp.leaf, s.buffer())
	if err != nil {
		return err
	}
	if err := s.keep(buf); err != nil {
		return err
	}
	return s.dictionary(&pg)
}

// flatPage decodes the wanted part of a page whose first row is row.
func (p *pageReader) flatPage(h *pageHeader, sp span, s sink, row int64, scratch *[]uint8) error {
	pg, buf, err := p.load(h, sp.leaf, s.buffer())
	if err != nil {
		return err
	}
	if err := s.keep(buf); err != nil {
		return err
	}
	before := int(max(sp.from-row, 0))
	take := int(min(sp.to-row, int64(pg.values))) - before
	out := int(row + int64(before) - sp.from)
	l := sp.leaf
	if l.maxDef == 0 {
		return s.page(&pg, before, take, out, nil)
	}
	skip, err := pg.def.skip(before, uint32(l.maxDef))
	if err != nil {
		return err
	}
	if v, ok := pg.def.constant(take); ok && v == uint32(l.maxDef) {
		return s.page(&pg, skip, take, out, nil)
	}
	levels := resize(*scratch, take)
	*scratch = levels
	if err := pg.def.read8(levels); err != nil {
		return err
	}
	values := 0
	for i, d := range levels {
		if d > l.maxDef {
			return errRunsBad
		}
		levels[i] = 0
		if d == l.maxDef {
			levels[i] = 1
			values++
		}
	}
	return s.page(&pg, skip, values, out, levels)
}

// list is a decoded column of lists of text.
type list struct {
	off  []uint32 // where each row's elements begin; one more than rows
	null []bool   // the list itself is null
	elem []int32  // dictionary indexes, -1 is null
	text textSource
	shut bool // the row met last is a null or empty list, which cannot go on
}

// nested decodes a column of lists.
func (p *pageReader) nested(sp span, out *list) error {
	p.open(p.r, sp.chunk)
	n := int(sp.to - sp.from)
	out.off, out.null, out.elem = resize(out.off, n+1)[:0], resize(out.null, n)[:0], out.elem[:0]
	out.text.init(out.text.dict)
	out.shut = false
	var h pageHeader
	row, dict, jumped := int64(-1), false, sp.seek == nil
	for row < sp.to {
		at := p.pos
		if err := p.next(&h); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		if h.kind == pageDictionary {
			if dict {
				return errors.New("it has two dictionaries")
			}
			dict = true
			if err := p.dictionary(&h, sp, textOnly{&out.text}); err != nil {
				return err
			}
			continue
		}
		if !jumped {
			jumped = true
			if q, ok := sp.seek.find(sp.seekKey, sp.from-1); ok && q.row > row {
				row = q.row
				p.seek(q.pos)
				continue
			}
		}
		if sp.seek != nil {
			sp.seek.note(sp.seekKey, seekPoint{row, at})
		}
		var err error
		if row, err = p.nestedPage(&h, sp, out, row); err != nil {
			return err
		}
	}
	if got := int64(len(out.null)); got != sp.to-sp.from || row >= sp.rows {
		return fmt.Errorf("it does not have the %d rows of the row group", sp.rows)
	}
	out.off = append(out.off, uint32(len(out.elem)))
	return nil
}

// nestedPage decodes a page, before which row was the last row to begin, and returns the last that began in it.
func (p *pageReader) nestedPage(h *pageHeader, sp span, out *list, row int64) (int64, error) {
	pg, _, err := p.load(h, sp.leaf, nil)
	if err != nil {
		return row, err
	}
	if err := out.text.open(&pg); err != nil {
		return row, err
	}
	var reps, defs [1024]uint8
	for left := pg.values; left > 0 && row < sp.to; {
		n := min(left, len(reps))
		if err := pg.rep.read8(reps[:n]); err != nil {
			return row, err
		}
		if err := pg.def.read8(defs[:n]); err != nil {
			return row, err
		}
		if row, err = out.entries(sp, reps[:n], defs[:n], row); err != nil {
			return row, err
		}
		left -= n
	}
	return row, nil
}

// entries takes a block of levels and the values that belong to them.
func (o *list) entries(sp span, reps, defs []uint8, row int64) (int64, error) {
	l := sp.leaf
	skip, first := 0, len(o.elem)
	for i, d := range defs {
		if reps[i] > 1 || d > l.maxDef || reps[i] == 1 && (o.shut || row < 0 || d <= l.emptyDef) {
			return row, errRunsBad
		}
		if reps[i] == 0 {
			o.shut = d <= l.emptyDef
			if row++; row >= sp.to {
				break
			}
			if row >= sp.from {
				o.off = append(o.off, uint32(len(o.elem)))
				o.null = append(o.null, d < l.emptyDef)
			}
		}
		switch {
		case row < sp.from:
			if d == l.maxDef {
				skip++
			}
		case d == l.maxDef:
			o.elem = append(o.elem, 0)
		case d > l.emptyDef:
			o.elem = append(o.elem, -1)
		}
	}
	if len(o.elem) > 128*(int(sp.to-sp.from)+512) {
		return row, errors.New("it holds too many elements")
	}
	return row, o.fill(skip, first)
}

// fill reads the values of the elements from first on that are not null.
func (o *list) fill(skip, first int) error {
	if err := o.text.skip(skip); err != nil {
		return err
	}
	fresh := o.elem[first:]
	values := 0
	for _, e := range fresh {
		if e == 0 {
			values++
		}
	}
	if values == len(fresh) {
		return o.text.read(fresh)
	}
	var block [1024]int32
	if err := o.text.read(block[:values]); err != nil {
		return err
	}
	k := 0
	for i, e := range fresh {
		if e == 0 {
			fresh[i] = block[k]
			k++
		}
	}
	return nil
}

// textOnly is the sink of a list's dictionary.
type textOnly struct{ *textSource }

func (textOnly) page(*page, int, int, int, []uint8) error { return nil }
func (textOnly) buffer() []byte                           { return nil }
func (textOnly) keep([]byte) error                        { return nil }
