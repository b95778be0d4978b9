package policy

import (
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
)

// builder is a constraint while it is read.
type builder struct {
	*Constraint
	r    *reader
	rule string // the key so far, such as args.currency
	decl string // the key that declared the type
	url  struct {
		key                   *node // the one that names the rule
		hosts, schemes, paths []string
		bare                  string
		bareKey               *node
	}
}

const (
	maxDecimals = 6
	maxLength   = 1 << 20
)

// constraintFields is what a constraint may say. `type` comes first: it declares what others must fit.
func constraintFields() []field[*builder] {
	count := oneOf(integers(0, maxLength), referenceShape)
	texts := oneOf(listOf(textShape), referenceShape)
	literals := oneOf(listOf(scalarShape), referenceShape)
	number := func(op CheckOp, code aegis.Code) func(*reader, *builder, *node, *node) {
		return func(r *reader, b *builder, k, n *node) { b.number(op, code, k, n) }
	}
	length := func(op CheckOp) func(*reader, *builder, *node, *node) {
		return func(r *reader, b *builder, k, n *node) { b.length(op, k, n) }
	}
	list := func(op CheckOp, code aegis.Code) func(*reader, *builder, *node, *node) {
		return func(r *reader, b *builder, k, n *node) { b.list(op, code, k, n) }
	}
	pattern := func(code aegis.Code, single bool) func(*reader, *builder, *node, *node) {
		return func(r *reader, b *builder, k, n *node) { b.pattern(code, k, n, single) }
	}
	return []field[*builder]{
		{"type", anywhere, 0, enumOf("string", "number", "integer", "boolean", "list", "object"), readType},
		{"max", anywhere, 0, numberShape.described("inclusive"), number(CheckMax, aegis.MaxExceeded)},
		{"min", anywhere, 0, numberShape.described("inclusive"), number(CheckMin, aegis.MinNotMet)},
		{"decimals", anywhere, 0, oneOf(integers(0, maxDecimals), referenceShape), readDecimals},
		{"in", anywhere, 0, literals, list(CheckIn, aegis.NotInList)},
		{"not_in", anywhere, 0, literals, list(CheckNotIn, aegis.InDeniedList)},
		{"matches", anywhere, 0, textShape.described("RE2, the whole value"), readMatches},
		{"hosts", anywhere, 0, texts, readURLPart},
		{"schemes", anywhere, 0, texts, readURLPart},
		{"paths", anywhere, 0, texts, readURLPart},
		{"bare", anywhere, 0, enumOf("http", "https"), readBare},
		{"domains", anywhere, 0, texts, pattern(aegis.DomainNotAllowed, false)},
		{"under", anywhere, 0, oneOrMore(textShape), pattern(aegis.PathNotAllowed, true)},
		{"commands", anywhere, 0, texts, pattern(aegis.CommandNotAllowed, false)},
		{"max_length", anywhere, 0, count, length(CheckMaxLength)},
		{"min_length", anywhere, 0, count, length(CheckMinLength)},
		{"each", anywhere, 0, defined("element"), readEach},
		{"args", anywhere, 0, mapOf(defined("constraint")), readNested},
		{"other_args", anywhere, 0, enumOf("allow", "deny"), readNestedOther},
		{"optional", inArgument, 0, shape{"type": "boolean"}, func(r *reader, b *builder, _, n *node) {
			b.Optional, _ = r.boolean(n, "optional")
		}},
		{"else", anywhere, 0, enumOf("approval"), func(r *reader, b *builder, _, n *node) {
			_, b.Approval = r.word(n, "else", "approval")
		}},
	}
}

