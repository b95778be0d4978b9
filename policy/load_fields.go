package policy

import (
	"slices"
	"strings"
	"sync"
)

// place is where a key may stand.
type place uint16

// The places of keys.
const (
	inAgent place = 1 << iota
	inGuardrail
	inFragment
	inRoutes
	inSchemas
	inEntry
	inAction
	inTool       // an entry of a guardrail
	inToolAction // an action of such an entry
	inArgument   // the constraint of an argument
	inElement    // the constraint of a list's elements

	anywhere = ^place(0)
)

var placeNames = map[place]string{inAgent: "an agent's policy", inGuardrail: "a guardrail", inFragment: "a fragment",
	inRoutes: "a file of routes", inSchemas: "a file of schemas", inEntry: "an entry", inAction: "an action",
	inTool: "a guardrail", inToolAction: "a guardrail", inArgument: "an argument",
	inElement: "each"}

// field is one key of a mapping: its name, where it may stand, what may stand behind it, and how that is read into a T.
// A name that ends in a star stands for all keys with that prefix. The loader and the JSON Schema are both made from
// tables of fields, so that they cannot drift apart.
type field[T any] struct {
	name     string
	in       place
	required place
	shape    shape
	read     func(r *reader, t T, key, value *node)
}

func (f *field[T]) matches(key string) bool {
	prefix, isPrefix := strings.CutSuffix(f.name, "*")
	return f.name == key || isPrefix && len(key) > len(prefix) && strings.HasPrefix(key, prefix)
}

// table keeps fields that are made when they are first needed. (Their readers lead back to the table, which Go does not
// let a variable's initial value do.)
type table[T any] struct {
	once   sync.Once
	fields []field[T]
}

func (t *table[T]) of(make func() []field[T]) []field[T] {
	t.once.Do(func() { t.fields = make() })
	return t.fields
}

var (
	conditionTable  table[*block]
	ifTable         table[*Condition]
	constraintTable table[*builder]
	sanitizeTable   table[*sanitizer]
	approvalTable   table[*Tier]
	entryTable      table[*draft]
	fileTable       table[*statement]
	limitTable      table[*limitDraft]
	routeTable      table[*Route]
	routeArgTable   table[*RouteArg]
)

// readFields reads a mapping by a table. Keys are read in the table's order, so that their order in the file cannot
// matter. It is false where n is no mapping.
func readFields[T any](r *reader, n *node, what string, table []field[T], t T) bool {
	if n.kind != mapNode {
		r.fail(n.pos, "", "%s must be a mapping, not %s", what, n.what())
		return false
	}
	for _, k := range n.keys {
		unknownField(r, k, what, table)
	}
	for i := range table {
		f := &table[i]
		if f.in&r.in == 0 {
			continue
		}
		found := false
		for j, k := range n.keys {
			if f.matches(k.text) {
				found = true
				f.read(r, t, k, n.items[j])
			}
		}
		if !found && f.required&r.in != 0 {
			r.fail(n.pos, "", "%s has no %s", what, f.name)
		}
	}
	return true
}

// unknownField reports a key that the table does not have, or not here.
func unknownField[T any](r *reader, k *node, what string, table []field[T]) {
	if slices.ContainsFunc(table, func(f field[T]) bool { return f.in&r.in != 0 && f.matches(k.text) }) {
		return
	}
	var known []string
	var other place
	for i := range table {
		f := &table[i]
		switch {
		case f.matches(k.text):
			other |= f.in
		case f.in&r.in != 0 && !strings.HasSuffix(f.name, "*"):
			known = append(known, f.name)
		}
	}
	if other != 0 {
		r.fail(k.pos, elsewhere(other), "%s has no place in %s", k.text, placeNames[r.in])
		return
	}
	hint := didYouMean(k.text, known)
	if what == conditionsName && nearest(k.text, known) == "" {
		hint = "what concerns one argument stands under args; its bounds may be written max_<arg> and min_<arg>"
	}
	r.fail(k.pos, hint, "unknown key %q of %s", clip(k.text), what)
}

// elsewhere says where a misplaced key belongs.
func elsewhere(in place) string {
	var names []string
	for p := inAgent; p <= inElement; p <<= 1 {
		if in&p != 0 && !slices.Contains(names, placeNames[p]) {
			names = append(names, placeNames[p])
		}
	}
	return "it belongs to " + strings.Join(names, " or ")
}
