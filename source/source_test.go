package source_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/aegisctl/aegis/bundle"
	"github.com/aegisctl/aegis/policy"
	"github.com/aegisctl/aegis/serve"
	"github.com/aegisctl/aegis/sign"
	"github.com/aegisctl/aegis/source"
)

// signer signs the bundles of a test.
type signer struct {
	t   *testing.T
	key *sign.PrivateKey
}

func newSigner(t *testing.T) *signer {
	k, err := sign.Generate(sign.ES256)
	if err != nil {
		t.Fatal(err)
	}
	return &signer{t, k}
}

// bundle makes a signed bundle of one agent for each tenant.
func (s *signer) bundle(serial int64, tenants ...string) []byte {
	s.t.Helper()
	dir := s.t.TempDir()
	for _, tenant := range tenants {
		text := fmt.Sprintf("tenant: %s\nagent: a\nallowed_tools: [{name: x%d}]\n", tenant, serial)
		if err := os.WriteFile(filepath.Join(dir, tenant+".yaml"), []byte(text), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	set, err := policy.LoadOptions{Portable: true}.Load(dir)
	if err != nil {
		s.t.Fatal(err)
	}
	a, err := bundle.New(set, bundle.Metadata{Codegen: policy.Codegen, Target: "rego", Serial: serial})
	if err != nil {
		s.t.Fatal(err)
	}
	archive, err := a.Bytes()
	if err != nil {
		s.t.Fatal(err)
	}
	signed, err := sign.Sign(archive, sign.Order{Keys: []*sign.PrivateKey{s.key}})
	if err != nil {
		s.t.Fatal(err)
	}
	return signed.Archive
}

// keep makes a keeper that feeds a service.
func (s *signer) keep(o source.Options) (*source.Keeper, *serve.Service, error) {
	svc := serve.New(serve.Options{})
	s.t.Cleanup(svc.Close)
	o.Keys = func(context.Context) (trusted, revoked []*sign.PublicKey, err error) {
		return []*sign.PublicKey{&s.key.PublicKey}, nil, nil
	}
	o.Install = func(all []*source.Loaded, last func() error) error {
		var out []serve.Source
		for _, b := range all {
			out = append(out, serve.Source{Name: b.Name, Set: b.Set, Serial: b.Serial, Signed: b.Signed, FreshUntil: b.FreshUntil})
		}
		return svc.InstallIf(out, last)
	}
	k, err := source.New(o)
	if err != nil {
		return nil, nil, err
	}
	return k, svc, k.Begin(context.Background())
}

func (s *signer) mustKeep(o source.Options) (*source.Keeper, *serve.Service) {
	s.t.Helper()
	k, svc, err := s.keep(o)
	if err != nil {
		s.t.Fatal(err)
	}
	return k, svc
}

// inForce says what is in force: tenants and serials.
func inForce(svc *serve.Service) string {
	var out []string
	for _, u := range svc.Units() {
		out = append(out, fmt.Sprintf("%s@%d", strings.Join(u.Tenants(), "+"), u.Serial))
	}
	return strings.Join(out, " ")
}

// look looks once and compares what is then in force, and the first source's code.
func look(t *testing.T, k *source.Keeper, svc *serve.Service, want, code string) {
	t.Helper()
	k.Refresh(context.Background(), false)
	if got, st := inForce(svc), k.Status()[0]; got != want || st.Code != code {
		t.Fatalf("in force: %s, %+v; want %s, code %q", got, st, want, code)
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDirectoryOfBundles(t *testing.T) {
	s, dir := newSigner(t), t.TempDir()
	write(t, filepath.Join(dir, "a.tar.gz"), s.bundle(1, "acme"))
	write(t, filepath.Join(dir, "b.tar.gz"), s.bundle(1, "globex", "initech"))
	write(t, filepath.Join(dir, ".c.tar.gz"), []byte("still being written"))
	k, svc := s.mustKeep(source.Options{Places: []string{dir}})
	look(t, k, svc, "acme@1 globex+initech@1", "")
	unit := svc.Units()[0]
	write(t, filepath.Join(dir, "b.tar.gz"), s.bundle(2, "globex", "initech"))
	look(t, k, svc, "acme@1 globex+initech@2", "")
	if svc.Units()[0] != unit {
		t.Error("a bundle that did not change was loaded again")
	}
	// One that is bad leaves its own old policies, and does not keep another from changing.
	write(t, filepath.Join(dir, "a.tar.gz"), []byte("bad"))
	write(t, filepath.Join(dir, "b.tar.gz"), s.bundle(3, "globex"))
	look(t, k, svc, "acme@1 globex@3", "truncated")
	write(t, filepath.Join(dir, "c.tar.gz"), s.bundle(4, "umbrella"))
	write(t, filepath.Join(dir, "a.tar.gz"), s.bundle(2, "acme"))
	look(t, k, svc, "acme@2 globex@3 umbrella@4", "")
	// A new bundle for a tenant that another has policies of.
	write(t, filepath.Join(dir, "d.tar.gz"), s.bundle(5, "acme"))
	look(t, k, svc, "acme@2 globex@3 umbrella@4", "not_installed")
	if err := os.Remove(filepath.Join(dir, "d.tar.gz")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "c.tar.gz")); err != nil {
		t.Fatal(err)
	}
	look(t, k, svc, "acme@2 globex@3", "")
	// A directory that is suddenly empty was unmounted, perhaps: nothing is taken away.
	for _, n := range []string{"a.tar.gz", "b.tar.gz"} {
		if err := os.Remove(filepath.Join(dir, n)); err != nil {
			t.Fatal(err)
		}
	}
	look(t, k, svc, "acme@2 globex@3", "unreachable")
}

// TestSources: what one source does leaves the others alone, and a tenant may move from one to the other.
func TestSources(t *testing.T) {
	s, dir := newSigner(t), t.TempDir()
	a, b := filepath.Join(dir, "a.tar.gz"), filepath.Join(dir, "b.tar.gz")
	write(t, a, s.bundle(1, "acme", "globex"))
	write(t, b, s.bundle(1, "acme"))
	if _, _, err := s.keep(source.Options{Places: []string{a, b}}); !errors.Is(err, serve.ErrOneTenantTwice) {
		t.Fatalf("one tenant in two sources: %v", err)
	}
	write(t, b, s.bundle(1, "initech"))
	k, svc := s.mustKeep(source.Options{Places: []string{a, b}})
	write(t, a, s.bundle(2, "acme"))
	write(t, b, s.bundle(2, "globex", "initech"))
	look(t, k, svc, "acme@2 globex+initech@2", "")
	// Both change, and one takes what is not its own: only that one is refused.
	write(t, a, s.bundle(3, "acme", "initech"))
	write(t, b, s.bundle(3, "globex", "initech"))
	look(t, k, svc, "acme@2 globex+initech@3", "not_installed")
}

func TestUnsignedPolicies(t *testing.T) {
	s, dir := newSigner(t), t.TempDir()
	path := filepath.Join(dir, "p.yaml")
	text := func(tool string) []byte {
		return []byte("tenant: acme\nagent: a\nallowed_tools: [{name: " + tool + "}]\n")
	}
	write(t, path, text("x"))
	if _, _, err := s.keep(source.Options{Places: []string{dir}}); err == nil {
		t.Fatal("policies without a signature are in force")
	}
	if _, _, err := s.keep(source.Options{Places: []string{path}}); err == nil || !strings.Contains(err.Error(), "bad_archive") {
		t.Fatalf("%v", err)
	}
	for _, place := range []string{dir, path} {
		write(t, path, text("x"))
		k, svc := s.mustKeep(source.Options{Places: []string{place}, Unsigned: true})
		first := svc.Units()[0]
		look(t, k, svc, "acme@0", "")
		if svc.Units()[0] != first {
			t.Error("what did not change was loaded again")
		}
		write(t, path, []byte("tenant: acme\nagent: a\nallowed_tool: []\n"))
		look(t, k, svc, "acme@0", "unloadable")
		write(t, path, text("y"))
		look(t, k, svc, "acme@0", "")
		if svc.Units()[0].Set.Version == first.Set.Version {
			t.Error("the change is not in force")
		}
	}
}

// bucket serves one bundle, as a web server does.
type bucket struct {
	archive  atomic.Pointer[[]byte]
	token    string
	full     atomic.Int64 // answers with a body
	asked    atomic.Int64
	redirect string
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.asked.Add(1)
	if b.redirect != "" {
		http.Redirect(w, r, b.redirect, http.StatusFound)
		return
	}
	if b.token != "" && r.Header.Get("Authorization") != b.token {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	archive := *b.archive.Load()
	tag := `"` + digest.FromBytes(archive).Encoded() + `"`
	w.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	b.full.Add(1)
	w.Write(archive)
}

func (b *bucket) put(archive []byte) { b.archive.Store(&archive) }

func TestHTTP(t *testing.T) {
	s, b := newSigner(t), &bucket{}
	b.put(s.bundle(1, "acme"))
	srv := httptest.NewServer(b)
	defer srv.Close()
	k, svc := s.mustKeep(source.Options{Places: []string{srv.URL + "/b.tar.gz?signature=secret"}})
	for range 3 {
		look(t, k, svc, "acme@1", "")
	}
	if n := b.full.Load(); n != 1 {
		t.Errorf("the bundle was sent %d times", n)
	}
	bad := s.bundle(2, "acme")
	b.put(bad[:len(bad)-5])
	for range 2 { // what was refused is fetched again, and is not taken for what is in force
		look(t, k, svc, "acme@1", "truncated")
	}
	b.put(s.bundle(3, "acme"))
	look(t, k, svc, "acme@3", "")
	b.put(make([]byte, bundle.MaxPacked+1))
	look(t, k, svc, "acme@3", "unreachable")
	b.redirect = "https://127.0.0.1:1/elsewhere?signature=secret"
	look(t, k, svc, "acme@3", "unreachable")
	b.redirect = srv.URL // for ever
	look(t, k, svc, "acme@3", "unreachable")
	if n := b.asked.Load(); n > 20 {
		t.Errorf("%d requests: redirects are followed for ever", n)
	}
	srv.Close()
	look(t, k, svc, "acme@3", "unreachable")
	if st := fmt.Sprint(k.Status()); strings.Contains(st, "secret") {
		t.Errorf("the status tells the query of the address: %s", st)
	}
}

// TestTokens: a token goes to its own host only, and never in the clear.
func TestTokens(t *testing.T) {
	s, token := newSigner(t), filepath.Join(t.TempDir(), "token")
	write(t, token, []byte("hunter2\n"))
	b := &bucket{token: "Bearer hunter2"}
	b.put(s.bundle(1, "acme"))
	srv := httptest.NewServer(b)
	defer srv.Close()
	host := strings.TrimPrefix(srv.URL, "http://")
	_, svc := s.mustKeep(source.Options{Places: []string{srv.URL}, Tokens: map[string]string{host: token}})
	if inForce(svc) != "acme@1" {
		t.Error(inForce(svc))
	}
	var leaked atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leaked.Store(leaked.Load() || r.Header.Get("Authorization") != "")
		w.Write(s.bundle(1, "acme"))
	}))
	defer other.Close()
	b.redirect = other.URL
	s.mustKeep(source.Options{Places: []string{srv.URL}, Tokens: map[string]string{host: token}})
	if leaked.Load() {
		t.Error("the token went to another host")
	}
	for _, c := range []struct{ place, says string }{
		{"http://bundles.example/b.tar.gz", "plain http"},
		{"https://user:hunter2@bundles.example/b", "leave user and password out"},
		{"s3://bucket/b.tar.gz", "not s3://"},
		{"oci://registry.example/repo", "name a tag or a digest"},
		{"https://", "cannot be read"},
	} {
		_, err := source.New(source.Options{Places: []string{c.place}, Tokens: map[string]string{"bundles.example": token}})
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", c.place, err)
		}
	}
	if _, err := source.New(source.Options{Places: []string{"http://bundles.example/b"}, Unsigned: true}); err == nil {
		t.Error("anybody on the way may give policies")
	}
	if err := os.Chmod(token, 0o644); err != nil {
		t.Fatal(err)
	}
	b.redirect = ""
	if _, _, err := s.keep(source.Options{Places: []string{srv.URL}, Tokens: map[string]string{host: token}}); err == nil || !strings.Contains(err.Error(), "read by everybody") {
		t.Errorf("%v", err)
	}
}

