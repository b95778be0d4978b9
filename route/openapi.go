package route

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/aegisctl/aegis"
)

// MaxOpenAPI is the greatest size of an OpenAPI document, in bytes.
const MaxOpenAPI = 32 << 20

// spec is an OpenAPI document.
type spec struct {
	doc  *aegis.Doc
	root aegis.Value
}

// readSpec reads a document in JSON or YAML by the strict decoder: no key stands twice, and depth and size are bounded.
func readSpec(text []byte) (*spec, error) {
	if len(text) > MaxOpenAPI {
		return nil, fmt.Errorf("the document is larger than %d bytes", MaxOpenAPI)
	}
	if begin := bytes.TrimLeft(text, " \t\r\n"); len(begin) == 0 || begin[0] != '{' {
		var err error
		if text, err = yamlToJSON(text); err != nil {
			return nil, err
		}
	}
	s := &spec{doc: new(aegis.Doc)}
	if err := s.doc.Parse(text, 2*MaxOpenAPI); err != nil {
		return nil, err
	}
	s.root = s.doc.Root()
	version := s.root.Get("openapi").Str()
	switch {
	case s.root.Get("swagger").Kind() != aegis.Absent:
		return nil, errors.New("the document is Swagger 2.0: convert it to OpenAPI 3 first")
	case !strings.HasPrefix(version, "3.0.") && !strings.HasPrefix(version, "3.1."):
		return nil, errors.New("the document is no OpenAPI 3.0 or 3.1: its key openapi says the version")
	case s.root.Get("paths").Kind() != aegis.Object:
		return nil, errors.New("the document has no paths")
	}
	return s, nil
}

// yamlToJSON writes a YAML document as JSON. Anchors, which can make a small document a huge one, are refused; every
// scalar but true and false becomes text.
func yamlToJSON(text []byte) ([]byte, error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var root yaml.Node
	if err := dec.Decode(&root); err == io.EOF {
		return nil, errors.New("the document is empty")
	} else if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	return appendYAML(nil, &root, 0)
}

func appendYAML(dst []byte, n *yaml.Node, depth int) ([]byte, error) {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		return nil, fmt.Errorf("line %d: anchors and aliases are not read", n.Line)
	}
	if depth > aegis.MaxDepth {
		return nil, fmt.Errorf("line %d: nested deeper than %d", n.Line, aegis.MaxDepth)
	}
	var err error
	switch n.Kind {
	case yaml.DocumentNode:
		return appendYAML(dst, n.Content[0], depth)
	case yaml.ScalarNode:
		if n.Tag == "!!bool" && (n.Value == "true" || n.Value == "false") {
			return append(dst, n.Value...), nil
		}
		return aegis.AppendQuoted(dst, n.Value), nil
	case yaml.SequenceNode:
		dst = append(dst, '[')
		for i, c := range n.Content {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = appendYAML(dst, c, depth+1); err != nil {
				return nil, err
			}
		}
		return append(dst, ']'), nil
	}
	dst = append(dst, '{')
	for i := 0; i+1 < len(n.Content); i += 2 {
		if i > 0 {
			dst = append(dst, ',')
		}
		if n.Content[i].Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("line %d: a key is no text", n.Content[i].Line)
		}
		dst = append(aegis.AppendQuoted(dst, n.Content[i].Value), ':')
		if dst, err = appendYAML(dst, n.Content[i+1], depth+1); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

// maxRefs bounds how many references lead to one value.
const maxRefs = 16

// follow returns what a value refers to, or the value. A reference that leads nowhere, out of the document or in a circle is
// absent.
func (s *spec) follow(v aegis.Value) aegis.Value {
	for range maxRefs {
		ref := v.Get("$ref")
		if ref.Kind() != aegis.String {
			return v
		}
		pointer, ok := strings.CutPrefix(ref.Str(), "#/")
		if !ok {
			return aegis.Value{}
		}
		v = s.root
		for _, step := range strings.Split(pointer, "/") {
			step, ok = unescape(step, false)
			if !ok {
				return aegis.Value{}
			}
			v = v.Get(strings.NewReplacer("~1", "/", "~0", "~").Replace(step))
		}
	}
	return aegis.Value{}
}

// typeOf returns the type that a schema states: string where it states none, or several.
func (s *spec) typeOf(schema aegis.Value) string {
	schema = s.follow(schema)
	t := schema.Get("type")
	if t.Kind() == aegis.String {
		return t.Str()
	}
	name := ""
	for m := t.First(); m.Kind() != aegis.Absent; m = t.After(m) { // 3.1: a list, often with null
		if m.Str() != "null" && name != "" {
			return "string"
		} else if m.Str() != "null" {
			name = m.Str()
		}
	}
	if name == "" && schema.Get("properties").Kind() == aegis.Object {
		return "object"
	}
	return name
}

// properties calls f for the properties of a schema, those of its allOf, oneOf and anyOf included.
func (s *spec) properties(schema aegis.Value, f func(name string, schema aegis.Value)) {
	todo, seen := []aegis.Value{schema}, map[int]bool{}
	for len(todo) > 0 && len(seen) < aegis.MaxMembers {
		schema := s.follow(todo[0])
		todo = todo[1:]
		if schema.Kind() != aegis.Object || seen[schema.Offset()] {
			continue
		}
		seen[schema.Offset()] = true
		ps := schema.Get("properties")
		for p := ps.First(); p.Kind() != aegis.Absent; p = ps.After(p) {
			f(p.Key(), p)
		}
		for _, key := range []string{"allOf", "oneOf", "anyOf"} {
			all := schema.Get(key)
			for m := all.First(); m.Kind() != aegis.Absent; m = all.After(m) {
				todo = append(todo, m)
			}
		}
	}
}
