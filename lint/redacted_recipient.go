package lint

import (
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var redactedRecipient = &Rule{
	ID:       "AEG015",
	Name:     "redacted-recipient",
	Severity: aegis.SeverityWarning,
	Summary:  "redacting e-mail addresses reaches the argument that must hold one",
	Doc: `avoid: sanitize: [{redact: [email]}] on an entry that constrains recipients
prefer: fields: [subject, body]
why: without fields, redact reaches every argument. The recipient's own address is redacted too, the rewritten call
then breaks its constraint, and every call is denied.`,
	check: checkRedactedRecipient,
}

func checkRedactedRecipient(p *pass) {
	p.entries(func(u *unit, e *policy.Entry) {
		for _, s := range e.Sanitize {
			if !s.Args || !slices.Contains(s.Redact, "email") {
				continue
			}
			for _, x := range append(u.beside(e), e) {
				if c := addressIn(x, s); c != nil {
					p.report(s.Rule, "name the fields of free text: fields: [subject, body]",
						"redact: [email] reaches %s, which is constrained: a call with an address there is denied",
						strings.Join(c.Path, "."))
					break
				}
			}
		}
	})
}

// addressIn returns a constraint of the entry on an address that the sanitizer reaches.
func addressIn(e *policy.Entry, s *policy.Sanitizer) *policy.Constraint {
	for _, c := range constraintsOf(e) {
		if !holdsAddress(c) {
			continue
		}
		for _, f := range s.Fields {
			if fieldCovers(f, c.Path) {
				return c
			}
		}
	}
	return nil
}

// holdsAddress reports whether only a text with an e-mail address in it can satisfy the constraint, as far as its name
// or its kind says so.
func holdsAddress(c *policy.Constraint) bool {
	return slices.ContainsFunc(c.Checks, func(ch *policy.Check) bool {
		switch ch.Op {
		case policy.CheckPattern:
			return ch.Code == aegis.DomainNotAllowed ||
				ch.Code == aegis.PatternMismatch && hasWord(c.Path[len(c.Path)-1], append(mailWords, recipientWords...))
		case policy.CheckIn:
			return slices.ContainsFunc(ch.List, func(l policy.Literal) bool { return strings.Contains(l.Str, "@") })
		}
		return false
	})
}

// fieldCovers reports whether a sanitizer's field reaches the argument at path, or the elements of the list there.
func fieldCovers(field, path []string) bool {
	switch {
	case len(field) == 0:
		return len(path) == 0
	case field[0] == "**":
		for i := range len(path) + 1 {
			if fieldCovers(field[1:], path[i:]) {
				return true
			}
		}
		return false
	case len(path) == 0:
		return field[0] == "*" && len(field) == 1
	}
	return (field[0] == "*" || field[0] == path[0]) && fieldCovers(field[1:], path[1:])
}
