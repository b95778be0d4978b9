package bundle_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/aegisctl/aegis/bundle"
	"github.com/aegisctl/aegis/policy"
)

const finance = `agent: pay
tenant: acme
params: {ceiling: 5000, on: true}
allowed_tools:
  - name: t
    conditions: {max_n: $ceiling, require: [{if: "n > 0 && params.on", message: "pay something"}]}
`

// load makes a set as compile does, from memory.
func load(t testing.TB) *policy.Set {
	t.Helper()
	from := policy.Origin{Policies: []*policy.Source{{Name: "pay.yaml", Text: []byte(finance)},
		{Name: "routes.yaml", Text: []byte("routes: [{match: GET a.example.com/x, call: t}]\ntenant: acme\n")}}}
	s, err := from.Load()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func archive(t testing.TB) *bundle.Archive {
	t.Helper()
	a, err := bundle.New(load(t), bundle.Metadata{Codegen: policy.Codegen, Target: "rego", Serial: 7})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestLoad(t *testing.T) {
	s, err := bundle.Load(archive(t))
	if err != nil {
		t.Fatal(err)
	}
	if want := load(t); s.Version != want.Version || s.Rules[len(s.Rules)-1] != want.Rules[len(want.Rules)-1] {
		t.Errorf("the set is another: %v", s.Rules)
	} else if len(s.Routes) != 1 || len(s.Routes[0].Routes) != 1 || !reflect.DeepEqual(s.Routes, want.Routes) {
		t.Errorf("the routes are others: %+v", s.Routes)
	}
	m, err := archive(t).Manifest()
	if err != nil || m.Metadata.Serial != 7 || m.Metadata.Tenants[0] != "acme" || m.Metadata.PolicyVersion != s.Version {
		t.Errorf("the manifest says %+v, %v", m, err)
	}
	data, _ := archive(t).Get(bundle.DataPath)
	for _, want := range []string{`"acme/pay/t#max_n": "pay.yaml:6:`, `"acme/pay/t#require[0]": "pay something"`, `"call": "t"`} {
		if !strings.Contains(string(data), want) {
			t.Errorf("data.json does not hold %s:\n%s", want, data)
		}
	}
}

// TestLoadRefuses: what a bundle says of its policies must come of them.
func TestLoadRefuses(t *testing.T) {
	for _, x := range []struct{ name, path, from, to, want string }{
		{"no manifest", ".manifest", "", "", "no .manifest"},
		{"no data", "data.json", "", "", "no data.json"},
		{"other policy", "data.json", "max_n: $ceiling", "max_n: 100000", "the manifest states policy_version"},
		{"bad policy", "data.json", "max_n: $ceiling", "max_n: hello", "pay.yaml:6:"},
		{"source map", "data.json", "pay.yaml:6:", "pay.yaml:7:", "not what comes of the policies"},
		{"message", "data.json", `"pay something"`, `"fine"`, "not what comes of the policies"},
		{"routes", "data.json", `"call": "t"`, `"call": "u"`, "not what comes of the policies"},
		{"a param", "data.json", `"params": {}`, `"params": {"ceiling": 9}`, "another order"},
		{"a param of no kind", "data.json", `"params": {}`, "\"params\": {\n   \"ceiling\": null\n  }", "neither a text"},
		{"a param out of range", "data.json", `"params": {}`, "\"params\": {\n   \"ceiling\": 1e300\n  }", "out of range"},
		{"tenants", ".manifest", `"acme"`, `"globex"`, "states the tenants"},
		{"version", ".manifest", `"policy_version": "sha256:`, `"policy_version": "sha256:0`, "states policy_version"},
		{"unknown key", "data.json", `"files":`, `"extra": 1, "files":`, "extra"},
		{"key twice", "data.json", `"files":`, `"files": {}, "files":`, "another order"},
	} {
		a := archive(t)
		text, _ := a.Get(x.path)
		if x.from == "" {
			a.Remove(x.path)
		} else {
			changed := bytes.Replace(text, []byte(x.from), []byte(x.to), 1)
			if bytes.Equal(changed, text) {
				t.Fatalf("%s: %q is not in %s:\n%s", x.name, x.from, x.path, text)
			}
			a.Put(x.path, changed)
		}
		s, err := bundle.Load(a)
		if err == nil || s != nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v does not say %q", x.name, err, x.want)
		}
	}
}

// FuzzLoad: whatever stands in a bundle, Load answers with a set or an error.
func FuzzLoad(f *testing.F) {
	a := archive(f)
	manifest, _ := a.Get(bundle.ManifestPath)
	data, _ := a.Get(bundle.DataPath)
	f.Add(manifest, data)
	f.Add(manifest, []byte(`{"aegis": null}`))
	f.Fuzz(func(t *testing.T, manifest, data []byte) {
		x := &bundle.Archive{}
		x.Put(bundle.ManifestPath, manifest)
		x.Put(bundle.DataPath, data)
		if s, err := bundle.Load(x); (s == nil) == (err == nil) {
			t.Error(s, err)
		}
	})
}
