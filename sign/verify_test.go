package sign

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aegisctl/aegis/bundle"
)

func TestRoundTrip(t *testing.T) {
	k := newKey(t, ES256)
	plain := newArchive(t, "acme", 7, "a")
	s := mustSign(t, pack(t, plain), Order{Keys: []*PrivateKey{k}, Expires: now.Add(time.Hour)})
	v, err := Verify(s.Archive, Options{Keys: public(k), At: now, MinSerial: 7, Tenant: "acme", Detached: s.Detached[0]})
	if err != nil {
		t.Fatal(err)
	}
	if v.Serial != 7 || v.PolicyVersion != version("a") || !slices.Equal(v.KeyIDs, []string{k.ID}) || v.Detached != k.ID ||
		!v.SignedAt.Equal(now) || !v.Expires.Equal(now.Add(time.Hour)) {
		t.Errorf("verified: %+v", v)
	}
	for _, f := range plain.Files {
		if data, _ := v.Bundle.Get(f.Path); !bytes.Equal(data, f.Data) {
			t.Errorf("%s is not what was signed", f.Path)
		}
	}
	again := mustSign(t, s.Archive, Order{Keys: []*PrivateKey{k}})
	if !again.Verified.Expires.IsZero() || len(again.Verified.KeyIDs) != 1 {
		t.Errorf("signing again keeps the old signature: %+v", again.Verified)
	}
}

// TestRotation: a bundle that the old and the new key signed is accepted by who has either.
func TestRotation(t *testing.T) {
	k1, k2, k3 := newKey(t, ES256), newKey(t, ES256), newKey(t, EdDSA)
	s := mustSign(t, pack(t, newArchive(t, "acme", 1, "a")), Order{Keys: []*PrivateKey{k1, k2}})
	if len(s.Detached) != 2 {
		t.Fatalf("%d detached signatures", len(s.Detached))
	}
	for _, keys := range [][]*PublicKey{public(k1), public(k2), public(k3, k2), public(k1, k2)} {
		for _, d := range append(s.Detached, nil) {
			if _, err := Verify(s.Archive, Options{Keys: keys, At: now, Detached: d}); err != nil {
				t.Errorf("refused: %v", err)
			}
		}
	}
	if v, err := Verify(s.Archive, Options{Keys: public(k1, k2), Revoked: public(k1), At: now}); err != nil || !slices.Equal(v.KeyIDs, []string{k2.ID}) {
		t.Errorf("with the first key revoked: %+v, %v", v, err)
	}
	_, err := Verify(s.Archive, Options{Keys: public(k3), At: now})
	wantCode(t, err, UnknownKey)
	_, err = Verify(s.Archive, Options{At: now})
	wantCode(t, err, UnknownKey)
}

