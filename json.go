package aegis

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"unicode"
	"unicode/utf8"
)

// Limits of strict JSON (DESIGN §4). They hold for every door.
const (
	MaxBody     = 1 << 20 // bytes of one document, unless the door says otherwise
	MaxDepth    = 64      // nested objects and lists
	MaxMembers  = 10_000  // of one object or list
	MaxNumber   = 64      // bytes of one number literal
	MaxExponent = 3       // digits of an exponent
)

// SyntaxError says where and why a document is not strict JSON.
type SyntaxError struct {
	Offset int    // in bytes
	Msg    string // what is wrong, in lower case
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("byte %d: %s", e.Offset, e.Msg) }

// Doc is a parsed JSON document: the text as it came, and an index of its values. It holds on to the text, which must
// not change while the Doc or a Value of it is in use. A Doc can be parsed into again; it then reuses its memory.
type Doc struct {
	text     []byte
	nodes    []node
	variants []int32 // objects with sibling keys that differ in case only
	parser   parser
}

// node is one value. Its children follow it directly; next is the index of what follows the whole subtree.
type node struct {
	start, end       uint32 // the value's text
	keyStart, keyEnd uint32 // the key's text between its quotes, for a member of an object
	next             uint32
	count            uint32 // members, for an object or a list
	hash             uint32 // of the key, case folded
	kind             Kind
	escaped          uint8 // bit 0: the key holds escapes; bit 1: the string does
}

// Kind is the JSON type of a value.
type Kind uint8

// The kinds. Absent is the kind of a value that is not there.
const (
	Absent Kind = iota
	Null
	Bool
	Number
	String
	List
	Object
)

// String names the kind as messages do.
func (k Kind) String() string {
	return [...]string{"missing", "null", "boolean", "number", "string", "list", "object"}[k]
}

// Parse reads one strict RFC 8259 document of at most MaxBody bytes: no duplicate keys after unescaping, no sibling
// keys that are equal under Unicode simple folding, no invalid UTF-8, no lone surrogates, and the limits above. The
// error is a *SyntaxError.
func Parse(text []byte) (*Doc, error) {
	d := new(Doc)
	if err := d.Parse(text, MaxBody); err != nil {
		return nil, err
	}
	if err := d.CaseVariants(); err != nil {
		return nil, err
	}
	return d, nil
}

// Parse reads text into d, like the function Parse, with a limit on its size in bytes. Keys that differ in case only
// are noted for CaseVariants and not refused: some policies permit them where no rule names a key.
func (d *Doc) Parse(text []byte, limit int) error {
	d.text, d.nodes, d.variants = text, d.nodes[:0], d.variants[:0]
	if len(text) > limit || len(text) > math.MaxInt32 {
		return &SyntaxError{limit, fmt.Sprintf("the document is larger than %d bytes", limit)}
	}
	p := &d.parser
	p.d, p.b, p.i, p.depth = d, text, 0, 0
	if err := p.document(); err != nil {
		d.nodes = d.nodes[:0]
		return err
	}
	return nil
}

// CaseVariants returns an error that names the first place with sibling keys equal under folding, or nil.
func (d *Doc) CaseVariants() error {
	if len(d.variants) == 0 {
		return nil
	}
	return &SyntaxError{int(d.nodes[d.variants[0]].start), "two keys of one object differ in case only"}
}

// Root returns the document's value.
func (d *Doc) Root() Value {
	if len(d.nodes) == 0 {
		return Value{}
	}
	return Value{d, 0}
}

// Text returns the document as it came.
func (d *Doc) Text() []byte { return d.text }

type parser struct {
	d *Doc
	b []byte
	i int

	stack [MaxDepth]uint32
	depth int
	seen  [MaxDepth]map[uint32][]uint32 // key hash → members, for large objects only
}

func (p *parser) fail(at int, msg string) error { return &SyntaxError{at, msg} }

// space skips white space. Most documents have none where it may stand.
func (p *parser) space() {
	if p.i < len(p.b) && p.b[p.i] <= ' ' {
		p.skipSpace()
	}
}

func (p *parser) skipSpace() {
	for p.i < len(p.b) {
		switch p.b[p.i] {
		case ' ', '\t', '\n', '\r':
			p.i++
		default:
			return
		}
	}
}

// document walks the text once, without recursion, so that depth costs no stack.
func (p *parser) document() error {
	p.space()
	if err := p.value(node{}); err != nil {
		return err
	}
	for p.depth > 0 {
		if err := p.step(); err != nil {
			return err
		}
	}
	p.space()
	if p.i < len(p.b) {
		return p.fail(p.i, "text after the document's end")
	}
	return nil
}

