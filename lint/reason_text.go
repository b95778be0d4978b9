package lint

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// test is a question about a text and the answer that is due.
type test struct {
	op    policy.Op // OpStarts, OpEnds, OpContains; OpMatches for a pattern; OpEq for wholeMatch
	part  string    // what is looked for, or the pattern
	want  bool
	text  string
	holds func(string) bool
}

// textTest is a test of an expression such as x.startsWith("a").
func textTest(op policy.Op, part string, want bool, text string) test {
	t := test{op: op, part: part, want: want, text: text}
	switch op {
	case policy.OpStarts:
		t.holds = func(s string) bool { return strings.HasPrefix(s, part) }
	case policy.OpEnds:
		t.holds = func(s string) bool { return strings.HasSuffix(s, part) }
	case policy.OpContains:
		t.holds = func(s string) bool { return strings.Contains(s, part) }
	default:
		t.holds = matcher(part, want)
	}
	return t
}

// wholeMatch is a check by a pattern that stands for the whole value.
func wholeMatch(pattern, text string) test {
	return test{op: policy.OpEq, part: pattern, want: true, text: text, holds: matcher(pattern, true)}
}

// matcher compiles a pattern when it is first needed, which is seldom. A pattern that does not compile rules nothing
// out.
func matcher(pattern string, want bool) func(string) bool {
	compiled := sync.OnceValue(func() *regexp.Regexp {
		re, err := regexp.Compile(pattern)
		if err != nil {
			return nil
		}
		return re
	})
	return func(s string) bool {
		if re := compiled(); re != nil {
			return re.MatchString(s)
		}
		return want
	}
}

// ordering is a comparison of texts by their bytes.
func ordering(op policy.Op, part, text string) test {
	return test{op: op, part: part, want: true, text: text, holds: func(s string) bool {
		return orderHolds(op, strings.Compare(s, part))
	}}
}

func orderHolds(op policy.Op, order int) bool {
	switch op {
	case policy.OpEq:
		return order == 0
	case policy.OpNe:
		return order != 0
	case policy.OpLt:
		return order < 0
	case policy.OpLe:
		return order <= 0
	case policy.OpGt:
		return order > 0
	}
	return order >= 0
}

// lowered says that a text has been put into lower case.
func lowered(text string) test {
	return test{op: policy.OpLower, want: true, text: text, holds: func(s string) bool {
		return !strings.ContainsFunc(s, func(r rune) bool { return 'A' <= r && r <= 'Z' })
	}}
}

// test keeps the texts that pass.
func (d *domain) test(t test) {
	d.ofKind(aegis.String, t.text)
	d.tests = append(d.tests[:len(d.tests):len(d.tests)], t)
	if n := utf8.RuneCountInString(t.part); t.want && n > 0 && partial(t.op) {
		d.sized(bound{aegis.Int(int64(n)), false, t.text}, true)
	}
}

// partial reports whether a test looks for a part of the text.
func partial(op policy.Op) bool {
	return op == policy.OpStarts || op == policy.OpEnds || op == policy.OpContains
}

// contradiction says which two tests no text passes, or "".
func contradiction(ts []test) string {
	for i, a := range ts {
		for _, b := range ts[:i] {
			if excludes(a, b) || excludes(b, a) || a.apart(b) {
				return fmt.Sprintf("no text satisfies both %s and %s", b.text, a.text)
			}
		}
	}
	return ""
}

// excludes reports whether a text that passes a cannot pass b.
func excludes(a, b test) bool {
	switch {
	case a.op == b.op && a.part == b.part && a.want != b.want:
		return true
	case !a.want:
		return false
	case a.op == policy.OpLower && b.want && partial(b.op):
		return !a.holds(b.part)
	case !partial(a.op):
		return false
	case b.want && a.op == b.op && a.op == policy.OpStarts:
		return !strings.HasPrefix(a.part, b.part) && !strings.HasPrefix(b.part, a.part)
	case b.want && a.op == b.op && a.op == policy.OpEnds:
		return !strings.HasSuffix(a.part, b.part) && !strings.HasSuffix(b.part, a.part)
	case b.want || !partial(b.op):
		return false
	}
	// b wants its part not to be found: a contradiction where it is found in what a found.
	switch b.op {
	case policy.OpStarts:
		return a.op == policy.OpStarts && strings.HasPrefix(a.part, b.part)
	case policy.OpEnds:
		return a.op == policy.OpEnds && strings.HasSuffix(a.part, b.part)
	}
	return strings.Contains(a.part, b.part)
}
