package lint

import (
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var schemaUnknownArgument = &Rule{
	ID:       "AEG061",
	Name:     "schema-unknown-argument",
	Severity: aegis.SeverityWarning,
	Summary:  "an argument that the tool's schema does not have",
	Doc: `avoid: max_ammount: 5000 where the tool's argument is amount; max_amount on an entry whose other actions have no amount
prefer: the names that the tool's inputSchema says; conditions on the actions that they are about
why: a rule on an argument that is not there is an error, and an error denies every call. Where the rule is optional, it
limits nothing.
Arguments that a schema leaves open (additionalProperties, if, patternProperties) are not judged.`,
	NeedsSchema: true,
	check:       checkSchemaUnknownArgument,
}

func checkSchemaUnknownArgument(p *pass) {
	p.schemaPairs(func(_ *unit, e *policy.Entry, tools []*toolSchema) {
		elements := elementPaths(e)
		var said []string
		for _, m := range mentionsOf(p, e) {
			if slices.ContainsFunc(elements, func(l []string) bool { return len(m.path) > len(l) && slices.Equal(m.path[:len(l)], l) }) {
				continue // of an element: it has another schema
			}
			var without []*toolSchema
			var path []string
			for _, t := range tools {
				for n := range m.path {
					if a := t.argument(m.path[:n+1]); !a.known && !a.open {
						without, path = append(without, t), m.path[:n+1]
						break
					}
				}
			}
			key := m.pos.String() + pathKey(path)
			if len(without) == 0 || len(without) < len(tools) && !mustBeThere(p, e, m) || slices.Contains(said, key) {
				continue
			}
			said = append(said, key)
			p.reportUnknown(m, path, without, len(tools))
		}
		for _, t := range tools {
			p.againstSchema(t, e, func(c *policy.Constraint, a argument) {
				if slices.ContainsFunc(elements, func(l []string) bool { return len(c.Path) >= len(l) && slices.Equal(c.Path[:len(l)], l) }) {
					p.unknownMembers(t, c, a)
				}
			})
		}
	})
}

// unknownMembers reports members of a list's elements.
func (p *pass) unknownMembers(t *toolSchema, c *policy.Constraint, a argument) {
	for _, m := range c.Args {
		name := m.Path[len(m.Path)-1]
		if x := t.member(a, name); !x.known && !x.open {
			p.reportAt(m.Pos, ruleWithin(m), orKnown(name, a.memberNames(), "correct the name"), "%s has no argument %s", t, strings.Join(m.Path, "."))
		}
	}
}

func (p *pass) reportUnknown(m mention, path []string, without []*toolSchema, of int) {
	var tools []string
	for _, t := range without {
		tools = append(tools, t.String())
	}
	hint := "state the rule on the actions that have it, or make it optional"
	if len(without) == of {
		hint = orKnown(path[len(path)-1], without[0].argument(path[:len(path)-1]).memberNames(), "correct the name")
	}
	verb := "has"
	if len(tools) > 1 {
		verb = "have"
	}
	p.reportAt(m.pos, m.about, hint, "%s %s no argument %s", listed(tools), verb, strings.Join(path, "."))
}

// elementPaths returns the lists of whose elements the entry's constraints speak.
func elementPaths(e *policy.Entry) [][]string {
	var out [][]string
	for _, c := range constraintsOf(e) {
		if c.Each != nil {
			out = append(out, c.Path)
		}
	}
	return out
}

// mustBeThere reports whether a call without the argument is denied by the rule that mentions it.
func mustBeThere(p *pass, e *policy.Entry, m mention) bool {
	w := world{}
	key := pathKey(m.path)
	w.narrow(key, func(d *domain) { d.none = true })
	for _, c := range conditionsOf(e) {
		if c.Rule == m.about && c.use != forTier {
			branches := maxBranches
			return !w.search([]claim{{c.Expr, true}}, &branches) && !w.search([]claim{{c.Expr, false}}, &branches)
		}
	}
	if e.Conditions == nil {
		return false
	}
	probe := world{}
	for _, k := range e.Conditions.Args {
		probe.constrain(p, e.Conditions, k, false, false)
	}
	return probe[key] != nil && probe[key].given
}
