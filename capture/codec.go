package capture

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// The compression codecs of Parquet.
const (
	codecNone   = 0
	codecSnappy = 1
	codecGzip   = 2
	codecBrotli = 4
	codecZstd   = 6
	codecLZ4Raw = 7
)

var codecNames = [...]string{"none", "snappy", "gzip", "LZO", "brotli", "Hadoop LZ4", "zstd", "LZ4"}

var errSize = errors.New("its size after decompression is not the size that it declares")

// decompressor inflates pages. It writes exactly as many bytes as the page declares: the size is given to each codec
// as a hard bound, so that a page that lies about it costs no more than an honest one.
type decompressor struct {
	zstd   *zstd.Decoder
	gzip   *gzip.Reader
	brotli *brotli.Reader
	src    bytes.Reader
}

// append appends the size bytes that src decompresses to.
func (d *decompressor) append(dst, src []byte, codec int32, size int) ([]byte, error) {
	// zstd decodes faster where it may scribble over a few bytes behind the end.
	const slack = 64
	at := len(dst)
	dst = slices.Grow(dst, size+slack)
	room := dst[at : at : at+size+slack]
	var out []byte
	var err error
	switch codec {
	case codecNone:
		out = append(room, src...)
	case codecSnappy:
		if n, e := snappy.DecodedLen(src); e != nil || n != size {
			return nil, errSize
		}
		out, err = snappy.Decode(room[:size], src)
	case codecZstd:
		out, err = d.appendZstd(room, src)
	case codecGzip:
		d.src.Reset(src)
		if d.gzip == nil {
			d.gzip = new(gzip.Reader)
		}
		if err = d.gzip.Reset(&d.src); err == nil {
			out, err = readExactly(d.gzip, room[:size])
		}
	case codecBrotli:
		d.src.Reset(src)
		if d.brotli == nil {
			d.brotli = brotli.NewReader(nil)
		}
		if err = d.brotli.Reset(&d.src); err == nil {
			out, err = readExactly(d.brotli, room[:size])
		}
	case codecLZ4Raw:
		var n int
		n, err = lz4.UncompressBlock(src, room[:size])
		out = room[:max(n, 0)]
	default:
		return nil, fmt.Errorf("its compression is %s, which is not supported (zstd, snappy, gzip, brotli and LZ4 are)",
			codecName(codec))
	}
	if err != nil {
		return nil, fmt.Errorf("it cannot be decompressed: %w", err)
	}
	if len(out) != size {
		return nil, errSize
	}
	return dst[:at+size], nil
}

func codecName(c int32) string {
	if c >= 0 && int(c) < len(codecNames) {
		return codecNames[c]
	}
	return fmt.Sprintf("of unknown kind %d", c)
}

func (d *decompressor) appendZstd(room, src []byte) ([]byte, error) {
	if d.zstd == nil {
		z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true),
			zstd.WithDecoderMaxWindow(maxPage), zstd.WithDecoderMaxMemory(maxPage+1<<10))
		if err != nil {
			return nil, err
		}
		d.zstd = z
	}
	out, err := d.zstd.DecodeAll(src, room)
	if errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		return nil, errSize
	}
	return out, err
}

// readExactly fills p from r, which must end there.
func readExactly(r io.Reader, p []byte) ([]byte, error) {
	if _, err := io.ReadFull(r, p); err != nil {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil, errSize
		}
		return nil, err
	}
	var more [1]byte
	n, err := io.ReadFull(r, more[:])
	switch {
	case n > 0:
		return nil, errSize
	case err != io.EOF:
		return nil, err
	}
	return p, nil
}
