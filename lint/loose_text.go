package lint

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var looseText = &Rule{
	ID:       "AEG047",
	Name:     "loose-text",
	Severity: aegis.SeverityWarning,
	Summary:  "a pattern, or a test on part of a text, that lets more through than it names",
	Doc: `avoid: matches: 'registry.example.com/.*'; matches: '.*'; matches: '(?s)INV-.*'; url.startsWith("https://example.com")
prefer: matches: 'registry\.example\.com/[a-z0-9/-]+'; hosts: [api.example.com]
why: a dot stands for any character, so registryXexample.com passes as well. A pattern that fits every text limits
nothing. Under (?s) dots take line breaks too. A host that only begins like the right one belongs to somebody else.`,
	check: checkLooseText,
}

func checkLooseText(p *pass) {
	seen := map[string]string{}
	problem := func(pattern string) string {
		s, ok := seen[pattern]
		if !ok {
			s = looseness(pattern)
			seen[pattern] = s
		}
		return s
	}
	p.constraints(func(_ *unit, _ *policy.Entry, c *policy.Constraint) {
		for _, ch := range c.Checks {
			if ch.Op != policy.CheckPattern || ch.Code != aegis.PatternMismatch {
				continue
			}
			written := strings.TrimSuffix(strings.TrimPrefix(ch.Pattern, `\A(?:`), `)\z`)
			if why := problem(written); why != "" {
				p.report(ch.Rule, `write \. for a dot, and what may stand in place of .*`, "matches: %q: %s", written, why)
			} else if fitsAll(written) {
				p.report(ch.Rule, "write type: string if any text will do", "matches: %q fits every text", written)
			}
		}
	})
	p.permittingMatches(func(c condition, arg, pattern string, a anchors) {
		if why := problem(pattern); why != "" {
			p.reportAt(c.Pos, c.Rule, `write \\. for a dot`, "%s.matches(%q): %s", arg, pattern, why)
		} else if fitsAll(pattern) || fitsNothing(pattern) {
			p.reportAt(c.Pos, c.Rule, "remove it", "%s.matches(%q) is true of every text", arg, pattern)
		}
	})
	p.textTests(func(c condition, x *policy.Expr, arg, text string) {
		_, rest, url := strings.Cut(text, "://")
		hosty := looksLikeHost(arg) || x.Sub[0].Op == policy.OpHost
		switch {
		case x.Op == policy.OpStarts && url && !strings.Contains(rest, "/"):
			p.reportAt(c.Pos, c.Rule, "write args: {"+orName(arg, "url")+": {hosts: ["+orName(rest, "…")+"]}}", "%s: hosts that only begin so pass, such as %s.evil.example", x, rest)
		case x.Op == policy.OpEnds && hosty && strings.Contains(text, ".") && text[0] != '.' && text[0] != '/' && !mailLike(arg):
			p.reportAt(c.Pos, c.Rule, "write hosts: under args", "%s: any host that ends so passes, such as evil%s", x, text)
		case x.Op == policy.OpContains && (hosty || mailLike(arg)) && strings.Contains(text, "."):
			p.reportAt(c.Pos, c.Rule, "write hosts: or domains: under args", "%s: any text with it somewhere passes", x)
		}
	})
}

// looseness says what is loose about a pattern, or "".
func looseness(pattern string) string {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return ""
	}
	if strings.Contains(pattern, "(?s") && hasOp(re, syntax.OpAnyChar) {
		return "under (?s) dots take line breaks as well"
	}
	if alone := aloneAlternative(pattern); alone != "" {
		return "the alternative " + alone + " stands alone, without what comes before the first"
	}
	if dot := dotBetween(re); dot != "" {
		return "the dot in " + dot + " stands for any character"
	}
	return ""
}

func hasOp(re *syntax.Regexp, op syntax.Op) bool {
	return re.Op == op || slices.ContainsFunc(re.Sub, func(s *syntax.Regexp) bool { return hasOp(s, op) })
}

// fitsNothing reports whether a search fits even where there is no text, and so everywhere.
func fitsNothing(pattern string) bool {
	a, ok := anchorsOf(pattern)
	re, err := regexp.Compile(pattern)
	return ok && err == nil && !(a.start && a.end) && re.MatchString("")
}

var (
	prefixed  = regexp.MustCompile(`^\^?[A-Za-z0-9]+[-_/:.][A-Za-z0-9]+$`)
	wordAlone = regexp.MustCompile(`^[A-Za-z0-9]+\$?$`)
)

// aloneAlternative returns the second of alternatives such as job-alpha|beta|gamma, where job-(alpha|beta|gamma) is meant.
func aloneAlternative(pattern string) string {
	parts := strings.Split(pattern, "|")
	if len(parts) < 2 || !prefixed.MatchString(parts[0]) {
		return ""
	}
	for _, p := range parts[1:] {
		if !wordAlone.MatchString(p) {
			return ""
		}
	}
	return strings.TrimSuffix(parts[1], "$")
}

// endings are what stands behind the last dot of names of hosts and files.
var endings = strings.Fields(`com net org io dev app ai co info biz eu de fr uk example test local internal cloud csv pdf txt json yaml yml xml
	png jpg jpeg zip tar gz md html log doc docx xls xlsx exe sh py js`)

// dotBetween returns a part of a pattern in which a bare dot stands between letters, as in a host's or a file's name.
func dotBetween(re *syntax.Regexp) string {
	if re.Op == syntax.OpConcat {
		for i, s := range re.Sub {
			if s.Op != syntax.OpAnyCharNotNL || i+1 == len(re.Sub) || re.Sub[i+1].Op != syntax.OpLiteral {
				continue
			}
			after := string(re.Sub[i+1].Rune)
			word := after
			if n := strings.IndexFunc(after, func(r rune) bool { return !isLetter(r) }); n >= 0 {
				word = after[:n]
			}
			before := ""
			if i > 0 && re.Sub[i-1].Op == syntax.OpLiteral {
				before = string(re.Sub[i-1].Rune)
			}
			named := before != "" && isLetter(rune(before[len(before)-1])) && len(word) > 1
			if slices.Contains(endings, strings.ToLower(word)) && (i > 0) || named {
				return before + "." + word
			}
		}
	}
	for _, s := range re.Sub {
		if d := dotBetween(s); d != "" {
			return d
		}
	}
	return ""
}

func isLetter(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// fitsAll reports whether a pattern, as a whole or as a search, fits every text of one line.
func fitsAll(pattern string) bool {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return false
	}
	return anyText(re.Simplify())
}

func anyText(re *syntax.Regexp) bool {
	any := func(s *syntax.Regexp) bool { return s.Op == syntax.OpAnyChar || s.Op == syntax.OpAnyCharNotNL }
	switch re.Op {
	case syntax.OpEmptyMatch:
		return false
	case syntax.OpStar, syntax.OpPlus:
		return any(re.Sub[0])
	case syntax.OpCapture:
		return anyText(re.Sub[0])
	case syntax.OpConcat:
		some := false
		for _, s := range re.Sub {
			switch {
			case s.Op == syntax.OpBeginText || s.Op == syntax.OpEndText || s.Op == syntax.OpBeginLine || s.Op == syntax.OpEndLine:
			case s.Op == syntax.OpStar || s.Op == syntax.OpQuest:
				some = some || anyText(s)
			case anyText(s):
				some = true
			default:
				return false
			}
		}
		return some
	case syntax.OpAlternate:
		return slices.ContainsFunc(re.Sub, anyText)
	}
	return false
}