// step reads what follows inside the innermost open object or list: its end, or one more member.
func (p *parser) step() error {
	at := p.stack[p.depth-1]
	n := &p.d.nodes[at]
	closer := byte('}')
	if n.kind == List {
		closer = ']'
	}
	p.space()
	if p.i >= len(p.b) {
		return p.fail(p.i, "the document ends inside "+article(n.kind))
	}
	if p.b[p.i] == closer {
		p.i++
		n.end, n.next = uint32(p.i), uint32(len(p.d.nodes))
		p.depth--
		return nil
	}
	if n.count > 0 {
		if p.b[p.i] != ',' {
			return p.fail(p.i, "a comma or the end of "+article(n.kind)+" is missing")
		}
		p.i++
		p.space()
	}
	if n.count++; n.count > MaxMembers {
		return p.fail(p.i, fmt.Sprintf("%s has more than %d members", article(n.kind), MaxMembers))
	}
	if n.kind == List {
		return p.value(node{})
	}
	return p.member(at)
}

func article(k Kind) string {
	if k == List {
		return "a list"
	}
	return "an object"
}

func (p *parser) member(at uint32) error {
	if p.i >= len(p.b) || p.b[p.i] != '"' {
		return p.fail(p.i, "a key in double quotes is missing")
	}
	start := p.i
	escaped, err := p.string()
	if err != nil {
		return err
	}
	m := node{keyStart: uint32(start + 1), keyEnd: uint32(p.i - 1)}
	if escaped {
		m.escaped = 1
	}
	if err := p.unique(at, &m); err != nil {
		return err
	}
	p.space()
	if p.i >= len(p.b) || p.b[p.i] != ':' {
		return p.fail(p.i, "a colon is missing")
	}
	p.i++
	p.space()
	return p.value(m)
}

// value reads one value into m, or opens it where it is an object or a list.
func (p *parser) value(m node) error {
	if p.i >= len(p.b) {
		return p.fail(p.i, "a value is missing")
	}
	m.start = uint32(p.i)
	switch c := p.b[p.i]; {
	case c == '"':
		m.kind = String
		escaped, err := p.string()
		if err != nil {
			return err
		}
		if escaped {
			m.escaped |= 2
		}
	case c == '{' || c == '[':
		if p.depth == MaxDepth {
			return p.fail(p.i, fmt.Sprintf("nested deeper than %d", MaxDepth))
		}
		m.kind = Object
		if c == '[' {
			m.kind = List
		}
		p.stack[p.depth] = uint32(len(p.d.nodes))
		p.seen[p.depth] = nil
		p.depth++
		p.i++
	case c == '-' || '0' <= c && c <= '9':
		m.kind = Number
		if err := p.number(); err != nil {
			return err
		}
	default:
		if err := p.literal(&m); err != nil {
			return err
		}
	}
	m.end, m.next = uint32(p.i), uint32(len(p.d.nodes)+1)
	p.d.nodes = append(p.d.nodes, m)
	return nil
}

func (p *parser) literal(m *node) error {
	rest := p.b[p.i:]
	switch {
	case bytes.HasPrefix(rest, []byte("true")):
		m.kind, p.i = Bool, p.i+4
	case bytes.HasPrefix(rest, []byte("false")):
		m.kind, p.i = Bool, p.i+5
	case bytes.HasPrefix(rest, []byte("null")):
		m.kind, p.i = Null, p.i+4
	default:
		return p.fail(p.i, "no JSON value begins like this")
	}
	return nil
}

func (p *parser) digits() int {
	n := p.i
	for p.i < len(p.b) && '0' <= p.b[p.i] && p.b[p.i] <= '9' {
		p.i++
	}
	return p.i - n
}

func (p *parser) number() error {
	start := p.i
	if p.b[p.i] == '-' {
		p.i++
	}
	lead := p.i
	n := p.digits()
	if n == 0 || n > 1 && p.b[lead] == '0' {
		return p.fail(start, "a number needs digits, and none may lead with 0")
	}
	if p.i < len(p.b) && p.b[p.i] == '.' {
		p.i++
		if p.digits() == 0 {
			return p.fail(start, "a number's point needs digits after it")
		}
	}
	if p.i < len(p.b) && (p.b[p.i] == 'e' || p.b[p.i] == 'E') {
		p.i++
		if p.i < len(p.b) && (p.b[p.i] == '+' || p.b[p.i] == '-') {
			p.i++
		}
		switch n := p.digits(); {
		case n == 0:
			return p.fail(start, "a number's exponent needs digits")
		case n > MaxExponent:
			return p.fail(start, fmt.Sprintf("a number's exponent has more than %d digits", MaxExponent))
		}
	}
	if p.i-start > MaxNumber {
		return p.fail(start, fmt.Sprintf("a number is longer than %d bytes", MaxNumber))
	}
	return nil
}

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
