package lint

import (
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var schemaIdleBound = &Rule{
	ID:       "AEG066",
	Name:     "schema-idle-bound",
	Severity: aegis.SeverityInfo,
	Summary:  "a bound that no value allowed by the tool's schema breaks",
	Doc: `avoid: max_limit: 1000 where the tool takes at most 100
prefer: a bound below the tool's own, or none
why: the tool refuses such values by itself, so the bound decides nothing and only looks like a limit. It may be kept
for the day when the tool takes more, or for a server that does not check.
A bound that is the tool's own is left alone.`,
	NeedsSchema: true,
	check:       checkSchemaIdleBound,
}

func checkSchemaIdleBound(p *pass) {
	p.schemaPairs(func(_ *unit, e *policy.Entry, tools []*toolSchema) {
		if len(tools) != 1 {
			return // it may bite for another
		}
		p.againstSchema(tools[0], e, func(c *policy.Constraint, a argument) {
			ds := a.domains()
			for _, ch := range c.Checks {
				breach := breachOf(ch, p.wording(ch))
				if len(ds) == 0 || breach == nil || ch.Op != policy.CheckMax && ch.Op != policy.CheckMin || canBe(ds, breach) || !canBe(ds, func(d *domain) { d.add(ch, "") }) {
					continue
				}
				if at := (policy.Literal{Kind: aegis.Number, Num: ch.Num}); canBe(ds, func(d *domain) { d.among([]policy.Literal{at}, "") }) {
					continue // it repeats the schema's own bound, beside others that are closer
				}
				p.report(ch.Rule, "lower it, or remove it", "%s bounds nothing: no %s that the schema of %s allows breaks it", p.key(ch.Rule), strings.Join(c.Path, "."), tools[0])
			}
		})
	})
}
