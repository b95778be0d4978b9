package lint

import (
	"regexp"
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var broadDomain = &Rule{
	ID:       "AEG044",
	Name:     "broad-domain",
	Severity: aegis.SeverityWarning,
	Summary:  "mail to a domain at which anyone can have an address",
	Doc: `avoid: domains: [gmail.com]; require: to.endsWith("example.com")
prefer: domains: [example.com]; in: [ann@gmail.com] for one person; require: domain(to) == "example.com"
why: at a provider of free mail the domain says nothing about whose address it is. And a test on the end of the text
lets evilexample.com through: it must begin with @, and domain() compares the whole.`,
	check: checkBroadDomain,
}

// freeMail are providers at which anybody can have an address. The list is a help, and no boundary.
var freeMail = strings.Fields(`gmail.com googlemail.com outlook.com hotmail.com live.com msn.com yahoo.com icloud.com me.com aol.com
	proton.me protonmail.com gmx.de gmx.net gmx.com web.de mail.com mail.ru yandex.ru yandex.com qq.com 163.com 126.com zoho.com
	tutanota.com fastmail.com hey.com seznam.cz wp.pl o2.pl orange.fr free.fr libero.it t-online.de mailinator.com`)

func checkBroadDomain(p *pass) {
	seen := map[string][]string{}
	p.constraints(func(_ *unit, _ *policy.Entry, c *policy.Constraint) {
		for _, ch := range c.Checks {
			if ch.Op != policy.CheckPattern || ch.Code != aegis.DomainNotAllowed {
				continue
			}
			free, ok := seen[ch.Pattern]
			if !ok {
				free = freeOfCharge(ch.Pattern)
				seen[ch.Pattern] = free
			}
			if len(free) > 0 {
				p.report(ch.Rule, "name the addresses with in:, or a domain of your own", "anyone can have an address at %s", listed(free))
			}
		}
	})
	p.textTests(func(c condition, x *policy.Expr, arg, text string) {
		if x.Op == policy.OpEnds && mailLike(arg) && strings.Contains(text, ".") && text[0] != '@' && text[0] != '.' {
			p.reportAt(c.Pos, c.Rule, `write domain(`+arg+`) == "`+text+`", or domains: under args`, "%s: any domain that ends so passes, such as evil%s", x, text)
		}
	})
}

func mailLike(arg string) bool {
	return hasWord(arg, mailWords) || hasWord(arg, recipientWords) || hasWord(arg, copies)
}

// freeOfCharge returns the providers of free mail at which any address passes.
func freeOfCharge(pattern string) []string {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(freeMail), func(d string) bool { return !re.MatchString("zq9x@" + d) })
}

// passing returns which of some words a pattern lets through, each between a head and a tail.
func passing(pattern, head string, words []string, tail string) []string {
	tester, ok := newPrefixes(pattern)
	if !ok {
		return nil
	}
	var out []string
	for _, w := range words {
		if tester.alive(head + w + tail) {
			out = append(out, w)
		}
	}
	return out
}

// textTests calls f for every test on a part of an argument's text that speaks for letting a call through.
func (p *pass) textTests(f func(c condition, x *policy.Expr, arg, text string)) {
	p.conditions(func(c condition) {
		terms(c.Expr, true, func(x *policy.Expr, positive bool) {
			if x.Op != policy.OpStarts && x.Op != policy.OpEnds && x.Op != policy.OpContains || !c.permits(positive) || x.Lit.Str == "" {
				return
			}
			if arg, ok := argOf(x.Sub[0]); ok {
				f(c, x, arg, x.Lit.Str)
			} else if s := x.Sub[0]; s.Op == policy.OpPath && s.Root == policy.RootVar {
				f(c, x, "", x.Lit.Str) // an element of a list
			}
		})
	})
}
