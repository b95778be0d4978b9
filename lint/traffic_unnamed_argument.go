package lint

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var trafficUnnamedArgument = &Rule{
	ID:       "AEG072",
	Name:     "traffic-unnamed-argument",
	Severity: aegis.SeverityInfo,
	Summary:  "captured calls of a write carry arguments that no rule names",
	Doc: `avoid: rules on amount, while callback_url in the same calls goes anywhere
prefer: a rule for each argument that can do harm; other_args: deny for the rest
why: arguments that no rule names may be anything, unless other_args: deny stands. Captured calls show which there are,
or which of them it refuses.
Reads and entries without any conditions are not listed: there the grant itself is the rule.`,
	NeedsTraffic: true,
	check:        checkTrafficUnnamedArgument,
}

func checkTrafficUnnamedArgument(p *pass) {
	p.seen(func(u *unit, e *policy.Entry, calls int64, args []SeenArg) {
		if e.Parent != nil || effect(e) == aegis.Read && !closed(e) || !p.constrains(u, e) {
			return
		}
		named := p.namedBy(u, e)
		var free []string
		for _, a := range args {
			if !slices.Contains(named, a.Name) {
				free = append(free, fmt.Sprintf("%s (%s, in %d)", printable(a.Name), strings.Join(a.Kinds, " or "), a.Calls))
			}
		}
		if len(free) > 0 && closed(e) {
			p.report(e.Conditions.OtherArgs, "name them in a rule, if they are meant", "other_args: deny refuses what captured calls carry: %s",
				strings.Join(free, ", "))
		} else if len(free) > 0 {
			p.reportAt(p.actionsAt(e), policy.NoRule, "constrain them, or write other_args: deny", "%s carry arguments that no rule names: %s",
				count(calls, "captured call"), strings.Join(free, ", "))
		}
	})
}

// printable is a name that a stranger chose, fit for a terminal.
func printable(name string) string {
	if len(name) > 64 {
		name = name[:64] + "…"
	}
	if q := strconv.Quote(name); q != `"`+name+`"` {
		return q
	}
	return name
}

// constrains reports whether the entry, or an action of it, has conditions.
func (p *pass) constrains(_ *unit, e *policy.Entry) bool {
	return e.Conditions != nil || slices.ContainsFunc(e.Children, func(c *policy.Entry) bool { return c.Conditions != nil })
}

// namedBy returns the arguments that the rules of an entry and of those beside it name, guardrails included.
func (p *pass) namedBy(u *unit, e *policy.Entry) []string {
	out := slices.Clone(e.Names)
	for _, c := range append(u.beside(e), e.Children...) {
		out = append(out, c.Names...)
	}
	for _, g := range p.units {
		if g.guardrail != nil && boundsPolicy(g.guardrail, u.policy) {
			for _, x := range g.entriesFor(e) {
				out = append(out, x.Names...)
			}
		}
	}
	return out
}
