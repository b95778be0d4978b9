package policy

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// validator is as much of JSON Schema 2020-12 as JSONSchema uses. A keyword that it does not know fails the test.
type validator struct{ root map[string]any }

func (v validator) check(schema any, value any) error {
	s, ok := schema.(map[string]any)
	if !ok {
		return fmt.Errorf("the schema %v is no object", schema)
	}
	for keyword, arg := range s {
		var err error
		switch keyword {
		case "$schema", "$id", "$defs", "title", "description":
		case "$ref":
			name := strings.TrimPrefix(arg.(string), "#/$defs/")
			err = v.check(v.root["$defs"].(map[string]any)[name], value)
		case "anyOf", "oneOf":
			err = v.some(keyword, arg.([]any), value)
		case "enum":
			if !slices.Contains(arg.([]any), value) {
				err = fmt.Errorf("%v is none of %v", value, arg)
			}
		case "const":
			if value != arg {
				err = fmt.Errorf("%v is not %v", value, arg)
			}
		case "type":
			err = checkType(arg, value)
		case "minLength", "pattern":
			err = checkText(keyword, arg, value)
		case "minimum", "maximum":
			if n, ok := value.(float64); ok && (keyword == "minimum" && n < arg.(float64) || keyword == "maximum" && n > arg.(float64)) {
				err = fmt.Errorf("%v: %s %v", n, keyword, arg)
			}
		case "items", "minItems":
			err = v.list(keyword, arg, value)
		case "properties", "patternProperties", "additionalProperties", "required", "propertyNames":
			err = v.object(keyword, arg, s, value)
		default:
			err = fmt.Errorf("keyword %s is not known here", keyword)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (v validator) some(keyword string, schemas []any, value any) error {
	fits, last := 0, error(nil)
	for _, s := range schemas {
		if err := v.check(s, value); err != nil {
			last = err
		} else {
			fits++
		}
	}
	if fits == 0 || fits > 1 && keyword == "oneOf" {
		return fmt.Errorf("%d of %d fit: %w", fits, len(schemas), last)
	}
	return nil
}

func checkType(arg, value any) error {
	types, ok := arg.([]any)
	if !ok {
		types = []any{arg}
	}
	n, isNumber := value.(float64)
	is := map[any]bool{"number": isNumber, "integer": isNumber && n == float64(int64(n))}
	_, is["string"] = value.(string)
	_, is["boolean"] = value.(bool)
	_, is["array"] = value.([]any)
	_, is["object"] = value.(map[string]any)
	for _, t := range types {
		if is[t] {
			return nil
		}
	}
	return fmt.Errorf("%v is no %v", value, arg)
}

func checkText(keyword string, arg, value any) error {
	s, ok := value.(string)
	switch {
	case !ok:
	case keyword == "minLength" && utf8.RuneCountInString(s) < int(arg.(float64)),
		keyword == "pattern" && !regexp.MustCompile(arg.(string)).MatchString(s):
		return fmt.Errorf("%q: %s %v", s, keyword, arg)
	}
	return nil
}

func (v validator) list(keyword string, arg, value any) error {
	list, _ := value.([]any)
	if keyword == "minItems" && list != nil && len(list) < int(arg.(float64)) {
		return fmt.Errorf("%d items", len(list))
	}
	for _, m := range list {
		if keyword == "items" {
			if err := v.check(arg, m); err != nil {
				return err
			}
		}
	}
	return nil
}

func (v validator) object(keyword string, arg any, s map[string]any, value any) error {
	object, ok := value.(map[string]any)
	if !ok {
		return nil
	}
	if keyword == "required" {
		for _, k := range arg.([]any) {
			if _, ok := object[k.(string)]; !ok {
				return fmt.Errorf("no %s", k)
			}
		}
		return nil
	}
	properties, _ := s["properties"].(map[string]any)
	patterns, _ := s["patternProperties"].(map[string]any)
	for k, m := range object {
		schemas := []any{}
		if p, ok := properties[k]; ok {
			schemas = append(schemas, p)
		}
		for p, schema := range patterns {
			if regexp.MustCompile(p).MatchString(k) {
				schemas = append(schemas, schema)
			}
		}
		switch {
		case keyword == "propertyNames":
			schemas, m = []any{arg}, k
		case len(schemas) == 0 && keyword == "additionalProperties" && arg == false:
			return fmt.Errorf("unknown key %s", k)
		case len(schemas) == 0 && keyword == "additionalProperties":
			schemas = []any{arg}
		}
		for _, schema := range schemas {
			if err := v.check(schema, m); err != nil {
				return fmt.Errorf("%s: %w", k, err)
			}
		}
	}
	return nil
}

func newValidator(t *testing.T) validator {
	t.Helper()
	var root map[string]any
	if err := json.Unmarshal(JSONSchema(), &root); err != nil {
		t.Fatal(err)
	}
	return validator{root}
}

// asJSON turns a source into what a validator of JSON sees.
func asJSON(t *testing.T, name, text string) any {
	t.Helper()
	root, err := (&source{name: name, text: []byte(text)}).parse()
	if err != nil {
		t.Fatal(err)
	}
	r := &reader{loader: newLoader(LoadOptions{})}
	data, ok := r.data(root)
	if !ok {
		t.Fatal(r.errs)
	}
	var value any
	if err := json.Unmarshal(canonicalJSON(data), &value); err != nil {
		t.Fatal(err)
	}
	return value
}

// TestSchemaFitsPolicies validates every policy among the examples that loads.
func TestSchemaFitsPolicies(t *testing.T) {
	v := newValidator(t)
	n := 0
	for _, pattern := range []string{"testdata/full/*", "testdata/reference/*", "testdata/bad/*.yaml"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			bad := strings.Contains(name, "/bad/")
			if !policyFile(name) || bad && !leftToLint[strings.TrimSuffix(filepath.Base(name), ".yaml")] {
				continue
			}
			n++
			if err := v.check(v.root, asJSON(t, name, string(text))); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if n < 15 {
		t.Errorf("%d policies", n)
	}
}

// TestSchemaFindsMistakes validates sources that do not load for a reason that a schema can see.
func TestSchemaFindsMistakes(t *testing.T) {
	v := newValidator(t)
	entry := func(keys string) string { return "agent: a\nallowed_tools: [{name: t, " + keys + "}]\n" }
	for _, text := range []string{
		"agnet: a\nallowed_tools: []\n", "agent: a\nallowed_tool: []\n", "agent: a\nversion: 2\nallowed_tools: []\n",
		"agent: \"*\"\nallowed_tools: []\n", "agent: a\nmode: half\nallowed_tools: []\n", "agent: a\nmode: {enforce: 25}\nallowed_tools: []\n",
		"agent: a\nallowed_tools: [{}]\n", "agent: a\nguardrail: b\nallowed_tools: []\n", "fragment: f\nuse: [g]\nallowed_tools: []\n",
		"guardrail: g\nmode: shadow\n", "guardrail: g\ntools: [{name: \"*\", effect: read}]\n", "guardrail: g\ntools: [{name: \"*\", actions: [{mode: shadow}]}]\n",
		"agent: a\nlimits: [{burst: 5}]\nallowed_tools: []\n", "agent: a\nlimits: [{rate: 5}]\nallowed_tools: []\n",
		"agent: a\nlimits: [{rate: 5/s, calls: 5/day}]\nallowed_tools: []\n", "agent: a\nuntil: soon\nallowed_tools: []\n",
		"agent: a\nlists: {l: x}\nallowed_tools: []\n", "agent: a\nlists: {l: {form: x.txt}}\nallowed_tools: []\n",
		entry("conditons: {}"), entry("actions: pay"), entry("conditions: {max_amount: \"5000\"}"), entry("conditions: {max_amount: [5]}"),
		entry("conditions: {max_: 5}"), entry("conditions: {args: {a: {maximum: 5}}}"), entry("conditions: {args: {a: {decimals: 7}}}"),
		entry("conditions: {args: {a: {each: {optional: true}}}}"), entry("conditions: {deny_if: true}"), entry("conditions: {deny_if: {iff: x}}"),
		entry("sanitize: [{match: a}]"), entry("approval: {quorum: 0}"), entry("on_failure: maybe"), entry("actions: [{name: x, actions: [y]}]"),
		"routes: {}\n", "schemas: x\n",
	} {
		if _, err := LoadText("p.yaml", text); err == nil {
			t.Errorf("loads: %s", text)
		}
		if v.check(v.root, asJSON(t, "p.yaml", text)) == nil {
			t.Errorf("fits the schema: %s", text)
		}
	}
}

// TestSchemaKnowsEveryKey compares the schema with what the loader says it knows.
func TestSchemaKnowsEveryKey(t *testing.T) {
	v := newValidator(t)
	defs := v.root["$defs"].(map[string]any)
	for def, source := range map[string]string{"agent": "agent: a\nzzzzzz: 1\n", "entry": "agent: a\nallowed_tools: [{name: t, zzzzzz: 1}]\n",
		"guardrail_entry": "guardrail: a\ntools: [{name: t, zzzzzz: 1}]\n", "element": "agent: a\nallowed_tools: [{name: t, conditions: {args: {x: {each: {zzzzzz: 1}}}}}]\n"} {
		_, err := LoadText("p.yaml", source)
		_, list, ok := strings.Cut(err.Error(), "known here: ")
		if !ok {
			t.Fatalf("%s: %v", def, err)
		}
		list, _, _ = strings.Cut(list, "\n")
		var keys []string
		for k := range defs[def].(map[string]any)["properties"].(map[string]any) {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		if got := strings.Join(keys, ", "); got != list {
			t.Errorf("%s: the schema knows %s, the loader %s", def, got, list)
		}
	}
}
