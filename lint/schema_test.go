package lint

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// schemaOptions has a server called bank with a tool pay of those properties; required ones end in an exclamation mark.
func schemaOptions(t *testing.T, properties string) Options {
	t.Helper()
	return schemaText(t, "bank", `{"tools": [{"name": "pay", "inputSchema": {"type": "object", "properties": {`+properties+`}}}]}`)
}

func schemaText(t *testing.T, server, text string) Options {
	t.Helper()
	s := new(Schema)
	if err := s.Add(server, []byte(text)); err != nil {
		t.Fatal(err)
	}
	return Options{Schema: s}
}

func TestSchemaForms(t *testing.T) {
	const tools = `[{"name": "pay", "inputSchema": {"type": "object"}}, {"name": "get", "inputSchema": {}}]`
	for text, want := range map[string]string{
		`{"tools": ` + tools + `}`: "get pay",
		tools:                      "get pay",
		`{"jsonrpc": "2.0", "id": 2, "result": {"tools": ` + tools + `}}`:                       "get pay",
		`{"servers": {"bank": {"tools": ` + tools + `}, "till": []}}`:                           "bank/get bank/pay",
		`[{"name": "pay", "input_schema": {}}]`:                                                 "pay",
		`[{"type": "function", "function": {"name": "pay", "parameters": {"type": "object"}}}]`: "pay",
		`[]`: "",
	} {
		s := new(Schema)
		if err := s.Add("", []byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		var got []string
		for _, tools := range s.servers {
			for _, x := range tools {
				got = append(got, x.String())
			}
		}
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", text, got, want)
		}
	}
}

