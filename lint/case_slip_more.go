package lint

import (
	"slices"
	"strings"
	"unicode"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

func hasUpper(s string) bool { return strings.ContainsFunc(s, unicode.IsUpper) }

// lowers reports whether the value of x has no capitals, whatever the call carries.
func lowers(x *policy.Expr) bool {
	return x.Op == policy.OpLower || x.Op == policy.OpHost || x.Op == policy.OpDomain
}

// neverLower reports a text in lower case that is compared with capitals.
func (p *pass) neverLower(c condition) {
	c.Expr.Walk(func(x *policy.Expr) {
		var texts []string
		switch x.Op {
		case policy.OpStarts, policy.OpEnds, policy.OpContains:
			texts = []string{x.Lit.Str}
		case policy.OpMatches:
			if onlyUpper(x.Lit.Str) {
				texts = []string{x.Lit.Str}
			}
		case policy.OpIn:
			for _, l := range x.Sub[1].List {
				texts = append(texts, l.Str)
			}
		default:
			if left, op, lit, ok := comparisonWith(x); ok && lowers(left) && (op == policy.OpEq || op == policy.OpNe) {
				texts = []string{lit.Str}
			}
		}
		if i := slices.IndexFunc(texts, hasUpper); i >= 0 && len(x.Sub) > 0 && (lowers(x.Sub[0]) || len(x.Sub) > 1 && lowers(x.Sub[1])) {
			p.reportAt(c.Pos, c.Rule, "write it in lower case", "%s: the text is in lower case, and %q is not", x, texts[i])
		}
	})
}

// onlyUpper reports whether a pattern asks for capitals: it has some outside of escapes, and its letters in lower case
// are none.
func onlyUpper(pattern string) bool {
	var letters strings.Builder
	for i := 0; i < len(pattern); i++ {
		if pattern[i] == '\\' {
			i++
			continue
		}
		letters.WriteByte(pattern[i])
	}
	s := letters.String()
	return !strings.Contains(s, "(?") && hasUpper(s) && !strings.ContainsFunc(s, unicode.IsLower)
}

// otherThanListed reports a comparison with a value that differs from a listed one in case only.
func (p *pass) otherThanListed(c condition) {
	c.Expr.Walk(func(x *policy.Expr) {
		left, op, lit, ok := comparisonWith(x)
		if !ok || !isArg(left) || lit.Kind != aegis.String || op != policy.OpEq && op != policy.OpNe {
			return
		}
		for _, e := range append(c.unit.beside(c.entry), c.entry) {
			for _, k := range constraintsOf(e) {
				for _, ch := range k.Checks {
					if ch.Op != policy.CheckIn || !slices.Equal(k.Path, left.Fields) || slices.ContainsFunc(ch.List, lit.Equal) {
						continue
					}
					if i := slices.IndexFunc(ch.List, func(l policy.Literal) bool { return strings.EqualFold(l.Str, lit.Str) }); i >= 0 {
						p.reportAt(c.Pos, c.Rule, "write "+ch.List[i].Str, "%s: the list of what is allowed has %q, in another case", x, ch.List[i].Str)
						return
					}
				}
			}
		}
	})
}

// oddCase reports the one value of a list that is written in another case than all others.
func (p *pass) oddCase() {
	p.constraints(func(_ *unit, _ *policy.Entry, c *policy.Constraint) {
		for _, ch := range c.Checks {
			if ch.Op != policy.CheckIn && ch.Op != policy.CheckNotIn || len(ch.List) < 3 {
				continue
			}
			var upper, lower []string
			for _, l := range ch.List {
				switch s := l.Str; {
				case s == "" || strings.ToUpper(s) == strings.ToLower(s):
				case s == strings.ToUpper(s):
					upper = append(upper, s)
				case s == strings.ToLower(s):
					lower = append(lower, s)
				default:
					upper, lower = append(upper, s, s), append(lower, s, s) // names: no rule in them
				}
			}
			odd := ""
			if len(upper) == 1 && len(lower) >= 2 {
				odd = upper[0]
			} else if len(lower) == 1 && len(upper) >= 2 {
				odd = lower[0]
			}
			if odd != "" {
				pos := p.listItem(ch, odd)
				if pos == p.pos(ch.Rule) {
					pos = p.word(pos, odd)
				}
				p.reportAt(pos, ch.Rule, "write it as the others", "%s is written in another case than the rest of the list", odd)
			}
		}
	})
}

// deniesAsWritten reports tests that deny mail domains, hosts and kinds of files as they are written: all of these are
// the same in any case.
func (p *pass) deniesAsWritten(c condition) {
	terms(c.Expr, true, func(x *policy.Expr, positive bool) {
		if x.Op != policy.OpEnds && x.Op != policy.OpContains && x.Op != policy.OpStarts || c.permits(positive) || !strings.ContainsFunc(x.Lit.Str, unicode.IsLetter) {
			return
		}
		s := x.Sub[0]
		arg, ok := argOf(s)
		if !ok || s.Op != policy.OpPath {
			return
		}
		mail := x.Op != policy.OpStarts && strings.Contains(x.Lit.Str, ".") && (mailLike(arg) || looksLikeHost(arg))
		file := x.Op == policy.OpEnds && x.Lit.Str[0] == '.' && len(x.Lit.Str) <= 6
		if mail || file {
			p.reportAt(c.Pos, c.Rule, "test "+arg+".lowerAscii()", "%s: the same in capitals slips past", x)
		}
	})
}
