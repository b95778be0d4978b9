package lint

import (
	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var plainHTTP = &Rule{
	ID:       "AEG090",
	Name:     "plain-http",
	Severity: aegis.SeverityInfo,
	Summary:  "a URL without encryption is allowed",
	Doc: `avoid: callback: {hosts: [hooks.example.com], schemes: [https, http]}
prefer: callback: {hosts: [hooks.example.com]}, which means https
why: what is sent over http can be read and changed on the way, and so can the answer that the agent acts on.`,
	check: checkPlainHTTP,
}

func checkPlainHTTP(p *pass) {
	seen := map[string]bool{}
	p.constraints(func(_ *unit, _ *policy.Entry, c *policy.Constraint) {
		for _, ch := range c.Checks {
			if ch.Op != policy.CheckPattern || ch.Code != aegis.URLNotAllowed {
				continue
			}
			plain, ok := seen[ch.Pattern]
			if !ok {
				tester, fine := newPrefixes(ch.Pattern)
				plain = fine && (tester.alive("http:") || tester.alive("ws:") || tester.alive("ftp:"))
				seen[ch.Pattern] = plain
			}
			if plain {
				p.reportAt(p.word(p.pos(ch.Rule), "schemes"), ch.Rule, "leave http out of schemes", "URLs without encryption pass")
			}
		}
	})
}
