package capture

import (
	"encoding/binary"
	"fmt"
)

// bytesSource decodes byte strings that do not come from a dictionary, one page after the other.
type bytesSource struct {
	enc      int32
	data     []byte
	lens     delta // of the values, or of their ends where they share prefixes
	prefixes delta
	prev     []byte
	expanded int // bytes made out of shared prefixes in this page
}

func (s *bytesSource) open(pg *page) error {
	s.enc, s.data, s.prev, s.expanded = pg.enc, pg.data, s.prev[:0], 0
	switch pg.enc {
	case encPlain:
		return nil
	case encDeltaBytes:
		if err := s.prefixes.open(s.data); err != nil {
			return err
		}
		rest, err := s.prefixes.rest()
		if err != nil {
			return err
		}
		s.data = rest
	case encDeltaLength:
	default:
		return errEncoding(pg.enc)
	}
	if err := s.lens.open(s.data); err != nil {
		return err
	}
	rest, err := s.lens.rest()
	s.data = rest
	return err
}

// next returns the next value, which is valid until the next call.
func (s *bytesSource) next() ([]byte, error) {
	var b []byte
	if s.enc == encPlain {
		var err error
		if b, err = takeBytes(&s.data); err != nil {
			return nil, err
		}
	} else {
		n, err := s.lens.next()
		if err != nil {
			return nil, err
		}
		if n < 0 || n > int64(len(s.data)) {
			return nil, errRunsShort
		}
		b, s.data = s.data[:n:n], s.data[n:]
		if s.enc == encDeltaBytes {
			shared, err := s.prefixes.next()
			if err != nil {
				return nil, err
			}
			if shared < 0 || shared > int64(len(s.prev)) {
				return nil, errDelta
			}
			s.prev = append(s.prev[:shared], b...)
			b = s.prev
			if s.expanded += len(b); s.expanded > maxPage {
				return nil, fmt.Errorf("its values have more than %d bytes", maxPage)
			}
		}
	}
	if len(b) > maxValue {
		return nil, fmt.Errorf("it holds a value of %d bytes, more than %d", len(b), maxValue)
	}
	return b, nil
}

func (s *bytesSource) skip(n int) error {
	for ; n > 0; n-- {
		if _, err := s.next(); err != nil {
			return err
		}
	}
	return nil
}

// textSource decodes a column of text into indexes of a dictionary, which it builds itself where the file has none.
type textSource struct {
	dict   []string
	intern map[string]int32 // built when a page without dictionary comes
	last   int32            // the entry met last in such a page; -1 is none

	enc   int32
	idx   runs
	bytes bytesSource
}

func (s *textSource) init(dict []string) {
	s.dict, s.intern, s.last = dict[:0], nil, -1
}

func (s *textSource) dictionary(pg *page) error {
	if pg.values > maxDictionary || pg.values > len(pg.data)/4 {
		return fmt.Errorf("a dictionary of %d entries in %d bytes is too large or damaged", pg.values, len(pg.data))
	}
	// One copy for all entries: strings outlive the page.
	text := string(pg.data)
	for at, i := 0, 0; i < pg.values; i++ {
		if len(text)-at < 4 {
			return errRunsShort
		}
		n := int(binary.LittleEndian.Uint32(pg.data[at:]))
		at += 4
		if n > len(text)-at {
			return errRunsShort
		}
		if n > maxValue {
			return fmt.Errorf("its dictionary holds a value of %d bytes, more than %d", n, maxValue)
		}
		s.dict = append(s.dict, text[at:at+n])
		at += n
	}
	return nil
}

func (s *textSource) open(pg *page) (err error) {
	s.enc = pg.enc
	switch pg.enc {
	case encPlainDictionary, encRLEDictionary:
		s.enc = encRLEDictionary
		s.idx, err = openIndexes(pg.data)
		return err
	}
	if s.intern == nil {
		s.intern = make(map[string]int32)
		for i, t := range s.dict {
			s.intern[t] = int32(i)
		}
	}
	return s.bytes.open(pg)
}

func (s *textSource) skip(n int) error {
	if s.enc == encRLEDictionary {
		_, err := s.idx.skip(n, 0)
		return err
	}
	return s.bytes.skip(n)
}

// read fills dst with the dictionary indexes of the next values.
func (s *textSource) read(dst []int32) error {
	if s.enc == encRLEDictionary {
		if err := s.idx.read32(dst); err != nil {
			return err
		}
		for _, x := range dst {
			if uint(x) >= uint(len(s.dict)) {
				return errIndex
			}
		}
		return nil
	}
	for i := range dst {
		b, err := s.bytes.next()
		if err != nil {
			return err
		}
		if s.last < 0 || s.dict[s.last] != string(b) {
			k, ok := s.intern[string(b)]
			if !ok {
				k = int32(len(s.dict))
				t := string(b)
				s.dict = append(s.dict, t)
				s.intern[t] = k
			}
			s.last = k
		}
		dst[i] = s.last
	}
	return nil
}

