package policy

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Comments are what the YAML parser takes for comments, and never part of a text.
func TestComments(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"after a value", "agent: a # one\nallowed_tools: [] # two\n", "1:10 # one|2:19 # two"},
		{"lines of their own", "# top\nagent: a\n  # in between\nallowed_tools: []\n# last", "1:1 # top|3:3 # in between|5:1 # last"},
		{"no space before it", "agent: a#b\nallowed_tools: []", ""},
		{"in quotes", "agent: \"a # b\"\nmeta: {x: 'it''s # c'} # d\nallowed_tools: []", "2:24 # d"},
		{"an escaped quote", `meta: {x: "\" # c"} # d` + "\nagent: a\nallowed_tools: []", "1:21 # d"},
		{"a key in quotes", "\"agent\": a\nmeta: {\"k # c\": v} # d\nallowed_tools: []", "2:20 # d"},
		{"in a block", "meta:\n  x: | # head\n    # text\n\n    more # text\n  # after\nagent: a\nallowed_tools: []", "2:8 # head|6:3 # after"},
		{"an empty block", "meta:\n  x: |\n  y: z # real\nagent: a\nallowed_tools: []", "3:8 # real"},
		{"a block to the end", "agent: a\nallowed_tools: []\nmeta:\n  x: >-\n    # text", ""},
		{"indentation written out", "meta:\n  x: |1\n    # text\n   # text\n  y: z # real\nagent: a\nallowed_tools: []", "5:8 # real"},
		{"CR LF", "agent: a # one\r\nallowed_tools: [] # two\r\n", "1:10 # one|2:19 # two"},
		{"wide characters", "meta: {x: žluť} # ž\nagent: a\nallowed_tools: []", "1:17 # ž"},
		{"flow over lines", "agent: a\nallowed_tools: [ # one\n  {name: b, # two\n   actions: [c]} # three\n]", "2:18 # one|3:13 # two|4:18 # three"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &source{name: "p.yaml", text: []byte(c.text)}
			if _, err := s.parse(); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, n := range s.notes {
				got = append(got, fmt.Sprintf("%d:%d %s", n.Pos.Line, n.Pos.Col, n.Text))
				if !strings.HasPrefix(c.text[n.Offset:], n.Text) {
					t.Errorf("offset %d is not that of %q", n.Offset, n.Text)
				}
			}
			if s := strings.Join(got, "|"); s != c.want {
				t.Errorf("%s\nwant %s", s, c.want)
			}
		})
	}
}

// What a comment says can be changed without any change of what the text says.
func TestCommentsAreNoText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		piece := rapid.SampledFrom([]string{" # c", "#", " ", "  ", "\n", "\n  ", "\n    ", "a", "b: ", "- ", "\"", "'", "|", ">-", "x: |\n", "[", "]", "{", "}", ",", ": ", "\\", "é"})
		text := "agent: " + strings.Join(rapid.SliceOfN(piece, 0, 25).Draw(t, "text"), "")
		s := &source{name: "p.yaml", text: []byte(text)}
		before, err := s.parse()
		if err != nil {
			return
		}
		cut := []byte(text)
		for _, n := range s.notes {
			for i := 1; i < len(n.Text); i++ {
				cut[n.Offset+i] = 'z'
			}
		}
		after, err := (&source{name: "p.yaml", text: cut}).parse()
		if err != nil {
			t.Fatalf("%q with other comments, %q: %v", text, cut, err)
		}
		if a, b := shown(before), shown(after); a != b {
			t.Fatalf("%q is %s, and with other comments %s", text, a, b)
		}
	})
}

// shown writes a tree without places.
func shown(n *node) string {
	if n.kind == scalarNode {
		return fmt.Sprintf("%q", n.text)
	}
	var b strings.Builder
	for i, m := range n.items {
		if n.kind == mapNode {
			b.WriteString(shown(n.keys[i]) + ":")
		}
		b.WriteString(shown(m) + ",")
	}
	return fmt.Sprintf("%d(%s)", n.kind, b.String())
}

func TestUnused(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"all used", "agent: a\nparams: {p: 5, q: 6}\nlists: {l: [x], m: [y]}\nallowed_tools: [{name: b, actions: [c], conditions: {max_n: $p, deny_if: 'n > params.q && s in lists.l', args: {u: {in: $m}}}}]", ""},
		{"none used", "agent: a\nparams: {p: 5}\nlists: {l: [x]}\nallowed_tools: []", "param p 2:10|list l 3:9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			set, err := LoadText("p.yaml", c.text)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range set.Unused {
				got = append(got, fmt.Sprintf("%s %s %d:%d", d.Kind, d.Name, d.Pos.Line, d.Pos.Col))
			}
			if s := strings.Join(got, "|"); s != c.want {
				t.Errorf("%s, want %s", s, c.want)
			}
			if len(set.Sources) != 1 || string(set.Sources[0].Text) != c.text {
				t.Errorf("sources: %v", set.Sources)
			}
		})
	}
}
