package lint

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// Edit replaces a range of bytes of one file.
type Edit struct {
	File       string
	Start, End int
	Text       string
	Finding    aegis.Finding // that it removes
}

// Fixed is a file with its edits made.
type Fixed struct {
	File          string
	Before, After []byte
	Edits         []Edit // in order of place; what they replace does not overlap
}

// fixer finds the range that removes a finding. It is false where the text is written in a way that it does not know.
type fixer func(p *pass, s *policy.Source, at policy.Pos) (start, end int, text string, ok bool)

// fix says how the finding that was reported last can be removed.
func (p *pass) fix(f fixer) { p.found[len(p.found)-1].fix = f }

// Fix returns the files that would change so that findings of fixable rules go away. set is what was loaded from paths.
// Only ranges of bytes that a rule names are removed, so comments and formatting stay. The result has been loaded: it is
// refused, with an error, unless it loads and nothing is found in it that was not found before. It writes nothing. JSON is left
// alone.
func Fix(set *policy.Set, paths []string, opt Options) ([]Fixed, error) {
	p := run(set, opt)
	edits := map[string][]Edit{}
	for _, f := range p.found {
		s := p.source(f.pos.File)
		if f.fix == nil || s == nil || strings.HasSuffix(strings.ToLower(s.Name), ".json") {
			continue
		}
		if start, end, text, ok := f.fix(p, s, f.pos); ok {
			edits[s.Name] = append(edits[s.Name], Edit{s.Name, start, end, text, f.Finding})
		}
	}
	var out []Fixed
	texts, harmless := map[string][]byte{}, true
	for _, s := range set.Sources {
		fixed := apply(s, edits[s.Name])
		if len(fixed.Edits) == 0 {
			continue
		}
		out = append(out, fixed)
		texts[s.Name] = fixed.After
		harmless = harmless && !slices.ContainsFunc(fixed.Edits, func(e Edit) bool { return e.Finding.ID == repeatedName.ID })
	}
	if len(out) == 0 {
		return nil, nil
	}
	after, err := policy.LoadOptions{Text: texts}.Load(paths...)
	if err != nil {
		return nil, fmt.Errorf("nothing was fixed: the result would not load: %w", err)
	}
	// A name that a wildcard covers stands in the canonical form; what the other rules remove does not.
	if harmless && after.Version != set.Version {
		return nil, fmt.Errorf("nothing was fixed: the result would mean something else")
	}
	if left := run(after, opt); len(left.found) >= len(p.found) {
		return nil, fmt.Errorf("nothing was fixed: the result would have as many findings")
	}
	return out, nil
}

// apply makes the edits one by one and leaves out each that overlaps another or after which the text is not what it was
// but for what was to be removed.
func apply(s *policy.Source, edits []Edit) Fixed {
	slices.SortStableFunc(edits, func(a, b Edit) int { return a.Start - b.Start })
	out := Fixed{File: s.Name, Before: s.Text}
	for _, e := range edits {
		if n := len(out.Edits); n > 0 && e.Start < out.Edits[n-1].End {
			continue
		}
		if parses(replaced(s.Text, append(slices.Clone(out.Edits), e))) {
			out.Edits = append(out.Edits, e)
		}
	}
	out.After = replaced(s.Text, out.Edits)
	return out
}

func replaced(text []byte, edits []Edit) []byte {
	var out []byte
	at := 0
	for _, e := range edits {
		out = append(append(out, text[at:e.Start]...), e.Text...)
		at = e.End
	}
	return append(out, text[at:]...)
}

func parses(text []byte) bool { return yaml.Unmarshal(text, new(yaml.Node)) == nil }

// tree is a parsed source, to find what surrounds a place.
func parseTree(s *policy.Source) *yaml.Node {
	var doc yaml.Node
	if yaml.Unmarshal(s.Text, &doc) != nil || len(doc.Content) != 1 {
		return nil
	}
	return doc.Content[0]
}

// parentOf returns the node that holds the scalar at a place, and the scalar's index in it.
func parentOf(n *yaml.Node, at policy.Pos, value string) (*yaml.Node, int) {
	for i, c := range n.Content {
		if c.Kind == yaml.ScalarNode && c.Line == at.Line && c.Value == value && at.Col >= c.Column && at.Col <= c.Column+1 {
			return n, i
		}
		if parent, k := parentOf(c, at, value); parent != nil {
			return parent, k
		}
	}
	return nil, 0
}

