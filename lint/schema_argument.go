package lint

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// argument is what a tool's schema says of one argument.
type argument struct {
	known    bool // some alternative declares it
	open     bool // some alternative leaves it open whether there is such an argument: nothing is decided
	required bool
	alts     []conjunction
}

// argument looks an argument up by its path.
func (t *toolSchema) argument(path []string) argument {
	alts, ok := t.expandOne(t.root, 0)
	a := argument{known: true, open: !ok, required: true, alts: alts}
	for _, name := range path {
		if a.open || !a.known {
			return a
		}
		a = t.member(a, name)
	}
	return a
}

// member looks a member of an object up.
func (t *toolSchema) member(of argument, name string) argument {
	a := argument{required: of.required}
	for _, alt := range of.alts {
		if !alt.permits(aegis.Object) {
			a.required = false
			continue
		}
		found, open := alt.member(name)
		switch {
		case len(found) > 0:
			alts, ok := t.expand(found, 0)
			a.known, a.open, a.alts = true, a.open || !ok, append(a.alts, alts...)
		case open:
			a.open = true
		}
		a.required = a.required && alt.requires(name)
	}
	return a
}

// member returns the schemas of a member, and whether it may be there without any.
func (c conjunction) member(name string) (found []aegis.Value, open bool) {
	open = true
	for _, v := range c {
		if m := v.Get("properties").Get(name); m.Given() {
			found = append(found, m)
		}
		if v.Get("properties").Kind() == aegis.Object || v.Get("additionalProperties").Kind() == aegis.Bool && !v.Get("additionalProperties").Bool() {
			open = false
		}
	}
	for _, v := range c {
		extra := v.Get("additionalProperties")
		if extra.Kind() == aegis.Object || extra.Bool() || slices.ContainsFunc([]string{"patternProperties", "if", "then", "else", "dependentSchemas",
			"dependencies", "unevaluatedProperties", "not"}, func(key string) bool { return v.Get(key).Kind() == aegis.Object }) {
			open = true
		}
	}
	return found, open
}

func (c conjunction) requires(name string) bool {
	return slices.ContainsFunc(c, func(v aegis.Value) bool {
		list := v.Get("required")
		for m := list.First(); m.Kind() != aegis.Absent; m = list.After(m) {
			if m.Kind() == aegis.String && m.Str() == name {
				return true
			}
		}
		return false
	})
}

// items returns what the schema says of the elements of a list.
func (t *toolSchema) items(of argument) argument {
	a := argument{}
	for _, alt := range of.alts {
		if !alt.permits(aegis.List) {
			continue
		}
		var found []aegis.Value
		for _, v := range alt {
			if m := v.Get("items"); m.Kind() == aegis.Object && !v.Get("prefixItems").Given() {
				found = append(found, m)
			}
		}
		alts, ok := t.expand(found, 0)
		a.known, a.open, a.alts = true, a.open || !ok || len(found) == 0, append(a.alts, alts...)
	}
	a.open = a.open || !a.known
	return a
}

// permits reports whether the conjunction's types leave values of a kind.
func (c conjunction) permits(k aegis.Kind) bool {
	kinds := c.kinds()
	return kinds == nil || slices.ContainsFunc(kinds, func(x schemaKind) bool { return x.kind == k })
}

// schemaKind is a type as JSON Schema has them.
type schemaKind struct {
	kind    aegis.Kind
	integer bool
}

var schemaKinds = map[string]schemaKind{"string": {kind: aegis.String}, "number": {kind: aegis.Number},
	"integer": {kind: aegis.Number, integer: true}, "boolean": {kind: aegis.Bool}, "array": {kind: aegis.List},
	"object": {kind: aegis.Object}, "null": {kind: aegis.Null}}

// kinds returns the types that all schemas of the conjunction name; nil where none names any.
func (c conjunction) kinds() []schemaKind {
	var out []schemaKind
	stated := false
	for _, v := range c {
		var here []schemaKind
		switch t := v.Get("type"); t.Kind() {
		case aegis.String:
			here = append(here, schemaKinds[t.Str()])
		case aegis.List:
			for m := t.First(); m.Kind() != aegis.Absent; m = t.After(m) {
				here = append(here, schemaKinds[m.Str()])
			}
		default:
			continue
		}
		if slices.Contains(here, schemaKind{}) {
			continue // a type that JSON Schema does not have
		}
		if v.Get("nullable").Bool() {
			here = append(here, schemaKinds["null"])
		}
		if !stated {
			out, stated = here, true
			continue
		}
		var both []schemaKind
		for _, x := range out {
			for _, y := range here {
				if x.kind == y.kind {
					both = append(both, schemaKind{x.kind, x.integer || y.integer})
				}
			}
		}
		out = append([]schemaKind{}, both...)
	}
	if stated && out == nil {
		out = []schemaKind{}
	}
	return out
}

// domains returns what the schema leaves to an argument, one domain for each alternative and kind; null is left out. It
// is nil where nothing is known.
func (a argument) domains() []*domain {
	if a.open || !a.known {
		return nil
	}
	var out []*domain
	for _, alt := range a.alts {
		kinds := alt.kinds()
		if kinds == nil {
			kinds = []schemaKind{{kind: aegis.Absent}}
		}
		for _, k := range kinds {
			if k.kind == aegis.Null {
				continue
			}
			for _, d := range alt.domain(k) {
				if d.empty() == "" {
					out = append(out, d)
				}
			}
		}
	}
	return out
}

