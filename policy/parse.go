package policy

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/parser"
)

// Names are the constants that a policy defines for its expressions: lists.NAME and params.NAME.
type Names struct {
	Lists  map[string][]Literal // each of one kind
	Params map[string]Literal
}

// ParseExpr reads a condition: an expression whose value is true or false. Lists and params are put in place of their
// names. The error is an *ExprError: the text is no CEL, it uses a part of CEL that the language leaves out, or its
// kinds cannot fit (LANGUAGE, Expressions).
func ParseExpr(src string, names Names) (*Expr, error) {
	return parseExpr(src, names, setBool, MaxExprChars)
}

// ParseNumber is like ParseExpr for an expression whose value is a number: a cost.
func ParseNumber(src string, names Names) (*Expr, error) {
	return parseExpr(src, names, setNumber, MaxExprChars)
}

func parseExpr(src string, names Names, want kindSet, maxChars int) (*Expr, error) {
	runes, err := checkSource(src, maxChars)
	if err != nil {
		return nil, err
	}
	tree, err := parseCEL(src, runes, maxChars)
	if err != nil {
		return nil, err
	}
	t := &translator{src: runes, info: tree.SourceInfo(), names: names}
	e, xerr := t.expr(tree.Expr())
	if xerr != nil {
		return nil, xerr
	}
	if xerr := newKindCheck(runes).run(e, want); xerr != nil {
		return nil, xerr
	}
	return e, nil
}

// checkSource refuses what no parser needs to look at.
func checkSource(src string, maxChars int) ([]rune, error) {
	if !utf8.ValidString(src) {
		return nil, &ExprError{0, "the expression is not valid UTF-8", ""}
	}
	if n := utf8.RuneCountInString(src); n > maxChars {
		msg := fmt.Sprintf("the expression has %d characters, and %d is the most", n, maxChars)
		return nil, &ExprError{maxChars, msg,
			"make several conditions of it, or name its values under `lists:`"}
	}
	if strings.TrimSpace(src) == "" {
		return nil, &ExprError{0, "the expression is empty", "leave the key out, or write true or false"}
	}
	return []rune(src), nil
}

// parseCEL runs cel-go's parser without macros: exists, all and has arrive as plain calls, which say better than their
// expansions what was written. Of its two parsers the Pratt one is used; the tests hold it against the other.
func parseCEL(src string, runes []rune, maxChars int) (tree *ast.AST, err error) {
	// A defect of the parser must refuse one policy, not stop a gate that is reloading.
	defer func() {
		if p := recover(); p != nil {
			tree, err = nil, &ExprError{0, "the CEL parser failed on this expression", "simplify it"}
		}
	}()
	p, err := parser.NewParser(append(parserLimits(maxChars), parser.EnablePrattParser(true))...)
	if err != nil {
		return nil, &ExprError{0, err.Error(), ""}
	}
	source := common.NewTextSource(src)
	tree, errs := p.Parse(source)
	if errs != nil && len(errs.GetErrors()) > 0 {
		first := errs.GetErrors()[0]
		at, ok := source.LocationOffset(first.Location)
		if !ok {
			at = 0
		}
		return nil, syntaxError(runes, min(max(int(at), 0), len(runes)), first.Message)
	}
	return tree, nil
}

func parserLimits(maxChars int) []parser.Option {
	return []parser.Option{
		parser.MaxRecursionDepth(MaxExprDepth),
		parser.ExpressionSizeCodePointLimit(maxChars),
		parser.MaxExpressionNodeCount(2 * maxChars),
		parser.ErrorReportingLimit(1),
		parser.ErrorRecoveryLimit(1),
		parser.ErrorRecoveryLookaheadTokenLimit(4),
		parser.EnableVariadicOperatorASTs(true),
	}
}
