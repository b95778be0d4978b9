package bundle

import (
	"strings"
	"testing"
)

func goodManifest() *Manifest {
	return &Manifest{Revision: "1", Roots: []string{"aegis"}, RegoVersion: 1, Metadata: Metadata{Format: Format, Language: 1,
		Codegen: "1", Target: "rego", Tenants: []string{"acme"}, PolicyVersion: "sha256:00", Serial: 1}}
}

// TestManifest: a manifest is read as it was written, and refused where two readers could disagree about it.
func TestManifest(t *testing.T) {
	a := &Archive{}
	if _, err := a.Manifest(); err == nil || !strings.Contains(err.Error(), "no .manifest") {
		t.Errorf("without a manifest: %v", err)
	}
	good := string(goodManifest().Encode())
	a.Put(ManifestPath, []byte(good))
	if m, err := a.Manifest(); err != nil || m.Metadata.Serial != 1 || m.Metadata.Tenants[0] != "acme" {
		t.Errorf("a good manifest: %v, %v", m, err)
	}
	for _, x := range []struct{ from, to, want string }{
		{`"serial": 1`, `"serial": 1, "serial": 2`, "as aegisctl writes it"},
		{`"serial": 1`, `"Serial": 1`, "as aegisctl writes it"},
		{`"serial": 1`, `"serial": 0`, "serial 0"},
		{`"serial": 1`, `"serial": 9007199254740992`, "serial 9007199254740992"},
		{`"serial": 1`, `"serial": 1e3`, "1e3"},
		{`"serial": 1`, `"serial": 1,
  "expires": "tomorrow"`, "expires"},
		{`"serial": 1`, `"serial": 1,
  "expires": "2027-01-31T00:00:00+01:00"`, "expires"},
		{`"language": 1`, `"language": 2`, "version 2 of the language"},
		{`"format": 1`, `"format": 2`, "format is 2"},
		{`"aegis"`, `""`, "roots"},
		{`"acme"`, "\"b\",\n   \"a\"", "sorted"},
		{`"revision"`, `"extra": 1, "revision"`, "extra"},
		{good, good + "{}", "as aegisctl writes it"},
		{good, "", "EOF"},
		{good, "null", "as aegisctl writes it"},
	} {
		text := strings.Replace(good, x.from, x.to, 1)
		if text == good {
			t.Fatalf("%q is not in the manifest", x.from)
		}
		a.Put(ManifestPath, []byte(text))
		if _, err := a.Manifest(); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v does not say %q", x.to, err, x.want)
		}
	}
}
