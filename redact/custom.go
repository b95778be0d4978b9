package redact

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// custom is a pattern of the caller's.
type custom struct {
	re      *regexp.Regexp
	replace string
}

// Match returns a Detector of one RE2 pattern whose hits are replaced by the literal text replace. It refuses a pattern
// that could match the empty string, and a replacement in which the pattern would match again.
func Match(pattern, replace string) (*Detector, error) {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("redact: %w", err)
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("redact: %w", err)
	}
	// \b matches no empty text but does match nothing at the edge of a word, hence the look at the tree.
	if re.MatchString("") || canBeEmpty(tree) {
		return nil, errors.New("redact: the pattern matches the empty string")
	}
	if re.MatchString(replace) {
		return nil, errors.New("redact: the replacement still matches the pattern")
	}
	return &Detector{custom: &custom{re: re, replace: replace}}, nil
}

// canBeEmpty reports whether the expression may match without taking a character.
func canBeEmpty(x *syntax.Regexp) bool {
	switch x.Op {
	case syntax.OpLiteral:
		return len(x.Rune) == 0
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL, syntax.OpNoMatch:
		return false
	case syntax.OpStar, syntax.OpQuest:
		return true
	case syntax.OpRepeat:
		return x.Min == 0 || canBeEmpty(x.Sub[0])
	case syntax.OpPlus, syntax.OpCapture:
		return canBeEmpty(x.Sub[0])
	case syntax.OpConcat:
		for _, sub := range x.Sub {
			if !canBeEmpty(sub) {
				return false
			}
		}
		return true
	case syntax.OpAlternate:
		for _, sub := range x.Sub {
			if canBeEmpty(sub) {
				return true
			}
		}
		return false
	}
	return true // the empty match and the assertions
}

func (c *custom) pass(text string) (string, int) {
	found := c.re.FindAllStringIndex(text, -1)
	if len(found) == 0 {
		return text, 0
	}
	var b strings.Builder
	at := 0
	for _, f := range found {
		b.WriteString(text[at:f[0]])
		b.WriteString(c.replace)
		at = f[1]
	}
	b.WriteString(text[at:])
	return b.String(), len(found)
}
