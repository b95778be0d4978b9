package sign

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aegisctl/aegis/bundle"
	"github.com/aegisctl/aegis/policy"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// version is a policy version that looks like one.
func version(digit string) string { return "sha256:" + strings.Repeat(digit, 64) }

// newArchive makes an unsigned bundle of a tenant, small and complete.
func newArchive(t testing.TB, tenant string, serial int64, digit string) *bundle.Archive {
	t.Helper()
	m := &bundle.Manifest{Revision: fmt.Sprintf("%d-%s", serial, digit), Roots: []string{"aegis"}, RegoVersion: 1,
		Metadata: bundle.Metadata{Format: bundle.Format, Language: policy.LanguageVersion, Codegen: policy.Codegen, Target: "rego",
			Tenants: []string{tenant}, PolicyVersion: version(digit), Serial: serial}}
	a := &bundle.Archive{}
	a.Put(bundle.ManifestPath, m.Encode())
	a.Put(bundle.DataPath, []byte(`{"aegis": {"ceiling": 5000, "rate": 0.10, "names": ["a", "b<c"]}}`+"\n"))
	a.Put("aegis/decision.rego", []byte("package aegis\n\ndecision := \"deny\" if input.args.amount > data.aegis.ceiling\n\ndecision := \"allow\" if input.args.amount <= data.aegis.ceiling\n"))
	a.Put("aegis/sources.json", []byte(`{"finance.yaml": "tenant: acme\n"}`+"\n"))
	return a
}

func pack(t testing.TB, a *bundle.Archive) []byte {
	t.Helper()
	b, err := a.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func unpack(t testing.TB, archive []byte) *bundle.Archive {
	t.Helper()
	a, err := bundle.Read(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func newKey(t testing.TB, alg Algorithm) *PrivateKey {
	t.Helper()
	k, err := Generate(alg)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func mustSign(t testing.TB, archive []byte, o Order) *Signed {
	t.Helper()
	if o.At.IsZero() {
		o.At = now
	}
	s, err := Sign(archive, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// wantCode fails unless err is an *Error of that code, with a text.
func wantCode(t *testing.T, err error, code Code) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a refusal of code %s", err, code)
	}
	if e.Code != code {
		t.Fatalf("refused as %s (%s), want %s", e.Code, e.Text, code)
	}
	if e.Text == "" || strings.Contains(e.Text, "\n") {
		t.Errorf("the refusal is not one clear line: %q", e.Text)
	}
	return e
}

func public(keys ...*PrivateKey) []*PublicKey {
	var pub []*PublicKey
	for _, k := range keys {
		pub = append(pub, &k.PublicKey)
	}
	return pub
}
