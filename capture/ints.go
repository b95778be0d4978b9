package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

var errIndex = errors.New("it refers to a dictionary entry that does not exist")

// badInt stands for a number that is out of int64's range. That it is also a number of the range does no harm: it is
// out of the range of times, sequence numbers and costs.
const badInt = math.MinInt64

// intSource decodes the values of a column of numbers, one page after the other. Floating-point numbers come as bits.
type intSource struct {
	phys     int8
	unsigned bool
	width    int // bytes of a value; 0 where each has its own length
	dict     []int64

	enc  int32
	data []byte
	n    int // next value, of byte stream split
	idx  runs
	diff delta
	raw  []int32
}

func (s *intSource) init(l *leaf) {
	s.phys, s.unsigned, s.dict = l.node.phys, l.node.isUnsigned(), s.dict[:0]
	switch s.phys {
	case physInt32, physFloat:
		s.width = 4
	case physInt64, physDouble:
		s.width = 8
	case physFixed:
		s.width = int(l.node.typeLen)
	default:
		s.width = 0
	}
}

func (s *intSource) dictionary(pg *page) error {
	if pg.values > maxDictionary {
		return fmt.Errorf("a dictionary of %d entries is too large", pg.values)
	}
	s.dict = resize(s.dict, pg.values)
	plain := *pg
	plain.enc = encPlain
	if err := s.open(&plain); err != nil {
		return err
	}
	return s.read(s.dict)
}

// open begins a page.
func (s *intSource) open(pg *page) (err error) {
	s.enc, s.data, s.n = pg.enc, pg.data, 0
	switch pg.enc {
	case encPlain:
	case encPlainDictionary, encRLEDictionary:
		s.enc = encRLEDictionary
		s.idx, err = openIndexes(pg.data)
	case encDelta:
		if s.phys != physInt32 && s.phys != physInt64 {
			return errEncoding(pg.enc)
		}
		err = s.diff.open(pg.data)
	case encByteStreamSplit:
		if s.width == 0 || len(pg.data)%s.width != 0 {
			return errEncoding(pg.enc)
		}
	default:
		return errEncoding(pg.enc)
	}
	return err
}

func errEncoding(enc int32) error {
	return fmt.Errorf("its encoding %d is not supported for a column of this type", enc)
}

// openIndexes begins a page of dictionary indexes.
func openIndexes(data []byte) (runs, error) {
	if len(data) == 0 {
		return runs{}, nil
	}
	if data[0] > 32 {
		return runs{}, errRunsBad
	}
	if len(data) == 1 && data[0] == 0 {
		return runs{left: math.MaxInt32}, nil // indexes of no bits: some writers leave the runs out
	}
	return runs{src: data[1:], width: uint(data[0])}, nil
}

// skip passes over n values.
func (s *intSource) skip(n int) error {
	switch s.enc {
	case encRLEDictionary:
		_, err := s.idx.skip(n, 0)
		return err
	case encDelta:
		return s.diff.skip(n)
	case encByteStreamSplit:
		s.n += n
		return nil
	}
	if s.width > 0 {
		if n > len(s.data)/s.width {
			return errRunsShort
		}
		s.data = s.data[n*s.width:]
		return nil
	}
	for ; n > 0; n-- {
		if _, err := takeBytes(&s.data); err != nil {
			return err
		}
	}
	return nil
}

// read fills dst with the next values.
func (s *intSource) read(dst []int64) error {
	switch s.enc {
	case encRLEDictionary:
		return s.readDict(dst)
	case encDelta:
		if err := s.diff.read(dst); err != nil {
			return err
		}
		if s.phys == physInt32 {
			for i, v := range dst {
				dst[i] = s.int32(uint32(v))
			}
		}
		return nil
	case encByteStreamSplit:
		return s.readSplit(dst)
	}
	if s.width > 0 && len(dst) > len(s.data)/s.width {
		return errRunsShort
	}
	switch s.phys {
	case physInt64, physDouble:
		for i := range dst {
			dst[i] = int64(binary.LittleEndian.Uint64(s.data[8*i:]))
		}
	case physInt32, physFloat:
		for i := range dst {
			dst[i] = s.int32(binary.LittleEndian.Uint32(s.data[4*i:]))
		}
	case physFixed:
		for i := range dst {
			dst[i] = bigEndian(s.data[i*s.width : (i+1)*s.width])
		}
	default:
		for i := range dst {
			b, err := takeBytes(&s.data)
			if err != nil {
				return err
			}
			dst[i] = bigEndian(b)
		}
	}
	s.data = s.data[len(dst)*s.width:]
	return nil
}

func (s *intSource) int32(u uint32) int64 {
	if s.unsigned || s.phys == physFloat {
		return int64(u)
	}
	return int64(int32(u))
}

func (s *intSource) readDict(dst []int64) error {
	s.raw = resize(s.raw, len(dst))
	if err := s.idx.read32(s.raw); err != nil {
		return err
	}
	for i, x := range s.raw {
		if uint(x) >= uint(len(s.dict)) {
			return errIndex
		}
		dst[i] = s.dict[x]
	}
	return nil
}

// readSplit reads numbers whose bytes lie apart: all first bytes, all second bytes, and so on.
func (s *intSource) readSplit(dst []int64) error {
	total := len(s.data) / s.width
	if s.n > total || len(dst) > total-s.n {
		return errRunsShort
	}
	var b [16]byte
	for i := range dst {
		for k := 0; k < s.width; k++ {
			b[k] = s.data[k*total+s.n+i]
		}
		switch s.phys {
		case physInt64, physDouble:
			dst[i] = int64(binary.LittleEndian.Uint64(b[:]))
		case physFixed:
			dst[i] = bigEndian(b[:s.width])
		default:
			dst[i] = s.int32(binary.LittleEndian.Uint32(b[:]))
		}
	}
	s.n += len(dst)
	return nil
}

// takeBytes cuts a value with its length before it off the front of data.
func takeBytes(data *[]byte) ([]byte, error) {
	d := *data
	if len(d) < 4 {
		return nil, errRunsShort
	}
	n := binary.LittleEndian.Uint32(d)
	if uint64(n) > uint64(len(d)-4) {
		return nil, errRunsShort
	}
	*data = d[4+n:]
	return d[4 : 4+n : 4+n], nil
}

// bigEndian reads a two's complement number of any length, as decimals are stored; badInt if int64 cannot hold it.
func bigEndian(b []byte) int64 {
	if len(b) == 0 {
		return badInt
	}
	sign := byte(int8(b[0]) >> 7)
	for len(b) > 8 {
		if b[0] != sign {
			return badInt
		}
		b = b[1:]
	}
	v := int64(int8(b[0]))
	if int8(v>>63) != int8(sign) {
		return badInt
	}
	for _, x := range b[1:] {
		v = v<<8 | int64(x)
	}
	return v
}

func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
