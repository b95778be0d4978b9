package lint

import (
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var schemaWrongType = &Rule{
	ID:       "AEG062",
	Name:     "schema-wrong-type",
	Severity: aegis.SeverityError,
	Summary:  "a rule needs an argument to be of another type than the tool's schema says",
	Doc: `avoid: max_amount: 5000 where amount is a string; in: [a, b] on a list
prefer: rules for the type that the tool takes; each: {in: [a, b]} for a list
why: a rule on an argument of another type is an error, and an error denies: every valid call that carries the argument
is denied.
Types that a schema leaves open, or that references and alternatives do not settle, are not judged.`,
	NeedsSchema: true,
	check:       checkSchemaWrongType,
}

func checkSchemaWrongType(p *pass) {
	p.schemaPairs(func(_ *unit, e *policy.Entry, tools []*toolSchema) {
		for _, t := range tools {
			p.againstSchema(t, e, func(c *policy.Constraint, a argument) {
				p.constraintType(t, c, a)
			})
			for _, c := range conditionsOf(e) {
				p.conditionType(t, c)
			}
		}
	})
}

// againstSchema calls f for every constraint of an entry with what the schema says of its argument.
func (p *pass) againstSchema(t *toolSchema, e *policy.Entry, f func(*policy.Constraint, argument)) {
	if e.Conditions == nil {
		return
	}
	var visit func(c *policy.Constraint, a argument)
	visit = func(c *policy.Constraint, a argument) {
		if !a.known || a.open {
			return
		}
		f(c, a)
		if c.Each != nil {
			of := a
			if kindsText(a.domains()) == aegis.List.String() {
				of = t.items(a)
			}
			visit(c.Each, of)
		}
		for _, m := range c.Args {
			visit(m, t.member(a, m.Path[len(m.Path)-1]))
		}
	}
	for _, c := range e.Conditions.Args {
		visit(c, t.argument(c.Path))
	}
}

func (p *pass) constraintType(t *toolSchema, c *policy.Constraint, a argument) {
	ds := a.domains()
	has := kindsText(ds)
	fits := func(k aegis.Kind) bool {
		return has == "" || k == aegis.Absent || slices.ContainsFunc(ds, func(d *domain) bool { return d.kind == k })
	}
	if len(c.Args) > 0 && !fits(aegis.Object) {
		p.reportAt(c.Pos, policy.NoRule, "write the rule for that type", "%s is a %s for %s, and args needs an object", strings.Join(c.Path, "."), has, t)
		return
	}
	for _, ch := range c.Checks {
		if fits(ch.Type) {
			continue
		}
		hint := "write the rule for that type"
		if has == aegis.List.String() {
			hint = "for the elements of a list, write each: {…}"
		}
		p.report(ch.Rule, hint, "%s is a %s for %s, and %s needs a %s: every call that carries it is denied", strings.Join(c.Path, "."), has, t, p.key(ch.Rule), ch.Type)
		return
	}
}

// conditionType reports an argument that a condition reads as another type than the schema's.
func (p *pass) conditionType(t *toolSchema, c condition) {
	said := map[string]bool{}
	check := func(x *policy.Expr, paths [][]string) {
		for _, path := range paths {
			key := pathKey(path)
			ds := t.argument(path).domains()
			if len(ds) == 0 || said[key] || slices.ContainsFunc(ds, func(d *domain) bool { return !mistyped(d, x, key) }) {
				continue
			}
			said[key] = true
			p.reportAt(c.Pos, c.Rule, "write the condition for that type", "%s is a %s for %s, and %s reads it as a %s: an error, which denies",
				strings.Join(path, "."), kindsText(ds), t, x, neededKind(x, key))
		}
	}
	terms(c.Expr, true, func(x *policy.Expr, _ bool) { check(x, x.ArgPaths()) })
	c.Expr.Walk(func(x *policy.Expr) {
		if x.Op == policy.OpExists || x.Op == policy.OpAll {
			check(x, x.Sub[0].ArgPaths())
		}
	})
}

// mistyped reports whether an expression needs an argument to be of another kind than the domain's.
func mistyped(d *domain, x *policy.Expr, key string) bool {
	k := neededKind(x, key)
	return d.kind != aegis.Absent && k != aegis.Absent && d.kind != k
}

// neededKind returns the kind of which an argument must be for an expression not to be an error.
func neededKind(x *policy.Expr, key string) aegis.Kind {
	d := &domain{}
	for _, r := range needs(x, aegis.Bool, nil) {
		if r.key == key {
			r.narrow(d)
		}
	}
	return d.kind
}
