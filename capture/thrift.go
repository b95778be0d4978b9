package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The wire types of Thrift's compact protocol.
const (
	thriftStop = iota
	thriftTrue
	thriftFalse
	thriftByte
	thriftI16
	thriftI32
	thriftI64
	thriftDouble
	thriftBinary
	thriftList
	thriftSet
	thriftMap
	thriftStruct
)

// maxThriftDepth bounds how deeply skipped structs nest; Parquet's own metadata needs 7.
const maxThriftDepth = 24

var errThriftShort = errors.New("metadata ends too early")

// thrift reads Parquet's metadata. It never allocates: what it returns are numbers and slices of its input, so that a
// length in a hostile file costs nothing until the bytes are really there. After the first error it returns zeros; the
// caller looks at err once, at the end.
type thrift struct {
	b   []byte
	p   int
	err error
}

func (t *thrift) fail(format string, args ...any) {
	if t.err == nil {
		t.err = fmt.Errorf(format, args...)
	}
	t.p = len(t.b)
}

func (t *thrift) short() {
	if t.err == nil {
		t.err = errThriftShort
	}
	t.p = len(t.b)
}

func (t *thrift) byte() byte {
	if t.p >= len(t.b) {
		t.short()
		return 0
	}
	t.p++
	return t.b[t.p-1]
}

func (t *thrift) uvarint() uint64 {
	v, n := binary.Uvarint(t.b[t.p:])
	switch {
	case n > 0:
		t.p += n
		return v
	case n == 0:
		t.short()
	default:
		t.fail("metadata holds a number of more than 64 bits")
	}
	return 0
}

func (t *thrift) varint() int64 {
	u := t.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

// field reads the header of a struct's next field; last is the id of the field before. The type is thriftStop at the
// struct's end and after an error.
func (t *thrift) field(last *int16) (id int16, typ byte) {
	h := t.byte()
	if t.err != nil || h == thriftStop {
		return 0, thriftStop
	}
	if d := h >> 4; d != 0 {
		*last += int16(d)
	} else {
		v := t.varint()
		if v < 0 || v > 1<<14 {
			t.fail("metadata holds a field number %d", v)
			return 0, thriftStop
		}
		*last = int16(v)
	}
	return *last, h & 15
}

// int reads an integer field of wire type typ.
func (t *thrift) int(typ byte) int64 {
	switch typ {
	case thriftByte:
		return int64(int8(t.byte()))
	case thriftI16, thriftI32, thriftI64:
		return t.varint()
	}
	t.fail("metadata holds type %d where a number belongs", typ)
	return 0
}

// int32 reads an integer field that must fit 32 bits.
func (t *thrift) int32(typ byte) int32 {
	v := t.int(typ)
	if v != int64(int32(v)) {
		t.fail("metadata holds %d where a 32-bit number belongs", v)
		return 0
	}
	return int32(v)
}

// bool reads a boolean field, whose value is its wire type.
func (t *thrift) bool(typ byte) bool {
	if typ != thriftTrue && typ != thriftFalse {
		t.fail("metadata holds type %d where a boolean belongs", typ)
	}
	return typ == thriftTrue
}

// bytes reads a string or binary field. The result is a part of the input.
func (t *thrift) bytes(typ byte) []byte {
	if typ != thriftBinary {
		t.fail("metadata holds type %d where a string belongs", typ)
		return nil
	}
	n := t.uvarint()
	if t.err != nil {
		return nil
	}
	if n > uint64(len(t.b)-t.p) {
		t.short()
		return nil
	}
	s := t.b[t.p : t.p+int(n)]
	t.p += int(n)
	return s
}

// list reads the header of a list of want. Every element takes at least one byte, so its length is bounded by the input.
func (t *thrift) list(typ, want byte) int {
	n, elem := t.listHeader(typ)
	if n > 0 && elem != want {
		t.fail("metadata holds a list of type %d where one of type %d belongs", elem, want)
		return 0
	}
	return n
}

func (t *thrift) listHeader(typ byte) (n int, elem byte) {
	if typ != thriftList && typ != thriftSet {
		t.fail("metadata holds type %d where a list belongs", typ)
		return 0, 0
	}
	h := t.byte()
	u := uint64(h >> 4)
	if u == 15 {
		u = t.uvarint()
	}
	if u > uint64(len(t.b)-t.p) {
		t.short()
		return 0, 0
	}
	return int(u), h & 15
}

// enter checks that a field of wire type typ is a struct, which the caller then reads.
func (t *thrift) enter(typ byte) {
	if typ != thriftStruct {
		t.fail("metadata holds type %d where a structure belongs", typ)
	}
}

// skip passes over a field of wire type typ.
func (t *thrift) skip(typ byte) { t.skipTo(typ, maxThriftDepth) }

func (t *thrift) skipTo(typ byte, depth int) {
	if depth == 0 {
		t.fail("metadata nests more than %d levels", maxThriftDepth)
		return
	}
	switch typ {
	case thriftTrue, thriftFalse:
	case thriftByte:
		t.byte()
	case thriftI16, thriftI32, thriftI64:
		t.uvarint()
	case thriftDouble:
		if len(t.b)-t.p < 8 {
			t.short()
			return
		}
		t.p += 8
	case thriftBinary:
		t.bytes(typ)
	case thriftList, thriftSet:
		n, elem := t.listHeader(typ)
		for ; n > 0 && t.err == nil; n-- {
			t.skipElement(elem, depth-1)
		}
	case thriftMap:
		t.skipMap(depth - 1)
	case thriftStruct:
		var last int16
		for {
			_, ft := t.field(&last)
			if ft == thriftStop {
				return
			}
			t.skipTo(ft, depth-1)
		}
	default:
		t.fail("metadata holds a field of unknown type %d", typ)
	}
}

// skipElement passes over an element of a list or a map, where a boolean is a byte of its own.
func (t *thrift) skipElement(typ byte, depth int) {
	if typ == thriftTrue || typ == thriftFalse {
		t.byte()
		return
	}
	t.skipTo(typ, depth)
}

func (t *thrift) skipMap(depth int) {
	n := t.uvarint()
	if n == 0 {
		return
	}
	kinds := t.byte()
	if n > uint64(len(t.b)-t.p) {
		t.short()
		return
	}
	for ; n > 0 && t.err == nil; n-- {
		t.skipElement(kinds>>4, depth)
		t.skipElement(kinds&15, depth)
	}
}
