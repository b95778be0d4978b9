package bundle

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// data is the file data.json: what OPA finds under data.aegis beside the rules.
type data struct {
	Aegis content `json:"aegis"`
}

// content is the policies as they were written, and what is made from them for those who read a bundle without aegisctl.
type content struct {
	Files    map[string]string          `json:"files"`    // lists and Rego that policies name, by path
	Messages map[string]string          `json:"messages"` // what a policy tells the caller, by rule
	Params   map[string]json.RawMessage `json:"params"`   // values given in the place of params
	Policies map[string]string          `json:"policies"` // policies, guardrails, fragments, routes and schemas, by path
	Routes   []raw                      `json:"routes"`
	Schemas  []raw                      `json:"schemas"`
	Sources  map[string]string          `json:"sources"` // the source map: file:line:column, by rule

	rules []policy.Rule // sorted, instead of Sources where that is nil
}

// raw is a file of routes or schemas as data.
type raw struct {
	Tenant  string          `json:"tenant"`
	File    string          `json:"file"`
	Content json.RawMessage `json:"content"`
}

// New returns an archive with the manifest and the data of a set. The set must have been loaded with Portable positions.
// What m leaves open is filled in from the set.
func New(s *policy.Set, m Metadata) (*Archive, error) {
	text, err := newData(s)
	if err != nil {
		return nil, err
	}
	m.Format, m.Language, m.Tenants, m.PolicyVersion = Format, policy.LanguageVersion, tenants(s), s.Version
	revision := fmt.Sprintf("%d-%s", m.Serial, strings.TrimPrefix(s.Version, "sha256:")[:12])
	x := &Manifest{Revision: revision, Roots: []string{"aegis"}, RegoVersion: 1, Metadata: m}
	if err := x.check(); err != nil {
		return nil, err
	}
	a := &Archive{}
	a.Put(ManifestPath, x.Encode())
	a.Put(DataPath, text)
	return a, nil
}

// tenants returns whose policies a set holds, sorted.
func tenants(s *policy.Set) []string {
	out := []string{}
	for _, p := range s.Policies {
		out = append(out, p.Tenant)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// newData returns the content of data.json.
func newData(s *policy.Set) ([]byte, error) {
	c := content{Files: map[string]string{}, Messages: messages(s), Params: map[string]json.RawMessage{},
		Policies: map[string]string{}, Routes: raws(s.Routes), Schemas: raws(s.Schemas), rules: s.Rules}
	put := func(to map[string]string, from []*policy.Source) error {
		for _, f := range from {
			if !utf8.ValidString(f.Name) || strings.HasPrefix(f.Name, "/") {
				return fmt.Errorf("the file's name %q cannot stand in a bundle: it is absolute or no UTF-8", f.Name)
			}
			to[f.Name] = string(f.Text)
		}
		return nil
	}
	if err := put(c.Policies, s.Origin.Policies); err != nil {
		return nil, err
	}
	if err := put(c.Files, s.Origin.Files); err != nil {
		return nil, err
	}
	for name, l := range s.Origin.Params {
		c.Params[name] = literalJSON(l)
	}
	return encode(&data{c}), nil
}

func literalJSON(l policy.Literal) json.RawMessage {
	switch l.Kind {
	case aegis.Number:
		return json.RawMessage(l.Num.Text())
	case aegis.Bool:
		return json.RawMessage(fmt.Sprint(l.Bool))
	}
	text, err := json.Marshal(l.Str)
	if err != nil {
		panic(err) // a text has JSON
	}
	return text
}

func raws(rs []*policy.Raw) []raw {
	out := []raw{}
	for _, r := range rs {
		out = append(out, raw{r.Tenant, r.Pos.File, r.JSON})
	}
	slices.SortFunc(out, func(a, b raw) int { return strings.Compare(a.File, b.File) })
	return out
}

// messages returns what policies tell the caller, by rule.
func messages(s *policy.Set) map[string]string {
	out := map[string]string{}
	var add func(es []*policy.Entry)
	add = func(es []*policy.Entry) {
		for _, e := range es {
			if c := e.Conditions; c != nil {
				for _, k := range slices.Concat(c.Require, c.DenyIf, c.ApprovalIf) {
					if k.Message != "" {
						out[s.Rules[k.Rule].ID] = k.Message
					}
				}
			}
			add(e.Children)
		}
	}
	for _, p := range s.Policies {
		add(p.Entries)
	}
	for _, g := range s.Guardrails {
		add(g.Entries)
	}
	return out
}
