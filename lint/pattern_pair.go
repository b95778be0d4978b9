package lint

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/aegisctl/aegis/policy"
)

// maxPairs bounds how many pairs of instructions of two patterns are looked at; what takes more is not decided.
const maxPairs = 1 << 13

// disjoint reports whether no text matches both of two patterns, each of which stands for the whole value (\A…\z). It
// runs both programs over all texts at once: from each pair of instructions that take a character in common to the pairs
// after it. Ends of lines and words are taken to be anywhere, so it may say no too often and never yes. What is too
// large is no.
func disjoint(a, b string) bool {
	if a > b {
		a, b = b, a
	}
	key := [2]string{a, b}
	pairsMu.Lock()
	known, ok := pairs[key]
	pairsMu.Unlock()
	if ok {
		return known
	}
	p, okA := newWalker(a)
	q, okB := newWalker(b)
	known = okA && okB && !walkTogether(p, q)
	pairsMu.Lock()
	defer pairsMu.Unlock()
	if len(pairs) >= maxKnownPairs {
		clear(pairs)
	}
	pairs[key] = known
	return known
}

// What was found out of pairs of patterns is kept, since several rules ask about the same.
const maxKnownPairs = 1024

var (
	pairsMu sync.Mutex
	pairs   = map[[2]string]bool{}
)

// walker is the program of a pattern, with what each instruction leads to.
type walker struct {
	prog  *syntax.Prog
	after map[uint32]step // by the instruction that took a character
	first step
}

// step is where a pattern can be after a character: the instructions that take the next one, and whether the text may
// end here.
type step struct {
	next []uint32
	end  bool
}

func newWalker(pattern string) (*walker, bool) {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, false
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil || len(prog.Inst) > maxPairs {
		return nil, false
	}
	w := &walker{prog: prog, after: map[uint32]step{}}
	w.first = w.follow(uint32(prog.Start), true)
	return w, true
}

// from returns where an instruction that takes a character leads to.
func (w *walker) from(pc uint32) step {
	s, ok := w.after[pc]
	if !ok {
		s = w.follow(w.prog.Inst[pc].Out, false)
		w.after[pc] = s
	}
	return s
}

// follow goes on from pc to all that is reached without a character. Past the end of the text nothing takes one.
func (w *walker) follow(pc uint32, atStart bool) step {
	type at struct {
		pc    uint32
		ended bool
	}
	var out step
	seen := map[at]bool{}
	for stack := []at{{pc, false}}; len(stack) > 0; {
		x := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if seen[x] {
			continue
		}
		seen[x] = true
		switch i := &w.prog.Inst[x.pc]; i.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			stack = append(stack, at{i.Out, x.ended}, at{i.Arg, x.ended})
		case syntax.InstCapture, syntax.InstNop:
			stack = append(stack, at{i.Out, x.ended})
		case syntax.InstEmptyWidth:
			op := syntax.EmptyOp(i.Arg)
			if op&syntax.EmptyBeginText != 0 && !atStart {
				continue
			}
			stack = append(stack, at{i.Out, x.ended || op&syntax.EmptyEndText != 0})
		case syntax.InstMatch:
			out.end = true
		case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			if !x.ended && !slices.Contains(out.next, x.pc) {
				out.next = append(out.next, x.pc)
			}
		}
	}
	return out
}

// walkTogether reports whether some text ends where both patterns may end; and says yes where there are too many pairs.
func walkTogether(p, q *walker) bool {
	seen := map[[2]uint32]bool{}
	var stack [][2]uint32
	reach := func(a, b step) (met bool) {
		for _, x := range a.next {
			for _, y := range b.next {
				if k := [2]uint32{x, y}; !seen[k] && meetRunes(&p.prog.Inst[x], &q.prog.Inst[y]) {
					seen[k] = true
					stack = append(stack, k)
				}
			}
		}
		return a.end && b.end || len(seen) > maxPairs
	}
	if reach(p.first, q.first) {
		return true
	}
	for len(stack) > 0 {
		k := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if reach(p.from(k[0]), q.from(k[1])) {
			return true
		}
	}
	return false
}

