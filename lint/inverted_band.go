package lint

import (
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var invertedBand = &Rule{
	ID:       "AEG003",
	Name:     "inverted-band",
	Severity: aegis.SeverityError,
	Summary:  "the constraints on one argument leave it no value",
	Doc: `avoid: {min: 500, max: 100}; {type: integer, min: 0.2, max: 0.8}; {in: [10, 20], max: 5}
prefer: {min: 100, max: 500}
why: all constraints on an argument must hold, those of an action together with those of its entry. Where they leave
no value, every call that carries the argument is denied (or, with else: approval, asks).`,
	check: checkInvertedBand,
}

func checkInvertedBand(p *pass) {
	p.entries(func(_ *unit, e *policy.Entry) {
		own := domainsOf(p, constraintsOf(e))
		for key, d := range own {
			if e.Parent != nil {
				d = domainsOf(p, append(constraintsOf(e.Parent), constraintsOf(e)...))[key]
			}
			if why := d.empty(); why != "" && !inherited(p, e, key) {
				c := constraintAt(e, key)
				pos := c.Pos
				for _, ch := range c.Checks {
					if k := p.key(ch.Rule); strings.HasPrefix(k, "max_") || strings.HasPrefix(k, "min_") {
						pos = p.pos(ch.Rule)
					}
				}
				p.reportAt(pos, ruleOf(c), "swap the bounds, or remove one", "%s can have no value: %s",
					strings.Join(c.Path, "."), why)
			}
		}
	})
}

// inherited reports whether it is the entry of the action e that leaves the argument no value.
func inherited(p *pass, e *policy.Entry, key string) bool {
	if e.Parent == nil {
		return false
	}
	d := domainsOf(p, constraintsOf(e.Parent))[key]
	return d != nil && d.empty() != ""
}

// domainKey tells an argument from the elements of a list in it, which have the same path.
func domainKey(c *policy.Constraint, element bool) string {
	if element {
		return pathKey(c.Path) + "[]"
	}
	return pathKey(c.Path)
}

// domainsOf returns what constraints leave to each argument, by path.
func domainsOf(p *pass, cs []*policy.Constraint) map[string]*domain {
	out := map[string]*domain{}
	elements := elementsOf(cs)
	for _, c := range cs {
		key := domainKey(c, elements[c])
		if out[key] == nil {
			out[key] = &domain{}
		}
		for _, ch := range c.Checks {
			out[key].addOf(c, ch, p.wording(ch))
		}
	}
	return out
}

func elementsOf(cs []*policy.Constraint) map[*policy.Constraint]bool {
	elements := map[*policy.Constraint]bool{}
	for _, c := range cs {
		if c.Each != nil {
			elements[c.Each] = true
		}
	}
	return elements
}

func constraintAt(e *policy.Entry, key string) *policy.Constraint {
	cs := constraintsOf(e)
	elements := elementsOf(cs)
	for _, c := range cs {
		if domainKey(c, elements[c]) == key {
			return c
		}
	}
	return nil
}

// ruleOf returns the first rule of a constraint, or NoRule where it has none.
func ruleOf(c *policy.Constraint) policy.RuleID {
	if len(c.Checks) == 0 {
		return policy.NoRule
	}
	return c.Checks[0].Rule
}

// wording is how a check is called in messages: max_amount 5000.
func (p *pass) wording(c *policy.Check) string { return p.key(c.Rule) + " " + c.Text }
