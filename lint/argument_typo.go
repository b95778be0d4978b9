package lint

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var argumentTypo = &Rule{
	ID:       "AEG001",
	Name:     "argument-typo",
	Severity: aegis.SeverityWarning,
	Summary:  "an argument is named once, and a name almost like it elsewhere",
	Doc: `avoid: max_ammount: 5000 beside approval_needed_if: amount > 5000
prefer: one spelling, the tool's own
why: any name after max_ or in an expression is legal, since it names an argument. One that no call carries is an
error on every call, and an error denies; on an optional argument it is a limit that limits nothing.`,
	check: checkArgumentTypo,
}

// mention is a place that names an argument.
type mention struct {
	path  []string
	pos   policy.Pos
	about policy.RuleID
	entry *policy.Entry
}

// scope is a set of names that belong together: the arguments of a tool, or the members of one of them.
type scope struct {
	tool   policy.Pattern
	object string
}

func checkArgumentTypo(p *pass) {
	scopes := map[scope]map[string][]mention{}
	whole := map[*unit]map[string][]mention{} // the arguments of all tools of a policy
	p.entries(func(u *unit, e *policy.Entry) {
		if whole[u] == nil {
			whole[u] = map[string][]mention{}
		}
		for _, m := range mentionsOf(p, e) {
			mentioned(whole[u], m.path[0], m)
			for i, name := range m.path {
				for _, t := range e.Tools {
					s := scope{t, pathKey(m.path[:i])}
					if scopes[s] == nil {
						scopes[s] = map[string][]mention{}
					}
					mentioned(scopes[s], name, m)
				}
			}
		}
	})
	for _, named := range scopes {
		reportSlips(p, named)
	}
	for _, u := range p.units {
		reportMaimed(p, whole[u])
	}
}

func mentioned(named map[string][]mention, name string, m mention) {
	if len(named[name]) < enough && !slices.ContainsFunc(named[name], func(x mention) bool { return x.pos == m.pos }) {
		named[name] = append(named[name], m)
	}
}

// reportMaimed looks for names that stand once in a policy and have no meaning, where another tool's argument is the
// same with the letters that they lack. Tools have arguments of their own, so nothing less is evidence.
func reportMaimed(p *pass, named map[string][]mention) {
	if len(named) > maxNames {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(named)) {
		m := named[name][0]
		if len(named[name]) > 1 || knownName(name) {
			continue
		}
		for _, other := range slices.Sorted(maps.Keys(named)) {
			x := named[other][0]
			if len(name) < len(other) && knownName(other) && slip(name, other) && !sharesTool(m.entry, x.entry) {
				p.reportAt(m.pos, m.about, fmt.Sprintf("did you mean %s?", other), "the argument %s is named only here, and %s is almost the same (%s)",
					name, other, line(x.pos, m.pos))
				break
			}
		}
	}
}

// sharesTool reports whether two entries name one tool in the same way.
func sharesTool(a, b *policy.Entry) bool {
	return slices.ContainsFunc(a.Tools, func(t policy.Pattern) bool { return slices.Contains(b.Tools, t) })
}

// enough is how many mentions of a name are told apart: a name that stands so often is no slip.
const enough = 8

// maxNames bounds the pairs that are compared; no tool has so many arguments.
const maxNames = 300

// reportSlips looks for names that stand once and are almost another.
func reportSlips(p *pass, named map[string][]mention) {
	if len(named) > maxNames {
		return
	}
	names := slices.Sorted(maps.Keys(named))
	for _, name := range names {
		if len(named[name]) > 1 {
			continue
		}
		m, best := named[name][0], ""
		for _, other := range names {
			if other != name && slip(name, other) && likelier(name, m, other, named[other]) &&
				len(named[other]) > len(named[best]) {
				best = other
			}
		}
		if best == "" {
			continue
		}
		hint := fmt.Sprintf("did you mean %s?", best)
		if knownName(name) && !knownName(best) {
			hint = "write one of the two everywhere"
		}
		p.reportAt(m.pos, m.about, hint, "the argument %s is named only here, and %s is almost the same (%s)", name, best,
			line(named[best][0].pos, m.pos))
	}
}

// likelier reports whether a name that stands once is a slip of another, and not the other way round: the other
// stands more often, or it alone is a known word, or it stands first. A name that stands once in another entry is no
// evidence: it may be an argument of another action.
func likelier(name string, m mention, other string, others []mention) bool {
	if len(others) > 1 {
		return true
	}
	if !kin(m.entry, others[0].entry) {
		return knownName(other) && !knownName(name) && len(name) < len(other) // letters left out
	}
	if known := knownName(other); known != knownName(name) {
		return known
	}
	return comparePos(others[0].pos, m.pos) < 0
}

// mentionsOf returns every argument that an entry's own rules name, with the place.
func mentionsOf(p *pass, e *policy.Entry) []mention {
	var all []mention
	add := func(path []string, pos policy.Pos, about policy.RuleID) {
		if len(path) > 0 {
			all = append(all, mention{path, pos, about, e})
		}
	}
	for _, c := range constraintsOf(e) {
		if len(c.Checks) == 0 {
			add(c.Path, c.Pos, policy.NoRule)
		}
		for _, ch := range c.Checks {
			pos := c.Pos // the keys below args.amount share its one name
			if !strings.HasPrefix(p.key(ch.Rule), "args.") {
				pos = p.pos(ch.Rule) // max_amount names the argument anew
			}
			add(c.Path, pos, ch.Rule)
		}
	}
	for _, c := range conditionsOf(e) {
		for _, path := range c.Expr.ArgPaths() {
			add(path, c.Pos, c.Rule)
		}
	}
	if e.Cost != nil && e.Cost.Expr != nil {
		for _, path := range e.Cost.Expr.ArgPaths() {
			add(path, p.pos(e.Cost.Rule), e.Cost.Rule)
		}
	}
	for _, s := range e.Sanitize {
		for _, f := range s.Fields {
			written := strings.Join(f, ".")
			if i := slices.IndexFunc(f, func(name string) bool { return strings.Contains(name, "*") }); i >= 0 {
				f = f[:i]
			}
			if len(f) > 0 {
				add(f, p.word(p.word(p.pos(s.Rule), "fields"), written), s.Rule)
			}
		}
	}
	for _, l := range e.Limits {
		for _, path := range append([][]string{l.Arg}, l.By...) {
			if len(path) > 0 {
				add(path, p.word(p.pos(l.Rule), strings.Join(path, ".")), l.Rule)
			}
		}
	}
	return all
}