// meetRunes reports whether some character is taken by both instructions.
func meetRunes(a, b *syntax.Inst) bool {
	x, y := runesOf(a), runesOf(b)
	for i := 0; i+1 < len(x); i += 2 {
		for j := 0; j+1 < len(y); j += 2 {
			if x[i] <= y[j+1] && y[j] <= x[i+1] {
				return true
			}
		}
	}
	return false
}

// runesOf returns the characters that an instruction takes, as first and last of each range.
func runesOf(i *syntax.Inst) []rune {
	switch i.Op {
	case syntax.InstRuneAny:
		return []rune{0, unicode.MaxRune}
	case syntax.InstRuneAnyNotNL:
		return []rune{0, '\n' - 1, '\n' + 1, unicode.MaxRune}
	}
	if len(i.Rune) != 1 {
		return i.Rune
	}
	r := i.Rune[0]
	out := []rune{r, r}
	if syntax.Flags(i.Arg)&syntax.FoldCase != 0 {
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			out = append(out, f, f)
		}
	}
	return out
}

// lengthsOf returns how many characters the texts of a pattern that stands for the whole value have, at least and at
// most; most is -1 where there is no end.
func lengthsOf(pattern string) (least, most int, ok bool) {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0, 0, false
	}
	least, most = lengths(re)
	return least, most, true
}

func lengths(re *syntax.Regexp) (least, most int) {
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune), len(re.Rune)
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 1, 1
	case syntax.OpCapture:
		return lengths(re.Sub[0])
	case syntax.OpStar:
		return 0, -1
	case syntax.OpPlus:
		least, _ = lengths(re.Sub[0])
		return least, -1
	case syntax.OpQuest:
		_, most = lengths(re.Sub[0])
		return 0, most
	case syntax.OpRepeat:
		least, most = lengths(re.Sub[0])
		if re.Max < 0 || most < 0 {
			return least * re.Min, -1
		}
		return least * re.Min, most * re.Max
	case syntax.OpConcat:
		for _, s := range re.Sub {
			a, b := lengths(s)
			least = least + a
			if most < 0 || b < 0 {
				most = -1
				continue
			}
			most += b
		}
	case syntax.OpAlternate:
		least, most = lengths(re.Sub[0])
		for _, s := range re.Sub[1:] {
			a, b := lengths(s)
			least = min(least, a)
			if most >= 0 {
				most = max(most, b)
			}
			if b < 0 {
				most = -1
			}
		}
	}
	return least, most
}

// maxDenied is the longest beginning or end of which a pattern is made for the texts that do not have it.
const maxDenied = 40

// whole returns a pattern that all texts match which pass a test, or "" where none is made. It says as much as the test:
// what another such pattern has no text in common with, excludes the test.
func (t test) whole() string {
	const rest = `(?s:.*)`
	part, letters := regexp.QuoteMeta(t.part), []rune(t.part)
	switch {
	case t.want && t.op == policy.OpEq:
		return t.part
	case t.want && t.op == policy.OpStarts:
		return `\A` + part + rest + `\z`
	case t.want && t.op == policy.OpEnds:
		return `\A` + rest + part + `\z`
	case t.want && t.op == policy.OpContains:
		return `\A` + rest + part + rest + `\z`
	case t.want && t.op == policy.OpMatches:
		return `\A` + rest + `(?:` + t.part + `)` + rest + `\z`
	case t.want && t.op == policy.OpLower:
		return `\A[^A-Z]*\z`
	case t.op != policy.OpStarts && t.op != policy.OpEnds || len(letters) == 0 || len(letters) > maxDenied:
		return ""
	}
	// Of the first (or last) letters some are there, and then there is another one, or nothing.
	var alts []string
	for i, r := range letters {
		other := fmt.Sprintf(`[^\x{%x}]`, r)
		if t.op == policy.OpStarts {
			alts = append(alts, regexp.QuoteMeta(string(letters[:i]))+`(?:`+other+rest+`)?`)
		} else {
			alts = append(alts, `(?:`+rest+other+`)?`+regexp.QuoteMeta(string(letters[i+1:])))
		}
	}
	return `\A(?:` + strings.Join(alts, "|") + `)\z`
}

// apart reports whether the patterns of two tests have no text in common. Tests for parts alone are compared without.
func (t test) apart(u test) bool {
	if partial(t.op) && partial(u.op) {
		return false
	}
	a, b := t.whole(), u.whole()
	return a != "" && b != "" && disjoint(a, b)
}
