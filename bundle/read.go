package bundle

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// Read reads an archive within the bounds of this package. It takes one gzip member that holds one POSIX (ustar) archive of
// plain files, and refuses everything that readers of archives disagree about. Errors name the member.
func Read(r io.Reader) (*Archive, error) {
	packed := bufio.NewReader(&bounded{r, MaxPacked, faultf(TooLarge, "the archive is larger than %d bytes", MaxPacked)})
	switch _, err := packed.Peek(1); {
	case err == io.EOF:
		return nil, faultf(Truncated, "the file is empty")
	case err != nil:
		return nil, err
	}
	z, err := gzip.NewReader(packed)
	if err != nil {
		return nil, fmt.Errorf("not a bundle: %w", gzipError(err))
	}
	z.Multistream(false)
	if z.Name != "" || z.Comment != "" || len(z.Extra) > 0 {
		return nil, errors.New("the gzip header carries a name, a comment or extra fields")
	}
	a, err := readTar(z)
	if err != nil {
		return nil, err
	}
	if _, err := packed.Peek(1); err == nil {
		return nil, faultf(Trailing, "something follows the gzip member")
	} else if err != io.EOF {
		return nil, err
	}
	slices.SortFunc(a.Files, func(x, y File) int { return strings.Compare(x.Path, y.Path) })
	return a, a.check()
}

// gzipError names what gzip calls by the words of a programmer.
func gzipError(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return faultf(Truncated, "the archive is cut off")
	case errors.Is(err, gzip.ErrHeader):
		return errors.New("it is no gzip file")
	case errors.Is(err, gzip.ErrChecksum):
		return errors.New("the archive is damaged: its checksum is wrong")
	}
	return err
}

const block = 512

// maxPadding is how many zero bytes may follow the end of an archive: tar's usual record.
const maxPadding = 20 * block

// readTar reads members until the two zero blocks that end an archive, and the padding behind them.
func readTar(z io.Reader) (*Archive, error) {
	a := &Archive{}
	folded := map[string]string{}
	left := int64(MaxContent)
	for {
		var h header
		if err := fill(z, h[:]); err != nil {
			return nil, err
		}
		if h == (header{}) {
			return a, end(z)
		}
		name, size, err := h.parse()
		if err == nil {
			err = oneMember(folded, name)
		}
		switch {
		case err != nil:
			return nil, err
		case len(a.Files) == MaxMembers:
			return nil, faultf(TooLarge, "the archive holds more than %d members", MaxMembers)
		case size > MaxMember:
			return nil, faultf(TooLarge, "member %q is larger than %d bytes", name, MaxMember)
		case size > left:
			return nil, faultf(TooLarge, "the members hold more than %d bytes together", MaxContent)
		}
		left -= size
		data, err := member(z, size)
		if err != nil {
			return nil, err
		}
		a.Files = append(a.Files, File{name, data})
	}
}

// fill reads a whole block.
func fill(r io.Reader, b []byte) error {
	_, err := io.ReadFull(r, b)
	if err != nil {
		return gzipError(err)
	}
	return nil
}

// member reads a member's content and the zeros that fill its last block. Memory grows with what is there, not with
// what the header claims.
func member(r io.Reader, size int64) ([]byte, error) {
	var b bytes.Buffer
	n, err := io.Copy(&b, io.LimitReader(r, size))
	if err == nil && n < size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, gzipError(err)
	}
	var rest [block]byte
	padding := rest[:(block-size%block)%block]
	if err := fill(r, padding); err != nil {
		return nil, err
	}
	if rest != [block]byte{} {
		return nil, faultf(Trailing, "something stands between two members")
	}
	return b.Bytes(), nil
}

// end reads the second zero block and the padding. Behind that nothing may follow.
func end(r io.Reader) error {
	var second header
	if err := fill(r, second[:]); err != nil {
		return err
	}
	rest, err := io.ReadAll(io.LimitReader(r, maxPadding+1))
	switch {
	case err != nil:
		return gzipError(err)
	case second != header{} || len(bytes.Trim(rest, "\x00")) > 0:
		return faultf(Trailing, "something follows the end of the archive")
	case len(rest) > maxPadding:
		return faultf(Trailing, "more than %d bytes of padding follow the end of the archive", maxPadding)
	}
	return nil
}

