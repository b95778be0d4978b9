package lint

import (
	"regexp/syntax"
	"slices"
)

// anchors is how a pattern is tied to the ends of the text that it searches.
type anchors struct {
	start, end bool // every text that matches begins, or ends, where the match does
	someStart  bool // an alternative is tied to the start
	someEnd    bool
	openStart  bool // it begins, or ends, with .* in so many words
	openEnd    bool
	lines      bool // ^ or $ stand for the ends of lines: (?m)
	misplaced  bool // ^ or \A after, or $ or \z before, something that takes a character
}

// anchorsOf parses a pattern. It is false for a pattern that RE2 does not take.
func anchorsOf(pattern string) (anchors, bool) {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return anchors{}, false
	}
	var a anchors
	a.start, a.someStart = tied(re, false)
	a.end, a.someEnd = tied(re, true)
	a.openStart, a.openEnd = open(re, false), open(re, true)
	a.look(re)
	return a, true
}

// tied reports whether all, and whether some, of the alternatives of re begin (or end) with an anchor.
func tied(re *syntax.Regexp, atEnd bool) (all, some bool) {
	switch re.Op {
	case syntax.OpBeginText, syntax.OpBeginLine:
		return !atEnd, !atEnd
	case syntax.OpEndText, syntax.OpEndLine:
		return atEnd, atEnd
	case syntax.OpCapture:
		return tied(re.Sub[0], atEnd)
	case syntax.OpConcat:
		return tied(outer(re, atEnd), atEnd)
	case syntax.OpAlternate:
		all = true
		for _, s := range re.Sub {
			a, b := tied(s, atEnd)
			all, some = all && a, some || b
		}
	}
	return all, some
}

// outer returns the first, or the last, part of a sequence.
func outer(re *syntax.Regexp, atEnd bool) *syntax.Regexp {
	if atEnd {
		return re.Sub[len(re.Sub)-1]
	}
	return re.Sub[0]
}

// open reports whether re begins (or ends) with .*, which says that anything may stand there.
func open(re *syntax.Regexp, atEnd bool) bool {
	switch re.Op {
	case syntax.OpConcat:
		return open(outer(re, atEnd), atEnd)
	case syntax.OpStar, syntax.OpPlus:
		return re.Sub[0].Op == syntax.OpAnyChar || re.Sub[0].Op == syntax.OpAnyCharNotNL
	}
	return false
}

// look finds what can be seen without regard to where in the pattern it stands.
func (a *anchors) look(re *syntax.Regexp) {
	switch re.Op {
	case syntax.OpBeginLine, syntax.OpEndLine:
		a.lines = true
	case syntax.OpConcat:
		for i, s := range re.Sub {
			before := slices.ContainsFunc(re.Sub[:i], consumes)
			after := slices.ContainsFunc(re.Sub[i+1:], consumes)
			if s.Op == syntax.OpBeginText && before || s.Op == syntax.OpEndText && after {
				a.misplaced = true
			}
		}
	}
	for _, s := range re.Sub {
		a.look(s)
	}
}

// consumes reports whether whatever re matches has at least one character.
func consumes(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune) > 0
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return true
	case syntax.OpCapture, syntax.OpPlus:
		return consumes(re.Sub[0])
	case syntax.OpRepeat:
		return re.Min > 0 && consumes(re.Sub[0])
	case syntax.OpConcat:
		return slices.ContainsFunc(re.Sub, consumes)
	case syntax.OpAlternate:
		return !slices.ContainsFunc(re.Sub, func(s *syntax.Regexp) bool { return !consumes(s) })
	}
	return false
}

// prefixes tells which texts a pattern that is tied to the start leaves alive: whether some text that begins so could
// still match. It runs the pattern's program as RE2 would, and looks whether any thread is left.
type prefixes struct {
	prog      *syntax.Prog
	now, next []uint32
	seen      []uint32 // by instruction: the step that visited it last
	step      uint32
}

func newPrefixes(pattern string) (*prefixes, bool) {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, false
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return nil, false
	}
	return &prefixes{prog: prog, seen: make([]uint32, len(prog.Inst))}, true
}

// alive reports whether a text that begins with s could match.
func (p *prefixes) alive(s string) bool {
	text := []rune(s)
	after := func(i int) rune {
		if i < len(text) {
			return text[i]
		}
		return '.' // more may follow, so no anchor may take this for the end of the text
	}
	p.step++
	p.now = p.now[:0]
	p.follow(&p.now, uint32(p.prog.Start), -1, after(0))
	for i := 0; i < len(text) && len(p.now) > 0; i++ {
		p.step++
		p.next = p.next[:0]
		for _, pc := range p.now {
			if inst := &p.prog.Inst[pc]; inst.MatchRune(text[i]) {
				p.follow(&p.next, inst.Out, text[i], after(i+1))
			}
		}
		p.now, p.next = p.next, p.now
	}
	return len(p.now) > 0
}

// follow adds to the threads every instruction that takes a character and is reached from pc without one.
func (p *prefixes) follow(threads *[]uint32, pc uint32, before, after rune) {
	for stack := []uint32{pc}; len(stack) > 0; {
		pc, stack = stack[len(stack)-1], stack[:len(stack)-1]
		if p.seen[pc] == p.step {
			continue
		}
		p.seen[pc] = p.step
		switch i := &p.prog.Inst[pc]; i.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			stack = append(stack, i.Arg, i.Out)
		case syntax.InstCapture, syntax.InstNop:
			stack = append(stack, i.Out)
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(i.Arg)&^syntax.EmptyOpContext(before, after) == 0 {
				stack = append(stack, i.Out)
			}
		case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			*threads = append(*threads, pc)
		}
	}
}
