package policy

import (
	"bytes"
	"slices"
)

// Source is one file of policies as it was read.
type Source struct {
	Name     string
	Text     []byte
	Comments []Comment // in order; JSON has none
}

// Comment is a comment of a YAML file: from its # to the end of the line.
type Comment struct {
	Pos    Pos
	Offset int // of the #, in bytes
	Text   string
}

// mark is where a scalar that is not plain begins, or any other node: where the text of what stands before it ends.
type mark struct {
	at    int
	style style
}

// comments finds the comments of a YAML text. marks are the nodes' places in order: a # is text, and no comment, within
// quotes and within a block, and where no space stands before it.
func (s *source) comments(marks []mark) []Comment {
	if !bytes.Contains(s.text, []byte("#")) {
		return nil
	}
	var out []Comment
	c := cursor{src: s, line: 1, col: 1}
	for at := 0; at < len(s.text); {
		for len(marks) > 0 && marks[0].at < at {
			marks = marks[1:]
		}
		if len(marks) > 0 && marks[0].at == at && marks[0].style != plain {
			style := marks[0].style
			marks = marks[1:]
			next := len(s.text)
			if len(marks) > 0 {
				next = marks[0].at
			}
			if style == literalBlock || style == foldedBlock {
				out = append(out, s.comment(&c, at, lineEnd(s.text, at))...)
				at = s.blockEnd(at, next)
			} else {
				at = s.quoteEnd(at)
			}
			continue
		}
		if s.text[at] == '#' && (at == 0 || s.text[at-1] == ' ' || s.text[at-1] == '\n') {
			end := lineEnd(s.text, at)
			out = append(out, s.comment(&c, at, end)...)
			at = end
			continue
		}
		at++
	}
	return out
}

// comment returns the comment between two places of one line, if there is one.
func (s *source) comment(c *cursor, from, to int) []Comment {
	hash := bytes.IndexByte(s.text[from:to], '#')
	if hash < 0 {
		return nil
	}
	text := bytes.TrimRight(s.text[from+hash:to], " \r")
	return []Comment{{Pos: c.place(from + hash), Offset: from + hash, Text: string(text)}}
}

func lineEnd(text []byte, at int) int {
	if n := bytes.IndexByte(text[at:], '\n'); n >= 0 {
		return at + n
	}
	return len(text)
}

// quoteEnd returns the place behind a text in quotes.
func (s *source) quoteEnd(at int) int {
	quote := s.text[at]
	for i := at + 1; i < len(s.text); i++ {
		switch {
		case s.text[i] == '\\' && quote == '"':
			i++
		case s.text[i] == quote && quote == '\'' && i+1 < len(s.text) && s.text[i+1] == quote:
			i++
		case s.text[i] == quote:
			return i + 1
		}
	}
	return len(s.text)
}

// blockEnd returns where the lines of a block end: before the first that is indented less than its first one, and
// before the line of the next node. A block whose indentation is written out (|2) is taken to reach to the next node.
func (s *source) blockEnd(at, next int) int {
	end := lineEnd(s.text, at)
	stop := bytes.LastIndexByte(s.text[:next], '\n') + 1
	if next == len(s.text) {
		stop = next
	}
	if bytes.ContainsAny(bytes.SplitN(s.text[at:end], []byte("#"), 2)[0], "123456789") {
		return max(end, stop)
	}
	indent := -1
	for line := end + 1; line < stop; {
		to := lineEnd(s.text, line)
		if body := bytes.TrimRight(s.text[line:to], " \r"); len(body) > 0 {
			spaces := len(body) - len(bytes.TrimLeft(body, " "))
			if indent < 0 {
				indent = spaces
			}
			if spaces < indent || indent == 0 {
				return line
			}
		}
		line = to + 1
	}
	return max(end, stop)
}

// DefinitionKind is what a name that a file defines stands for.
type DefinitionKind string

// The kinds of definitions.
const (
	DefinedList     DefinitionKind = "list"
	DefinedParam    DefinitionKind = "param"
	DefinedFragment DefinitionKind = "fragment"
)

// Definition is a name that a file defines for its rules to refer to.
type Definition struct {
	Kind DefinitionKind
	Name string
	Pos  Pos
}

// define notes that a reader's file defines a name, and use that something refers to it.
func (r *reader) define(kind DefinitionKind, n *node) {
	if r.defined == nil {
		r.defined = map[string]Definition{}
	}
	d := Definition{kind, n.text, n.pos}
	r.defined[n.text] = d
	if _, seen := r.used[d]; !seen {
		r.used[d] = false
	}
}

func (r *reader) use(name string) {
	if d, ok := r.defined[name]; ok {
		r.used[d] = true
	}
}

// unused lists the definitions that nothing refers to, by place.
func (l *loader) unused() []Definition {
	var out []Definition
	for d, used := range l.used {
		if !used {
			out = append(out, d)
		}
	}
	for _, d := range l.docs {
		if d.top == "fragment" && d.name.kind == scalarNode && !l.fragmentUsed[d.name.text] && len(l.set.Policies) > 0 {
			out = append(out, Definition{DefinedFragment, d.name.text, d.name.pos})
		}
	}
	slices.SortFunc(out, func(a, b Definition) int { return a.Pos.compare(b.Pos) })
	return out
}