// header is one header block of the ustar format.
type header [block]byte

// The fields of a header, as byte ranges.
const (
	nameEnd, modeEnd, uidEnd, gidEnd, sizeEnd, timeEnd, sumEnd = 100, 108, 116, 124, 136, 148, 156
	typeAt, linkEnd, magicEnd, userEnd, groupEnd               = 156, 257, 265, 297, 329
	majorEnd, minorEnd, prefixEnd                              = 337, 345, 500
)

// kinds says why a member that is no plain file is refused.
var kinds = map[byte]string{
	'1': "is a hard link", '2': "is a symbolic link", '3': "is a device", '4': "is a device", '5': "is a directory",
	'6': "is a named pipe", '7': "is a reserved file", 'g': "is a PAX header: only plain ustar headers are read",
	'x': "is a PAX header: only plain ustar headers are read", 'L': "is a GNU long name: only plain ustar headers are read",
	'K': "is a GNU long link: only plain ustar headers are read", 'S': "is a sparse file",
}

// parse reads the name and size of a plain file and refuses everything else.
func (h *header) parse() (name string, size int64, err error) {
	name, ok := text(h[:nameEnd])
	prefix, ok2 := text(h[minorEnd:prefixEnd])
	if prefix != "" {
		name = prefix + "/" + name
	}
	sum, err := octal(h[timeEnd:sumEnd])
	switch {
	case err != nil || sum != h.sum():
		return "", 0, errors.New("a member's header is damaged: its checksum is wrong")
	case !ok || !ok2:
		return "", 0, fmt.Errorf("member %q: something follows the end of the name", name)
	case h[typeAt] != '0':
		return "", 0, faultf(NotAFile, "member %q %s", name, cmpOr(kinds[h[typeAt]], "is no plain file"))
	case string(h[linkEnd:magicEnd]) != "ustar\x0000":
		return "", 0, fmt.Errorf("member %q: the header is not in the ustar format", name)
	case !zero(h[typeAt+1 : linkEnd]):
		return "", 0, fmt.Errorf("member %q: a plain file names the target of a link", name)
	case !zero(h[prefixEnd:]):
		return "", 0, fmt.Errorf("member %q: something stands behind the header", name)
	}
	if err := checkPath(name); err != nil {
		return "", 0, err
	}
	for _, f := range [][]byte{h[nameEnd:modeEnd], h[modeEnd:uidEnd], h[uidEnd:gidEnd], h[sizeEnd:timeEnd],
		h[groupEnd:majorEnd], h[majorEnd:minorEnd]} {
		if _, err := octal(f); err != nil && !zero(f) {
			return "", 0, fmt.Errorf("member %q: a number in the header is not octal", name)
		}
	}
	if size, err = octal(h[gidEnd:sizeEnd]); err != nil {
		return "", 0, fmt.Errorf("member %q: its size is not octal", name)
	}
	return name, size, nil
}

func cmpOr(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func zero(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }

// text reads a field that zeros fill up. It is false where something follows the first zero.
func text(b []byte) (string, bool) {
	head, tail, _ := bytes.Cut(b, []byte{0})
	return string(head), zero(tail)
}

// octal reads a number as POSIX has it: digits with leading zeros, ended by spaces or zeros.
func octal(b []byte) (int64, error) {
	digits := bytes.TrimRight(b, " \x00")
	if len(digits) == 0 || len(digits) == len(b) {
		return 0, strconv.ErrSyntax
	}
	n, err := strconv.ParseUint(string(digits), 8, 63)
	return int64(n), err
}

// sum is the checksum of a header, whose own field counts as spaces.
func (h *header) sum() int64 {
	var n int64
	for i, c := range h {
		if i >= timeEnd && i < sumEnd {
			c = ' '
		}
		n += int64(c)
	}
	return n
}
