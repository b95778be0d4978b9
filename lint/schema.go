package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
)

// MaxSchema is the greatest size of one document of tools' schemas, in bytes.
const MaxSchema = 16 << 20

// Schema is what tools say of their own arguments: the results of MCP tools/list, of one server or several.
type Schema struct {
	servers  map[string]map[string]*toolSchema // by server and tool; the server "" stands for lists without a name
	ofTenant map[string]*Schema                // with what a tenant's own files add; see AddFiles
}

// toolSchema is one tool's definition.
type toolSchema struct {
	server, name string
	root         aegis.Value // the JSON Schema of its arguments
}

// String names the tool as messages do.
func (t *toolSchema) String() string {
	if t.server == "" {
		return t.name
	}
	return t.server + "/" + t.name
}

// Add reads a document and adds its tools. It is one of
//
//   - the result of MCP's tools/list, {"tools": [{"name", "inputSchema"}]}, or the JSON-RPC response around it,
//   - the bare list of tools (also as model providers take them: input_schema or parameters for inputSchema),
//   - {"servers": {"NAME": any of these}}.
//
// server names the MCP server that the tools belong to, which is the tool in a policy, where they are actions. With
// "" the document does not say, and its tools are looked for among tools and actions. The error says what is wrong and
// how to write it; s is then unchanged.
func (s *Schema) Add(server string, text []byte) error {
	d := new(aegis.Doc)
	if err := d.Parse(text, MaxSchema); err != nil {
		return err
	}
	found := map[string]map[string]*toolSchema{}
	if err := addTools(found, server, d.Root(), 0); err != nil {
		return err
	}
	for name, tools := range found {
		for t := range tools {
			if s.servers[name][t] != nil && name == "" {
				return fmt.Errorf("tool %s is in two documents: name the servers (--schema SERVER=FILE)", t)
			} else if s.servers[name][t] != nil {
				return fmt.Errorf("tool %s of server %s is in two documents", t, name)
			}
		}
	}
	if s.servers == nil {
		s.servers = map[string]map[string]*toolSchema{}
	}
	for name, tools := range found {
		if s.servers[name] == nil {
			s.servers[name] = map[string]*toolSchema{}
		}
		for t, schema := range tools {
			s.servers[name][t] = schema
		}
	}
	return nil
}

const schemaForms = `a tools/list result is {"tools": [{"name": …, "inputSchema": …}]}`

func addTools(into map[string]map[string]*toolSchema, server string, v aegis.Value, depth int) error {
	if v.Kind() == aegis.Object && depth < 3 {
		if r := v.Get("result"); r.Kind() == aegis.Object {
			return addTools(into, server, r, depth+1)
		}
		if all := v.Get("servers"); all.Kind() == aegis.Object && server == "" {
			for m := all.First(); m.Kind() != aegis.Absent; m = all.After(m) {
				if err := addTools(into, m.Key(), m, depth+1); err != nil {
					return fmt.Errorf("server %s: %w", m.Key(), err)
				}
			}
			return nil
		}
		if e := v.Get("error"); e.Given() && !v.Get("tools").Given() {
			return fmt.Errorf("the document is an error of the server, and no list of tools")
		}
		v = v.Get("tools")
	}
	if v.Kind() != aegis.List {
		return fmt.Errorf("there is no list of tools: %s", schemaForms)
	}
	if into[server] == nil {
		into[server] = map[string]*toolSchema{}
	}
	i := 0
	for m := v.First(); m.Kind() != aegis.Absent; m = v.After(m) {
		t, err := readTool(server, m)
		if err != nil {
			return fmt.Errorf("tool %d: %w", i, err)
		}
		if into[server][t.name] != nil {
			return fmt.Errorf("tool %s is there twice", t.name)
		}
		into[server][t.name] = t
		i++
	}
	return nil
}

