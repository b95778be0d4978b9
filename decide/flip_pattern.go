package decide

import (
	"regexp/syntax"
	"slices"
	"unicode/utf8"
)

// Bounds on what is derived from one pattern.
const (
	patternExamples = 24
	patternLength   = 256
)

// examplesOf derives texts that a pattern matches: the shortest way through it, with each of the first alternatives.
// Nothing rests on them: what they are tried for is decided by the policy itself.
func examplesOf(pattern string) []string {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil
	}
	out := textsOf(re.Simplify())
	slices.SortFunc(out, func(a, b string) int { return len(a) - len(b) })
	return slices.Compact(out)
}

func textsOf(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpNoMatch:
		return nil
	case syntax.OpLiteral:
		return []string{string(re.Rune)}
	case syntax.OpCharClass:
		return []string{string(plainest(re.Rune))}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return []string{"a"}
	case syntax.OpCapture, syntax.OpPlus:
		return textsOf(re.Sub[0])
	case syntax.OpStar, syntax.OpQuest:
		return []string{""}
	case syntax.OpRepeat:
		out := []string{""}
		for range re.Min {
			out = joined(out, textsOf(re.Sub[0])[:min(1, len(textsOf(re.Sub[0])))])
		}
		return out
	case syntax.OpConcat:
		out := []string{""}
		for _, s := range re.Sub {
			out = joined(out, textsOf(s))
		}
		return out
	case syntax.OpAlternate:
		var out []string
		for _, s := range re.Sub {
			out = append(out, textsOf(s)...)
			if len(out) >= patternExamples {
				break
			}
		}
		return out[:min(len(out), patternExamples)]
	}
	return []string{""} // anchors and empty matches
}

// joined is every text of a followed by every text of b, within the bounds.
func joined(a, b []string) []string {
	var out []string
	for _, x := range a {
		for _, y := range b {
			if len(out) < patternExamples && len(x)+len(y) <= patternLength {
				out = append(out, x+y)
			}
		}
	}
	return out
}

// plainest picks the character of a class that reads best: a digit or a letter where there is one.
func plainest(ranges []rune) rune {
	within := func(r rune) bool {
		for i := 0; i+1 < len(ranges); i += 2 {
			if ranges[i] <= r && r <= ranges[i+1] {
				return true
			}
		}
		return false
	}
	for _, r := range "a0A-_./ " {
		if within(r) {
			return r
		}
	}
	for r := '!'; r <= '~'; r++ {
		if within(r) {
			return r
		}
	}
	if len(ranges) == 0 || !utf8.ValidRune(ranges[0]) {
		return utf8.RuneError
	}
	return ranges[0]
}
