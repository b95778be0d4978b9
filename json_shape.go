package aegis

import "sync/atomic"

// Bounds of what a Shape holds, in bytes of text and in values. Larger documents are parsed without one.
const (
	maxShapeText   = 1 << 10
	maxShapeValues = 64
)

// Shape is what a document looked like: its keys, the kinds of its values and the text between its scalars. Tool calls
// repeat few shapes. A document that differs from a known one in its scalars only needs no second look at its keys:
// that none stands twice or differs from another in case only was seen when the shape was learned. A Shape is immutable.
type Shape struct {
	id    uint32
	nodes []node // as they stood in the document that was learned
	gaps  []gap  // the text before each scalar, and after the last
	outer []outer
}

// gap is text between scalars, and the scalar behind it.
type gap struct {
	text string
	at   uint32 // where it stood in the document that was learned
	node uint32 // index of the scalar behind it; of no value for the last gap
}

// outer is an object or a list: it begins in one gap and ends in another.
type outer struct{ node, from, to uint32 }

var shapeIDs atomic.Uint32

// ID is a number that few other shapes have: enough to index a small cache by.
func (s *Shape) ID() uint32 { return s.id }

// Shape returns the shape that v's document was found to have; nil where it was parsed without one, or where v is not
// its root.
func (v Value) Shape() *Shape {
	if v.d == nil || v.i != 0 {
		return nil
	}
	return v.d.shape
}

// Index returns the place of v among the values of its document. Documents of one shape have corresponding values in
// the same places.
func (v Value) Index() int { return int(v.i) }

// At returns the value of v's document that has that index.
func (v Value) At(index int) Value { return Value{v.d, uint32(index)} }

// learn describes d's document, or returns nil where it is too large or its keys need care.
func (d *Doc) learn() *Shape {
	if len(d.nodes) > maxShapeValues || len(d.variants) > 0 {
		return nil
	}
	s := &Shape{id: shapeIDs.Add(1), nodes: append([]node(nil), d.nodes...)}
	at, size := uint32(0), 0
	for i := range d.nodes {
		n := &d.nodes[i]
		switch {
		case n.escaped&1 != 0:
			return nil
		case n.kind >= List:
			s.outer = append(s.outer, outer{node: uint32(i), from: uint32(len(s.gaps))})
			continue
		}
		s.gaps = append(s.gaps, gap{string(d.text[at:n.start]), at, uint32(i)})
		size += int(n.start - at)
		at = n.end
	}
	s.gaps = append(s.gaps, gap{text: string(d.text[at:]), at: at})
	if size += len(d.text) - int(at); size > maxShapeText {
		return nil
	}
	for k := range s.outer {
		o := &s.outer[k]
		for end := d.nodes[o.node].end; int(o.to)+1 < len(s.gaps) && s.gaps[o.to+1].at < end; {
			o.to++
		}
	}
	return s
}

// parseAs reads text into d if it has shape s. It is false where it has not, be it that it is not JSON at all: then d
// holds nothing.
func (d *Doc) parseAs(text []byte, s *Shape) bool {
	d.text, d.shape = text, nil
	d.nodes = append(d.nodes[:0], s.nodes...)
	p := &d.parser
	p.d, p.b, p.depth = d, text, 0
	at, last := 0, len(s.gaps)-1
	for k := range s.gaps {
		g := &s.gaps[k]
		end := at + len(g.text)
		if end > len(text) || string(text[at:end]) != g.text {
			return false
		}
		by := uint32(at) - g.at
		p.moved[k] = by
		if at = end; k == last {
			break
		}
		n := &d.nodes[g.node]
		n.start = uint32(at)
		n.moveKey(by)
		// Most scalars are strings without escapes. All others take the parser's way.
		if n.kind == String && at < len(text) && text[at] == '"' {
			if shut := at + 1 + plainText(text[at+1:]); shut < len(text) && text[shut] == '"' {
				at = shut + 1
				n.escaped, n.end = 0, uint32(at)
				continue
			}
		}
		if p.i = at; !p.scalar(n) {
			return false
		}
		at = p.i
		n.end = uint32(at)
	}
	if at != len(text) {
		return false
	}
	for _, o := range s.outer {
		n := &d.nodes[o.node]
		by := p.moved[o.from]
		n.start, n.end = n.start+by, n.end+p.moved[o.to]
		n.moveKey(by)
	}
	d.shape = s
	return true
}

// moveKey notes that a member's key stands elsewhere. What is no member has no key.
func (n *node) moveKey(by uint32) {
	if n.keyEnd > 0 {
		n.keyStart, n.keyEnd = n.keyStart+by, n.keyEnd+by
	}
}

// scalar reads a scalar of n's kind.
func (p *parser) scalar(n *node) bool {
	if p.i >= len(p.b) {
		return false
	}
	switch c := p.b[p.i]; n.kind {
	case String:
		if c != '"' {
			return false
		}
		escaped, err := p.string()
		n.escaped = 0
		if escaped {
			n.escaped = 2
		}
		return err == nil
	case Number:
		return (c == '-' || '0' <= c && c <= '9') && p.number() == nil
	}
	kind := n.kind
	return p.literal(n) == nil && n.kind == kind
}

// Shapes are the latest shapes of the documents from one source: the calls of one tool, say. The zero value is empty.
// One goroutine at a time may use them.
type Shapes struct {
	of     [4]*Shape
	misses uint32
}

// patience is how many documents in a row of one source may have new shapes before only some of them are learned.
const patience = 16

// ParseLike is Parse for a document that probably looks like earlier ones of s. It accepts and refuses the same
// documents, with the same result; only the time it takes depends on s.
func (d *Doc) ParseLike(text []byte, limit int, s *Shapes) error {
	if len(text) <= limit {
		for k, shape := range s.of {
			if shape == nil {
				break
			}
			if d.parseAs(text, shape) {
				d.variants = d.variants[:0]
				s.misses = 0
				if k > 0 {
					s.of[k-1], s.of[k] = shape, s.of[k-1]
				}
				return nil
			}
		}
	}
	if err := d.Parse(text, limit); err != nil {
		return err
	}
	if s.misses++; s.misses > patience && s.misses%64 != 0 {
		return nil
	}
	if shape := d.learn(); shape != nil {
		d.shape = shape
		copy(s.of[1:], s.of[:len(s.of)-1])
		s.of[0] = shape
	}
	return nil
}
