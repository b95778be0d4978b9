package bundle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// Load makes the rule tree of a bundle's policies again, by the same strict loader that reads their files: the same
// policy_version, the same rules at the same places. It is an error if anything that the bundle says of its policies (the
// version, the tenants, the source map, routes, schemas, messages) is not what comes of them.
//
// Load does not look at signatures, expiry and serial, nor at the Rego: who runs that must ask compile.Check.
func Load(a *Archive) (*policy.Set, error) {
	m, err := a.Manifest()
	if err != nil {
		return nil, err
	}
	text, ok := a.Get(DataPath)
	if !ok {
		return nil, fmt.Errorf("the bundle has no %s", DataPath)
	}
	var d data
	if err := strict(DataPath, text, &d); err != nil {
		return nil, err
	}
	from := policy.Origin{Policies: sources(d.Aegis.Policies), Files: sources(d.Aegis.Files)}
	if from.Params, err = params(d.Aegis.Params); err != nil {
		return nil, fmt.Errorf("%s: %w", DataPath, err)
	}
	s, err := from.Load()
	if err != nil {
		return nil, err
	}
	if s.Version != m.Metadata.PolicyVersion {
		return nil, fmt.Errorf("the manifest states policy_version %s, and the policies in the bundle are %s",
			m.Metadata.PolicyVersion, s.Version)
	}
	if !slices.Equal(tenants(s), m.Metadata.Tenants) {
		return nil, fmt.Errorf("the manifest states the tenants %q, and the policies in the bundle are of %q",
			m.Metadata.Tenants, tenants(s))
	}
	again, err := newData(s)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, text) {
		return nil, fmt.Errorf("%s: it is not what comes of the policies in it", DataPath)
	}
	return s, nil
}

func sources(from map[string]string) []*policy.Source {
	var out []*policy.Source
	for _, path := range slices.Sorted(maps.Keys(from)) {
		out = append(out, &policy.Source{Name: path, Text: []byte(from[path])})
	}
	return out
}

func params(from map[string]json.RawMessage) (map[string]policy.Literal, error) {
	out := map[string]policy.Literal{}
	for name, text := range from {
		doc, err := aegis.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("param %s: %w", name, err)
		}
		switch v := doc.Root(); v.Kind() {
		case aegis.String:
			out[name] = policy.Literal{Kind: aegis.String, Str: v.Str()}
		case aegis.Bool:
			out[name] = policy.Literal{Kind: aegis.Bool, Bool: v.Bool()}
		case aegis.Number:
			n, ok := aegis.ParseNum(v.Text())
			if !ok {
				return nil, fmt.Errorf("param %s is a number out of range", name)
			}
			out[name] = policy.Literal{Kind: aegis.Number, Num: n}
		default:
			return nil, fmt.Errorf("param %s is neither a text nor a number nor a boolean", name)
		}
	}
	return out, nil
}