// TestRefusals has a case for every code that recipes do not bring about.
func TestRefusals(t *testing.T) {
	k, other, ed := newKey(t, ES256), newKey(t, ES256), newKey(t, EdDSA)
	good := mustSign(t, pack(t, newArchive(t, "acme", 8, "a")), Order{Keys: []*PrivateKey{k}, Expires: now.Add(time.Hour),
		Name: "b", Report: []byte(`{"policy_version": "` + version("a") + `", "decisions": {}}`)})
	next := mustSign(t, pack(t, newArchive(t, "acme", 9, "d")), Order{Keys: []*PrivateKey{k}})
	trust := func(change func(*Options)) Options {
		o := Options{Keys: public(k), At: now}
		if change != nil {
			change(&o)
		}
		return o
	}
	inside := func(change func(a *bundle.Archive)) []byte {
		a := unpack(t, good.Archive)
		change(a)
		return pack(t, a)
	}
	sigs := func(text string) []byte {
		return inside(func(a *bundle.Archive) { a.Put(bundle.SignaturesPath, []byte(text)) })
	}
	forged := func(head map[string]any, sig []byte) []byte {
		return inside(func(a *bundle.Archive) {
			a.Put(bundle.SignaturesPath, forge(t, a, head, func([]byte) []byte { return sig }))
		})
	}
	text, _ := unpack(t, good.Archive).Get(bundle.SignaturesPath)
	s, _ := parseSignatures(text)
	token := s.Tokens[0]
	tampered := func(c *claims) *bundle.Archive {
		a := unpack(t, good.Archive)
		a.Put(bundle.SignaturesPath, tokenFile(t, k, c))
		return a
	}
	old, _ := parseToken(token)
	twice, _ := old.claims()
	twice.Files = append(twice.Files, twice.Files[0])
	foreign, _ := old.claims()
	foreign.Aegis = nil
	later, _ := old.claims()
	later.Aegis.Schema = 2
	for _, c := range []struct {
		name    string
		archive []byte
		options Options
		code    Code
		text    string
	}{
		{"unsigned", pack(t, newArchive(t, "acme", 8, "a")), trust(nil), Unsigned, "aegisctl sign"},
		{"empty list", sigs(`{"signatures": []}`), trust(nil), Unsigned, "holds no signature"},
		{"no list", sigs(`{}`), trust(nil), Unsigned, "holds no signature"},
		{"alg none", forged(map[string]any{"alg": "none", "kid": k.ID}, nil), trust(nil), WrongAlgorithm, `"none"`},
		{"alg nOnE", forged(map[string]any{"alg": "nOnE", "kid": k.ID}, nil), trust(nil), WrongAlgorithm, `"nOnE"`},
		{"alg missing", forged(map[string]any{"kid": k.ID}, make([]byte, 64)), trust(nil), WrongAlgorithm, `""`},
		{"EdDSA with an ECDSA key", forged(map[string]any{"alg": "EdDSA", "kid": k.ID}, make([]byte, 64)), trust(nil), WrongAlgorithm, "signs with ES256"},
		{"ES256 with an Ed25519 key", forged(map[string]any{"alg": "ES256", "kid": ed.ID}, make([]byte, 64)),
			trust(func(o *Options) { o.Keys = public(ed) }), WrongAlgorithm, "signs with EdDSA"},
		{"zero signature", forged(map[string]any{"alg": "ES256", "kid": k.ID}, make([]byte, 64)), trust(nil), BadSignature, "damaged or forged"},
		{"short signature", forged(map[string]any{"alg": "ES256", "kid": k.ID}, make([]byte, 8)), trust(nil), BadSignature, "damaged or forged"},
		{"no kid", forged(map[string]any{"alg": "ES256"}, make([]byte, 64)), trust(nil), UnknownKey, "unknown key"},
		{"jwk in the header", forged(map[string]any{"alg": "ES256", "kid": k.ID, "jwk": map[string]any{}}, nil), trust(nil), BadSignatureFile, `"jwk"`},
		{"crit in the header", forged(map[string]any{"alg": "ES256", "kid": k.ID, "crit": []string{"b64"}}, nil), trust(nil), BadSignatureFile, `"crit"`},
		{"kid is a number", forged(map[string]any{"alg": "ES256", "kid": 7}, nil), trust(nil), BadSignatureFile, "other than text"},
		{"not JSON", sigs(`{"signatures": ["` + token + `"]`), trust(nil), BadSignatureFile, "malformed"},
		{"a key twice", sigs(`{"signatures": ["` + token + `"], "signatures": []}`), trust(nil), BadSignatureFile, "twice"},
		{"a key in two cases", sigs(`{"signatures": ["` + token + `"], "Signatures": []}`), trust(nil), BadSignatureFile, "case"},
		{"another key", sigs(`{"signatures": ["` + token + `"], "x": []}`), trust(nil), BadSignatureFile, `"x"`},
		{"a plugin", sigs(`{"signatures": ["` + token + `"], "plugin": "mine"}`), trust(nil), BadSignatureFile, `plugin "mine"`},
		{"two tokens", sigs(`{"signatures": ["` + token + `", "` + token + `"]}`), trust(nil), BadSignatureFile, "exactly one"},
		{"many tokens", sigs(`{"signatures": ["` + token + `"], "additional_signatures": [` + strings.Repeat(`"a.b.c",`, 16) + `"a.b.c"]}`),
			trust(nil), BadSignatureFile, "18 signatures"},
		{"numbers", sigs(`{"signatures": [1]}`), trust(nil), BadSignatureFile, "not a list of text"},
		{"two parts", sigs(`{"signatures": ["a.b"]}`), trust(nil), BadSignatureFile, "three parts"},
		{"line break", sigs(`{"signatures": ["` + token[:9] + `\n` + token[9:] + `"]}`), trust(nil), BadSignatureFile, "not base64url"},
		{"padding", sigs(`{"signatures": ["` + token + `="]}`), trust(nil), BadSignatureFile, "not base64url"},
		{"a list with a file twice", pack(t, tampered(twice)), trust(nil), BadSignatureFile, "twice"},
		{"a signature as opa sign writes it", pack(t, tampered(foreign)), trust(nil), NotOurs, "opa sign"},
		{"a later schema", pack(t, tampered(later)), trust(nil), NotOurs, "later aegisctl"},
		{"manifest rewritten", inside(func(a *bundle.Archive) {
			m, _ := a.Get(bundle.ManifestPath)
			a.Put(bundle.ManifestPath, append(slices.Clone(m), ' '))
		}), trust(nil), Tampered, ".manifest was changed"},
		{"serial raised", inside(func(a *bundle.Archive) {
			m, _ := a.Manifest()
			m.Metadata.Serial = 100
			a.Put(bundle.ManifestPath, m.Encode())
		}), trust(nil), OtherBundle, "serial 100"},
		{"whitespace that OPA does not see", inside(func(a *bundle.Archive) {
			d, _ := a.Get(bundle.DataPath)
			a.Put(bundle.DataPath, append(slices.Clone(d), '\n'))
		}), trust(nil), Tampered, "data.json was changed"},
		{"expired", good.Archive, trust(func(o *Options) { o.At = now.Add(time.Hour) }), Expired, "2026-03-01T13:00:00Z"},
		{"below the floor of its tenant", good.Archive, trust(func(o *Options) { o.Floor = Floor{"acme": 9, "globex": 1} }), RolledBack, "tenant acme is 9"},
		{"the next bundle's detached signature", good.Archive, trust(func(o *Options) { o.Detached = next.Detached[0] }), DetachedMismatch, "another archive"},
		{"a detached signature of nothing", good.Archive, trust(func(o *Options) { o.Detached = []byte("{}") }), BadSignatureFile, "media type"},
		{"an attestation as detached signature", good.Archive, trust(func(o *Options) { o.Detached = good.Attestation }), BadSignatureFile, "no signature of a file"},
		{"a detached signature as attestation", good.Archive, trust(func(o *Options) { o.Attestation = good.Detached[0] }), BadSignatureFile, "no in-toto statement"},
		{"another bundle's attestation", next.Archive, trust(func(o *Options) { o.Attestation = good.Attestation }), BadAttestation, "another archive"},
		{"an attestation by a stranger", good.Archive, trust(func(o *Options) { o.Attestation = attestation(t, other, good.Archive) }), BadAttestation, "not given"},
		{"Rego that does not come out", good.Archive, trust(func(o *Options) { o.Check = func(*bundle.Archive) error { return errors.New("differs") } }), NotReproduced, "differs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Verify(c.archive, c.options)
			if e := wantCode(t, err, c.code); !strings.Contains(e.Text, c.text) {
				t.Errorf("refused with %q, which lacks %q", e.Text, c.text)
			}
		})
	}
}