// constraints reads a mapping from arguments to constraints; path and rule are those of the object they are in.
func (r *reader) constraints(n *node, path []string, rule string) []*Constraint {
	if n.kind != mapNode {
		r.fail(n.pos, "write {argument: {max: 5000}}", "args must be a mapping, not %s", n.what())
		return nil
	}
	var out []*Constraint
	for i, k := range n.keys {
		name, ok := r.text(k, "the name of an argument")
		if !ok || !r.argument(k, name) {
			continue
		}
		p := append(slices.Clone(path), name)
		if c := r.constraint(n.items[i], k.pos, p, rule+"."+escapeArgument(name), false); c != nil {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(x, y *Constraint) int { return slices.Compare(x.Path, y.Path) })
	return out
}

func (r *reader) constraint(n *node, pos Pos, path []string, rule string, element bool) *Constraint {
	sub := *r
	if sub.in = inArgument; element {
		sub.in = inElement
	}
	b := &builder{Constraint: &Constraint{Pos: pos, Path: path, OtherArgs: NoRule}, r: &sub, rule: rule}
	if !readFields(&sub, n, rule, constraintTable.of(constraintFields), b) {
		return nil
	}
	b.urls()
	b.lengths()
	return b.Constraint
}

// check adds a check under a rule and declares the type it needs.
func (b *builder) check(k *node, rule string, c *Check) {
	if c.Type != aegis.Absent && !b.declare(k, c.Type) {
		return
	}
	b.r.rule(&c.Rule, rule, k.pos)
	b.Checks = append(b.Checks, c)
}

// declare notes the type that a key gives to the argument; a second type is an error.
func (b *builder) declare(k *node, kind aegis.Kind) bool {
	if b.Type != aegis.Absent && b.Type != kind {
		b.r.fail(k.pos, "", "%s is about %s, but %s is declared %s at %s", k.text, article(kind),
			strings.Join(b.Path, "."), article(b.Type), orText(b.decl, b.Pos.String()))
		return false
	}
	if b.Type == aegis.Absent {
		b.decl = k.pos.String()
	}
	b.Type = kind
	return true
}

var typeNames = map[string]aegis.Kind{"string": aegis.String, "number": aegis.Number, "integer": aegis.Number,
	"boolean": aegis.Bool, "list": aegis.List, "object": aegis.Object}

func readType(r *reader, b *builder, k, n *node) {
	w, ok := r.word(n, "type", "string", "number", "integer", "boolean", "list", "object")
	if !ok {
		return
	}
	op := CheckType
	if w == "integer" {
		op = CheckInteger
	}
	b.check(k, b.rule+".type", &Check{Op: op, Code: aegis.ArgumentType, Type: typeNames[w], Text: w})
}

func (b *builder) number(op CheckOp, code aegis.Code, k, n *node) {
	if num, ok := b.r.number(n, k.text); ok {
		b.check(k, b.rule+"."+k.text, &Check{Op: op, Code: code, Type: aegis.Number, Num: num, Text: numberText(n, num)})
	}
}

func readDecimals(r *reader, b *builder, k, n *node) {
	if i, ok := r.integer(n, "decimals", 0, maxDecimals); ok {
		b.check(k, b.rule+".decimals",
			&Check{Op: CheckDecimals, Code: aegis.TooManyDecimals, Type: aegis.Number, N: i, Text: n.text})
	}
}

func (b *builder) list(op CheckOp, code aegis.Code, k, n *node) {
	if l, ok := b.r.literals(n, k.text); ok {
		b.check(k, b.rule+"."+k.text, &Check{Op: op, Code: code, Type: l.kind, List: l.items, Text: n.written()})
	}
}

// length adds a bound on the length of a text or a list.
func (b *builder) length(op CheckOp, k, n *node) {
	i, ok := b.r.integer(n, k.text, 0, maxLength)
	if !ok {
		return
	}
	b.check(k, b.rule+"."+k.text, &Check{Op: op, Code: aegis.LengthNotAllowed, N: i, Text: n.text})
}

// lengths gives bounds on the length the type that other keys declare. Where none does, any type will do.
func (b *builder) lengths() {
	for _, c := range b.Checks {
		if (c.Op == CheckMaxLength || c.Op == CheckMinLength) && (b.Type == aegis.String || b.Type == aegis.List) {
			c.Type = b.Type
		}
	}
}

func (b *builder) addPattern(k, n *node, rule string, code aegis.Code, parts *Parts) {
	re, err := parts.Compile()
	if err != nil {
		b.r.fail(n.pos, "", "%s: %v", k.text, err)
		return
	}
	b.check(k, rule, &Check{Op: CheckPattern, Code: code, Type: aegis.String, Pattern: re, Parts: parts,
		Text: n.written()})
}

func readMatches(r *reader, b *builder, k, n *node) {
	if s, ok := r.oneText(n, "matches"); ok {
		b.addPattern(k, n, b.rule+".matches", aegis.PatternMismatch, &Parts{Key: k.text, List: []string{s}})
	}
}

func (b *builder) pattern(code aegis.Code, k, n *node, single bool) {
	if s := b.r.texts(n, k.text, single); len(s) > 0 {
		b.addPattern(k, n, b.rule+"."+k.text, code, &Parts{Key: k.text, List: s})
	}
}

func readURLPart(r *reader, b *builder, k, n *node) {
	list := r.texts(n, k.text, false)
	if len(list) == 0 {
		return
	}
	if b.url.key == nil {
		b.url.key = k
	}
	*map[string]*[]string{"hosts": &b.url.hosts, "schemes": &b.url.schemes, "paths": &b.url.paths}[k.text] = list
}

func readBare(r *reader, b *builder, k, n *node) {
	if w, ok := r.word(n, "bare", "http", "https"); ok {
		b.url.bare, b.url.bareKey = w, n
	}
}

// urls makes one pattern of hosts, schemes, paths and bare.
func (b *builder) urls() {
	u := &b.url
	switch {
	case u.key == nil && u.bareKey != nil:
		b.r.fail(u.bareKey.pos, "add hosts: [...]", "bare without hosts, schemes or paths")
	case u.key == nil:
		return
	}
	if u.schemes == nil {
		u.schemes = []string{"https"}
	}
	if u.bare != "" && !slices.Contains(u.schemes, u.bare) {
		b.r.fail(u.bareKey.pos, "schemes defaults to [https]", "bare: %s, but %s is none of the schemes", u.bare, u.bare)
		return
	}
	if u.key != nil {
		b.addPattern(u.key, u.key, b.rule+"."+u.key.text, aegis.URLNotAllowed,
			&Parts{List: u.hosts, Schemes: u.schemes, Paths: u.paths, Bare: u.bare})
	}
}

func readEach(r *reader, b *builder, k, n *node) {
	b.Each = r.constraint(n, k.pos, b.Path, b.rule+".each", true)
}

func readNested(r *reader, b *builder, k, n *node) {
	if b.declare(k, aegis.Object) {
		b.Args = r.constraints(n, b.Path, b.rule+".args")
	}
}

func readNestedOther(r *reader, b *builder, k, n *node) {
	if w, ok := r.word(n, "other_args", "allow", "deny"); ok && w == "deny" && b.declare(k, aegis.Object) {
		r.rule(&b.OtherArgs, b.rule+".other_args", k.pos)
	}
}
