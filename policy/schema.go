package policy

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"

	"github.com/aegisctl/aegis"
)

// JSONSchema returns the JSON Schema (draft 2020-12) of policy files. It is made from the tables by which Load reads
// them: a key that one knows, the other knows. It says what can be said of the form; Load checks more.
func JSONSchema() []byte {
	root := shape{
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"$id":     "urn:aegisctl:policy:1",
		"title":   "Aegis policy language, version 1",
		"type":    "object",
		"oneOf":   []shape{},
		"$defs":   definitions(),
	}
	var files []shape
	for _, k := range topKeys {
		files = append(files, defined(k))
	}
	root["oneOf"] = files
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(root); err != nil {
		panic(err) // shapes are maps, lists, texts and numbers
	}
	return b.Bytes()
}

func definitions() map[string]shape {
	defs := map[string]shape{
		"entry":            object(entryFields(), inEntry),
		"action":           object(entryFields(), inAction),
		"guardrail_entry":  object(entryFields(), inTool),
		"guardrail_action": object(entryFields(), inToolAction),
		"conditions":       object(conditionFields(), anywhere),
		"constraint":       object(constraintFields(), inArgument),
		"element":          object(constraintFields(), inElement),
		"condition":        object(ifFields(), anywhere),
		"approval":         object(approvalFields(), anywhere),
		"sanitizer": object(sanitizeFields(), anywhere).with("oneOf",
			[]shape{{"required": []string{"redact"}}, {"required": []string{"match", "replace"}}}),
		"limit": object(limitFields(), anywhere).with("oneOf",
			[]shape{{"required": []string{"rate"}}, {"required": []string{"calls"}}, {"required": []string{"budget"}}}),
		"route":          object(routeFields(), anywhere),
		"route_argument": object(routeArgFields(), anywhere),
		"expressions":    oneOrMore(oneOf(textShape.described("a CEL expression"), defined("condition"))),
	}
	for _, k := range topKeys {
		defs[k] = object(fileFields(), placeOf[k])
	}
	return defs
}

// object is the shape of a mapping that a table describes, in one place.
func object[T any](table []field[T], in place) shape {
	properties, patterns := map[string]shape{}, map[string]shape{}
	required := []string{}
	for _, f := range table {
		if f.in&in == 0 {
			continue
		}
		if prefix, ok := strings.CutSuffix(f.name, "*"); ok {
			patterns["^"+prefix+"."] = f.shape
		} else {
			properties[f.name] = f.shape
		}
		if f.required&in != 0 {
			required = append(required, f.name)
		}
	}
	s := shape{"type": "object", "properties": properties, "additionalProperties": false}
	if len(patterns) > 0 {
		s["patternProperties"] = patterns
	}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

// shape is a JSON Schema: what may stand at one place.
type shape map[string]any

func (s shape) with(key string, value any) shape {
	c := maps.Clone(s)
	c[key] = value
	return c
}

func (s shape) described(text string) shape { return s.with("description", text) }

func oneOf(shapes ...shape) shape { return shape{"anyOf": shapes} }

func listOf(item shape) shape { return shape{"type": "array", "items": item, "minItems": 1} }

// oneOrMore is a value, or a list of such values.
func oneOrMore(item shape) shape { return oneOf(item, listOf(item)) }

func enumOf(w ...string) shape { return shape{"enum": w} }

func defined(name string) shape { return shape{"$ref": "#/$defs/" + name} }

func textLike(pattern string) shape { return shape{"type": "string", "pattern": pattern} }

func integers(from, to int) shape { return shape{"type": "integer", "minimum": from, "maximum": to} }

func mapOf(value shape) shape { return shape{"type": "object", "additionalProperties": value} }

// named maps the names of params or lists to values.
func named(value shape) shape {
	return mapOf(value).with("propertyNames", textLike(identifier.String()))
}

// Patterns of names: exact, with a star at the end, and where a guardrail may bound all names.
const (
	namePattern = `^[A-Za-z0-9_][A-Za-z0-9._/:-]{0,127}$`
	globPattern = `^[A-Za-z0-9_][A-Za-z0-9._/:-]{0,127}\*?$`
	starPattern = `^(\*|[A-Za-z0-9_][A-Za-z0-9._/:-]{0,127}\*?)$`
)

var (
	textShape      = shape{"type": "string", "minLength": 1}
	numberShape    = oneOf(shape{"type": "number"}, referenceShape)
	referenceShape = textLike(referenceText.String())
	scalarShape    = shape{"type": []string{"string", "number", "boolean"}}
	nameShape      = textLike(namePattern)
	globShape      = textLike(globPattern)
	starShape      = textLike(starPattern)

	namesShape = oneOf(listOf(nameShape), referenceShape)
	fromShape  = shape{"type": "object", "properties": map[string]shape{"from": textShape}, "required": []string{"from"},
		"additionalProperties": false}
	modeShape = oneOf(enumOf("enforce", "shadow"), shape{"type": "object", "properties": map[string]shape{
		"enforce": textLike(percent.String())}, "required": []string{"enforce"}, "additionalProperties": false})
	depthShape = integers(0, aegis.MaxChain)
)