// removeItem takes a name out of a list.
func removeItem(name string) fixer {
	return func(p *pass, s *policy.Source, at policy.Pos) (int, int, string, bool) {
		root := parseTree(s)
		if root == nil {
			return 0, 0, "", false
		}
		list, i := parentOf(root, at, name)
		if list == nil || list.Kind != yaml.SequenceNode || len(list.Content) < 2 {
			return 0, 0, "", false
		}
		if list.Style&yaml.FlowStyle == 0 {
			return p.wholeLines(s, list.Content[i], list.Content[i])
		}
		return p.flowMember(s, list.Content, i, i)
	}
}

// removeKey takes a key and its value out of a mapping, and the mapping with its own key where nothing else is in it.
func removeKey(name string) fixer {
	return func(p *pass, s *policy.Source, at policy.Pos) (int, int, string, bool) {
		root := parseTree(s)
		if root == nil {
			return 0, 0, "", false
		}
		m, i := parentOf(root, at, name)
		if m == nil || m.Kind != yaml.MappingNode || i%2 != 0 {
			return 0, 0, "", false
		}
		if p.allUnused(s, m) { // the key lists: or params: goes too
			for k := 0; k+1 < len(root.Content); k += 2 {
				if root.Content[k+1] == m && root.Style&yaml.FlowStyle == 0 {
					return p.wholeLines(s, root.Content[k], m)
				}
			}
			return 0, 0, "", false
		}
		if m.Style&yaml.FlowStyle == 0 {
			return p.wholeLines(s, m.Content[i], m.Content[i+1])
		}
		return p.flowMember(s, m.Content, i, i+1)
	}
}

// allUnused reports whether nothing refers to any name of a mapping.
func (p *pass) allUnused(s *policy.Source, m *yaml.Node) bool {
	for i := 0; i < len(m.Content); i += 2 {
		if !slices.ContainsFunc(p.set.Unused, func(d policy.Definition) bool {
			return d.Pos == policy.Pos{File: s.Name, Line: m.Content[i].Line, Col: m.Content[i].Column}
		}) {
			return false
		}
	}
	return true
}

// wholeLines returns the lines from one node to the end of another, where they hold nothing else.
func (p *pass) wholeLines(s *policy.Source, first, last *yaml.Node) (int, int, string, bool) {
	start := p.offset(s, policy.Pos{Line: first.Line, Col: 1})
	head := s.Text[start:p.offset(s, policy.Pos{Line: first.Line, Col: first.Column})]
	if strings.Trim(string(head), " -") != "" || bytes.Count(head, []byte("-")) > 1 {
		return 0, 0, "", false
	}
	end, ok := p.nodeEnd(s, last)
	if !ok {
		return 0, 0, "", false
	}
	stop := bytes.IndexByte(s.Text[end:], '\n')
	if stop < 0 {
		stop = len(s.Text) - end - 1
	}
	rest := strings.TrimSpace(string(s.Text[end : end+stop+1]))
	if rest != "" && !strings.HasPrefix(rest, "#") {
		return 0, 0, "", false
	}
	return start, end + stop + 1, "", true
}

// nodeEnd returns the byte behind a node. It knows scalars that are written on one line, and collections of such.
func (p *pass) nodeEnd(s *policy.Source, n *yaml.Node) (int, bool) {
	at := p.offset(s, policy.Pos{Line: n.Line, Col: n.Column})
	switch {
	case n.Kind == yaml.ScalarNode && n.Style == 0 && bytes.HasPrefix(s.Text[at:], []byte(n.Value)):
		return at + len(n.Value), true
	case n.Kind == yaml.ScalarNode && (n.Style == yaml.SingleQuotedStyle || n.Style == yaml.DoubleQuotedStyle):
		quote := s.Text[at]
		end := bytes.IndexByte(s.Text[at+1:], quote)
		if end < 0 || bytes.ContainsAny(s.Text[at+1:at+1+end], "\\\n") || string(s.Text[at+1:at+1+end]) != n.Value {
			return 0, false
		}
		return at + end + 2, true
	case n.Kind == yaml.ScalarNode || n.Kind == yaml.AliasNode:
		return 0, false
	}
	if len(n.Content) > 0 {
		var ok bool
		if at, ok = p.nodeEnd(s, n.Content[len(n.Content)-1]); !ok {
			return 0, false
		}
	} else {
		at++
	}
	if n.Style&yaml.FlowStyle == 0 {
		return at, len(n.Content) > 0
	}
	closing := map[yaml.Kind]byte{yaml.SequenceNode: ']', yaml.MappingNode: '}'}[n.Kind]
	for at < len(s.Text) && strings.IndexByte(" ,\n\r", s.Text[at]) >= 0 {
		at++
	}
	return at + 1, at < len(s.Text) && s.Text[at] == closing
}

