package bundle

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/gzip"
)

// level of compression. (On the rules of 1,000 policies, level 9 takes ten times as long and saves a tenth.)
const level = 6

// Write writes the archive. The bytes depend on the members and on the pinned version of klauspost/compress alone: not on
// the machine, the Go release, the clock or the user. Members are sorted by path; their mode is 0644, their owner 0, their
// time 0; the gzip header is empty. An archive that Read would refuse is not written.
func (a *Archive) Write(w io.Writer) error {
	if !slices.IsSortedFunc(a.Files, func(x, y File) int { return bytes.Compare([]byte(x.Path), []byte(y.Path)) }) {
		return fmt.Errorf("the members are not sorted")
	}
	if err := a.check(); err != nil {
		return err
	}
	z, err := gzip.NewWriterLevel(w, level)
	if err != nil {
		return err
	}
	for _, f := range a.Files {
		h, err := newHeader(f.Path, len(f.Data))
		if err != nil {
			return err
		}
		padding := make([]byte, (block-len(f.Data)%block)%block)
		for _, part := range [][]byte{h[:], f.Data, padding} {
			if _, err := z.Write(part); err != nil {
				return err
			}
		}
	}
	if _, err := z.Write(make([]byte, 2*block)); err != nil {
		return err
	}
	return z.Close()
}

// Bytes returns what Write writes.
func (a *Archive) Bytes() ([]byte, error) {
	var b bytes.Buffer
	if err := a.Write(&b); err != nil {
		return nil, err
	}
	if b.Len() > MaxPacked {
		return nil, fmt.Errorf("the archive is larger than %d bytes", MaxPacked)
	}
	return b.Bytes(), nil
}

// newHeader makes the header of a plain file. A name over 100 bytes is split at a slash, as ustar does.
func newHeader(name string, size int) (*header, error) {
	h := new(header)
	prefix, rest := "", name
	if len(name) > nameEnd {
		i := len(name) - nameEnd - 1
		for i < len(name) && name[i] != '/' {
			i++
		}
		if i >= len(name)-1 || i > prefixEnd-minorEnd {
			return nil, fmt.Errorf("member %q: the name is too long", name)
		}
		prefix, rest = name[:i], name[i+1:]
	}
	copy(h[:nameEnd], rest)
	copy(h[minorEnd:prefixEnd], prefix)
	copy(h[nameEnd:], "0000644\x000000000\x000000000\x00")
	copy(h[gidEnd:], fmt.Sprintf("%011o\x0000000000000\x00", size))
	h[typeAt] = '0'
	copy(h[linkEnd:], "ustar\x0000")
	copy(h[groupEnd:], "0000000\x000000000\x00")
	copy(h[timeEnd:], fmt.Sprintf("%06o\x00 ", h.sum()))
	return h, nil
}
