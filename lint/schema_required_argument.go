package lint

import (
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var schemaRequiredArgument = &Rule{
	ID:       "AEG065",
	Name:     "schema-required-argument",
	Severity: aegis.SeverityInfo,
	Summary:  "a rule is optional on an argument that the tool requires",
	Doc: `avoid: amount: {max: 5000, optional: true} where the tool's schema requires amount
prefer: amount: {max: 5000}
why: optional lets calls through that leave the argument out or send null. No valid call does, so it lets through only
what a lenient server makes of an invalid one, and that is hardly meant.`,
	NeedsSchema: true,
	check:       checkSchemaRequiredArgument,
}

func checkSchemaRequiredArgument(p *pass) {
	p.schemaPairs(func(_ *unit, e *policy.Entry, tools []*toolSchema) {
		if e.Conditions == nil {
			return
		}
		for _, c := range e.Conditions.Args {
			if c.Optional && !slices.ContainsFunc(tools, func(t *toolSchema) bool {
				a := t.argument(c.Path)
				return !a.known || a.open || !a.required || a.nullable()
			}) {
				p.reportAt(c.Pos, ruleOf(c), "remove optional", "%s requires %s, and this rule is optional", tools[0], strings.Join(c.Path, "."))
			}
		}
	})
}

// nullable reports whether the schema allows null, or does not say.
func (a argument) nullable() bool {
	return slices.ContainsFunc(a.alts, func(c conjunction) bool { return c.permits(aegis.Null) })
}