func TestSchemaErrors(t *testing.T) {
	for text, want := range map[string]string{
		`{`:                                    "byte 1",
		`{"tools": {}}`:                        "no list of tools",
		`7`:                                    "no list of tools",
		`[{"inputSchema": {}}]`:                "tool 0: it has no name",
		`[{"name": "a"}]`:                      "a has no inputSchema",
		`[{"name": "a", "inputSchema": true}]`: "its inputSchema is no JSON Schema object",
		`[{"name": "a", "inputSchema": {}}, {"name": "a", "inputSchema": {}}]`: "tool a is there twice",
		`{"error": {"code": -1}}`:                            "an error of the server",
		`{"servers": {"s": {"tools": 1}}}`:                   "server s: there is no list",
		`[{"name": "a", "name": "b", "inputSchema": {}}]`:    "a",
		strings.Repeat(`{"result":`, 99):                     "deep",
		`[{"name": "a", "inputSchema": {"maximum": 1}},]`:    "byte",
		`{"servers": {"s": {"servers": {"t": []}}}}`:         "server s",
		`{"result": {"result": {"result": {"result": []}}}}`: "no list of tools",
	} {
		s := new(Schema)
		if err := s.Add("", []byte(text)); err == nil || !strings.Contains(err.Error(), want) || len(s.servers) > 0 {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	s := new(Schema)
	one := []byte(`[{"name": "a", "inputSchema": {}}]`)
	if err := s.Add("", one); err != nil {
		t.Fatal(err)
	}
	if err := s.Add("", one); err == nil || !strings.Contains(err.Error(), "name the servers") {
		t.Error(err)
	}
	if err := s.Add("x", one); err != nil {
		t.Error(err)
	}
}

// What a schema says of an argument a: whether it is known (+), unknown (-) or open (?), required (!), and its domains.
func TestSchemaArgument(t *testing.T) {
	for _, x := range []struct{ schema, want string }{
		{`"properties": {"a": {"type": "number"}}`, "+ number"},
		{`"properties": {"a": {"type": "integer"}}, "required": ["a"]`, "+! integer"},
		{`"properties": {"b": {}}`, "-"},
		{`"properties": {}`, "-"},
		{`"type": "object"`, "?"},
		{`"additionalProperties": false`, "-"},
		{`"properties": {"b": {}}, "additionalProperties": true`, "?"},
		{`"properties": {"b": {}}, "additionalProperties": {"type": "string"}`, "?"},
		{`"properties": {"b": {}}, "patternProperties": {"^a": {}}`, "?"},
		{`"properties": {"b": {}}, "if": {}, "then": {}`, "?"},
		{`"properties": {"a": {}}`, "+ "},
		{`"properties": {"a": {"type": ["string", "null"]}}`, "+ string"},
		{`"properties": {"a": {"type": "string", "nullable": true}}`, "+ string"},
		{`"properties": {"a": {"type": ["string", "number"]}}`, "+ string or number"},
		{`"properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}}`, "+ string"},
		{`"properties": {"a": {"oneOf": [{"type": "string"}, {"type": "boolean"}]}}`, "+ string or boolean"},
		{`"properties": {"a": {"allOf": [{"type": ["string", "number"]}, {"type": "integer"}]}}`, "+ integer"},
		{`"properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"type": "array"}}`, "+ list"},
		{`"properties": {"a": {"$ref": "#/definitions/x~1y"}}, "definitions": {"x/y": {"type": "object"}}`, "+ object"},
		{`"properties": {"a": {"$ref": "#/$defs/none"}}`, "?"},
		{`"properties": {"a": {"$ref": "https://example.com/x"}}`, "?"},
		{`"properties": {"a": {"$ref": "#/properties/a"}}`, "?"},
		{`"properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"anyOf": [{"$ref": "#/$defs/x"}, {"$ref": "#/$defs/x"}]}}`, "?"},
		{`"properties": {"a": {"enum": ["x", "y"]}}`, "+ string"},
		{`"properties": {"a": {"enum": ["x", 1, null]}}`, "+ string or number"},
		{`"properties": {"a": {"enum": ["x", []]}}`, "+ "},
		{`"properties": {"a": {"const": true}}`, "+ boolean"},
		{`"properties": {"a": {"type": "money"}}`, "+ "},
		{`"properties": {"a": false}`, "?"},
		{`"properties": {"a": true}`, "+ "},
		{`"anyOf": [{"properties": {"a": {"type": "string"}}, "required": ["a"]}, {"properties": {"b": {}}}]`, "+ string"},
		{`"anyOf": [{"properties": {"a": {"type": "string"}}, "required": ["a"]}, {"properties": {"a": {"type": "number"}}, "required": ["a"]}]`, "+! string or number"},
		{`"allOf": [{"properties": {"a": {"type": "string"}}}, {"required": ["a"]}]`, "+! string"},
	} {
		s := schemaText(t, "bank", `[{"name": "pay", "inputSchema": {`+x.schema+`}}]`).Schema
		a := s.servers["bank"]["pay"].argument([]string{"a"})
		got := "-"
		if a.known {
			got = "+"
			if a.required {
				got += "!"
			}
			got += " " + kindsText(a.domains())
		}
		if a.open {
			got = "?"
		}
		if got != x.want {
			t.Errorf("%s: %q, want %q", x.schema, got, x.want)
		}
	}
}

// Schemas that multiply without end cost little and decide nothing.
func TestSchemaBounds(t *testing.T) {
	var defs []string
	for i := range 40 {
		defs = append(defs, fmt.Sprintf(`"d%d": {"anyOf": [{"$ref": "#/$defs/d%d"}, {"$ref": "#/$defs/d%d"}]}`, i, i+1, i+1))
	}
	s := schemaText(t, "bank", `[{"name": "pay", "inputSchema": {"properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": {`+strings.Join(defs, ",")+`, "d40": {"type": "string"}}}}]`)
	if a := s.Schema.servers["bank"]["pay"].argument([]string{"a"}); !a.open {
		t.Error("decided")
	}
	deep := strings.Repeat(`{"allOf": [`, 30) + `{"type": "string"}` + strings.Repeat(`]}`, 30)
	if err := new(Schema).Add("", []byte(`[{"name": "a", "inputSchema": `+deep+`}]`)); err != nil {
		t.Log(err) // deeper than documents may be
	}
}

// The lists of two public MCP servers, as they answer tools/list.
func TestRealServers(t *testing.T) {
	s := new(Schema)
	for _, name := range []string{"filesystem", "memory"} {
		text, err := os.ReadFile("testdata/schemas/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Add(name, text); err != nil {
			t.Fatal(err)
		}
	}
	set, err := policy.LoadText("p.yaml", `agent: a
allowed_tools:
  - name: filesystem
    actions: [read_text_file, write_file, edit_fil]
    conditions:
      args:
        path: {under: /srv/data/}
  - name: filesystem
    actions: [read_multiple_files]
    effect: read
    conditions:
      args:
        paths: {under: /srv/data/}
  - name: filesystem
    actions: [list_directory_with_sizes]
    effect: read
    conditions:
      args:
        path: {under: /srv/data/}
        sortBy: {in: [name, date], optional: true}
  - name: memory
    actions: [create_entities]
    conditions:
      args:
        entities: {each: {args: {name: {max_length: 5}, entityTyp: {in: [person]}}}}
`)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"p.yaml:4:43: warning AEG060: the schema of filesystem has no tool edit_fil (did you mean edit_file?)",
		"p.yaml:13:17: error AEG062: paths is a list for filesystem/read_multiple_files, and args.paths.under needs a string: every call that carries it is denied (for the elements of a list, write each: {…})",
		"p.yaml:20:18: warning AEG063: sortBy can never be date: the schema does not allow it (the schema allows name, size)",
		"p.yaml:25:57: warning AEG061: memory/create_entities has no argument entities.entityTyp (did you mean entityType?)",
	}
	var got []string
	for _, f := range Run(set, Options{Schema: s, Disable: []string{"AEG001"}}) {
		if f.Severity > aegis.SeverityInfo {
			got = append(got, f.String())
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s", strings.Join(got, "\n"))
	}
}

// Nothing that reads as a schema makes lint fail or loop.
func FuzzSchema(f *testing.F) {
	for _, name := range []string{"filesystem", "memory"} {
		text, err := os.ReadFile("testdata/schemas/" + name + ".json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"servers": {"bank": [{"name": "pay", "inputSchema": {"properties": {"a": {"anyOf": [{"$ref": "#"}, {"enum": [1, "x"]}]}}}}]}}`))
	set, err := policy.LoadText("p.yaml", agent(`{name: "bank", conditions: {args: {a: {max: 5}, o: {args: {n: {in: [x]}}}, l: {each: {in: [1]}}}, deny_if: 'b == "x" && size(l) > 2'}}`,
		`{name: pay, conditions: {args: {a: {in: [x, z]}}}}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s := new(Schema)
		if s.Add("", text) == nil && len(s.servers) > 0 {
			Run(set, Options{Schema: s})
		}
	})
}