// argsSource decodes the arguments without copying them: it keeps the decompressed pages as they are, and notes where
// in them each value begins and ends.
type argsSource struct {
	data         []byte // decompressed pages, one after the other
	dictA, dictB []uint32

	enc   int32
	pos   int // of the next value in data, and where the page ends there
	end   int
	idx   runs
	raw   []int32
	lens  delta
	bytes bytesSource
}

func (s *argsSource) init(data []byte) {
	s.data, s.dictA, s.dictB = data[:0], s.dictA[:0], s.dictB[:0]
}

// dictionary takes a page that was loaded to the end of s.data.
func (s *argsSource) dictionary(pg *page) error {
	if pg.values > maxDictionary {
		return fmt.Errorf("a dictionary of %d entries is too large", pg.values)
	}
	s.dictA, s.dictB = resize(s.dictA, pg.values), resize(s.dictB, pg.values)
	plain := *pg
	plain.enc = encPlain
	if err := s.open(&plain); err != nil {
		return err
	}
	return s.read(s.dictA, s.dictB)
}

func (s *argsSource) open(pg *page) (err error) {
	s.enc, s.end = pg.enc, len(s.data)
	s.pos = s.end - len(pg.data)
	switch pg.enc {
	case encPlain:
		return nil
	case encPlainDictionary, encRLEDictionary:
		s.enc = encRLEDictionary
		s.idx, err = openIndexes(pg.data)
		return err
	case encDeltaLength:
		if err := s.lens.open(pg.data); err != nil {
			return err
		}
		values, err := s.lens.rest()
		s.pos = s.end - len(values)
		return err
	}
	return s.bytes.open(pg)
}

func (s *argsSource) skip(n int) error {
	switch s.enc {
	case encRLEDictionary:
		_, err := s.idx.skip(n, 0)
		return err
	case encPlain, encDeltaLength:
		var a, b [256]uint32
		for ; n > 0; n -= min(n, len(a)) {
			if err := s.read(a[:min(n, len(a))], b[:]); err != nil {
				return err
			}
		}
		return nil
	}
	return s.bytes.skip(n)
}

// read fills a and b with the beginnings and ends of the next values.
func (s *argsSource) read(a, b []uint32) error {
	switch s.enc {
	case encPlain:
		return s.readPlain(a, b)
	case encDeltaLength:
		return s.readDeltaLength(a, b)
	case encRLEDictionary:
		s.raw = resize(s.raw, len(a))
		if err := s.idx.read32(s.raw); err != nil {
			return err
		}
		for i, x := range s.raw {
			if uint(x) >= uint(len(s.dictA)) {
				return errIndex
			}
			a[i], b[i] = s.dictA[x], s.dictB[x]
		}
		return nil
	}
	for i := range a {
		v, err := s.bytes.next()
		if err != nil {
			return err
		}
		if len(s.data)+len(v) > maxGroupData {
			return errGroupData
		}
		a[i] = uint32(len(s.data))
		s.data = append(s.data, v...)
		b[i] = uint32(len(s.data))
	}
	return nil
}

func (s *argsSource) readPlain(a, b []uint32) error {
	data, pos := s.data[:s.end], s.pos
	b = b[:len(a)]
	for i := range a {
		if len(data)-pos < 4 {
			return errRunsShort
		}
		n := int(binary.LittleEndian.Uint32(data[pos:]))
		pos += 4
		if n > len(data)-pos {
			return errRunsShort
		}
		if n > maxValue {
			return fmt.Errorf("it holds a value of %d bytes, more than %d", n, maxValue)
		}
		a[i] = uint32(pos)
		pos += n
		b[i] = uint32(pos)
	}
	s.pos = pos
	return nil
}

func (s *argsSource) readDeltaLength(a, b []uint32) error {
	var block [256]int64
	for len(a) > 0 {
		k := min(len(a), len(block))
		if err := s.lens.read(block[:k]); err != nil {
			return err
		}
		for i, n := range block[:k] {
			if n < 0 || n > int64(s.end-s.pos) || n > maxValue {
				return errRunsShort
			}
			a[i] = uint32(s.pos)
			s.pos += int(n)
			b[i] = uint32(s.pos)
		}
		a, b = a[k:], b[k:]
	}
	return nil
}
