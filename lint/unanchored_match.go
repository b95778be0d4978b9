package lint

import (
	"regexp/syntax"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var unanchoredMatch = &Rule{
	ID:       "AEG004",
	Name:     "unanchored-match",
	Severity: aegis.SeverityWarning,
	Summary:  ".matches() that lets a call through searches instead of comparing",
	Doc: `avoid: require: ['callback.matches("stripe\\.com")']
prefer: args: {callback: {hosts: [api.stripe.com]}}, or matches("^…$")
why: in CEL, matches() is true if the pattern fits anywhere, so evilstripe.com.example passes. (The key matches: under
args compares the whole value.) Patterns that only deny or ask may search, and are left alone; so are patterns on
other arguments than hosts and URLs that are tied to one end, or say .* there.`,
	check: checkUnanchoredMatch,
}

func checkUnanchoredMatch(p *pass) {
	p.permittingMatches(func(c condition, arg, pattern string, a anchors) {
		if a.lines || a.misplaced || a.someStart != a.start || a.someEnd != a.end {
			return // AEG005
		}
		const hint = "tie it to both ends with ^ and $"
		switch {
		case a.start && a.end:
		case looksLikeHost(arg):
			p.reportAt(c.Pos, c.Rule, "constrain it with hosts: or domains: under args, or tie the pattern to both ends with ^ and $",
				"%s.matches(%q) searches, so other hosts that contain the name pass as well", arg, pattern)
		case a.start && !a.end && !a.openEnd && endsInClass(pattern):
			p.reportAt(c.Pos, c.Rule, hint, "%s.matches(%q) is tied to the start only: anything may follow", arg, pattern)
		case !a.start && !a.end && !a.openStart && !a.openEnd:
			p.reportAt(c.Pos, c.Rule, hint, "%s.matches(%q) searches: any text that contains a match passes", arg, pattern)
		}
	})
}

// permittingMatches calls f for every matches() that speaks for letting a call through.
func (p *pass) permittingMatches(f func(c condition, arg, pattern string, a anchors)) {
	p.everyMatch(func(c condition, arg, pattern string, a anchors, permits bool) {
		if permits {
			f(c, arg, pattern, a)
		}
	})
}

// everyMatch calls f for every matches(), with whether it speaks for letting a call through.
func (p *pass) everyMatch(f func(c condition, arg, pattern string, a anchors, permits bool)) {
	p.conditions(func(c condition) {
		terms(c.Expr, true, func(x *policy.Expr, positive bool) {
			if x.Op != policy.OpMatches {
				return
			}
			arg, ok := argOf(x.Sub[0])
			if !ok {
				arg = x.Sub[0].String()
			}
			if x.Sub[0].Op == policy.OpHost || x.Sub[0].Op == policy.OpDomain {
				arg = x.Sub[0].String() // host(url): a host whatever the argument's name is
			}
			if a, ok := anchorsOf(x.Lit.Str); ok {
				f(c, arg, x.Lit.Str, a, c.permits(positive))
			}
		})
	})
}

// endsInClass reports whether a pattern ends in a number of characters of a class, as one of a whole value does.
func endsInClass(pattern string) bool {
	re, err := syntax.Parse(pattern, syntax.Perl)
	for err == nil && (re.Op == syntax.OpConcat || re.Op == syntax.OpCapture) {
		re = re.Sub[len(re.Sub)-1]
	}
	return err == nil && (re.Op == syntax.OpRepeat && re.Min == re.Max || re.Op == syntax.OpCharClass)
}
