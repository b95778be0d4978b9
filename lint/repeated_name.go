package lint

import (
	"slices"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var repeatedName = &Rule{
	ID:       "AEG027",
	Name:     "repeated-name",
	Severity: aegis.SeverityInfo,
	Fixable:  true,
	Summary:  "a name that a wildcard of the same list covers",
	Doc: `avoid: actions: ["get_*", get_issue]
prefer: actions: ["get_*"], or the names without the wildcard
why: the name adds nothing, and a reader takes the list for a list of names, of which the wildcard is not one.
--fix removes the name.`,
	check: checkRepeatedName,
}

func checkRepeatedName(p *pass) {
	look := func(what string, from policy.Pos, list []policy.Pattern, own func(policy.Pattern) bool) {
		for _, name := range list {
			i := slices.IndexFunc(list, func(x policy.Pattern) bool { return x != name && patternCovers(x, name) })
			if i < 0 || own(name) {
				continue
			}
			pos := p.word(from, string(name))
			p.reportAt(pos, policy.NoRule, "remove it, or the wildcard", "the %s %s adds nothing beside %s", what, name, list[i])
			p.fix(removeItem(string(name)))
		}
	}
	none := func(policy.Pattern) bool { return false }
	p.entries(func(_ *unit, e *policy.Entry) {
		if e.Parent == nil {
			look("tool", e.Pos, e.Tools, none)
		}
		look("action", e.Pos, e.Actions, func(a policy.Pattern) bool {
			return slices.ContainsFunc(e.Children, func(c *policy.Entry) bool { return slices.Contains(c.Actions, a) })
		})
	})
	for _, u := range p.units {
		if u.policy != nil {
			look("agent", u.policy.Pos, u.policy.Agents, none)
		} else {
			look("agent", u.guardrail.Pos, u.guardrail.Agents, none)
		}
	}
}
