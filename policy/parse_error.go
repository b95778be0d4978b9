package policy

import (
	"fmt"
	"strings"
)

// Bounds of one expression. They keep a hostile source from costing time or stack; no policy written by hand comes
// near them.
const (
	MaxExprChars = 4096
	MaxExprDepth = 64
)

const rangeHint = "integers fit into 64 bits; other numbers have at most about 15 digits and are plain decimals"

// ExprError says where and why a text is no expression of the language, and what to write instead.
type ExprError struct {
	Offset int    // in characters from the start of the source
	Msg    string // what is wrong, in lower case
	Hint   string // the remedy, "" where there is none to give
}

func (e *ExprError) Error() string {
	s := fmt.Sprintf("character %d: %s", e.Offset+1, e.Msg)
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// syntaxError puts the parser's complaint into the words of this language, with the remedy for the usual slips.
func syntaxError(src []rune, at int, msg string) *ExprError {
	msg = strings.TrimPrefix(msg, "Syntax error: ")
	word, before := wordAt(src, at), wordBefore(src, at)
	fail := func(msg, hint string) *ExprError { return &ExprError{at, msg, hint} }
	switch {
	case strings.Contains(msg, "recursion limit"):
		return &ExprError{0, fmt.Sprintf("the expression nests deeper than %d", MaxExprDepth),
			"make several conditions of it"}
	case strings.HasPrefix(msg, "invalid int") || strings.HasPrefix(msg, "invalid double"):
		return fail("the number "+word+" is out of range", rangeHint)
	case strings.HasPrefix(msg, "reserved identifier"):
		return fail("`"+word+"` is a word of CEL", "write args."+word+" for an argument of that name")
	case strings.Contains(msg, "quoted identifier"):
		return fail("a name in backticks cannot stand here", "write args.`"+strings.Trim(word, "`")+"`")
	case at >= len(src):
		return fail("the expression ends too early", "something is missing, or a parenthesis is not closed")
	}
	for _, w := range []string{word, before} {
		if op := map[string]string{"and": "&&", "or": "||", "not": "!", "is": "==",
			"then": "&&"}[strings.ToLower(w)]; op != "" {
			return fail("`"+w+"` is no operator", "write "+op)
		}
	}
	switch {
	case src[at] >= 0x80:
		return fail(fmt.Sprintf("%q cannot stand here", word), "names are ASCII; put text into quotes")
	case src[at] == '=':
		return fail("= assigns, and an expression cannot", "compare with ==")
	case src[at] == '$':
		return fail("$ does not belong in an expression", "write params.NAME")
	case strings.HasPrefix(msg, "unexpected single"), strings.HasPrefix(msg, "unterminated"):
		return fail(msg, "")
	case strings.HasPrefix(msg, "unexpected token after"):
		return fail(fmt.Sprintf("%q follows after the end of the expression", word), "join conditions with && or ||")
	}
	return fail(fmt.Sprintf("%q cannot stand here", word), "")
}

func isWordRune(r rune) bool {
	return r == '_' || r == '`' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

// wordAt returns the word, or the one character, at that place.
func wordAt(src []rune, at int) string {
	end := at
	for end < len(src) && isWordRune(src[end]) {
		end++
	}
	if end == at && at < len(src) {
		end++
	}
	return string(src[at:end])
}

// wordBefore returns the word before the space before that place.
func wordBefore(src []rune, at int) string {
	end := at
	for end > 0 && (src[end-1] == ' ' || src[end-1] == '\n' || src[end-1] == '\t') {
		end--
	}
	start := end
	for start > 0 && isWordRune(src[start-1]) {
		start--
	}
	return string(src[start:end])
}
