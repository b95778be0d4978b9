package policy

import (
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
)

// demand says that one place needs an argument to be of a kind.
type demand struct {
	kind aegis.Kind
	pos  Pos
}

// demands collects what an entry's rules need of its arguments.
type demands struct {
	l    *loader
	byID map[string]demand // by dotted path
}

// kinds refuses an entry whose rules need one argument to be of two kinds: no call could satisfy it. An action is
// looked at together with its entry, and limits of the whole policy with the entries that constrain their argument.
func (l *loader) kinds(e *Entry, limits []*Limit) {
	own := demands{l, map[string]demand{}}
	own.entry(e)
	for _, c := range e.Children {
		both := demands{l, map[string]demand{}}
		for path, d := range own.byID {
			both.byID[path] = d
		}
		both.entry(c)
		both.sums(limits)
	}
	own.sums(limits)
}

func (d *demands) need(path []string, kind aegis.Kind, pos Pos) {
	if kind == aegis.Absent || slices.ContainsFunc(path, func(s string) bool { return strings.Contains(s, ".") }) {
		return // a name with a point in it would look like two names
	}
	d.needDotted(strings.Join(path, "."), kind, pos)
}

func (d *demands) needDotted(path string, kind aegis.Kind, pos Pos) {
	first, ok := d.byID[path]
	switch {
	case !ok:
		d.byID[path] = demand{kind, pos}
	case first.kind != kind:
		d.l.fail(pos, "no value satisfies both: one of the two is wrong",
			"%s is %s here, but %s at %s", path, article(kind), article(first.kind), first.pos)
	}
}

func (d *demands) entry(e *Entry) {
	if c := e.Conditions; c != nil {
		d.constraints(c.Args)
	}
	for _, c := range e.expressions() {
		d.expression(c.Expr, aegis.Bool, c.Pos)
	}
	if e.Cost != nil && e.Cost.Expr != nil {
		d.expression(e.Cost.Expr, aegis.Number, e.Cost.pos)
	}
	for _, x := range e.Limits {
		if x.Kind == LimitSum {
			d.need(x.Arg, aegis.Number, x.pos)
		}
	}
}

// article names a kind with its article.
func article(k aegis.Kind) string {
	if k == aegis.Object {
		return "an object"
	}
	return "a " + k.String()
}

func (d *demands) constraints(cs []*Constraint) {
	for _, c := range cs {
		d.need(c.Path, c.Type, c.Pos)
		d.constraints(c.Args)
	}
}

// expression adds what an expression demands; one that is a path as a whole is itself of the kind that is due.
func (d *demands) expression(e *Expr, whole aegis.Kind, pos Pos) {
	if e == nil {
		return
	}
	kinds := e.ArgKinds()
	if e.Op == OpPath && e.Root == RootArgs {
		kinds = map[string]aegis.Kind{strings.Join(e.Fields, "."): whole}
	}
	for path, k := range kinds {
		d.needDotted(path, k, pos)
	}
}

// sums adds the limits of the whole policy on arguments that the entry constrains.
func (d *demands) sums(limits []*Limit) {
	for _, x := range limits {
		path := strings.Join(x.Arg, ".")
		if have, ok := d.byID[path]; ok && x.Kind == LimitSum && have.kind != aegis.Number {
			d.l.fail(have.pos, "", "%s is %s here, but the policy has a budget of it", path, article(have.kind))
		}
	}
}

// expressions returns the entry's own conditions, those of its approvals included.
func (e *Entry) expressions() []*Condition {
	var out []*Condition
	if c := e.Conditions; c != nil {
		out = slices.Concat(c.Require, c.DenyIf, c.ApprovalIf)
	}
	for _, t := range e.Approval {
		out = append(out, t.When...)
	}
	return out
}

// named returns the top-level arguments that the entry's own rules name, sorted.
func (e *Entry) named() []string {
	var names []string
	add := func(path []string) {
		if len(path) > 0 && path[0] != "*" && path[0] != "**" {
			names = append(names, path[0])
		}
	}
	addAll := func(x *Expr) {
		if x != nil {
			for _, p := range x.ArgPaths() {
				add(p)
			}
		}
	}
	if e.Conditions != nil {
		for _, c := range e.Conditions.Args {
			add(c.Path)
		}
	}
	for _, c := range e.expressions() {
		addAll(c.Expr)
	}
	if e.Cost != nil {
		addAll(e.Cost.Expr)
	}
	for _, x := range e.Limits {
		add(x.Arg)
		for _, by := range x.By {
			add(by)
		}
	}
	for _, s := range e.Sanitize {
		for _, f := range s.Fields {
			add(f)
		}
	}
	return sortedSet(names)
}
