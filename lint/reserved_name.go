package lint

import (
	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var reservedName = &Rule{
	ID:       "AEG014",
	Name:     "reserved-name",
	Severity: aegis.SeverityWarning,
	Summary:  "a bare name in an expression is not the argument of that name",
	Doc: `avoid: args: {region: {in: [eu]}} with deny_if: region == "us"
prefer: deny_if: args.region == "us"
why: agent, tenant, tool, action, chain and region by themselves are facts of the call, whatever its arguments are
called; region is where the agent runs. (time and session stand for nothing by themselves, so there the loader says
so.) Left alone where an expression of the entry reads the argument as args.region.`,
	check: checkReservedName,
}

var reservedRoots = map[policy.Root]string{policy.RootTool: "tool", policy.RootAction: "action", policy.RootAgent: "agent",
	policy.RootTenant: "tenant", policy.RootRegion: "region", policy.RootChain: "chain"}

func checkReservedName(p *pass) {
	p.entries(func(_ *unit, e *policy.Entry) {
		constrained, reached := map[string]bool{}, map[string]bool{}
		for _, x := range append(lineage(e), e.Children...) {
			for _, c := range constraintsOf(x) {
				constrained[c.Path[0]] = true
			}
			for _, c := range conditionsOf(x) {
				for _, path := range c.Expr.ArgPaths() {
					reached[path[0]] = true
				}
			}
		}
		for _, c := range conditionsOf(e) {
			said := map[string]bool{}
			c.Expr.Walk(func(x *policy.Expr) {
				name, reserved := reservedRoots[x.Root]
				if x.Op == policy.OpPath && reserved && constrained[name] && !reached[name] && !said[name] {
					said[name] = true
					p.reportAt(c.Pos, c.Rule, "write args."+name+" for the argument",
						"%s by itself is %s, not the argument that args.%s constrains", name, factNames[x.Root], name)
				}
			})
		}
	})
}

var factNames = map[policy.Root]string{policy.RootTool: "the tool that is called", policy.RootAction: "the action that is called",
	policy.RootAgent: "the agent that calls", policy.RootTenant: "the agent's tenant", policy.RootRegion: "the region the agent runs in",
	policy.RootChain: "the chain of callers"}
