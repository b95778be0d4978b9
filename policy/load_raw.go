package policy

import (
	"encoding/json"

	"github.com/aegisctl/aegis"
)

// raw reads a file of routes or schemas, and keeps it as data.
func (l *loader) raw(d *document) {
	s, r := l.state(d, &unit{}, new(Scope))
	kind := d.name.kind
	if kind != listNode && (d.top == "routes" || kind != mapNode) {
		want := "a list"
		if d.top == "schemas" {
			want = "a list or a mapping"
		}
		l.fail(d.name.pos, "", "%s must be %s, not %s", d.top, want, d.name.what())
		return
	}
	value, ok := r.data(d.name)
	if !ok {
		return
	}
	raw := &Raw{Pos: d.name.pos, Tenant: s.tenant, JSON: canonicalJSON(value)}
	if d.top == "routes" {
		for _, n := range d.name.items {
			if t := r.route(n, s.tenant); t != nil {
				raw.Routes = append(raw.Routes, t)
			}
		}
		l.set.Routes = append(l.set.Routes, raw)
	} else {
		l.set.Schemas = append(l.set.Schemas, raw)
	}
}

// data turns a tree into what encoding/json writes, by the same strict rules as everywhere: what YAML readers read in
// several ways is refused.
func (r *reader) data(n *node) (value any, ok bool) {
	ok = true
	switch n.kind {
	case listNode:
		list := make([]any, len(n.items))
		for i, m := range n.items {
			var good bool
			list[i], good = r.data(m)
			ok = ok && good
		}
		return list, ok
	case mapNode:
		object := make(map[string]any, len(n.keys))
		for i, k := range n.keys {
			var good bool
			if k.special() != "" {
				_, good = r.text(k, "a key")
			} else {
				object[k.text], good = r.data(n.items[i])
			}
			ok = ok && good
		}
		return object, ok
	}
	switch {
	case n.style != plain:
		return n.text, true
	case n.text == "null":
		return nil, true
	case n.jsonNumber():
		if num, ok := aegis.ParseNum([]byte(n.text)); ok {
			return json.RawMessage(num.Text()), true
		}
		return json.RawMessage(n.text), true // data of others may be out of our range
	}
	lit, ok := r.literal(n, "a value")
	if lit.Kind == aegis.Bool {
		return lit.Bool, ok
	}
	return lit.Str, ok
}