func attestation(t *testing.T, k *PrivateKey, archive []byte) []byte {
	t.Helper()
	a, err := attest(k, archive, "b", []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestDetachedForged: a detached signature that names a trusted key must be that key's.
func TestDetachedForged(t *testing.T) {
	k, other := newKey(t, ES256), newKey(t, ES256)
	s := mustSign(t, pack(t, newArchive(t, "acme", 1, "a")), Order{Keys: []*PrivateKey{k}})
	forgery := *other
	forgery.hint = k.hint
	d, err := detach(&forgery, s.Archive)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Verify(s.Archive, Options{Keys: public(k), At: now, Detached: d})
	wantCode(t, err, DetachedMismatch)
	a, err := attest(&forgery, s.Archive, "b", []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = Verify(s.Archive, Options{Keys: public(k), At: now, Attestation: a})
	wantCode(t, err, BadAttestation)
}

func TestAttestation(t *testing.T) {
	k := newKey(t, ES256)
	report := []byte(`{"policy_version":"` + version("a") + `","decisions":{"allow":3,"deny":1}}`)
	s := mustSign(t, pack(t, newArchive(t, "acme", 1, "a")), Order{Keys: []*PrivateKey{k}, Name: "b.tar.gz", Report: report})
	v, err := Verify(s.Archive, Options{Keys: public(k), At: now, Attestation: s.Attestation})
	if err != nil || !bytes.Equal(v.Report, report) {
		t.Errorf("the report came back as %s, %v", v.Report, err)
	}
	for _, bad := range []string{`{`, `{}`, `[]`, `{"policy_version": "` + version("b") + `", "decisions": {}}`} {
		if _, err := Sign(s.Archive, Order{Keys: []*PrivateKey{k}, At: now, Report: []byte(bad)}); err == nil {
			t.Errorf("the report %s was attested", bad)
		}
	}
}

func TestSignRefuses(t *testing.T) {
	k := newKey(t, ES256)
	archive := pack(t, newArchive(t, "acme", 1, "a"))
	for _, c := range []struct {
		archive []byte
		order   Order
		text    string
	}{
		{archive, Order{At: now}, "1 to 16 keys"},
		{archive, Order{At: now, Keys: []*PrivateKey{k, k}}, "twice"},
		{archive, Order{At: now, Keys: []*PrivateKey{k}, Expires: now}, "before it is made"},
		{archive[:99], Order{At: now, Keys: []*PrivateKey{k}}, "cut off"},
		{pack(t, &bundle.Archive{Files: []bundle.File{{Path: "x.rego"}}}), Order{At: now, Keys: []*PrivateKey{k}}, ".manifest"},
	} {
		if _, err := Sign(c.archive, c.order); err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("got %v, want an error with %q", err, c.text)
		}
	}
}

func TestFloor(t *testing.T) {
	f, err := ParseFloor([]byte(`{"schema": 1, "floor": {"acme": 7}}`))
	if err != nil {
		t.Fatal(err)
	}
	f = f.Raise(&Verified{Serial: 9, Tenants: []string{"acme", "globex"}}).Raise(&Verified{Serial: 8, Tenants: []string{"acme"}})
	back, err := ParseFloor(f.Encode())
	if err != nil || back["acme"] != 9 || back["globex"] != 9 {
		t.Errorf("the floor came back as %v, %v", back, err)
	}
	for _, bad := range []string{"", "{}", "null", `{"schema": 1}`, `{"schema": 2, "floor": {}}`, `{"schema": 1, "floor": {"a": "7"}}`,
		`{"schema": 1, "floor": {"a": 1, "a": 2}}`, `{"schema": 1, "floor": {}, "x": 1}`, `{"schema": 1, "floor": {"a": 1.5}}`} {
		_, err := ParseFloor([]byte(bad))
		wantCode(t, err, BadFloor)
	}
}

// TestUnreadable holds the line between exit 1 and exit 2.
func TestUnreadable(t *testing.T) {
	for code, unreadable := range map[Code]bool{Unsigned: false, Tampered: false, RolledBack: false, Truncated: true, TrailingData: true,
		DuplicateEntry: true, BadSignatureFile: true, BadFloor: true} {
		if (&Error{Code: code}).Unreadable() != unreadable {
			t.Errorf("%s: unreadable is %v", code, !unreadable)
		}
	}
}

// FuzzSignatures: whatever stands in .signatures.json, a bundle is accepted only for a token that a trusted key made.
func FuzzSignatures(f *testing.F) {
	k := newKey(f, ES256)
	s, err := Sign(pack(f, newArchive(f, "acme", 1, "a")), Order{Keys: []*PrivateKey{k}, At: now})
	if err != nil {
		f.Fatal(err)
	}
	a := unpack(f, s.Archive)
	text, _ := a.Get(bundle.SignaturesPath)
	f.Add(text)
	f.Add(hmacSigned(f, a, k))
	f.Add([]byte(`{"signatures": ["a.b.c"], "plugin": ""}`))
	genuine, _ := parseSignatures(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		b := &bundle.Archive{Files: slices.Clone(a.Files)}
		b.Put(bundle.SignaturesPath, text)
		packed, err := b.Bytes()
		if err != nil {
			return
		}
		if _, err := Verify(packed, Options{Keys: public(k), At: now}); err != nil {
			if !errors.As(err, new(*Error)) {
				t.Fatalf("an error without a code: %v", err)
			}
			return
		}
		var got struct{ Signatures, Additional_signatures []string }
		if err := json.Unmarshal(text, &got); err != nil || !slices.Contains(append(got.Signatures, got.Additional_signatures...), genuine.Tokens[0]) {
			t.Fatalf("accepted without the genuine token: %s", text)
		}
	})
}