const schemaSays = "the tool's schema"

// domain returns what the conjunction leaves to values of a kind (Absent: not known): one domain, or where a list of
// values has several kinds, one for each.
func (c conjunction) domain(k schemaKind) []*domain {
	d := &domain{kind: k.kind, kindText: schemaSays, integer: k.integer}
	lists := [][]policy.Literal{}
	for _, v := range c {
		c.bounds(d, v)
		for _, key := range []string{"enum", "const"} {
			if list, ok := literalsOf(v, key); ok {
				lists = append(lists, list)
			} else if v.Get(key).Kind() != aegis.Absent && d.kind == aegis.Absent {
				return []*domain{{}} // lists or objects among the values
			}
		}
	}
	if len(lists) == 0 {
		return []*domain{d}
	}
	out := []*domain{}
	for _, kind := range []aegis.Kind{aegis.String, aegis.Number, aegis.Bool} {
		if d.kind != aegis.Absent && d.kind != kind {
			continue
		}
		x := *d
		x.kind, x.kindText = kind, schemaSays
		for _, list := range lists {
			x.among(slices.DeleteFunc(slices.Clone(list), func(l policy.Literal) bool { return l.Kind != kind }), schemaSays)
		}
		out = append(out, &x)
	}
	if d.kind == aegis.List || d.kind == aegis.Object {
		return []*domain{d}
	}
	return out
}

// literalsOf reads enum or const. It is false where there is none, or a value that is no string, number in range,
// boolean or null.
func literalsOf(v aegis.Value, key string) ([]policy.Literal, bool) {
	var out []policy.Literal
	add := func(m aegis.Value) bool {
		l := policy.Literal{Kind: m.Kind()}
		switch m.Kind() {
		case aegis.String:
			l.Str = m.Str()
		case aegis.Bool:
			l.Bool = m.Bool()
		case aegis.Null:
			return true
		case aegis.Number:
			var ok bool
			if l.Num, ok = m.Num(); !ok {
				return false
			}
		default:
			return false
		}
		out = append(out, l)
		return true
	}
	m := v.Get(key)
	if key == "const" {
		return out, m.Kind() != aegis.Absent && add(m)
	}
	if m.Kind() != aegis.List {
		return nil, false
	}
	for x := m.First(); x.Kind() != aegis.Absent; x = m.After(x) {
		if !add(x) {
			return nil, false
		}
	}
	return out, true
}

// bounds narrows d by the keywords about numbers, texts and lengths. They speak only of values of their kind.
func (c conjunction) bounds(d *domain, v aegis.Value) {
	number := func(key string) (aegis.Num, string, bool) {
		n, ok := v.Get(key).Num()
		return n, fmt.Sprintf("%s %s in the tool's schema", key, n.Text()), ok
	}
	if d.kind == aegis.Absent || d.kind == aegis.Number {
		if n, text, ok := number("minimum"); ok {
			d.above(bound{n, v.Get("exclusiveMinimum").Bool(), text})
		}
		if n, text, ok := number("maximum"); ok {
			d.below(bound{n, v.Get("exclusiveMaximum").Bool(), text})
		}
		if n, text, ok := number("exclusiveMinimum"); ok {
			d.above(bound{n, true, text})
		}
		if n, text, ok := number("exclusiveMaximum"); ok {
			d.below(bound{n, true, text})
		}
		if n, _, ok := number("multipleOf"); ok && d.kind == aegis.Number && n.Cmp(aegis.Int(1)) == 0 {
			d.integer = true
		}
	}
	least, most := map[aegis.Kind]string{aegis.String: "minLength", aegis.List: "minItems"}[d.kind],
		map[aegis.Kind]string{aegis.String: "maxLength", aegis.List: "maxItems"}[d.kind]
	if least == "" {
		return
	}
	if n, text, ok := number(least); ok {
		d.sized(bound{n, false, text}, true)
	}
	if n, text, ok := number(most); ok {
		d.sized(bound{n, false, text}, false)
	}
	if p := v.Get("pattern"); d.kind == aegis.String && p.Kind() == aegis.String && sameInRE2(p.Str()) {
		d.test(textTest(policy.OpMatches, p.Str(), true, "the pattern in the tool's schema"))
	}
}

// notInRE2 finds what the two notations read in different ways, or may.
var notInRE2 = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\\[^dwDWbB.^$*+?()\[\]{}|/\\-]|\(\?|\[\^?\]|\[\[`)
})

// sameInRE2 reports whether a pattern of ECMA 262 finds nothing more than RE2 does with it.
func sameInRE2(p string) bool {
	if len(p) > 1000 || notInRE2().MatchString(p) {
		return false
	}
	_, err := regexp.Compile(p)
	return err == nil
}

// kindsText names the kinds of domains: a string or a number. It is "" where some kind is not known.
func kindsText(ds []*domain) string {
	var out []string
	for _, d := range ds {
		if d.kind == aegis.Absent {
			return ""
		}
		text := d.kind.String()
		if d.kind == aegis.Number && d.integer {
			text = "integer"
		}
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return strings.Join(out, " or ")
}
