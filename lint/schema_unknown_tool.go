package lint

import (
	"maps"
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var schemaUnknownTool = &Rule{
	ID:       "AEG060",
	Name:     "schema-unknown-tool",
	Severity: aegis.SeverityWarning,
	Summary:  "a tool or an action that the tools' schemas do not have",
	Doc: `avoid: actions: [create_paymnt] where the server's tool is create_payment
prefer: the names that the server's tools/list says
why: names compare byte for byte. A grant for a name that no tool has grants nothing, and what was meant is denied.
For MCP the tool is the server's name and the action is the name of its tool.
Of a list that names no server, only names beside others that it has are judged.`,
	NeedsSchema: true,
	check:       checkSchemaUnknownTool,
}

func checkSchemaUnknownTool(p *pass) {
	p.entries(func(u *unit, e *policy.Entry) {
		s := p.schemaOf(u)
		if s == nil || u.guardrail != nil {
			return // a guardrail bounds whatever there is
		}
		if e.Parent == nil {
			p.unknownServers(s, u, e)
		}
		for _, action := range e.Actions {
			p.unknownAction(s, u, e, action)
		}
	})
}

// unknownServers reports tools that no server is called, nor any tool of a list without a server.
func (p *pass) unknownServers(s *Schema, u *unit, e *policy.Entry) {
	servers := slices.Sorted(maps.Keys(s.servers))
	servers = slices.DeleteFunc(servers, func(n string) bool { return n == "" })
	plain := slices.Sorted(maps.Keys(s.servers[""]))
	for _, t := range e.Tools {
		name := string(t)
		if !t.Exact() || s.servers[name] != nil {
			continue
		}
		candidates := servers
		if e.Actions == nil {
			candidates = append(candidates, plain...)
			if s.servers[""][name] != nil {
				continue
			}
		}
		sure := e.Actions == nil && len(plain) > 0 && slices.ContainsFunc(u.entries, func(x *policy.Entry) bool {
			return x.Actions == nil && slices.ContainsFunc(x.Tools, func(o policy.Pattern) bool { return s.servers[""][string(o)] != nil })
		})
		if best := closest(name, candidates); best != "" || sure {
			p.reportAt(p.word(e.Pos, name), policy.NoRule, orKnown(name, candidates, "correct the name, or remove the entry"),
				"the schemas have no tool %s", name)
		}
	}
}

// unknownAction reports an action that none of the entry's servers has.
func (p *pass) unknownAction(s *Schema, u *unit, e *policy.Entry, action policy.Pattern) {
	if e.Parent == nil && slices.ContainsFunc(e.Children, func(c *policy.Entry) bool { return slices.Contains(c.Actions, action) }) {
		return // said of the action
	}
	for _, t := range e.Tools {
		tools, sure := s.servers[string(t)], true
		if tools == nil {
			tools, sure = s.servers[""], t.Exact() && s.isAbout(u, t)
		}
		if len(tools) == 0 || !t.Exact() {
			continue
		}
		names := slices.Sorted(maps.Keys(tools))
		if slices.ContainsFunc(names, action.Match) {
			continue
		}
		if !sure && (!action.Exact() || closest(string(action), names) == "") {
			continue
		}
		what := "no tool " + string(action)
		if prefix, glob := strings.CutSuffix(string(action), "*"); glob {
			what = "no tool that begins with " + prefix
		}
		p.reportAt(p.word(e.Pos, string(action)), policy.NoRule, orKnown(string(action), names, "correct the name, or remove it"), "the schema of %s has %s", t, what)
	}
}

// isAbout reports whether the list without a server has a tool that the policy grants as an action of that tool.
func (s *Schema) isAbout(u *unit, tool policy.Pattern) bool {
	return slices.ContainsFunc(u.entries, func(e *policy.Entry) bool {
		return slices.Contains(e.Tools, tool) && slices.ContainsFunc(e.Actions, func(a policy.Pattern) bool {
			return a.Exact() && s.servers[""][string(a)] != nil
		})
	})
}

func joined(names []string) string { return strings.Join(names, ", ") }