// flowMember returns the range of one member of [a, b] or {a: b}, with the comma that goes with it.
func (p *pass) flowMember(s *policy.Source, members []*yaml.Node, first, last int) (int, int, string, bool) {
	start := p.offset(s, policy.Pos{Line: members[first].Line, Col: members[first].Column})
	end, ok := p.nodeEnd(s, members[last])
	if !ok {
		return 0, 0, "", false
	}
	if last+1 < len(members) { // up to where the next one begins
		next := p.offset(s, policy.Pos{Line: members[last+1].Line, Col: members[last+1].Column})
		return start, next, "", strings.Trim(string(s.Text[end:next]), " ") == ","
	}
	before, ok := p.nodeEnd(s, members[first-1])
	return before, end, "", ok && strings.Trim(string(s.Text[before:start]), " ") == ","
}

// removeComment takes a comment out, with its line where it stands alone.
func removeComment(p *pass, s *policy.Source, at policy.Pos) (int, int, string, bool) {
	start := p.offset(s, at)
	line := p.offset(s, policy.Pos{Line: at.Line, Col: 1})
	end := start
	for end < len(s.Text) && s.Text[end] != '\n' && s.Text[end] != '\r' {
		end++
	}
	before := strings.TrimRight(string(s.Text[line:start]), " ")
	if before != "" {
		return line + len(before), end, "", true
	}
	if end < len(s.Text) && s.Text[end] == '\r' {
		end++
	}
	if end < len(s.Text) {
		end++
	}
	return line, end, "", true
}

// String says what the edit does, on one line.
func (e Edit) String() string {
	return fmt.Sprintf("%s: %s %s", e.Finding.Source, e.Finding.ID, e.Finding.Message)
}

// Diff shows the edits line by line: the lines that change, with a minus before and a plus behind.
func (f Fixed) Diff() string {
	var b strings.Builder
	fmt.Fprintf(&b, "--- %s\n+++ %s\n", visible(f.File), visible(f.File))
	for i := 0; i < len(f.Edits); {
		start := bytes.LastIndexByte(f.Before[:f.Edits[i].Start], '\n') + 1
		j, end := i, 0
		for end = lineBehind(f.Before, f.Edits[i].End); j+1 < len(f.Edits) && f.Edits[j+1].Start < end; {
			j++
			end = max(end, lineBehind(f.Before, f.Edits[j].End))
		}
		var moved []Edit
		for _, e := range f.Edits[i : j+1] {
			e.Start, e.End = e.Start-start, e.End-start
			moved = append(moved, e)
		}
		before, after := f.Before[start:end], replaced(f.Before[start:end], moved)
		fmt.Fprintf(&b, "@@ line %d @@\n", 1+bytes.Count(f.Before[:start], []byte("\n")))
		for _, side := range []struct {
			mark string
			text []byte
		}{{"-", before}, {"+", after}} {
			for _, l := range strings.SplitAfter(string(side.text), "\n") {
				if l != "" {
					b.WriteString(side.mark + visible(strings.TrimRight(l, "\r\n")) + "\n")
				}
			}
		}
		i = j + 1
	}
	return b.String()
}

// lineBehind returns where the line that a place is on ends, its break included. A place at the beginning of a line is on
// the line before.
func lineBehind(text []byte, at int) int {
	if at > 0 && at <= len(text) && text[at-1] == '\n' {
		return at
	}
	if n := bytes.IndexByte(text[at:], '\n'); n >= 0 {
		return at + n + 1
	}
	return len(text)
}
