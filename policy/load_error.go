package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Error is one problem of a policy source.
type Error struct {
	Pos  Pos
	Msg  string // what is wrong, in lower case
	Hint string // the remedy, or ""
}

// Error returns "file:line:column: message" and, on a line of its own, the remedy.
func (e *Error) Error() string {
	s := e.Msg
	if p := e.Pos.String(); p != "" {
		s = oneLine(p) + ": " + s
	}
	if e.Hint != "" {
		s += "\n    hint: " + e.Hint
	}
	return s
}

// oneLine shows the name of a file on one line: whoever adds a file to a directory chooses it, and logs of CI take some
// lines for commands.
func oneLine(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return s
	}
	q := strconv.QuoteToGraphic(s)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}

// Errors is every problem that one load found: sorted by place, each once, MaxErrors at most.
type Errors []*Error

// MaxErrors is the greatest number of problems that one load reports.
const MaxErrors = 50

// Error returns the problems, a line or two for each.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the problems one by one.
func (es Errors) Unwrap() []error {
	out := make([]error, len(es))
	for i, e := range es {
		out[i] = e
	}
	return out
}

func (p Pos) compare(q Pos) int {
	return cmp.Or(strings.Compare(p.File, q.File), cmp.Compare(p.Line, q.Line), cmp.Compare(p.Col, q.Col))
}

// sorted orders the problems by place, drops repeats (a fragment is read once for each policy that uses it) and cuts
// the list.
func (es Errors) sorted() Errors {
	slices.SortStableFunc(es, func(a, b *Error) int {
		return cmp.Or(a.Pos.compare(b.Pos), strings.Compare(a.Msg, b.Msg))
	})
	es = slices.CompactFunc(es, func(a, b *Error) bool { return a.Pos == b.Pos && a.Msg == b.Msg })
	if more := len(es) - MaxErrors; more > 0 {
		last := &Error{Pos: es[MaxErrors-1].Pos, Msg: fmt.Sprintf("too many problems: %d more are not shown", more+1)}
		es = append(es[:MaxErrors-1:MaxErrors-1], last)
	}
	return es
}

// nearest returns the candidate that is most like s, or "" where none is close: at most one edit in three letters,
// unless one of the two begins with the other.
func nearest(s string, candidates []string) string {
	best, least := "", max(1, len(s)/3)+1
	for _, c := range candidates {
		d := distance(s, c)
		if min(len(s), len(c)) > 2 && (strings.HasPrefix(s, c) || strings.HasPrefix(c, s)) {
			d = 1
		}
		if d < least {
			best, least = c, d
		}
	}
	return best
}

const maxWord = 64 // longer words are no typo of ours

// distance is the number of letters to insert, delete, replace or swap with their neighbour that turns a into b.
func distance(a, b string) int {
	if len(a) > maxWord || len(b) > maxWord {
		return maxWord
	}
	var before, last, row [maxWord + 1]int
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			differ := 1
			if a[i-1] == b[j-1] {
				differ = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+differ)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

// didYouMean returns the hint for a word that is none of the candidates.
func didYouMean(s string, candidates []string) string {
	if n := nearest(s, candidates); n != "" {
		return fmt.Sprintf("did you mean %s?", n)
	}
	if len(candidates) == 0 || len(candidates) > 30 {
		return ""
	}
	return "known here: " + strings.Join(slices.Sorted(slices.Values(candidates)), ", ")
}
