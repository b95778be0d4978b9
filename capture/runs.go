package capture

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

var (
	errRunsShort = errors.New("it holds fewer values than it declares")
	errRunsBad   = errors.New("its run lengths are damaged")
)

// runs reads Parquet's hybrid of run lengths and packed bits, which holds levels and dictionary indexes. It yields as
// many values as the caller asks for and never expands a run on its own account: a run of 2^31 values is 4 bytes here.
type runs struct {
	src    []byte
	width  uint
	left   int    // values left of the current run
	value  uint32 // of each of them, unless packed
	packed []byte // nil in a run of one value
	bit    int    // where in packed the next value begins
}

// advance makes a run current that has values left.
func (r *runs) advance() error {
	for r.left == 0 {
		h, n := binary.Uvarint(r.src)
		if n <= 0 || h>>1 > 1<<32 {
			if n == 0 {
				return errRunsShort
			}
			return errRunsBad
		}
		r.src = r.src[n:]
		if h&1 == 0 {
			size := int(r.width+7) / 8
			if len(r.src) < size {
				return errRunsShort
			}
			r.value, r.packed = 0, nil
			for i := 0; i < size; i++ {
				r.value |= uint32(r.src[i]) << (8 * i)
			}
			if bits.Len32(r.value) > int(r.width) {
				return errRunsBad
			}
			r.src = r.src[size:]
			r.left = int(h >> 1)
			continue
		}
		if r.width == 0 {
			r.value, r.packed, r.left = 0, nil, int(h>>1)*8
			continue
		}
		// Some writers cut off the padding of the last group of eight.
		size := min(int(h>>1)*int(r.width), len(r.src))
		r.packed, r.src, r.bit = r.src[:size:size], r.src[size:], 0
		r.left = min(int(h>>1)*8, size*8/int(r.width))
		if r.left == 0 && h>>1 > 0 {
			return errRunsShort
		}
	}
	return nil
}

// constant reports whether the next n values are one, without consuming them.
func (r *runs) constant(n int) (uint32, bool) {
	if n > 0 && r.advance() != nil {
		return 0, false
	}
	return r.value, r.packed == nil && r.left >= n
}

// read32 fills dst with the next values.
func (r *runs) read32(dst []int32) error {
	for len(dst) > 0 {
		if err := r.advance(); err != nil {
			return err
		}
		n := min(r.left, len(dst))
		if r.packed == nil {
			fill(dst[:n], int32(r.value))
		} else {
			unpack(dst[:n], r.packed, r.bit, r.width)
			r.bit += n * int(r.width)
		}
		r.left -= n
		dst = dst[n:]
	}
	return nil
}

// read8 fills dst with the next values, which are levels.
func (r *runs) read8(dst []uint8) error {
	for len(dst) > 0 {
		if err := r.advance(); err != nil {
			return err
		}
		n := min(r.left, len(dst))
		if r.packed == nil {
			fill(dst[:n], uint8(r.value))
		} else {
			unpack(dst[:n], r.packed, r.bit, r.width)
			r.bit += n * int(r.width)
		}
		r.left -= n
		dst = dst[n:]
	}
	return nil
}

// skip passes over n values and returns how many of them are v.
func (r *runs) skip(n int, v uint32) (same int, err error) {
	var block [256]int32
	for n > 0 {
		if err := r.advance(); err != nil {
			return 0, err
		}
		k := min(n, r.left)
		if r.packed == nil {
			if r.value == v {
				same += k
			}
			r.left -= k
			n -= k
			continue
		}
		k = min(k, len(block))
		if err := r.read32(block[:k]); err != nil {
			return 0, err
		}
		for _, x := range block[:k] {
			if uint32(x) == v {
				same++
			}
		}
		n -= k
	}
	return same, nil
}

func fill[T any](dst []T, v T) {
	for i := range dst {
		dst[i] = v
	}
}

// unpack reads len(dst) numbers of width bits, beginning at bit; the caller has made sure that src holds them.
func unpack[T int32 | uint8](dst []T, src []byte, bit int, width uint) {
	mask := uint64(1)<<width - 1
	i := 0
	if bit&7 == 0 && width <= 8 {
		// Eight numbers take width bytes: one load serves them all.
		at := bit >> 3
		for ; i+8 <= len(dst) && at+8 <= len(src); i, at = i+8, at+int(width) {
			w := binary.LittleEndian.Uint64(src[at:])
			d := dst[i : i+8 : i+8]
			d[0] = T(w & mask)
			d[1] = T(w >> width & mask)
			d[2] = T(w >> (2 * width) & mask)
			d[3] = T(w >> (3 * width) & mask)
			d[4] = T(w >> (4 * width) & mask)
			d[5] = T(w >> (5 * width) & mask)
			d[6] = T(w >> (6 * width) & mask)
			d[7] = T(w >> (7 * width) & mask)
		}
		bit = at << 3
	}
	for ; i < len(dst); i++ {
		dst[i] = T(bitsAt(src, bit, width))
		bit += int(width)
	}
}

// bitsAt reads the number of width bits, at most 57, that begins at bit.
func bitsAt(src []byte, bit int, width uint) uint64 {
	at, shift := bit>>3, uint(bit&7)
	var w uint64
	if at+8 <= len(src) {
		w = binary.LittleEndian.Uint64(src[at:])
	} else {
		for k := len(src) - 1; k >= at; k-- {
			w = w<<8 | uint64(src[k])
		}
	}
	return w >> shift & (1<<width - 1)
}
