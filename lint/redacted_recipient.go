package lint

import (
	"regexp"
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var redactedRecipient = &Rule{
	ID:       "AEG015",
	Name:     "redacted-recipient",
	Severity: aegis.SeverityWarning,
	Summary:  "redacting reaches the argument that must hold what is redacted",
	Doc: `avoid: sanitize: [{redact: [email]}] on an entry that constrains recipients
prefer: fields: [subject, body]
why: without fields, redact reaches every argument. The recipient's own address is redacted too, the rewritten call
then breaks its constraint, and every call is denied.`,
	check: checkRedactedRecipient,
}

func checkRedactedRecipient(p *pass) {
	p.entries(func(u *unit, e *policy.Entry) {
		for _, s := range e.Sanitize {
			if !s.Args {
				continue
			}
			p.redactedTarget(u, e, s)
			if !slices.Contains(s.Redact, "email") {
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

// targets are words of arguments that hold what a detector of that name finds, when they say where something goes.
var targets = map[string][]string{"phone": {"phone", "phones", "mobile", "msisdn", "sms"}, "iban": {"iban", "ibans"}}

// redactedTarget reports a detector that reaches the number to call or the account to pay to.
func (p *pass) redactedTarget(u *unit, e *policy.Entry, s *policy.Sanitizer) {
	for _, kind := range s.Redact {
		for _, x := range append(u.beside(e), e) {
			for _, c := range constraintsOf(x) {
				if targets[kind] == nil || !hasWord(c.Path[len(c.Path)-1], slices.Concat(targets[kind], recipientWords)) || !holdsKind(c, kind) ||
					!slices.ContainsFunc(s.Fields, func(f []string) bool { return fieldCovers(f, c.Path) }) {
					continue
				}
				p.report(s.Rule, "name the fields of free text: fields: [subject, body]", "redact: [%s] reaches %s, which the call needs", kind, strings.Join(c.Path, "."))
				return
			}
		}
	}
}

var accountText = regexp.MustCompile(`^[A-Z]{2}[0-9]{2}[A-Z0-9]{10,}$|^\+?[0-9 ]{8,}$`)

// ibanPattern is how a pattern of account numbers begins.
const ibanPattern = "[A-Z]{2}[0-9]{2}"

// holdsKind reports whether the constraint asks for a text of the kind: by its name, or by the values of its list.
func holdsKind(c *policy.Constraint, kind string) bool {
	if kind == "iban" && slices.ContainsFunc(c.Checks, func(ch *policy.Check) bool { return strings.Contains(ch.Pattern, ibanPattern) }) {
		return true
	}
	return hasWord(c.Path[len(c.Path)-1], targets[kind]) && len(c.Checks) > 0 || slices.ContainsFunc(c.Checks, func(ch *policy.Check) bool {
		return slices.ContainsFunc(ch.List, func(l policy.Literal) bool { return accountText.MatchString(l.Str) })
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
