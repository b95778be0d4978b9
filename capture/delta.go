package capture

import (
	"encoding/binary"
	"errors"
)

var errDelta = errors.New("its differences are damaged")

// delta reads Parquet's DELTA_BINARY_PACKED numbers one after the other. Like runs it never expands more than it is
// asked for.
type delta struct {
	src      []byte
	left     int   // numbers not yet read
	value    int64 // the last number
	started  bool
	perMini  int
	widths   []byte // of the current block's miniblocks that are still to come
	minDelta int64
	mini     []byte // the current miniblock
	width    uint
	bit      int
	miniLeft int
	minis    int
}

func (d *delta) open(src []byte) error {
	*d = delta{src: src}
	block, ok1 := d.uvarint()
	minis, ok2 := d.uvarint()
	total, ok3 := d.uvarint()
	first, ok4 := d.varint()
	if !ok1 || !ok2 || !ok3 || !ok4 || minis == 0 || block == 0 || block > 1<<20 || block%minis != 0 ||
		block/minis%8 != 0 || total > 1<<31 {
		return errDelta
	}
	d.left, d.value, d.minis, d.perMini = int(total), first, int(minis), int(block/minis)
	return nil
}

func (d *delta) uvarint() (uint64, bool) {
	v, n := binary.Uvarint(d.src)
	if n <= 0 {
		return 0, false
	}
	d.src = d.src[n:]
	return v, true
}

func (d *delta) varint() (int64, bool) {
	v, n := binary.Varint(d.src)
	if n <= 0 {
		return 0, false
	}
	d.src = d.src[n:]
	return v, true
}

// nextMini makes the next miniblock current; there are numbers left to read.
func (d *delta) nextMini() error {
	if len(d.widths) == 0 {
		m, ok := d.varint()
		if !ok || len(d.src) < d.minis {
			return errDelta
		}
		d.minDelta, d.widths, d.src = m, d.src[:d.minis], d.src[d.minis:]
	}
	d.width, d.widths = uint(d.widths[0]), d.widths[1:]
	size := d.perMini / 8 * int(d.width)
	if d.width > 64 || size > len(d.src) {
		return errDelta
	}
	d.mini, d.src, d.bit, d.miniLeft = d.src[:size], d.src[size:], 0, d.perMini
	return nil
}

// read fills dst with the next numbers.
func (d *delta) read(dst []int64) error {
	if len(dst) > d.left {
		return errRunsShort
	}
	d.left -= len(dst)
	if len(dst) > 0 && !d.started {
		d.started, dst[0] = true, d.value
		dst = dst[1:]
	}
	for len(dst) > 0 {
		if d.miniLeft == 0 {
			if err := d.nextMini(); err != nil {
				return err
			}
		}
		n := min(d.miniLeft, len(dst))
		for i := range dst[:n] {
			var u uint64
			if d.width <= 56 {
				u = bitsAt(d.mini, d.bit, d.width)
			} else {
				u = bitsAt(d.mini, d.bit, 32) | bitsAt(d.mini, d.bit+32, d.width-32)<<32
			}
			d.bit += int(d.width)
			d.value += d.minDelta + int64(u)
			dst[i] = d.value
		}
		d.miniLeft -= n
		dst = dst[n:]
	}
	return nil
}

// next returns the next number.
func (d *delta) next() (int64, error) {
	var one [1]int64
	err := d.read(one[:])
	return one[0], err
}

// skip passes over n numbers.
func (d *delta) skip(n int) error {
	var block [256]int64
	for n > 0 {
		k := min(n, len(block))
		if err := d.read(block[:k]); err != nil {
			return err
		}
		n -= k
	}
	return nil
}

// rest returns what follows the numbers, without reading them.
func (d delta) rest() ([]byte, error) {
	for left := d.left - 1; left > 0; left -= d.perMini {
		if err := d.nextMini(); err != nil {
			return nil, err
		}
	}
	return d.src, nil
}
