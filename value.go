package aegis

import (
	"unicode/utf8"
	"unsafe"
)

// Value is one value inside a Doc. The zero Value is absent.
type Value struct {
	d *Doc
	i uint32
}

// Kind returns the value's JSON type, or Absent.
func (v Value) Kind() Kind {
	if v.d == nil {
		return Absent
	}
	return v.d.nodes[v.i].kind
}

// Given reports whether the value is neither absent nor null.
func (v Value) Given() bool { return v.Kind() > Null }

// Text returns the value's JSON text as it came, or nil where it is absent.
func (v Value) Text() []byte {
	if v.d == nil {
		return nil
	}
	n := &v.d.nodes[v.i]
	return v.d.text[n.start:n.end]
}

// Offset returns where in the document the value's text begins.
func (v Value) Offset() int { return int(v.d.nodes[v.i].start) }

// Str returns the string's meaning, "" where the value is no string. Without escapes it shares the document's memory
// and is valid only as long as that is unchanged.
func (v Value) Str() string {
	if v.Kind() != String {
		return ""
	}
	n := &v.d.nodes[v.i]
	s := v.d.text[n.start+1 : n.end-1]
	if n.escaped&2 != 0 {
		s = unescape(make([]byte, 0, len(s)), s)
	}
	return unsafe.String(unsafe.SliceData(s), len(s))
}

// Bool returns the boolean; false where the value is none.
func (v Value) Bool() bool { return v.Kind() == Bool && v.d.text[v.d.nodes[v.i].start] == 't' }

// Num returns the number; false where the value is no number or is out of range.
func (v Value) Num() (Num, bool) {
	if v.Kind() != Number {
		return Num{}, false
	}
	return ParseNum(v.Text())
}

// Len returns the number of members of an object or a list, else 0.
func (v Value) Len() int {
	if v.Kind() < List {
		return 0
	}
	return int(v.d.nodes[v.i].count)
}

// Get returns the member of an object by its key, or an absent value.
func (v Value) Get(key string) Value {
	if v.Kind() != Object {
		return Value{}
	}
	for m := v.First(); m.d != nil; m = v.After(m) {
		if m.KeyIs(key) {
			return m
		}
	}
	return Value{}
}

// First returns the first member of an object or a list, or an absent value.
func (v Value) First() Value {
	if v.Len() == 0 {
		return Value{}
	}
	return Value{v.d, v.i + 1}
}

// After returns the member of v that follows m, or an absent value.
func (v Value) After(m Value) Value {
	next := m.d.nodes[m.i].next
	if next >= v.d.nodes[v.i].next {
		return Value{}
	}
	return Value{v.d, next}
}

// KeyIs reports whether the value is a member whose key, unescaped, is key.
func (v Value) KeyIs(key string) bool {
	n := &v.d.nodes[v.i]
	if n.escaped&1 != 0 {
		return string(v.d.key(v.i)) == key
	}
	return string(v.d.text[n.keyStart:n.keyEnd]) == key
}

// Name is a key that is looked for in many objects.
type Name struct {
	text string
	hash uint32
}

// NameOf prepares a key for IsNamed.
func NameOf(key string) Name { return Name{key, foldHash([]byte(key))} }

// IsNamed is KeyIs for a prepared key.
func (v Value) IsNamed(n *Name) bool { return v.d.nodes[v.i].hash == n.hash && v.KeyIs(n.text) }

// Key returns the key of an object's member, unescaped.
func (v Value) Key() string { return string(v.d.key(v.i)) }

// KeyText returns the key's text between its quotes as it came, escapes and all.
func (v Value) KeyText() []byte {
	n := &v.d.nodes[v.i]
	return v.d.text[n.keyStart:n.keyEnd]
}

// Variants returns the objects of the document, below v, that have keys differing in case only. There are none in
// almost every document.
func (v Value) Variants() []Value {
	if v.d == nil || len(v.d.variants) == 0 {
		return nil
	}
	var vs []Value
	for _, i := range v.d.variants {
		if uint32(i) >= v.i && uint32(i) < v.d.nodes[v.i].next {
			vs = append(vs, Value{v.d, uint32(i)})
		}
	}
	return vs
}

// Contains reports whether w is v or a value inside v.
func (v Value) Contains(w Value) bool {
	return v.d != nil && v.d == w.d && w.i >= v.i && w.i < v.d.nodes[v.i].next
}

// AppendQuoted appends s as a JSON string. What is not valid UTF-8 becomes U+FFFD.
func AppendQuoted(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}

// AppendValue appends v as compact JSON: the same value, with numbers as they were written.
func AppendValue(dst []byte, v Value) []byte {
	switch v.Kind() {
	case Absent:
		return append(dst, "null"...)
	case String:
		return AppendQuoted(dst, v.Str())
	case List, Object:
	default:
		return append(dst, v.Text()...)
	}
	open, shut := byte('['), byte(']')
	if v.Kind() == Object {
		open, shut = '{', '}'
	}
	dst = append(dst, open)
	for m := v.First(); m.Kind() != Absent; m = v.After(m) {
		if dst[len(dst)-1] != open || m != v.First() {
			dst = append(dst, ',')
		}
		if v.Kind() == Object {
			dst = append(AppendQuoted(dst, m.Key()), ':')
		}
		dst = AppendValue(dst, m)
	}
	return append(dst, shut)
}
