package route

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// Rewrite returns the request's body with other arguments in the place of those that were matched. Only the values that
// differ are replaced; every other byte stays. The promise is that the new body, matched again, gives exactly these arguments;
// where that cannot be had, it is an error: for arguments of the path, the query or a header, for numbers that the route
// scales, for arguments that were added or removed, and where a header fixes the body's bytes.
func (m *Matched) Rewrite(args aegis.Value) ([]byte, error) {
	w := &rewriter{body: m.req.Body}
	if same(m.Call.Args, args) {
		return m.req.Body, nil
	}
	if m.head.digest != "" {
		return nil, fmt.Errorf("the body cannot be rewritten under the header %s", m.head.digest)
	}
	if err := w.arguments(m, args); err != nil {
		return nil, err
	}
	again := *m.req
	again.Body = w.apply()
	n := &Matched{table: m.table, c: m.c, Route: m.Route, req: &again, path: m.path, head: m.head}
	if err := n.take(); err != nil {
		return nil, fmt.Errorf("the body cannot be rewritten: %w", err)
	}
	if !same(n.Call.Args, args) {
		return nil, fmt.Errorf("the body cannot be rewritten: the new one would give other arguments")
	}
	return again.Body, nil
}

type rewriter struct {
	body []byte
	cuts []cut
}

// cut is a range of the body and what stands there instead.
type cut struct {
	start, end int
	text       []byte
}

func (w *rewriter) arguments(m *Matched, args aegis.Value) error {
	if args.Kind() != aegis.Object {
		return fmt.Errorf("the new arguments are no object")
	}
	if m.whole.Kind() != aegis.Absent {
		if m.whole.Len() == 0 {
			return fmt.Errorf("there are no arguments to replace")
		}
		w.value(m.whole, args)
		return nil
	}
	for i := range m.given {
		a := &m.given[i]
		to := args.Get(a.name)
		if same(m.Call.Args.Get(a.name), to) {
			continue
		}
		if err := w.argument(a, to); err != nil {
			return err
		}
	}
	if args.Len() != len(m.given) {
		return fmt.Errorf("an argument was added or removed, which has no place in the request")
	}
	return nil
}

func (w *rewriter) argument(a *argument, to aegis.Value) error {
	converted := a.as != nil && (a.as.Scale != 0 || a.from != policy.FromBody && a.as.Type > aegis.Null && a.as.Type < aegis.String)
	switch {
	case to.Kind() == aegis.Absent:
		return fmt.Errorf("the argument %q was removed", a.name)
	case a.from == policy.FromForm && to.Kind() == aegis.String && !converted:
		w.cuts = append(w.cuts, cut{a.start, a.end, appendFormText(nil, to.Str())})
	case a.from == policy.FromBody && a.rest:
		if !w.inside(a.value, to, true) {
			return fmt.Errorf("the argument %q has other members than in the body", a.name)
		}
	case a.from == policy.FromBody && !converted:
		w.value(a.value, to)
	default:
		return fmt.Errorf("the argument %q is %s, which cannot be rewritten", a.name, a.where())
	}
	return nil
}

// value replaces what differs inside a value, or the value where it has another form.
func (w *rewriter) value(from, to aegis.Value) {
	n := len(w.cuts)
	if !w.inside(from, to, false) {
		w.cuts = append(w.cuts[:n], cut{from.Offset(), from.Offset() + len(from.Text()), aegis.AppendValue(nil, to)})
	}
}

// inside replaces the values inside an object or a list that differ. It is false where members were added or, unless to is
// only a part of the object, removed; what it has cut is then not to be used.
func (w *rewriter) inside(from, to aegis.Value, isPart bool) bool {
	switch k := from.Kind(); {
	case same(from, to):
		return true
	case k != to.Kind(), k < aegis.List:
		if isPart {
			return false
		}
		w.cuts = append(w.cuts, cut{from.Offset(), from.Offset() + len(from.Text()), aegis.AppendValue(nil, to)})
		return true
	case !isPart && from.Len() != to.Len():
		return false
	case k == aegis.Object:
		for t := to.First(); t.Kind() != aegis.Absent; t = to.After(t) {
			f := from.Get(t.Key())
			if f.Kind() == aegis.Absent || !w.inside(f, t, isPart && f.Kind() == aegis.Object && t.Kind() == aegis.Object) {
				return false
			}
		}
		return true
	}
	f := from.First()
	for t := to.First(); t.Kind() != aegis.Absent; t, f = to.After(t), from.After(f) {
		if !w.inside(f, t, false) {
			return false
		}
	}
	return true
}

func (w *rewriter) apply() []byte {
	slices.SortFunc(w.cuts, func(a, b cut) int { return cmp.Compare(a.start, b.start) })
	out, at := make([]byte, 0, len(w.body)), 0
	for _, c := range w.cuts {
		out = append(append(out, w.body[at:c.start]...), c.text...)
		at = c.end
	}
	return append(out, w.body[at:]...)
}

// same reports whether two values mean the same: the members of objects in any order, numbers as they are written.
func same(a, b aegis.Value) bool {
	if a.Kind() != b.Kind() || a.Len() != b.Len() {
		return false
	}
	switch a.Kind() {
	case aegis.Absent, aegis.Null:
		return true
	case aegis.String:
		return a.Str() == b.Str()
	case aegis.List:
		y := b.First()
		for x := a.First(); x.Kind() != aegis.Absent; x, y = a.After(x), b.After(y) {
			if !same(x, y) {
				return false
			}
		}
		return true
	case aegis.Object:
		return sameMembers(a, b)
	}
	return bytes.Equal(a.Text(), b.Text())
}

func sameMembers(a, b aegis.Value) bool {
	y := b.First()
	for x := a.First(); x.Kind() != aegis.Absent; x, y = a.After(x), b.After(y) {
		other := y // in the same place, most often
		if !other.KeyIs(x.Key()) {
			other = b.Get(x.Key())
		}
		if !same(x, other) {
			return false
		}
	}
	return true
}

// appendFormText appends a text as forms encode it.
func appendFormText(dst []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case class[c]&unreserved != 0:
			dst = append(dst, c)
		case c == ' ':
			dst = append(dst, '+')
		default:
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		}
	}
	return dst
}
