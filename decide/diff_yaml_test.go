package decide

import (
	"fmt"
	"strings"
)

// A generated policy is a tree of yamlMap, yamlList, string (quoted) and plain (as it stands), so that the minimizer
// can take parts away.
type (
	yamlMap  []yamlItem
	yamlItem struct {
		key   string
		value any
	}
	yamlList []any
	plain    string
)

// diffFile is one source of a set.
type diffFile struct {
	name string
	doc  yamlMap // YAML
	text string  // anything else
}

func (f diffFile) source() string {
	if f.doc == nil {
		return f.text
	}
	var b strings.Builder
	f.doc.write(&b, "")
	return b.String()
}

func (m yamlMap) write(b *strings.Builder, indent string) {
	for _, it := range m {
		b.WriteString(indent + yamlKey(it.key) + ":")
		writeYAML(b, it.value, indent)
	}
}

func yamlKey(k string) string {
	if strings.Trim(k, "abcdefghijklmnopqrstuvwxyz_") == "" {
		return k
	}
	return yamlString(k)
}

func writeYAML(b *strings.Builder, v any, indent string) {
	switch v := v.(type) {
	case plain:
		b.WriteString(" " + string(v) + "\n")
	case string:
		b.WriteString(" " + yamlString(v) + "\n")
	case yamlMap:
		if len(v) == 0 {
			b.WriteString(" {}\n")
			return
		}
		b.WriteString("\n")
		v.write(b, indent+"  ")
	case yamlList:
		if len(v) == 0 {
			b.WriteString(" []\n")
			return
		}
		b.WriteString("\n")
		for _, x := range v {
			if m, ok := x.(yamlMap); ok && len(m) > 0 {
				var inner strings.Builder
				m.write(&inner, indent+"    ")
				b.WriteString(indent + "  - " + strings.TrimPrefix(inner.String(), indent+"    "))
				continue
			}
			b.WriteString(indent + "  -")
			writeYAML(b, x, indent+"    ")
		}
	}
}

// yamlString quotes text for YAML, whose escapes know no surrogate pairs.
func yamlString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r < ' ' || r == 0x7f || r == 0xfeff || 0x80 <= r && r < 0xa0:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String() + `"`
}

func (m *yamlMap) set(key string, v any) { *m = append(*m, yamlItem{key, v}) }

func strs(ss ...string) yamlList {
	l := yamlList{}
	for _, s := range ss {
		l = append(l, s)
	}
	return l
}

// without returns the ways of taking one part out of a tree.
func without(v any) []any {
	var out []any
	switch v := v.(type) {
	case yamlMap:
		for i, it := range v {
			out = append(out, append(append(yamlMap{}, v[:i]...), v[i+1:]...))
			for _, w := range without(it.value) {
				m := append(yamlMap{}, v...)
				m[i].value = w
				out = append(out, m)
			}
		}
	case yamlList:
		for i, x := range v {
			out = append(out, append(append(yamlList{}, v[:i]...), v[i+1:]...))
			for _, w := range without(x) {
				l := append(yamlList{}, v...)
				l[i] = w
				out = append(out, l)
			}
		}
	}
	return out
}
