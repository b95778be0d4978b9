package bundle

import (
	"iter"
	"maps"
	"slices"
)

// encode writes what encoding/json does with one space for each level, which takes several passes over the text and holds
// it twice: data.json is the largest member of a bundle but for the rules.
func (d *data) encode() []byte {
	c := &d.Aegis
	size := 1 << 10
	for _, m := range []map[string]string{c.Files, c.Messages, c.Policies} {
		for k, v := range m {
			size += len(k) + len(v) + len(v)/16 + 16
		}
	}
	for id, place := range c.sources() {
		size += len(id) + len(place) + 16
	}
	b := make([]byte, 0, size)
	b = append(b, "{\n \"aegis\": {\n  \"files\": "...)
	b = appendTexts(b, sorted(c.Files))
	b = append(b, ",\n  \"messages\": "...)
	b = appendTexts(b, sorted(c.Messages))
	b = append(b, ",\n  \"params\": "...)
	b = append(b, encodeAt("  ", c.Params)...)
	b = append(b, ",\n  \"policies\": "...)
	b = appendTexts(b, sorted(c.Policies))
	b = append(b, ",\n  \"routes\": "...)
	b = append(b, encodeAt("  ", c.Routes)...)
	b = append(b, ",\n  \"schemas\": "...)
	b = append(b, encodeAt("  ", c.Schemas)...)
	b = append(b, ",\n  \"sources\": "...)
	b = appendTexts(b, c.sources())
	return append(b, "\n }\n}\n"...)
}

// sources returns the source map in order.
func (c *content) sources() iter.Seq2[string, string] {
	if c.Sources != nil {
		return sorted(c.Sources)
	}
	return func(yield func(string, string) bool) {
		for _, r := range c.rules {
			if r.ID != "" && !yield(r.ID, r.Pos.String()) {
				return
			}
		}
	}
}

func sorted(m map[string]string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}

// appendTexts writes an object of texts on the third level.
func appendTexts(b []byte, members iter.Seq2[string, string]) []byte {
	first := true
	for k, v := range members {
		if first {
			b = append(b, '{')
		} else {
			b = append(b, ',')
		}
		first = false
		b = append(b, "\n   "...)
		b = append(appendText(b, k), ": "...)
		b = appendText(b, v)
	}
	if first {
		return append(b, "{}"...)
	}
	return append(b, "\n  }"...)
}

// appendText writes a string as encoding/json does, which gets what is not plain ASCII.
func appendText(b []byte, s string) []byte {
	start := len(b)
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c >= ' ' && c <= '~':
			b = append(b, c)
		default:
			return append(b[:start], encodeAt("", s)...)
		}
	}
	return append(b, '"')
}
