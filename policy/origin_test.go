package policy

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/aegisctl/aegis"
)

// packFiles use everything that makes a set of more than one file.
var packFiles = map[string]string{
	"acme/pay.yaml": `agent: pay
tenant: acme
params: {ceiling: 5000, word: x}
lists: {sites: {from: lists/sites.txt}, codes: {from: testdata/codes.json}}
use: [common]
rego: [rules/own.rego]
allowed_tools:
  - {name: t, conditions: {max_n: $ceiling, args: {u: {in: $sites}, c: {in: $codes}}, require: params.word == w}}
  - {name: t, conditions: {max_n: 1}}
`,
	"acme/lists/sites.txt":     "a\nb\n",
	"acme/testdata/codes.json": "[1, 2]",
	"acme/rules/own.rego":      "package aegis.custom\n\ndeny contains \"x\" if input.args.x == 1\n",
	"globex/g.yaml":            "agent: g\ntenant: globex\nparams: {secret: a}\nuse: [own]\nlists: {l: {from: l.txt}}\nallowed_tools: [{name: t, conditions: {args: {a: {in: $l}}}}]\n",
	"globex/l.txt":             "z\n",
	"globex/own.yaml":          "fragment: own\nallowed_tools: [{name: u}]\n",
	"common.yaml":              "fragment: common\nlists: {k: {from: k.txt}}\nallowed_tools: [{name: v, conditions: {args: {k: {in: $k}}}}]\n",
	"k.txt":                    "k\n",
	"unused.yaml":              "fragment: unused\nallowed_tools: []\n",
	"floor.yaml":               "guardrail: floor\ntenant: \"*\"\nregions: [eu]\n",
	"acme.yaml":                "guardrail: ours\ntenant: acme\nmax_chain_depth: 1\n",
	"routes.yaml":              "routes: [{match: GET a/b, call: t}]\ntenant: acme\n",
	"schemas.yaml":             "schemas: {t: {}}\ntenant: globex\n",
}

func paths(ss []*Source) []string {
	var out []string
	for _, s := range ss {
		out = append(out, s.Name)
	}
	return out
}

func writePack(t *testing.T) string {
	t.Helper()
	return writeFiles(t, packFiles)
}

// TestOrigin: a set is made again from what it says it was made from, to the last position, and nothing else is in there.
func TestOrigin(t *testing.T) {
	dir := writePack(t)
	lit := func(s string) Literal { return Literal{Kind: aegis.String, Str: s} }
	for _, x := range []struct {
		tenant          string
		policies, files []string
		params          map[string]Literal
	}{
		{"", []string{"acme.yaml", "acme/pay.yaml", "common.yaml", "floor.yaml", "globex/g.yaml", "globex/own.yaml", "routes.yaml", "schemas.yaml"},
			[]string{"acme/lists/sites.txt", "acme/rules/own.rego", "acme/testdata/codes.json", "globex/l.txt", "k.txt"},
			map[string]Literal{"word": lit("y"), "secret": lit("s")}},
		{"acme", []string{"acme.yaml", "acme/pay.yaml", "common.yaml", "floor.yaml", "routes.yaml"},
			[]string{"acme/lists/sites.txt", "acme/rules/own.rego", "acme/testdata/codes.json", "k.txt"},
			map[string]Literal{"word": lit("y")}},
		{"globex", []string{"floor.yaml", "globex/g.yaml", "globex/own.yaml", "schemas.yaml"}, []string{"globex/l.txt"},
			map[string]Literal{"secret": lit("s")}},
	} {
		o := LoadOptions{Tenant: x.tenant, Portable: true, Params: map[string]Literal{"word": lit("y"), "secret": lit("s")}}
		s, err := o.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		if got := paths(s.Origin.Policies); !slices.Equal(got, x.policies) {
			t.Errorf("tenant %q: policies %q, want %q", x.tenant, got, x.policies)
		}
		if got := paths(s.Origin.Files); !slices.Equal(got, x.files) {
			t.Errorf("tenant %q: files %q, want %q", x.tenant, got, x.files)
		}
		if !maps.Equal(s.Origin.Params, x.params) {
			t.Errorf("tenant %q: params %v, want %v", x.tenant, s.Origin.Params, x.params)
		}
		again, err := s.Origin.Load()
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Routes) == 0 {
			s.Routes = nil
		}
		if len(s.Schemas) == 0 {
			s.Schemas = nil
		}
		s.Sources, s.Unused, again.Sources, again.Unused = nil, nil, nil, nil // these are about files that gave nothing, too
		if !reflect.DeepEqual(s, again) {
			t.Errorf("tenant %q: the set is not the same again", x.tenant)
		}
		o.Portable = false
		if plain, err := o.Load(dir); err != nil || plain.Version != s.Version || !slices.Equal(ids(plain), ids(s)) {
			t.Errorf("tenant %q: %v; positions change the version", x.tenant, err)
		}
	}
}

// TestOriginReadNothing: what is not among the sources cannot be reached, though it lies on the disk.
func TestOriginReadNothing(t *testing.T) {
	dir := writePack(t)
	t.Chdir(dir)
	o := LoadOptions{Portable: true}
	s, err := o.Load(".")
	if err != nil {
		t.Fatal(err)
	}
	from := s.Origin
	from.Files = from.Files[1:]
	s, err = from.Load()
	wantError(t, s, err, `acme/pay.yaml:4:23: "lists/sites.txt" is not among the sources`)
}

// TestPortable: positions are relative to what holds all paths, however these are given; errors name files as given.
func TestPortable(t *testing.T) {
	dir := writePack(t)
	t.Chdir(dir)
	o := LoadOptions{Portable: true}
	for _, x := range []struct {
		paths []string
		first string
	}{
		{[]string{"."}, "acme/pay.yaml"},
		{[]string{dir}, "acme/pay.yaml"},
		{[]string{filepath.Join(dir, "globex", "..")}, "acme/pay.yaml"},
		{[]string{"acme", filepath.Join(dir, "common.yaml")}, "acme/pay.yaml"},
		{[]string{"./globex/g.yaml", "globex/own.yaml"}, "g.yaml"},
	} {
		s, err := o.Load(x.paths...)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Policies[0].Pos.File; got != x.first {
			t.Errorf("%q: the policy stands in %s, want %s", x.paths, got, x.first)
		}
	}
	if err := os.WriteFile("acme/pay.yaml", []byte("agent: a\nallowed_tols: []\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := o.Load("acme")
	wantError(t, s, err, filepath.Join("acme", "pay.yaml")+":2:1: unknown key")
}
