package policy

import (
	"fmt"
	"strings"

	"github.com/aegisctl/aegis"
)

// number returns a number in range, or that of the param that n refers to.
func (r *reader) number(n *node, what string) (aegis.Num, bool) {
	if _, isRef := r.refers(n); isRef {
		lit, ok := r.param(n, what)
		if ok && lit.Kind != aegis.Number {
			r.fail(n.pos, "", "%s must be a number, and %s is a %s", what, n.text, lit.Kind)
			return aegis.Num{}, false
		}
		return lit.Num, ok
	}
	if !n.jsonNumber() {
		if n.special() == "a number" {
			r.fail(n.pos, numberHint(n), "%s: %s is no number as JSON writes it", what, clip(n.text))
		} else {
			r.fail(n.pos, numberHint(n), "%s must be a number, not %s", what, n.what())
		}
		return aegis.Num{}, false
	}
	return r.inRange(n, what)
}

func (r *reader) inRange(n *node, what string) (aegis.Num, bool) {
	num, ok := aegis.ParseNum([]byte(n.text))
	if !ok {
		r.fail(n.pos, "numbers are integers of 64 bits, or decimals that a float64 holds exactly as written",
			"%s: the number %s is out of range", what, clip(n.text))
	}
	return num, ok
}

// numberHint is the remedy for a value that should be a number as JSON writes it.
func numberHint(n *node) string {
	bare := strings.ReplaceAll(strings.TrimPrefix(n.text, "+"), "_", "")
	trimmed := strings.TrimLeft(bare, "0")
	asNumber := func(s string) bool { return (&node{text: s}).jsonNumber() }
	switch {
	case n.kind != scalarNode:
		return ""
	case n.special() == "null":
		return "write the number, or remove the key"
	case n.style != plain && asNumber(n.text):
		return "write it without quotes: " + n.text
	case strings.Contains(strings.ToLower(n.text), ".inf") || strings.EqualFold(n.text, ".nan"):
		return "write the number; where there is no bound, leave the key out"
	case asNumber(bare):
		return "write " + bare
	case asNumber(trimmed):
		return "write " + trimmed + ": a leading 0 means octal to some readers"
	}
	return "write it as JSON does: 5000, -1, 0.25 or 5e3"
}

// integer returns an integer between two bounds.
func (r *reader) integer(n *node, what string, from, to int) (int, bool) {
	num, ok := r.number(n, what)
	if !ok {
		return 0, false
	}
	if !num.IsInt() || num.Int64() < int64(from) || num.Int64() > int64(to) {
		r.fail(n.pos, "", "%s must be an integer from %d to %d, not %s", what, from, to, num.Text())
		return 0, false
	}
	return int(num.Int64()), true
}

// boolean returns true or false, written as JSON does.
func (r *reader) boolean(n *node, what string) (value, ok bool) {
	if n.kind == scalarNode && n.style == plain && (n.text == "true" || n.text == "false") {
		return n.text == "true", true
	}
	got := n.what()
	if n.special() == "a boolean" {
		got = n.text // one that JSON does not have
	}
	r.fail(n.pos, "", "%s must be true or false, not %s", what, got)
	return false, false
}

// literal returns a string, a number or a boolean as JSON writes them; any other plain word is a string.
func (r *reader) literal(n *node, what string) (Literal, bool) {
	switch {
	case n.kind != scalarNode:
		r.fail(n.pos, "", "%s must hold texts, numbers or booleans, not %s", what, n.what())
	case n.jsonNumber():
		num, ok := r.inRange(n, what)
		return Literal{Kind: aegis.Number, Num: num}, ok
	case n.style == plain && (n.text == "true" || n.text == "false"):
		return Literal{Kind: aegis.Bool, Bool: n.text == "true"}, true
	case n.special() == "null":
		r.fail(n.pos, "write a value", "%s is nothing", what)
	case n.special() == "a number":
		r.fail(n.pos, fmt.Sprintf("as text put it into quotes: %q; as a number %s", n.text, numberHint(n)),
			"%s: %s is a number to some readers and text to others", what, clip(n.text))
	case n.special() != "":
		r.fail(n.pos, fmt.Sprintf("put it into quotes: %q", n.text),
			"%s: %s is %s to some readers", what, clip(n.text), n.special())
	case n.text == "":
		return Literal{Kind: aegis.String}, true
	default:
		s, ok := r.text(n, what)
		return Literal{Kind: aegis.String, Str: s}, ok
	}
	return Literal{}, false
}

// literals returns the literals of a list, all of one kind, or those of the list that n refers to. Members may refer
// to params.
func (r *reader) literals(n *node, what string) (namedList, bool) {
	if ref, ok := r.refers(n); ok {
		l, ok := r.list(n, ref, what)
		return l, ok && r.inline(n, len(l.items))
	}
	var l namedList
	ok := n.kind == listNode && len(n.items) > 0
	for _, m := range r.members(n, what) {
		lit, good := r.param(m, what)
		if _, isRef := r.refers(m); !isRef {
			lit, good = r.literal(m, what)
		}
		if !good || !l.add(r, m, what, lit) {
			ok = false
		}
	}
	return l, ok
}

// add appends a literal; a list holds one kind of them.
func (l *namedList) add(r *reader, n *node, what string, lit Literal) bool {
	if l.kind != aegis.Absent && l.kind != lit.Kind {
		hint := "put numbers that are meant as text into quotes"
		r.fail(n.pos, hint, "%s: %s is a %s among %s", what, clip(n.text), lit.Kind, plural(l.kind))
		return false
	}
	l.kind = lit.Kind
	l.items = append(l.items, lit)
	return true
}

// written shows a value as it stands in the file, for messages.
func (n *node) written() string {
	switch n.kind {
	case listNode:
		parts := make([]string, len(n.items))
		for i, m := range n.items {
			parts[i] = m.written()
		}
		return clip("[" + strings.Join(parts, ", ") + "]")
	case mapNode:
		return "{…}"
	}
	return n.text
}
