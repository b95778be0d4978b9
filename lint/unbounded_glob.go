package lint

import (
	"slices"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var unboundedGlob = &Rule{
	ID:       "AEG021",
	Name:     "unbounded-glob",
	Severity: aegis.SeverityInfo,
	Summary:  "a wildcard grants tools to write without any condition",
	Doc: `avoid: {name: "github*"} with nothing else, which grants all of its actions
prefer: the tools by name; effect: read with actions: ["get_*"]; or conditions on what they may do
why: the grant covers tools that do not exist yet, and effect is write unless it says read.`,
	check: checkUnboundedGlob,
}

func checkUnboundedGlob(p *pass) {
	p.entries(func(u *unit, e *policy.Entry) {
		if !e.Grants || e.Parent != nil || effect(e) != aegis.Write || e.Conditions != nil {
			return
		}
		glob := slices.IndexFunc(e.Tools, func(t policy.Pattern) bool { return !t.Exact() })
		if glob < 0 || conditioned(e) {
			return
		}
		p.reportAt(e.Pos, policy.NoRule, "name the tools, write effect: read, or add conditions",
			"%s grants every tool of that prefix, now and later, to write without a condition", e.Tools[glob])
	})
}

// conditioned reports whether each action of the entry has conditions of its own.
func conditioned(e *policy.Entry) bool {
	return e.Actions != nil && !slices.ContainsFunc(e.Actions, func(a policy.Pattern) bool {
		return !slices.ContainsFunc(e.Children, func(c *policy.Entry) bool {
			return c.Conditions != nil && slices.Contains(c.Actions, a) || c.Effect == aegis.Read && slices.Contains(c.Actions, a)
		})
	})
}
