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
		p.anyAction(u, e)
		glob := slices.IndexFunc(e.Tools, func(t policy.Pattern) bool { return !t.Exact() })
		if glob < 0 || conditioned(e) {
			return
		}
		p.reportAt(e.Pos, policy.NoRule, "name the tools, write effect: read, or add conditions",
			"%s grants every tool of that prefix, now and later, to write without a condition", e.Tools[glob])
	})
}

// anyAction reports an entry that grants all actions of a tool, or all of a prefix, to write, where nothing bounds them.
// A tool of a policy that names no actions anywhere is taken for one function and not for a server of many.
func (p *pass) anyAction(u *unit, e *policy.Entry) {
	servers := slices.ContainsFunc(u.entries, func(x *policy.Entry) bool { return x.Actions != nil })
	if slices.ContainsFunc(p.around(u, e), func(x *policy.Entry) bool { return x.Conditions != nil && within(e, x) }) || len(e.Approval) > 0 || conditioned(e) ||
		slices.ContainsFunc(e.Tools, func(t policy.Pattern) bool { return !t.Exact() }) {
		return
	}
	if e.Actions == nil && servers && len(e.Limits) == 0 {
		p.reportAt(e.Pos, policy.NoRule, "name the actions, write effect: read, or add conditions", "actions is left out: every action of %s is granted, now and later", e.Tools[0])
		return
	}
	for _, a := range e.Actions {
		if !a.Exact() && !reads(a) {
			p.reportAt(p.word(e.Pos, string(a)), policy.NoRule, "name the actions, or add conditions", "%s grants every action of that prefix, now and later, to write without a condition", a)
			return
		}
	}
}

// conditioned reports whether each action of the entry has conditions of its own.
func conditioned(e *policy.Entry) bool {
	return e.Actions != nil && !slices.ContainsFunc(e.Actions, func(a policy.Pattern) bool {
		return !slices.ContainsFunc(e.Children, func(c *policy.Entry) bool {
			return c.Conditions != nil && slices.Contains(c.Actions, a) || c.Effect == aegis.Read && slices.Contains(c.Actions, a)
		})
	})
}
