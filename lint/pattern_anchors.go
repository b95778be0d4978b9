package lint

import (
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var patternAnchors = &Rule{
	ID:       "AEG005",
	Name:     "pattern-anchors",
	Severity: aegis.SeverityWarning,
	Summary:  "anchors or (?m) that do not do what they seem to",
	Doc: `avoid: matches("^a|b$"), which is (^a) or (b$); matches("(?m)^INV-[0-9]+$"); matches("foo^bar")
prefer: matches("^(a|b)$"); matches("^INV-[0-9]+$")
why: | binds weaker than ^ and $, so each side is tied to one end only. Under (?m) one good line is enough, whatever
stands on the others. An anchor in the middle never holds, so the pattern matches nothing.`,
	check: checkPatternAnchors,
}

func checkPatternAnchors(p *pass) {
	p.everyMatch(func(c condition, arg, pattern string, a anchors, permits bool) {
		what := arg + ".matches"
		switch {
		case a.misplaced:
			// Reported below, whatever the condition is for.
		case a.lines && permits:
			p.reportAt(c.Pos, c.Rule, "remove m from the flags", "%s(%q): under (?m) one line that fits lets the whole text through",
				what, pattern)
		case a.someStart != a.start || a.someEnd != a.end:
			p.reportAt(c.Pos, c.Rule, "put the alternatives in parentheses: ^(a|b)$",
				"%s(%q): not every alternative is tied to both ends", what, pattern)
		}
	})
	p.conditions(func(c condition) {
		c.Expr.Walk(func(x *policy.Expr) {
			if x.Op != policy.OpMatches {
				return
			}
			if a, ok := anchorsOf(x.Lit.Str); ok && a.misplaced {
				p.reportAt(c.Pos, c.Rule, `for the character itself write \\^ or \\$`,
					"matches(%q): ^ or $ in the middle never holds", x.Lit.Str)
			}
		})
	})
	p.keyPatterns()
}

// keyPatterns looks at the key matches:, whose patterns are tied to both ends already.
func (p *pass) keyPatterns() {
	p.constraints(func(_ *unit, _ *policy.Entry, c *policy.Constraint) {
		for _, ch := range c.Checks {
			if ch.Op != policy.CheckPattern || ch.Code != aegis.PatternMismatch {
				continue
			}
			written := strings.TrimSuffix(strings.TrimPrefix(ch.Pattern, `\A(?:`), `)\z`)
			a, ok := anchorsOf(written)
			if ok && a.lines && !a.misplaced {
				p.report(ch.Rule, "remove (?m) and the anchors: the key compares the whole value", "matches: %q: under (?m) ^ and $ stand for the ends of any line", written)
			}
			if ok && a.misplaced {
				p.report(ch.Rule, `for the character itself write \^ or \$`, "matches: %q: ^ or $ in the middle never holds", written)
			}
		}
	})
}
