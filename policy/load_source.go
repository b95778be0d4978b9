package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/aegisctl/aegis"
)

// MaxSource is the greatest size of one policy source, list or module, in bytes.
const MaxSource = 1 << 20

// source is the text of one file.
type source struct {
	name  string // as shown to people
	dir   string // what `from:` and `rego:` are below; "" where the text is from no file
	text  []byte
	notes []Comment // of YAML, once it is parsed
}

// place returns the position of a byte of the text.
func (s *source) place(offset int) Pos {
	c := cursor{src: s, line: 1, col: 1}
	return c.place(offset)
}

// cursor is a place in a source that mostly moves forward, so that finding many places is one pass over the text.
type cursor struct {
	src       *source
	at        int
	line, col int
}

func (c *cursor) step() {
	r, n := utf8.DecodeRune(c.src.text[c.at:])
	c.at += n
	if c.col++; r == '\n' {
		c.line, c.col = c.line+1, 1
	}
}

// place moves to a byte and returns its position.
func (c *cursor) place(offset int) Pos {
	if offset < c.at {
		c.at, c.line, c.col = 0, 1, 1
	}
	for c.at < offset && c.at < len(c.src.text) {
		c.step()
	}
	return Pos{File: c.src.name, Line: c.line, Col: c.col}
}

// offset is the inverse of place. A column beyond the line's end is the line's end.
func (c *cursor) offset(p Pos) int {
	if p.Line < c.line || p.Line == c.line && p.Col < c.col {
		c.at, c.line, c.col = 0, 1, 1
	}
	for c.at < len(c.src.text) && (c.line < p.Line || c.line == p.Line && c.col < p.Col && c.src.text[c.at] != '\n') {
		c.step()
	}
	return c.at
}

// line returns a line of the text, from 1, without its end.
func (s *source) line(number int) string {
	c := cursor{src: s, line: 1, col: 1}
	rest := s.text[c.offset(Pos{Line: number, Col: 1}):]
	if end := bytes.IndexByte(rest, '\n'); end >= 0 {
		rest = rest[:end]
	}
	return string(rest)
}

func (s *source) errorf(offset int, hint, format string, args ...any) *Error {
	return &Error{Pos: s.place(offset), Msg: fmt.Sprintf(format, args...), Hint: hint}
}