func readTool(server string, v aegis.Value) (*toolSchema, error) {
	if f := v.Get("function"); f.Kind() == aegis.Object {
		v = f
	}
	name := v.Get("name")
	if name.Kind() != aegis.String || name.Str() == "" {
		return nil, fmt.Errorf("it has no name: %s", schemaForms)
	}
	t := &toolSchema{server: server, name: strings.Clone(name.Str())}
	for _, key := range []string{"inputSchema", "input_schema", "parameters"} {
		if s := v.Get(key); s.Kind() == aegis.Object {
			t.root = s
			return t, nil
		} else if s.Given() {
			return nil, fmt.Errorf("%s: its %s is no JSON Schema object", t.name, key)
		}
	}
	return nil, fmt.Errorf("%s has no inputSchema", t.name)
}

// maxAlternatives bounds what anyOf, oneOf and lists of types are multiplied out to, and maxRefs how deep references go
// (which also ends circles). A schema beyond them is not decided.
const (
	maxAlternatives = 64
	maxRefs         = 24
)

// conjunction is a number of schemas that all hold, none of which is made of others.
type conjunction []aegis.Value

// expand multiplies schemas that all hold out to alternatives. It is false where that is not decided.
func (t *toolSchema) expand(vs []aegis.Value, depth int) ([]conjunction, bool) {
	out := []conjunction{nil}
	for _, v := range vs {
		alts, ok := t.expandOne(v, depth)
		if !ok {
			return nil, false
		}
		if out = product(out, alts); len(out) > maxAlternatives {
			return nil, false
		}
	}
	return out, true
}

func product(as, bs []conjunction) []conjunction {
	var out []conjunction
	for _, a := range as {
		for _, b := range bs {
			out = append(out, slices.Concat(a, b))
		}
	}
	return out
}

func (t *toolSchema) expandOne(v aegis.Value, depth int) ([]conjunction, bool) {
	if v.Kind() == aegis.Bool && v.Bool() {
		return []conjunction{nil}, true
	}
	if v.Kind() != aegis.Object || depth > maxRefs {
		return nil, false
	}
	all := []aegis.Value{}
	if ref := v.Get("$ref"); ref.Given() {
		target, ok := t.resolve(ref.Str())
		if !ok {
			return nil, false
		}
		all = append(all, target)
	}
	if v.Get("$dynamicRef").Given() || v.Get("$recursiveRef").Given() {
		return nil, false
	}
	for list, m := v.Get("allOf"), v.Get("allOf").First(); m.Kind() != aegis.Absent; m = list.After(m) {
		all = append(all, m)
	}
	out, ok := t.expand(all, depth+1)
	for _, key := range []string{"anyOf", "oneOf"} {
		list := v.Get(key)
		if list.Len() == 0 || !ok {
			continue
		}
		var either []conjunction
		for m := list.First(); m.Kind() != aegis.Absent; m = list.After(m) {
			alts, fine := t.expandOne(m, depth+1)
			if either = append(either, alts...); !fine || len(either) > maxAlternatives {
				return nil, false
			}
		}
		if out = product(out, either); len(out) > maxAlternatives {
			return nil, false
		}
	}
	return product([]conjunction{{v}}, out), ok
}

// resolve follows a reference within the tool's own schema.
func (t *toolSchema) resolve(ref string) (aegis.Value, bool) {
	rest, ok := strings.CutPrefix(ref, "#")
	if !ok || strings.Contains(rest, "%") {
		return aegis.Value{}, false
	}
	v := t.root
	if rest == "" {
		return v, true
	}
	if rest[0] != '/' {
		return aegis.Value{}, false // an anchor
	}
	for _, key := range strings.Split(rest[1:], "/") {
		key = strings.ReplaceAll(strings.ReplaceAll(key, "~1", "/"), "~0", "~")
		if v.Kind() != aegis.Object {
			return aegis.Value{}, false // into a list: nobody writes that
		}
		v = v.Get(key)
	}
	return v, v.Given()
}
