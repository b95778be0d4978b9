package lint

import (
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var freeCopies = &Rule{
	ID:       "AEG009",
	Name:     "free-copies",
	Severity: aegis.SeverityWarning,
	Summary:  "recipients are limited, and cc and bcc are free",
	Doc: `avoid: args: {recipients: {each: {domains: [example.com]}}} and nothing on cc and bcc
prefer: the same on cc and bcc, with optional: true; or other_args: deny
why: a mail goes to everyone on it. A limit on recipients that leaves the copies free limits nothing.
A single to: is taken for a call without copies, unless a rule of the same calls names cc or bcc.`,
	check: checkFreeCopies,
}

var copies = []string{"cc", "bcc"}

func checkFreeCopies(p *pass) {
	p.entries(func(u *unit, e *policy.Entry) {
		if u.guardrail != nil || e.Conditions == nil || effect(e) == aegis.Read {
			return
		}
		for _, c := range e.Conditions.Args {
			if !limitsRecipients(c) || !severalRecipients(c) && !slices.ContainsFunc(append(u.beside(e), e), func(x *policy.Entry) bool { return slices.ContainsFunc(x.Names, isCopy) }) {
				continue
			}
			if free := freeOf(u, e); len(free) > 0 {
				pos := c.Pos
				if countedOnly(e, free[len(free)-1]) {
					pos = p.word(e.Conditions.Pos, free[len(free)-1])
				}
				p.reportAt(pos, ruleOf(c), "constrain them the same way with optional: true, or write other_args: deny",
					"%s is limited, and %s can name anyone", c.Path[0], strings.Join(free, " and "))
				return
			}
		}
	})
}

// countedOnly reports whether all that an entry says of an argument is how many there may be.
func countedOnly(e *policy.Entry, name string) bool {
	counted := false
	for _, c := range constraintsOf(e) {
		if c.Path[0] != name {
			continue
		}
		counted = true
		if slices.ContainsFunc(c.Checks, func(ch *policy.Check) bool {
			return ch.Op == policy.CheckIn || ch.Op == policy.CheckNotIn || ch.Op == policy.CheckPattern
		}) {
			return false
		}
	}
	return counted && !slices.ContainsFunc(conditionsOf(e), func(c condition) bool {
		return slices.ContainsFunc(c.Expr.ArgPaths(), func(p []string) bool { return p[0] == name })
	})
}

func isCopy(name string) bool { return hasWord(name, copies) }

// limitsRecipients reports whether a constraint says to whom something may go.
func limitsRecipients(c *policy.Constraint) bool {
	if !hasWord(c.Path[0], recipientWords) || isCopy(c.Path[0]) {
		return false
	}
	each := []*policy.Constraint{c}
	if c.Each != nil {
		each = append(each, c.Each)
	}
	return slices.ContainsFunc(each, func(x *policy.Constraint) bool {
		return slices.ContainsFunc(x.Checks, func(ch *policy.Check) bool {
			return ch.Op == policy.CheckIn && x.Type == aegis.String || ch.Op == policy.CheckPattern && ch.Code == aegis.DomainNotAllowed
		})
	})
}

// severalRecipients reports whether the argument is a list of people, as tools that send copies have it.
func severalRecipients(c *policy.Constraint) bool {
	return c.Each != nil || hasWord(c.Path[0], []string{"recipients", "receivers"})
}

// freeOf returns which of cc and bcc no rule that applies with the entry names or forbids.
func freeOf(u *unit, e *policy.Entry) []string {
	with := append(u.beside(e), e)
	if slices.ContainsFunc(with, func(x *policy.Entry) bool {
		return x.Conditions != nil && x.Conditions.OtherArgs != policy.NoRule && within(e, x)
	}) {
		return nil
	}
	var free []string
	for _, name := range copies {
		if !slices.ContainsFunc(with, func(x *policy.Entry) bool {
			return slices.ContainsFunc(x.Names, func(n string) bool { return hasWord(n, []string{name}) && !countedOnly(x, n) })
		}) {
			free = append(free, name)
		}
	}
	return free
}
