package compile

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aegisctl/aegis/bundle"
	"github.com/aegisctl/aegis/policy"
)

// pack uses lists, fragments, Rego, routes and schemas, and two tenants.
var pack = map[string]string{
	"acme/pay.yaml": `agent: pay
tenant: acme
params: {ceiling: 5000}
lists: {sites: {from: sites.txt}}
use: [common]
rego: [own.rego]
allowed_tools:
  - name: stripe
    actions: [pay, "get_*"]
    conditions:
      max_amount: $ceiling
      args: {url: {hosts: $sites}, day: {matches: '[0-9]+'}}
      approval_needed_if: {if: amount > 5000, message: "große Summe"}
      require: ['time.hour("Europe/Berlin") < 18']
`,
	"acme/sites.txt": "example.com\nexample.org\n",
	"acme/own.rego":  "package aegis.custom\n\ndeny contains \"x\" if input.args.x == 1\n",
	"globex/g.yaml":  "agent: g\ntenant: globex\nuse: [common]\n",
	"common.yaml":    "fragment: common\nallowed_tools: [{name: v, actions: [b, a]}]\n",
	"floor.yaml":     "guardrail: floor\ntenant: \"*\"\nregions: [eu, us]\n",
	"routes.yaml":    "routes: [{match: POST api.example.com/v1/pay, call: stripe/pay}]\ntenant: acme\n",
	"schemas.yaml":   "schemas: {stripe: {pay: {type: object}}}\ntenant: acme\n",
}

