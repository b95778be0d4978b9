package policy

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
)

// block is a conditions block while it is read.
type block struct {
	*Conditions
	bounds []bound // max_<arg> and min_<arg>, which join the constraints of args
}

type bound struct{ key, value *node }

// conditionFields is what a block of conditions may say.
func conditionFields() []field[*block] {
	return []field[*block]{
		{"max_*", anywhere, 0, numberShape.described("max_<arg>: short for args.<arg>.max, inclusive"), readBound},
		{"min_*", anywhere, 0, numberShape.described("min_<arg>: short for args.<arg>.min, inclusive"), readBound},
		{"args", anywhere, 0, mapOf(defined("constraint")), func(r *reader, b *block, _, n *node) {
			b.Args = r.constraints(n, nil, "args")
		}},
		{"other_args", anywhere, 0, enumOf("allow", "deny"), func(r *reader, b *block, k, n *node) {
			r.otherArgs(&b.OtherArgs, "other_args", k, n)
		}},
		{"require", anywhere, 0, defined("expressions"), func(r *reader, b *block, k, n *node) {
			b.Require = r.expressions(k, n)
		}},
		{"deny_if", anywhere, 0, defined("expressions"), func(r *reader, b *block, k, n *node) {
			b.DenyIf = r.expressions(k, n)
		}},
		{"approval_needed_if", anywhere, 0, defined("expressions"), func(r *reader, b *block, k, n *node) {
			b.ApprovalIf = r.expressions(k, n)
		}},
	}
}

const conditionsName = "conditions"

func (r *reader) conditions(n *node) *Conditions {
	b := &block{Conditions: &Conditions{Pos: n.pos, OtherArgs: NoRule}}
	if !readFields(r, n, conditionsName, conditionTable.of(conditionFields), b) {
		return nil
	}
	slices.SortFunc(b.bounds, func(x, y bound) int { return strings.Compare(x.key.text, y.key.text) })
	for _, x := range b.bounds {
		r.bound(b.Conditions, x)
	}
	slices.SortFunc(b.Args, func(x, y *Constraint) int { return slices.Compare(x.Path, y.Path) })
	return b.Conditions
}

func readBound(_ *reader, b *block, k, n *node) { b.bounds = append(b.bounds, bound{k, n}) }

// bound adds max_<arg> or min_<arg> to the constraint of its argument, whose optional and else it shares.
func (r *reader) bound(c *Conditions, x bound) {
	which, arg, _ := strings.Cut(x.key.text, "_")
	if !r.argument(x.key, arg) {
		return
	}
	var target *Constraint
	for _, a := range c.Args {
		if a.Path[0] == arg {
			target = a
		}
	}
	if target == nil {
		target = &Constraint{Pos: x.key.pos, Path: []string{arg}, OtherArgs: NoRule}
		c.Args = append(c.Args, target)
	}
	op, code := CheckMax, aegis.MaxExceeded
	if which == "min" {
		op, code = CheckMin, aegis.MinNotMet
	}
	b := &builder{r: r, Constraint: target, rule: which + "_" + escapeArgument(arg)}
	num, ok := r.number(x.value, x.key.text)
	if ok {
		b.check(x.key, b.rule, &Check{Op: op, Code: code, Type: aegis.Number, Num: num, Text: numberText(x.value, num)})
	}
}

func numberText(n *node, num aegis.Num) string {
	if n.jsonNumber() {
		return n.text
	}
	return num.Text()
}

// argument checks the name of an argument.
func (r *reader) argument(n *node, name string) bool {
	if len(name) > aegis.MaxName {
		r.fail(n.pos, "", "the name of an argument is longer than %d bytes", aegis.MaxName)
		return false
	}
	return true
}

// escapeArgument writes an argument's name as part of a rule's key, where a point parts names.
func escapeArgument(name string) string {
	return strings.ReplaceAll(aegis.EscapeName(name), ".", "%2E")
}

func (r *reader) otherArgs(dst *RuleID, rule string, k, n *node) {
	if w, ok := r.word(n, "other_args", "allow", "deny"); ok && w == "deny" {
		r.rule(dst, rule, k.pos)
	}
}

// expressions reads what may stand wherever a condition takes CEL: a text, {if, message}, or a list of them.
func (r *reader) expressions(k, n *node) []*Condition {
	rule := k.text
	if n.kind != listNode {
		if c := r.expression(n, rule); c != nil {
			r.rule(&c.Rule, rule, k.pos)
			return []*Condition{c}
		}
		return nil
	}
	var out []*Condition
	for i, m := range r.members(n, rule) {
		if c := r.expression(m, indexed(rule, i)); c != nil {
			r.rule(&c.Rule, indexed(rule, i), m.pos)
			out = append(out, c)
		}
	}
	return out
}

// ifFields is what a condition written as a mapping may say.
func ifFields() []field[*Condition] {
	return []field[*Condition]{
		{"if", anywhere, anywhere, textShape, func(r *reader, c *Condition, _, n *node) { r.parseInto(c, n) }},
		{"message", anywhere, 0, textShape.described("what the caller is told"), func(r *reader, c *Condition, _, n *node) {
			c.Message, _ = r.text(n, "message")
		}},
	}
}

func (r *reader) expression(n *node, what string) *Condition {
	c := &Condition{Pos: n.pos, Rule: NoRule}
	if n.kind == mapNode {
		readFields(r, n, what, ifTable.of(ifFields), c)
	} else {
		r.parseInto(c, n)
	}
	if c.Expr == nil {
		return nil
	}
	return c
}

func (r *reader) parseInto(c *Condition, n *node) {
	c.Pos = n.pos
	c.Src, c.Expr = r.cel(n, ParseExpr)
}

// constantNames finds lists.NAME and params.NAME. Within a text it finds too much, which only keeps lint silent.
var constantNames = regexp.MustCompile(`\b(?:lists|params)\s*\.\s*([A-Za-z_][A-Za-z0-9_]*)`)

// cel reads an expression; where it is none, the error stands where in the text it is.
func (r *reader) cel(n *node, parse func(string, Names) (*Expr, error)) (string, *Expr) {
	src, ok := r.prose(n, "an expression")
	if !ok {
		return "", nil
	}
	if len(r.defined) > 0 {
		for _, m := range constantNames.FindAllStringSubmatch(src, -1) {
			r.use(m[1])
		}
	}
	e, err := parse(src, r.constants())
	if err == nil {
		e.Walk(func(x *Expr) { r.inline(n, len(x.List)) })
		return src, e
	}
	xe, ok := errors.AsType[*ExprError](err)
	switch {
	case len(r.errs) >= maxCollected: // not worth finding the place of
	case ok:
		r.fail(n.at(xe.Offset), xe.Hint, "%s", xe.Msg)
	default:
		r.fail(n.pos, "", "%v", err)
	}
	return src, nil
}

func (r *reader) constants() Names {
	lists := make(map[string][]Literal, len(r.lists))
	for k, l := range r.lists {
		lists[k] = l.items
	}
	return Names{Lists: lists, Params: r.params}
}
