package decide

import (
	"slices"

	"github.com/aegisctl/aegis"
)

// edit is one change of an argument: the JSON text it becomes, or nil where it is removed.
type edit struct {
	path []string
	raw  []byte
}

// edited appends v's JSON text with the edits made. What is not edited stays as it came. Edits of one call are about
// arguments of which none lies inside another. An object on the way to a new value is made where there is none.
func edited(dst []byte, v aegis.Value, edits []edit) []byte {
	if len(edits) == 0 {
		return append(dst, v.Text()...)
	}
	dst = append(dst, '{')
	n := 0
	key := func(k string) {
		if n > 0 {
			dst = append(dst, ',')
		}
		n++
		dst = append(aegis.AppendQuoted(dst, k), ':')
	}
	member := func(name string, old aegis.Value) {
		var below []edit
		for _, e := range edits {
			if e.path[0] != name {
				continue
			}
			if len(e.path) == 1 {
				if e.raw != nil {
					key(name)
					dst = append(dst, e.raw...)
				}
				return
			}
			below = append(below, edit{e.path[1:], e.raw})
		}
		if old.Kind() == aegis.Absent && !slices.ContainsFunc(below, func(e edit) bool { return e.raw != nil }) {
			return
		}
		key(name)
		dst = edited(dst, old, below)
	}
	seen := map[string]bool{}
	if v.Kind() == aegis.Object {
		for m := v.First(); m.Kind() != aegis.Absent; m = v.After(m) {
			seen[m.Key()] = true
			member(m.Key(), m)
		}
	}
	for _, e := range edits {
		if !seen[e.path[0]] {
			seen[e.path[0]] = true
			member(e.path[0], aegis.Value{})
		}
	}
	return append(dst, '}')
}
