package lint

import (
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var redactNothing = &Rule{
	ID:       "AEG040",
	Name:     "redact-nothing",
	Severity: aegis.SeverityWarning,
	Summary:  "a sanitizer that finds nothing to do",
	Doc: `avoid: redact: [ssn], fields: [amount] where amount is a number; a second item that the first one covers
prefer: the fields of free text: fields: [memo, "notes.**"]
why: sanitizers look into texts. An argument that is a number, or one of a short list, has none in it, and what one item
has redacted the next one does not find; nor has a text the members that fields: [note.text] looks for. Whatever was
meant to be protected is not.`,
	check: checkRedactNothing,
}

func checkRedactNothing(p *pass) {
	p.entries(func(u *unit, e *policy.Entry) {
		for i, s := range e.Sanitize {
			if idle := idleFields(p.around(u, e), s); len(idle) == len(s.Fields) && s.Args && !s.Result {
				p.reportAt(p.word(p.word(p.pos(s.Rule), "fields"), idle[0]), s.Rule, "name the fields of free text", "%s holds no text that could be redacted", strings.Join(idle, ", "))
				continue
			}
			for j, t := range e.Sanitize {
				if i != j && covers(t, s) && !(covers(s, t) && i < j) {
					p.report(s.Rule, "remove it", "it finds nothing: %s redacts the same before", line(p.pos(t.Rule), p.pos(s.Rule)))
					break
				}
			}
		}
	})
}

// idleFields returns the fields of a sanitizer that are arguments without free text.
func idleFields(entries []*policy.Entry, s *policy.Sanitizer) []string {
	var idle []string
	for _, f := range s.Fields {
		if slices.ContainsFunc(entries, func(e *policy.Entry) bool {
			return slices.ContainsFunc(constraintsOf(e), func(c *policy.Constraint) bool {
				return c.Each == nil && (slices.Equal(c.Path, f) && (c.Type == aegis.Number || c.Type == aegis.Bool) || inScalar(c, f))
			})
		}) {
			idle = append(idle, strings.Join(f, "."))
		}
	}
	return idle
}

// inScalar reports whether a field is a member of an argument that is held to be a text, a number or a boolean, none of
// which has members.
func inScalar(c *policy.Constraint, f []string) bool {
	n := len(c.Path)
	return len(f) > n && slices.Equal(f[:n], c.Path) && f[n] != "**" && (c.Type == aegis.String || c.Type == aegis.Number || c.Type == aegis.Bool)
}

// covers reports whether one sanitizer redacts all that another does.
func covers(t, s *policy.Sanitizer) bool {
	if t.Redact == nil && (s.Redact != nil || t.Match != s.Match) || t.Redact != nil && s.Redact == nil || s.Args && !t.Args || s.Result && !t.Result {
		return false
	}
	return !slices.ContainsFunc(s.Redact, func(k string) bool { return !slices.Contains(t.Redact, k) }) &&
		!slices.ContainsFunc(s.Fields, func(f []string) bool {
			return !slices.ContainsFunc(t.Fields, func(g []string) bool {
				return slices.Equal(f, g) || len(g) == 1 && g[0] == "**" || len(g) == 2 && g[1] == "**" && len(f) > 1 && f[0] == g[0]
			})
		})
}
