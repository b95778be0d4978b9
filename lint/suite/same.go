package suite

import "github.com/aegisctl/aegis"

// same reports whether two JSON values mean the same: members in any order, numbers by value where they are in range.
func same(a, b aegis.Value) bool {
	if a.Kind() != b.Kind() {
		return false
	}
	switch a.Kind() {
	case aegis.String:
		return a.Str() == b.Str()
	case aegis.Bool:
		return a.Bool() == b.Bool()
	case aegis.Number:
		x, okX := a.Num()
		y, okY := b.Num()
		if okX && okY {
			return x.Cmp(y) == 0
		}
		return okX == okY && string(a.Text()) == string(b.Text())
	case aegis.List, aegis.Object:
		if a.Len() != b.Len() {
			return false
		}
		other := b.First()
		for m := a.First(); m.Kind() != aegis.Absent; m = a.After(m) {
			if a.Kind() == aegis.Object {
				other = b.Get(m.Key())
			}
			if !same(m, other) {
				return false
			}
			if a.Kind() == aegis.List {
				other = b.After(other)
			}
		}
	}
	return true
}
