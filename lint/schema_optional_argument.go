package lint

import (
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var schemaOptionalArgument = &Rule{
	ID:       "AEG064",
	Name:     "schema-optional-argument",
	Severity: aegis.SeverityInfo,
	Summary:  "calls may leave an argument out, and are denied if they do",
	Doc: `avoid: currency: {in: [USD]} where the tool's schema does not require currency
prefer: optional: true, where leaving it out is as good; or a note to the agent that it must be given
why: a rule on an argument that is missing is an error, and an error denies. Valid calls that rely on the tool's default
are then denied, which surprises whoever reads the schema. It may be meant.`,
	NeedsSchema: true,
	check:       checkSchemaOptionalArgument,
}

func checkSchemaOptionalArgument(p *pass) {
	p.schemaPairs(func(_ *unit, e *policy.Entry, tools []*toolSchema) {
		said := map[string]bool{}
		for _, m := range mentionsOf(p, e) {
			if said[pathKey(m.path)] {
				continue
			}
			for _, t := range tools {
				if a := t.argument(m.path); a.known && !a.open && !a.required && parentRequired(t, m.path) && mustBeThere(p, e, m) {
					said[pathKey(m.path)] = true
					p.reportAt(m.pos, m.about, "write optional: true, or has() in an expression, if that is not meant",
						"calls of %s may leave %s out, and are then denied", t, strings.Join(m.path, "."))
					break
				}
			}
		}
	})
}

// parentRequired reports whether the object that a path ends in is always there; else it is the object that is optional.
func parentRequired(t *toolSchema, path []string) bool {
	return len(path) == 1 || t.argument(path[:len(path)-1]).required
}