// push puts a bundle into a registry as oras and opa do, with any number of layers.
func push(t *testing.T, url, tag string, layers ...[]byte) {
	t.Helper()
	send := func(method, path, kind string, body []byte) {
		req, err := http.NewRequest(method, url+path, strings.NewReader(string(body)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", kind)
		res, err := http.DefaultClient.Do(req)
		if err != nil || res.StatusCode >= 300 {
			t.Fatal(err, res.Status)
		}
		res.Body.Close()
	}
	blob := func(kind string, data []byte) ocispec.Descriptor {
		d := digest.FromBytes(data)
		send(http.MethodPost, "/v2/team/policies/blobs/uploads/?digest="+d.String(), "application/octet-stream", data)
		return ocispec.Descriptor{MediaType: kind, Digest: d, Size: int64(len(data))}
	}
	m := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, Config: blob("application/vnd.oci.empty.v1+json", []byte("{}"))}
	for _, l := range layers {
		m.Layers = append(m.Layers, blob("application/vnd.oci.image.layer.v1.tar+gzip", l))
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	send(http.MethodPut, "/v2/team/policies/manifests/"+tag, m.MediaType, text)
}

func TestRegistry(t *testing.T) {
	s := newSigner(t)
	var blobs atomic.Int64
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
			blobs.Add(1)
		}
		inner.ServeHTTP(w, r)
	}))
	defer srv.Close()
	place := "oci://" + strings.TrimPrefix(srv.URL, "http://") + "/team/policies:stable"
	push(t, srv.URL, "stable", s.bundle(1, "acme"))
	k, svc := s.mustKeep(source.Options{Places: []string{place}})
	for range 3 {
		look(t, k, svc, "acme@1", "")
	}
	if n := blobs.Load(); n != 1 {
		t.Errorf("the archive was fetched %d times", n)
	}
	push(t, srv.URL, "stable", s.bundle(2, "acme"))
	look(t, k, svc, "acme@2", "")
	push(t, srv.URL, "stable", s.bundle(1, "acme")) // the tag goes back
	look(t, k, svc, "acme@2", "rolled_back")
	push(t, srv.URL, "stable", s.bundle(3, "acme"), s.bundle(4, "acme"))
	look(t, k, svc, "acme@2", "unreachable")
	push(t, srv.URL, "stable", s.bundle(5, "acme"))
	look(t, k, svc, "acme@5", "")
	if _, _, err := s.keep(source.Options{Places: []string{place + "x"}}); err == nil {
		t.Error("a tag that is not there")
	}
}
