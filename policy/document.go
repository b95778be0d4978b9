package policy

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/aegisctl/aegis"
)

// Node is a value of a source that was read as strictly as policies are, and is no policy: the tests of policies are
// such sources. The zero Node is what is not there.
type Node struct{ n *node }

// ReadDocument reads a YAML or JSON file under the rules for the syntax of policies: one document, no key twice, no
// anchor, alias, tag or merge key. The error is an Error, or one of the file system.
func ReadDocument(path string) (Node, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Node{}, err
	}
	if !info.Mode().IsRegular() {
		return Node{}, fmt.Errorf("%s: not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return Node{}, err
	}
	defer f.Close()
	text, err := readAll(f)
	if err != nil {
		return Node{}, err
	}
	return (&source{name: path, dir: filepath.Dir(path), text: text}).document()
}

// ParseDocument is ReadDocument of a text in memory; the ending of name tells JSON from YAML.
func ParseDocument(name string, text []byte) (Node, error) {
	return (&source{name: name, text: text}).document()
}

func (s *source) document() (Node, error) {
	n, err := s.parse()
	if err != nil {
		if err.Msg == "the file is empty" {
			err.Hint = ""
		}
		return Node{}, err
	}
	return Node{n}, nil
}

// Pos returns where the value begins.
func (n Node) Pos() Pos {
	if n.n == nil {
		return Pos{}
	}
	return n.n.pos
}

// Kind returns what the value is. It is Absent for what is not there, and for a plain word that readers of YAML take for
// different things (yes, ~, 0x10, 2026-01-02): such a value must go into quotes.
func (n Node) Kind() aegis.Kind {
	switch {
	case n.n == nil:
		return aegis.Absent
	case n.n.kind == listNode:
		return aegis.List
	case n.n.kind == mapNode:
		return aegis.Object
	case n.n.special() == "":
		return aegis.String
	case n.n.text == "null" || n.n.text == "":
		return aegis.Null
	case n.n.text == "true" || n.n.text == "false":
		return aegis.Bool
	case n.n.jsonNumber():
		return aegis.Number
	}
	return aegis.Absent
}

// Text returns the text of a scalar as written, without quotes.
func (n Node) Text() string {
	if n.n == nil {
		return ""
	}
	return n.n.text
}

// What names the value's kind for messages: "a list", "a number (5)".
func (n Node) What() string {
	if n.n == nil {
		return "nothing"
	}
	return n.n.what()
}

// Get returns the value of a mapping's key, or the zero Node.
func (n Node) Get(key string) Node {
	if n.n == nil {
		return Node{}
	}
	return Node{n.n.get(key)}
}

// Keys returns the keys of a mapping as written; Items returns its values, in the same order.
func (n Node) Keys() []Node {
	if n.n == nil {
		return nil
	}
	return nodes(n.n.keys)
}

// Items returns the members of a list, or the values of a mapping.
func (n Node) Items() []Node {
	if n.n == nil {
		return nil
	}
	return nodes(n.n.items)
}

func nodes(ns []*node) []Node {
	out := make([]Node, len(ns))
	for i, n := range ns {
		out[i] = Node{n}
	}
	return out
}

// Errorf returns a problem with the value: its place, what is wrong, and the remedy.
func (n Node) Errorf(hint, format string, args ...any) *Error {
	return &Error{Pos: n.Pos(), Msg: fmt.Sprintf(format, args...), Hint: hint}
}

// DidYouMean returns the hint for a word that is none of the candidates, or "".
func DidYouMean(word string, candidates []string) string { return didYouMean(word, candidates) }

// Sorted orders problems by place, drops repeats and cuts the list at MaxErrors.
func (es Errors) Sorted() Errors { return es.sorted() }