// write writes the pack, its files in the order that turn gives, with modes and times of their own.
func write(t *testing.T, turn int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", turn+1), fmt.Sprintf("Größe %d", turn))
	var names []string
	for name := range pack {
		names = append(names, name)
	}
	slices.Sort(names)
	if turn%2 == 1 {
		slices.Reverse(names)
	}
	for i, name := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(pack[name]), []os.FileMode{0o600, 0o644, 0o755}[(i+turn)%3]); err != nil {
			t.Fatal(err)
		}
		then := time.Unix(int64(1e9+turn*1e6+i), 0)
		if err := os.Chtimes(path, then, then); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func mustBuild(t *testing.T, o Options, load policy.LoadOptions, paths ...string) *bundle.Archive {
	t.Helper()
	load.Portable = true
	s, err := load.Load(paths...)
	if err != nil {
		t.Fatal(err)
	}
	a, err := Build(s, o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func mustBytes(t *testing.T, a *bundle.Archive) []byte {
	t.Helper()
	b, err := a.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestReproducible compiles copies of the pack that lie at other paths, written in another order with other modes and times,
// named in several ways, under other locales and time zones, and expects the same bytes.
func TestReproducible(t *testing.T) {
	for _, target := range []Target{Rego, Wasm} {
		o := Options{Target: target, Serial: 3, Expires: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
		var want []byte
		for turn := range 4 {
			dir := write(t, turn)
			t.Setenv("LANG", []string{"C", "de_DE.UTF-8", "tr_TR.UTF-8", ""}[turn])
			t.Setenv("TZ", []string{"UTC", "Asia/Kathmandu", "", "America/Lima"}[turn])
			paths := [][]string{{dir}, {dir + "/"}, {"."}, {"acme", "globex", "routes.yaml", filepath.Join(dir, "floor.yaml"), "schemas.yaml", "common.yaml"}}
			t.Chdir(dir)
			got := mustBytes(t, mustBuild(t, o, policy.LoadOptions{}, paths[turn]...))
			if want == nil {
				want = got
			} else if !bytes.Equal(got, want) {
				t.Errorf("%s: turn %d gives other bytes", target, turn)
			}
			o.Expires = o.Expires.In(time.FixedZone("x", 3600))
		}
	}
}

// TestContents: what goes into a bundle, and what does not.
func TestContents(t *testing.T) {
	dir := write(t, 0)
	ceiling, err := policy.LoadOptions{}.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	a := mustBuild(t, Options{}, policy.LoadOptions{Tenant: "acme"}, dir)
	m, err := a.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	if x := m.Metadata; x.Serial != 1 || x.Target != "rego" || x.Codegen != policy.Codegen || !slices.Equal(x.Tenants, []string{"acme"}) || x.Expires != "" {
		t.Errorf("the manifest says %+v", x)
	}
	if m.Metadata.PolicyVersion == ceiling.Version {
		t.Error("one tenant has the version of two")
	}
	for _, f := range a.Files {
		if bytes.Contains(f.Data, []byte("globex")) {
			t.Errorf("%s tells of another tenant", f.Path)
		}
		if bytes.Contains(f.Data, []byte(dir)) {
			t.Errorf("%s tells the path", f.Path)
		}
	}
	if err := Check(a); err != nil {
		t.Error(err)
	}
	if _, err := Build(ceiling, Options{Target: "plan"}); err == nil {
		t.Error("an unknown target is accepted")
	}
	if _, err := Build(ceiling, Options{}); err == nil || !strings.Contains(err.Error(), "absolute") {
		t.Errorf("absolute positions are accepted: %v", err)
	}
}

// TestCheck: whatever is changed in a bundle, but its signatures, is found, and named.
func TestCheck(t *testing.T) {
	dir := write(t, 0)
	for _, target := range []Target{Rego, Wasm} {
		a := mustBuild(t, Options{Target: target}, policy.LoadOptions{}, dir)
		a.Put(bundle.SignaturesPath, []byte("{}"))
		if err := Check(a); err != nil {
			t.Fatal(err)
		}
		for i := range a.Files {
			path := a.Files[i].Path
			if path == bundle.SignaturesPath {
				continue
			}
			changed := &bundle.Archive{Files: slices.Clone(a.Files)}
			data := slices.Clone(a.Files[i].Data)
			data[len(data)/2] ^= 1
			changed.Put(path, data)
			if err := Check(changed); err == nil {
				t.Errorf("%s: a changed byte is not found", path)
			} else if strings.HasSuffix(path, ".rego") && !strings.Contains(err.Error(), "member "+path+" is not what comes") {
				t.Errorf("%s: %v", path, err)
			}
			changed.Remove(path)
			if err := Check(changed); err == nil || strings.HasSuffix(path, ".rego") && !strings.Contains(err.Error(), path+" is missing") {
				t.Errorf("%s: taken out: %v", path, err)
			}
		}
		a.Put("zz/extra.rego", []byte("package aegis\n\nallow := true\n"))
		if err := Check(a); err == nil || !strings.Contains(err.Error(), "zz/extra.rego does not come of") {
			t.Errorf("a member more: %v", err)
		}
	}
}

// TestCheckKnowsItsGenerator: rules of another generator cannot be made again, and Check says so.
func TestCheckKnowsItsGenerator(t *testing.T) {
	s, err := policy.LoadOptions{Portable: true}.Load(write(t, 0))
	if err != nil {
		t.Fatal(err)
	}
	a, err := bundle.New(s, bundle.Metadata{Codegen: "0", Target: "rego", Serial: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(a); !errors.Is(err, ErrCodegen) {
		t.Error(err)
	}
}

// TestCapabilities: what a compiled module may call depends on its arguments alone.
func TestCapabilities(t *testing.T) {
	have := map[string]bool{}
	for _, b := range capabilities().Builtins {
		have[b.Name] = true
	}
	for _, name := range []string{"http.send", "time.now_ns", "rand.intn", "uuid.rfc4122", "opa.runtime", "net.lookup_ip_addr", "trace", "print"} {
		if have[name] {
			t.Errorf("%s is allowed", name)
		}
	}
	for _, name := range []string{"time.clock", "regex.match", "object.get"} {
		if !have[name] {
			t.Errorf("%s is not allowed", name)
		}
	}
	_, err := toWasm(t.Context(), []bundle.File{{Path: "a.rego", Data: []byte("package aegis\n\ndecision := http.send({})\n")}})
	if err == nil || !strings.Contains(err.Error(), "http.send") {
		t.Errorf("a module that asks the network is compiled: %v", err)
	}
}
