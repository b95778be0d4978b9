package aegis

import (
	"bytes"
	"fmt"
	"math"
)

// Limits of strict JSON (DESIGN §4). They hold for every door.
const (
	MaxBody = 1 << 20 // bytes of one document, unless the door says otherwise

	GreatestBody = 16 << 20 // bytes that a door may be told to take
	MaxDepth     = 64       // nested objects and lists
	MaxMembers   = 10_000   // of one object or list
	MaxNumber    = 64       // bytes of one number literal
	MaxExponent  = 3        // digits of an exponent
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
	shape    *Shape // nil where it was parsed without one
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
	d.text, d.nodes, d.variants, d.shape = text, d.nodes[:0], d.variants[:0], nil
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

	moved [maxShapeValues + 1]uint32 // how far each gap's text stands from where its shape has it
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
