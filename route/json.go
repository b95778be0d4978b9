package route

import (
	"bytes"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// pointers is a tree of the JSON pointers by which a route maps parts of a body.
type pointers struct {
	as    *policy.RouteArg // maps the value here; then below is empty
	below map[string]*pointers
}

func (p *pointers) add(a *policy.RouteArg) {
	for _, step := range a.Pointer {
		if p.below == nil {
			p.below = map[string]*pointers{}
		}
		if p.below[step] == nil {
			p.below[step] = &pointers{}
		}
		p = p.below[step]
	}
	p.as = a
}

// member returns what is mapped of an object's member, or nil.
func (p *pointers) member(m aegis.Value) *pointers {
	if p == nil {
		return nil
	}
	key := m.KeyText()
	if bytes.IndexByte(key, '\\') >= 0 {
		return p.below[m.Key()]
	}
	return p.below[string(key)]
}

// appendRest appends an object without what is mapped of it, and says whether anything was left. Lists stay whole: without
// one of its elements, a list would be another one.
func (p *pointers) appendRest(dst []byte, v aegis.Value) ([]byte, bool) {
	dst = append(dst, '{')
	first := len(dst)
	for m := v.First(); m.Kind() != aegis.Absent; m = v.After(m) {
		at, back := p.member(m), len(dst)
		if at != nil && at.as != nil {
			continue
		}
		if len(dst) > first {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), m.KeyText()...), `":`...)
		if at == nil || m.Kind() != aegis.Object {
			dst = append(dst, m.Text()...)
			continue
		}
		var left bool
		if dst, left = at.appendRest(dst, m); !left {
			dst = dst[:back]
		}
	}
	return append(dst, '}'), len(dst) > first
}

// json takes the arguments of a JSON body: the parts that are mapped, and every other member under its own name.
func (m *Matched) json() error {
	if err := m.body.Parse(m.req.Body, m.table.MaxBody); err != nil {
		return rejected("the body is no strict JSON: %v", err)
	}
	root, at := m.body.Root(), m.c.body
	if at != nil {
		// A rule of the policy would see one of two such keys, and a server might take the other.
		if err := m.body.CaseVariants(); err != nil {
			return rejected("the body is ambiguous: %v", err)
		}
	}
	if at != nil && at.as != nil {
		for v := root.First(); v.Kind() != aegis.Absent && root.Kind() == aegis.Object; v = root.After(v) {
			m.names = append(m.names, v.Key())
		}
		m.given = append(m.given, argument{name: at.as.Name, from: policy.FromBody, as: at.as, value: root})
		return nil
	}
	if root.Kind() != aegis.Object {
		return rejected("the body is %s, and no object", root.Kind())
	}
	if at == nil && len(m.given) == 0 {
		m.whole = root
		return nil
	}
	for _, a := range m.c.pointer {
		if v := resolve(root, a.Pointer); v.Kind() != aegis.Absent {
			m.given = append(m.given, argument{name: a.Name, from: policy.FromBody, as: a, value: v})
		}
	}
	for v := root.First(); v.Kind() != aegis.Absent; v = root.After(v) {
		key := v.Key()
		m.names = append(m.names, key)
		below := at.member(v)
		if below == nil || below.as == nil {
			if err := m.taken(key, policy.FromBody); err != nil {
				return err
			}
		}
		switch {
		case below == nil || below.as == nil && v.Kind() != aegis.Object:
			m.given = append(m.given, argument{name: key, from: policy.FromBody, value: v})
		case below.as == nil:
			if _, left := below.appendRest(nil, v); left {
				m.given = append(m.given, argument{name: key, from: policy.FromBody, value: v, rest: true, at: below})
			}
		}
	}
	return nil
}

func resolve(v aegis.Value, pointer []string) aegis.Value {
	for _, step := range pointer {
		if v.Kind() != aegis.List {
			v = v.Get(step)
			continue
		}
		i, ok := index(step)
		if !ok || i >= v.Len() {
			return aegis.Value{}
		}
		list := v
		for v = list.First(); i > 0; i-- {
			v = list.After(v)
		}
	}
	return v
}

// index returns the place in a list that a step of a pointer means.
func index(step string) (int, bool) {
	if !digits(step) || len(step) > 5 || len(step) > 1 && step[0] == '0' {
		return 0, false
	}
	n := 0
	for _, c := range step {
		n = n*10 + int(c-'0')
	}
	return n, true
}

// appendJSON writes a value of the body. It is never converted: where the route states a type, it has that or is null.
func (a *argument) appendJSON(dst []byte) ([]byte, error) {
	kind := a.value.Kind()
	if a.as == nil || a.as.Type == aegis.Absent || kind == aegis.Null {
		return append(dst, a.value.Text()...), nil
	}
	if kind != a.as.Type {
		return dst, wrongType(aegis.ArgumentType, "%s is a %s, and the route says %s", a.where(), kind, a.as.Type)
	}
	if kind == aegis.Number && (a.as.Scale != 0 || a.as.Integer) {
		return a.appendNumber(dst, a.value.Text())
	}
	return append(dst, a.value.Text()...), nil
}
