package policy

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/aegisctl/aegis"
)

type nodeKind int

// The kinds of a node. A mapping holds two nodes for each member.
const (
	scalarNode nodeKind = iota
	listNode
	mapNode
)

type style int

const (
	plain style = iota
	quotedDouble
	quotedSingle
	literalBlock
	foldedBlock
)

// node is one value of a source: what YAML and JSON have in common.
type node struct {
	src   *source
	pos   Pos
	kind  nodeKind
	style style
	text  string  // of a scalar
	keys  []*node // of a mapping
	items []*node // of a list; of a mapping, by key
}

// get returns the value of a key, or nil.
func (n *node) get(key string) *node {
	for i, k := range n.keys {
		if k.text == key {
			return n.items[i]
		}
	}
	return nil
}

// special says what readers of one YAML version or another take a plain word for that is no text; "" where it is text.
func (n *node) special() string {
	if n.kind != scalarNode || n.style != plain {
		return ""
	}
	const longest = 5
	if len(n.text) <= longest {
		switch strings.ToLower(n.text) {
		case "", "~", "null":
			return "null"
		case "true", "false", "yes", "no", "on", "off":
			return "a boolean"
		}
	}
	if c := n.text[0]; c != '+' && c != '-' && c != '.' && (c < '0' || c > '9') {
		return "" // neither a number nor a date begins so
	}
	switch {
	case numberLike.MatchString(n.text):
		return "a number"
	case dateLike.MatchString(n.text):
		return "a date"
	}
	return ""
}

var (
	// What YAML 1.1 or 1.2 reads as a number: decimals with underscores, bases, base 60, and the words for no number.
	numberLike = regexp.MustCompile(`^[-+]?(?:0[xX][0-9a-fA-F_]+|0[oO]?[0-7_]+|0[bB][01_]+|` +
		`[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?|` +
		`(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?|\.(?i:inf))$|^\.(?i:nan)$`)
	dateLike = regexp.MustCompile(`^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*)?$`)
)

// jsonNumber reports whether a plain word is a number of JSON's grammar.
func (n *node) jsonNumber() bool {
	if n.kind != scalarNode || n.style != plain || n.text == "" || n.text[0] != '-' && (n.text[0] < '0' || n.text[0] > '9') {
		return false
	}
	_, exponent, _ := strings.Cut(strings.ToLower(n.text), "e")
	return len(n.text) <= aegis.MaxNumber && len(strings.TrimLeft(exponent, "+-")) <= aegis.MaxExponent && isJSONNumber(n.text)
}

// what names a node's kind for messages.
func (n *node) what() string {
	switch n.kind {
	case listNode:
		return "a list"
	case mapNode:
		return "a mapping"
	}
	if s := n.special(); s == "null" {
		return "nothing"
	} else if s != "" {
		return s + " (" + clip(n.text) + ")"
	}
	return fmt.Sprintf("the text %q", clip(n.text))
}

// clip shortens a text for a message.
func clip(s string) string {
	const most = 60
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}

// at returns the place of a character of a scalar's text, as well as it can be told: line breaks that YAML folds leave
// only the place where the scalar begins.
func (n *node) at(offset int) Pos {
	p := n.pos
	switch n.style {
	case literalBlock:
		return n.inBlock(offset)
	case foldedBlock:
		return p
	case quotedDouble, quotedSingle:
		p.Col++
	}
	raw := []rune(n.src.line(p.Line))
	raw = raw[min(p.Col-1, len(raw)):]
	for ; offset > 0 && len(raw) > 0; offset-- {
		chars := min(n.unit(raw), len(raw))
		p.Col += chars
		raw = raw[chars:]
	}
	if offset > 0 {
		return n.pos
	}
	return p
}

// unit returns how many characters of the source stand for the next character of the text.
func (n *node) unit(raw []rune) int {
	switch {
	case len(raw) < 2:
		return 1
	case n.style == quotedSingle && raw[0] == '\'' && raw[1] == '\'':
		return 2
	case n.style == quotedDouble && raw[0] == '\\':
		if size, ok := map[rune]int{'x': 4, 'u': 6, 'U': 10}[raw[1]]; ok {
			return size
		}
		return 2
	}
	return 1
}

// inBlock finds a character of a literal block: its lines follow the bar, each behind the same indentation.
func (n *node) inBlock(offset int) Pos {
	head := []rune(n.text)
	head = head[:min(offset, len(head))]
	p := Pos{File: n.pos.File, Line: n.pos.Line + 1, Col: 1}
	for _, r := range head {
		if p.Col++; r == '\n' {
			p.Line, p.Col = p.Line+1, 1
		}
	}
	// The first line that is not blank shows the indentation; what exceeds it is in the text.
	for i, line := range strings.Split(n.text, "\n") {
		if strings.TrimLeft(line, " ") != "" {
			p.Col += max(0, leadingSpaces(n.src.line(n.pos.Line+1+i))-leadingSpaces(line))
			break
		}
	}
	return p
}

func leadingSpaces(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// fold maps texts that are equal under simple case folding to one of them.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return least
	}, s)
}
