package lint

import (
	"bytes"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/aegisctl/aegis/policy"
)

// source returns the file of that name, or nil.
func (p *pass) source(name string) *policy.Source {
	i, ok := slices.BinarySearchFunc(p.set.Sources, name, func(s *policy.Source, n string) int { return strings.Compare(s.Name, n) })
	if !ok {
		return nil
	}
	return p.set.Sources[i]
}

// offset returns the byte at a place of a source.
func (p *pass) offset(s *policy.Source, pos policy.Pos) int {
	lines := p.linesOf(s)
	if pos.Line < 1 || pos.Line > len(lines) {
		return len(s.Text)
	}
	at := int(lines[pos.Line-1])
	for col := 1; col < pos.Col && at < len(s.Text) && s.Text[at] != '\n'; col++ {
		_, n := utf8.DecodeRune(s.Text[at:])
		at += n
	}
	return at
}

// place is the inverse of offset.
func (p *pass) place(s *policy.Source, at int) policy.Pos {
	lines := p.linesOf(s)
	i := sort.Search(len(lines), func(i int) bool { return int(lines[i]) > at }) - 1
	return policy.Pos{File: s.Name, Line: i + 1, Col: 1 + utf8.RuneCount(s.Text[lines[i]:at])}
}

func (p *pass) linesOf(s *policy.Source) []int32 {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	lines, ok := p.lines[s.Name]
	if !ok {
		lines = []int32{0}
		for i, b := range s.Text {
			if b == '\n' {
				lines = append(lines, int32(i+1))
			}
		}
		p.lines[s.Name] = lines
	}
	return lines
}

// word returns where a name stands next, from a place on, as a word by itself: names that the tree has no place of. It
// is the place itself where the name is not written so.
func (p *pass) word(from policy.Pos, name string) policy.Pos {
	s := p.source(from.File)
	if s == nil || name == "" {
		return from
	}
	start := p.offset(s, from)
	for at := start; at < len(s.Text); {
		i := bytes.Index(s.Text[at:], []byte(name))
		if i < 0 {
			return from
		}
		at += i
		if !partOfName(s.Text, at-1) && !partOfName(s.Text, at+len(name)) && !p.commented(s, at) {
			return p.place(s, at)
		}
		at += len(name)
	}
	return from
}

func partOfName(text []byte, at int) bool {
	if at < 0 || at >= len(text) {
		return false
	}
	b := text[at]
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || strings.IndexByte("_-./*", b) >= 0 || b >= 0x80
}

// commented reports whether a byte lies in a comment.
func (p *pass) commented(s *policy.Source, at int) bool {
	i := sort.Search(len(s.Comments), func(i int) bool { return s.Comments[i].Offset > at }) - 1
	return i >= 0 && at < s.Comments[i].Offset+len(s.Comments[i].Text)
}

// beside returns the path of a file that a policy names, which lies below the policy's directory.
func fileBeside(policyFile, name string) string {
	return filepath.ToSlash(filepath.Join(filepath.Dir(policyFile), name))
}