// check refuses text that readers may take for different things: other encodings than UTF-8, control characters, and
// characters that reorder the line for the eye or end it for some.
func (s *source) check(tabs bool) *Error {
	t := s.text
	switch {
	case len(t) > MaxSource:
		return s.errorf(0, "split the file", "the file is larger than %d bytes", MaxSource)
	case bytes.HasPrefix(t, []byte("\xff\xfe")), bytes.HasPrefix(t, []byte("\xfe\xff")):
		return s.errorf(0, "save the file as UTF-8", "the file is UTF-16, not UTF-8")
	case bytes.HasPrefix(t, []byte("\xef\xbb\xbf")):
		return s.errorf(0, "save the file as UTF-8 without BOM", "the file begins with a byte order mark")
	}
	const remedy = "remove it, or write it as an escape in double quotes"
	for i := 0; i < len(t); {
		r, n := utf8.DecodeRune(t[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			return s.errorf(i, "save the file as UTF-8", "the text is not valid UTF-8")
		case r == '\t' && !tabs:
			return s.errorf(i, `indent with spaces; inside double quotes write \t`, "a tab stands in the file")
		case r == '\r' && (i+1 == len(t) || t[i+1] != '\n'):
			return s.errorf(i, "end lines with LF or CR LF", "a carriage return stands alone")
		case r < ' ' && r != '\n' && r != '\r' && r != '\t', r >= 0x7f && r <= 0x9f, r == 0x2028, r == 0x2029, r == 0xfeff:
			return s.errorf(i, remedy, "a control character (U+%04X) stands in the file", r)
		case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return s.errorf(i, remedy, "a character that reorders text (U+%04X) stands in the file", r)
		}
		i += n
	}
	return nil
}

// parse reads the source into a tree. JSON goes through the strict decoder of calls; all else is YAML.
func (s *source) parse() (*node, *Error) {
	json := strings.HasSuffix(strings.ToLower(s.name), ".json")
	if err := s.check(json); err != nil {
		return nil, err
	}
	if json {
		return s.parseJSON()
	}
	return s.parseYAML()
}

func (s *source) parseJSON() (*node, *Error) {
	doc, err := aegis.Parse(s.text)
	if err != nil {
		at, msg := 0, err.Error()
		if e, ok := errors.AsType[*aegis.SyntaxError](err); ok {
			at, msg = e.Offset, e.Msg
		}
		return nil, s.errorf(at, "", "not strict JSON: %s", msg)
	}
	c := &cursor{src: s, line: 1, col: 1}
	return s.fromJSON(c, doc.Root()), nil
}

func (s *source) fromJSON(c *cursor, v aegis.Value) *node {
	n := &node{src: s, pos: c.place(v.Offset())}
	switch v.Kind() {
	case aegis.String:
		n.style, n.text = quotedDouble, v.Str()
	case aegis.List, aegis.Object:
		n.kind = listNode
		if v.Kind() == aegis.Object {
			n.kind = mapNode
		}
		for m, i := v.First(), 0; i < v.Len(); m, i = v.After(m), i+1 {
			if n.kind == mapNode {
				n.keys = append(n.keys, &node{src: s, pos: c.place(s.keyOffset(m)), style: quotedDouble, text: m.Key()})
			}
			n.items = append(n.items, s.fromJSON(c, m))
		}
	default:
		n.text = string(v.Text())
	}
	return n
}

// keyOffset goes back from a member's value over the colon to its key's opening quote.
func (s *source) keyOffset(m aegis.Value) int {
	colon := bytes.LastIndexByte(s.text[:m.Offset()], ':')
	end := bytes.LastIndexByte(s.text[:colon], '"')
	return end - len(m.KeyText()) - 1
}

func (s *source) parseYAML() (*node, *Error) {
	d := yaml.NewDecoder(bytes.NewReader(s.text))
	var doc, second yaml.Node
	switch err := d.Decode(&doc); {
	case err == io.EOF:
		return nil, s.errorf(0, "a policy begins with agent: NAME", "the file is empty")
	case err != nil:
		return nil, s.yamlError(err)
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind == yaml.ScalarNode && doc.Content[0].Value == "" {
		return nil, s.errorf(0, "a policy begins with agent: NAME", "the file is empty")
	}
	if err := s.directives(doc.Content[0].Line); err != nil {
		return nil, err
	}
	c := converter{s: s, cursor: cursor{src: s, line: 1, col: 1}, comments: bytes.IndexByte(s.text, '#') >= 0}
	root := c.convert(doc.Content[0], 1)
	if c.err != nil {
		return nil, c.err
	}
	s.notes = s.comments(c.marks)
	switch err := d.Decode(&second); {
	case err == io.EOF:
		return root, nil
	case err != nil:
		return nil, s.yamlError(err)
	}
	at := Pos{File: s.name, Line: max(second.Line, 1), Col: max(second.Column, 1)}
	return nil, &Error{Pos: at, Msg: "a second document stands in the file", Hint: "one policy to a file"}
}

// directives refuses %YAML and %TAG: the language fixes both.
func (s *source) directives(before int) *Error {
	for i, line := range bytes.SplitN(s.text, []byte("\n"), before) {
		if i < before-1 && bytes.HasPrefix(line, []byte("%")) {
			return &Error{Pos: Pos{s.name, i + 1, 1}, Msg: "a YAML directive stands before the document", Hint: "remove it"}
		}
	}
	return nil
}

var (
	yamlLine    = regexp.MustCompile(`^line \d+: `)
	yamlUnknown = regexp.MustCompile(`unknown anchor '(.*)' referenced`)
)

// yamlHints are remedies for the messages of the YAML parser that people meet most.
var yamlHints = [...][2]string{
	{"mapping values are not allowed", "put a value that holds a colon and a space into quotes"},
	{"<document start>", "one policy to a file"},
	{"did not find expected key", "check the indentation; a value that begins with a quote goes into quotes as a whole"},
	{"did not find expected '-'", "check the indentation"},
	{"did not find expected ','", "close the bracket; expressions and patterns inside [] or {} go into single quotes"},
	{"cannot start any token", "put a value that begins with % @ or ` into quotes"},
	{"alphabetic or numeric", "in YAML a leading * or & is an alias or anchor: put the value into quotes"},
	{"could not find expected ':'", "check the indentation, and that each key is followed by a colon and a space"},
	{"unexpected end of stream", "close the quote or bracket"},
	{"unknown escape", `put patterns into single quotes: 'INV-\d+'`},
}

// yamlError turns a message of the YAML parser into an Error. The parser names no column and, for most problems, the
// line where the enclosing value begins. So its input is fed to it again byte by byte, to see how far it got; and then
// without its last lines, as long as the problem stays the same.
func (s *source) yamlError(err error) *Error {
	msg := yamlMessage(err)
	if m := yamlUnknown.FindStringSubmatch(msg); m != nil {
		at := max(0, bytes.Index(s.text, []byte("*"+m[1])))
		return s.errorf(at, "in YAML a leading * is an alias: put the value into quotes",
			"%s is an alias, and aliases are refused", strconv.Quote("*"+m[1]))
	}
	r := &oneByte{text: s.text}
	yamlFails(r)
	at := lineStart(s.text, r.read)
	for steps := min(50, MaxSource/2/(len(s.text)+1)); steps > 0 && at > 0; steps-- {
		if yamlFails(bytes.NewReader(s.text[:at])) != msg {
			break
		}
		at = lineStart(s.text, at)
	}
	for at < len(s.text)-1 && s.text[at] == ' ' {
		at++
	}
	hint := ""
	for _, h := range yamlHints {
		if strings.Contains(msg, h[0]) {
			hint = h[1]
			break
		}
	}
	return s.errorf(at, hint, "not valid YAML: %s", msg)
}

// lineStart returns where the last line that is not blank begins, in what comes before a place.
func lineStart(text []byte, before int) int {
	head := bytes.TrimRight(text[:before], " \r\n")
	return bytes.LastIndexByte(head, '\n') + 1
}

// yamlFails returns the message with which YAML does not parse, or "".
func yamlFails(r io.Reader) string {
	for d := yaml.NewDecoder(r); ; {
		switch err := d.Decode(new(yaml.Node)); {
		case err == io.EOF:
			return ""
		case err != nil:
			return yamlMessage(err)
		}
	}
}

func yamlMessage(err error) string {
	return yamlLine.ReplaceAllString(strings.TrimPrefix(err.Error(), "yaml: "), "")
}

// oneByte hands out a text byte by byte and counts.
type oneByte struct {
	text []byte
	read int
}

func (r *oneByte) Read(p []byte) (int, error) {
	if r.read == len(r.text) {
		return 0, io.EOF
	}
	p[0] = r.text[r.read]
	r.read++
	return 1, nil
}

// converter turns the YAML parser's tree into ours and refuses what makes one text mean another: anchors, aliases,
// tags and merge keys. Aliases are never followed, so they cost nothing.
type converter struct {
	s      *source
	cursor cursor
	marks  []mark
	err    *Error

	comments bool   // the text may have some, so that marks are asked for
	free     []node // for nodes to come
}

func (c *converter) fail(pos Pos, hint, format string, args ...any) *node {
	if c.err == nil {
		c.err = &Error{Pos: pos, Msg: fmt.Sprintf(format, args...), Hint: hint}
	}
	return nil
}

func (c *converter) convert(y *yaml.Node, depth int) *node {
	pos := Pos{File: c.s.name, Line: y.Line, Col: y.Column}
	if depth > aegis.MaxDepth {
		return c.fail(pos, "", "nested deeper than %d", aegis.MaxDepth)
	}
	if !c.plainNode(y, pos) || c.err != nil {
		return nil
	}
	n := c.node()
	*n = node{src: c.s, pos: pos, text: y.Value}
	switch y.Kind {
	case yaml.ScalarNode:
		n.style = styles[y.Style&^yaml.FlowStyle]
		return n
	case yaml.SequenceNode:
		n.kind = listNode
		n.text = ""
	case yaml.MappingNode:
		n.kind = mapNode
		n.text = ""
	}
	if len(y.Content) > aegis.MaxMembers*int(n.kind) {
		return c.fail(pos, "", "more than %d members", aegis.MaxMembers)
	}
	if n.items = make([]*node, 0, len(y.Content)/int(n.kind)); n.kind == mapNode {
		n.keys = make([]*node, 0, len(y.Content)/2)
	}
	for i, child := range y.Content {
		m := c.convert(child, depth+1)
		switch {
		case m == nil:
			return nil
		case n.kind == mapNode && i%2 == 0:
			n.keys = append(n.keys, m)
		default:
			n.items = append(n.items, m)
		}
	}
	if n.kind == mapNode && !c.uniqueKeys(n) {
		return nil
	}
	return n
}

// node returns a new node. They are made many at a time.
func (c *converter) node() *node {
	if len(c.free) == 0 {
		c.free = make([]node, 64)
	}
	n := &c.free[0]
	c.free = c.free[1:]
	return n
}

var styles = map[yaml.Style]style{yaml.DoubleQuotedStyle: quotedDouble, yaml.SingleQuotedStyle: quotedSingle,
	yaml.LiteralStyle: literalBlock, yaml.FoldedStyle: foldedBlock}

// plainNode refuses an anchor, an alias, a tag and a merge key. It looks at the source as well as at the node: the
// parser forgets the tag "!".
func (c *converter) plainNode(y *yaml.Node, pos Pos) bool {
	first := byte(0)
	at := c.cursor.offset(pos)
	if at < len(c.s.text) && (y.Kind != yaml.ScalarNode || y.Value != "" || y.Style != 0) {
		first = c.s.text[at]
		if c.comments {
			c.marks = append(c.marks, mark{at, styles[y.Style&^yaml.FlowStyle]})
		}
	}
	switch {
	case y.Kind == yaml.AliasNode || first == '*':
		c.fail(pos, "write the value out; a name that begins with a star goes into quotes",
			"%q is an alias, and aliases are refused", "*"+y.Value)
	case y.Anchor != "" || first == '&':
		c.fail(pos, "write the value out where it is used", "an anchor stands here, and anchors are refused")
	case y.Style&yaml.TaggedStyle != 0 || first == '!':
		c.fail(pos, "an expression that begins with ! goes into quotes",
			"%q is a YAML tag, and tags are refused", orText(y.Tag, "!"))
	case y.Kind == yaml.ScalarNode && y.Value == "<<" && y.Style == 0:
		c.fail(pos, "write the keys out", "a merge key (<<) is refused")
	}
	return c.err == nil
}

func orText(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// uniqueKeys refuses keys that stand twice, or differ in case only, as the strict decoder does.
func (c *converter) uniqueKeys(n *node) bool {
	seen := make(map[string]*node, len(n.keys))
	for _, k := range n.keys {
		if k.kind != scalarNode {
			c.fail(k.pos, "a key is a word", "a list or a mapping stands as a key")
			return false
		}
		folded := fold(k.text)
		first := seen[folded]
		switch {
		case first == nil:
			seen[folded] = k
			continue
		case first.text == k.text:
			c.fail(k.pos, fmt.Sprintf("it stands already in line %d", first.pos.Line), "the key %q stands twice", clip(k.text))
		default:
			c.fail(k.pos, fmt.Sprintf("the first stands in line %d", first.pos.Line),
				"the keys %q and %q differ in case only", clip(first.text), clip(k.text))
		}
		return false
	}
	return true
}
