package aegis

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode"
	"unicode/utf8"
)

// plainText counts the leading bytes of b that are printable ASCII other than the quote and the backslash.
func plainText(b []byte) int {
	const lo, hi = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		quote, slash := w^(lo*'"'), w^(lo*'\\')
		// A byte's high bit survives where the byte is zero, below space, or not ASCII.
		stop := ((quote - lo) &^ quote) | ((slash - lo) &^ slash) | (w - lo*' ') | w
		if stop &= hi; stop != 0 {
			// Borrows can mark bytes above a true one, never below, so the first mark is right.
			return i + bits.TrailingZeros64(stop)/8
		}
	}
	for ; i < len(b); i++ {
		if c := b[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			break
		}
	}
	return i
}

// string reads a quoted string and reports whether it holds escapes.
func (p *parser) string() (escaped bool, err error) {
	start := p.i
	for p.i++; ; {
		p.i += plainText(p.b[p.i:])
		if p.i >= len(p.b) {
			return false, p.fail(start, "a string has no end")
		}
		switch c := p.b[p.i]; {
		case c == '"':
			p.i++
			return escaped, nil
		case c == '\\':
			escaped = true
			if err := p.escape(); err != nil {
				return false, err
			}
		case c < ' ':
			return false, p.fail(p.i, "a control character stands in a string")
		default:
			r, n := utf8.DecodeRune(p.b[p.i:])
			if r == utf8.RuneError && n == 1 {
				return false, p.fail(p.i, "a string is not valid UTF-8")
			}
			p.i += n
		}
	}
}

func (p *parser) escape() error {
	if p.i+1 >= len(p.b) {
		return p.fail(p.i, "the document ends inside an escape")
	}
	switch p.b[p.i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		p.i += 2
		return nil
	case 'u':
	default:
		return p.fail(p.i, "unknown escape")
	}
	r, ok := hex4(p.b, p.i+2)
	if !ok {
		return p.fail(p.i, "\\u needs four hexadecimal digits")
	}
	at := p.i
	p.i += 6
	switch {
	case 0xDC00 <= r && r <= 0xDFFF:
		return p.fail(at, "a lone surrogate")
	case 0xD800 <= r && r <= 0xDBFF:
		if p.i+1 >= len(p.b) || p.b[p.i] != '\\' || p.b[p.i+1] != 'u' {
			return p.fail(at, "a lone surrogate")
		}
		if low, ok := hex4(p.b, p.i+2); !ok || low < 0xDC00 || low > 0xDFFF {
			return p.fail(at, "a lone surrogate")
		}
		p.i += 6
	}
	return nil
}

func hex4(b []byte, i int) (rune, bool) {
	if i+4 > len(b) {
		return 0, false
	}
	var r rune
	for _, c := range b[i : i+4] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// unescape appends the meaning of a string's valid inner text to dst.
func unescape(dst, s []byte) []byte {
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			dst = append(dst, s[i])
			continue
		}
		i++
		switch c := s[i]; c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, _ := hex4(s, i+1)
			i += 4
			if 0xD800 <= r && r <= 0xDBFF {
				low, _ := hex4(s, i+3)
				r = (r-0xD800)<<10 | (low - 0xDC00) + 0x10000
				i += 6
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// foldRune maps every rune of one simple-folding orbit to one of them, letters of ASCII to lower case.
func foldRune(r rune) rune {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	if 'A' <= least && least <= 'Z' {
		least += 'a' - 'A'
	}
	return least
}

// smallObject is the number of members up to which keys are compared pair by pair.
const smallObject = 24

// unique refuses a key that an earlier sibling has, and notes one that differs from a sibling in case only.
func (p *parser) unique(at uint32, m *node) error {
	key := p.b[m.keyStart:m.keyEnd]
	if m.escaped&1 != 0 {
		key = unescape(nil, key)
	}
	m.hash = foldHash(key)
	nodes := p.d.nodes
	count := nodes[at].count // with this one
	seen := p.seen[p.depth-1]
	if count == smallObject+1 {
		seen = make(map[uint32][]uint32)
		for i := at + 1; i < uint32(len(nodes)); i = nodes[i].next {
			seen[nodes[i].hash] = append(seen[nodes[i].hash], i)
		}
		p.seen[p.depth-1] = seen
	}
	if count > smallObject {
		same := seen[m.hash]
		for _, i := range same {
			if err := p.compare(at, i, key, m); err != nil {
				return err
			}
		}
		seen[m.hash] = append(same, uint32(len(nodes)))
		return nil
	}
	for i := at + 1; i < uint32(len(nodes)); i = nodes[i].next {
		if nodes[i].hash == m.hash {
			if err := p.compare(at, i, key, m); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxClash bounds the work that keys chosen to share a hash can cause.
const maxClash = 64

func (p *parser) compare(object, sibling uint32, key []byte, m *node) error {
	other := p.d.key(sibling)
	if string(other) == string(key) {
		return p.fail(int(m.keyStart), "a key stands twice in one object")
	}
	if len(p.seen[p.depth-1][m.hash]) > maxClash {
		return p.fail(int(m.keyStart), "too many keys of one object share a hash")
	}
	if bytes.EqualFold(other, key) && (len(p.d.variants) == 0 || p.d.variants[len(p.d.variants)-1] != int32(object)) {
		p.d.variants = append(p.d.variants, int32(object))
	}
	return nil
}

// foldHash hashes a key so that keys equal under folding share a hash. (Others may, too: compare decides.)
func foldHash(key []byte) uint32 {
	for _, c := range key {
		if c >= utf8.RuneSelf {
			return hashBytes(foldKey(key))
		}
	}
	return hashBytes(key)
}

// foldKey maps every rune of a key with other than ASCII to its fold.
func foldKey(key []byte) []byte {
	folded := make([]byte, 0, len(key))
	for len(key) > 0 {
		r, n := utf8.DecodeRune(key)
		folded = utf8.AppendRune(folded, foldRune(r))
		key = key[n:]
	}
	return folded
}

// hashBytes hashes bytes eight at a time. Setting bit 5 of each makes the cases of ASCII letters alike.
func hashBytes(b []byte) uint32 {
	const lower, prime = 0x2020202020202020, 0x9e3779b97f4a7c15
	h := uint64(len(b))
	for len(b) >= 8 {
		h = (h ^ (binary.LittleEndian.Uint64(b) | lower)) * prime
		h ^= h >> 29
		b = b[8:]
	}
	var w uint64
	for i, c := range b {
		w |= uint64(c) << (8 * i)
	}
	h = (h ^ (w | lower)) * prime
	return uint32(h >> 32)
}

// key returns the key of member i, unescaped.
func (d *Doc) key(i uint32) []byte {
	n := &d.nodes[i]
	k := d.text[n.keyStart:n.keyEnd]
	if n.escaped&1 != 0 {
		return unescape(nil, k)
	}
	return k
}
