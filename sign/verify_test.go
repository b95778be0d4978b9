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

// refusal is a bundle, how it is looked at, and why it is refused.
type refusal struct {
	name    string
	archive []byte
	options Options
	code    Code
	text    string // in the message
}

// bench holds what refusals are made of.
type bench struct {
	t            *testing.T
	k, other, ed *PrivateKey
	good, next   *Signed // by k: serial 8, with expiry and attestation; serial 9
	token        string  // of good
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, k: newKey(t, ES256), other: newKey(t, ES256), ed: newKey(t, EdDSA)}
	b.good = mustSign(t, pack(t, newArchive(t, "acme", 8, "a")), Order{Keys: []*PrivateKey{b.k}, Expires: now.Add(time.Hour),
		Name: "b", Report: []byte(`{"policy_version": "` + version("a") + `", "decisions": {}}`)})
	b.next = mustSign(t, pack(t, newArchive(t, "acme", 9, "d")), Order{Keys: []*PrivateKey{b.k}})
	text, _ := unpack(t, b.good.Archive).Get(bundle.SignaturesPath)
	s, err := parseSignatures(text)
	if err != nil {
		t.Fatal(err)
	}
	b.token = s.Tokens[0]
	return b
}

func (b *bench) trust() Options { return Options{Keys: public(b.k), At: now} }

func (b *bench) with(change func(*Options)) Options {
	o := b.trust()
	change(&o)
	return o
}

// inside changes the good bundle's members.
func (b *bench) inside(change func(a *bundle.Archive)) []byte {
	a := unpack(b.t, b.good.Archive)
	change(a)
	return pack(b.t, a)
}

func (b *bench) sigs(text string) []byte {
	return b.inside(func(a *bundle.Archive) { a.Put(bundle.SignaturesPath, []byte(text)) })
}

func (b *bench) forged(head map[string]any, sig []byte) []byte {
	return b.inside(func(a *bundle.Archive) {
		a.Put(bundle.SignaturesPath, forge(b.t, a, head, func([]byte) []byte { return sig }))
	})
}

// claiming is the good bundle with other claims, signed by the right key.
func (b *bench) claiming(change func(*claims)) []byte {
	t, err := parseToken(b.token)
	if err != nil {
		b.t.Fatal(err)
	}
	c, err := t.claims()
	if err != nil {
		b.t.Fatal(err)
	}
	change(c)
	return b.inside(func(a *bundle.Archive) { a.Put(bundle.SignaturesPath, tokenFile(b.t, b.k, c)) })
}

// TestRefusals has a case for every code that recipes do not bring about.
func TestRefusals(t *testing.T) {
	b := newBench(t)
	for _, c := range slices.Concat(b.headers(), b.signatureFiles(), b.contents(), b.besides()) {
		t.Run(c.name, func(t *testing.T) {
			_, err := Verify(c.archive, c.options)
			if e := wantCode(t, err, c.code); !strings.Contains(e.Text, c.text) {
				t.Errorf("refused with %q, which lacks %q", e.Text, c.text)
			}
		})
	}
}

// headers are tokens whose header or signature lies.
func (b *bench) headers() []refusal {
	return []refusal{
		{"alg none", b.forged(map[string]any{"alg": "none", "kid": b.k.ID}, nil), b.trust(), WrongAlgorithm, `"none"`},
		{"alg nOnE", b.forged(map[string]any{"alg": "nOnE", "kid": b.k.ID}, nil), b.trust(), WrongAlgorithm, `"nOnE"`},
		{"alg missing", b.forged(map[string]any{"kid": b.k.ID}, make([]byte, 64)), b.trust(), WrongAlgorithm, `""`},
		{"EdDSA with an ECDSA key", b.forged(map[string]any{"alg": "EdDSA", "kid": b.k.ID}, make([]byte, 64)), b.trust(), WrongAlgorithm, "signs with ES256"},
		{"ES256 with an Ed25519 key", b.forged(map[string]any{"alg": "ES256", "kid": b.ed.ID}, make([]byte, 64)),
			b.with(func(o *Options) { o.Keys = public(b.ed) }), WrongAlgorithm, "signs with EdDSA"},
		{"zero signature", b.forged(map[string]any{"alg": "ES256", "kid": b.k.ID}, make([]byte, 64)), b.trust(), BadSignature, "damaged or forged"},
		{"short signature", b.forged(map[string]any{"alg": "ES256", "kid": b.k.ID}, make([]byte, 8)), b.trust(), BadSignature, "damaged or forged"},
		{"no kid", b.forged(map[string]any{"alg": "ES256"}, make([]byte, 64)), b.trust(), UnknownKey, "unknown key"},
		{"jwk in the header", b.forged(map[string]any{"alg": "ES256", "kid": b.k.ID, "jwk": map[string]any{}}, nil), b.trust(), BadSignatureFile, `"jwk"`},
		{"crit in the header", b.forged(map[string]any{"alg": "ES256", "kid": b.k.ID, "crit": []string{"b64"}}, nil), b.trust(), BadSignatureFile, `"crit"`},
		{"kid is a number", b.forged(map[string]any{"alg": "ES256", "kid": 7}, nil), b.trust(), BadSignatureFile, "other than text"},
	}
}

// signatureFiles are files .signatures.json that are malformed.
func (b *bench) signatureFiles() []refusal {
	return []refusal{
		{"empty list", b.sigs(`{"signatures": []}`), b.trust(), Unsigned, "holds no signature"},
		{"no list", b.sigs(`{}`), b.trust(), Unsigned, "holds no signature"},
		{"not JSON", b.sigs(`{"signatures": ["` + b.token + `"]`), b.trust(), BadSignatureFile, "malformed"},
		{"a key twice", b.sigs(`{"signatures": ["` + b.token + `"], "signatures": []}`), b.trust(), BadSignatureFile, "twice"},
		{"a key in two cases", b.sigs(`{"signatures": ["` + b.token + `"], "Signatures": []}`), b.trust(), BadSignatureFile, "case"},
		{"another key", b.sigs(`{"signatures": ["` + b.token + `"], "x": []}`), b.trust(), BadSignatureFile, `"x"`},
		{"a plugin", b.sigs(`{"signatures": ["` + b.token + `"], "plugin": "mine"}`), b.trust(), BadSignatureFile, `plugin "mine"`},
		{"two tokens", b.sigs(`{"signatures": ["` + b.token + `", "` + b.token + `"]}`), b.trust(), BadSignatureFile, "exactly one"},
		{"many tokens", b.sigs(`{"signatures": ["` + b.token + `"], "additional_signatures": [` + strings.Repeat(`"a.b.c",`, 16) + `"a.b.c"]}`),
			b.trust(), BadSignatureFile, "18 signatures"},
		{"numbers", b.sigs(`{"signatures": [1]}`), b.trust(), BadSignatureFile, "not a list of text"},
		{"two parts", b.sigs(`{"signatures": ["a.b"]}`), b.trust(), BadSignatureFile, "three parts"},
		{"line break", b.sigs(`{"signatures": ["` + b.token[:9] + `\n` + b.token[9:] + `"]}`), b.trust(), BadSignatureFile, "not base64url"},
		{"padding", b.sigs(`{"signatures": ["` + b.token + `="]}`), b.trust(), BadSignatureFile, "not base64url"},
	}
}

// contents are bundles that are not what was signed, or not right here and now.
func (b *bench) contents() []refusal {
	return []refusal{
		{"unsigned", pack(b.t, newArchive(b.t, "acme", 8, "a")), b.trust(), Unsigned, "aegisctl sign"},
		{"a list with a file twice", b.claiming(func(c *claims) { c.Files = append(c.Files, c.Files[0]) }), b.trust(), BadSignatureFile, "twice"},
		{"a signature as opa sign writes it", b.claiming(func(c *claims) { c.Aegis = nil }), b.trust(), NotOurs, "opa sign"},
		{"a later schema", b.claiming(func(c *claims) { c.Aegis.Schema = 2 }), b.trust(), NotOurs, "later aegisctl"},
		{"manifest rewritten", b.inside(func(a *bundle.Archive) {
			m, _ := a.Get(bundle.ManifestPath)
			a.Put(bundle.ManifestPath, append(slices.Clone(m), ' '))
		}), b.trust(), Tampered, ".manifest was changed"},
		{"serial raised", b.inside(func(a *bundle.Archive) {
			m, _ := a.Manifest()
			m.Metadata.Serial = 100
			a.Put(bundle.ManifestPath, m.Encode())
		}), b.trust(), OtherBundle, "serial 100"},
		{"whitespace that OPA does not see", b.inside(func(a *bundle.Archive) {
			d, _ := a.Get(bundle.DataPath)
			a.Put(bundle.DataPath, append(slices.Clone(d), '\n'))
		}), b.trust(), Tampered, "data.json was changed"},
		{"expired", b.good.Archive, b.with(func(o *Options) { o.At = now.Add(time.Hour) }), Expired, "2026-03-01T13:00:00Z"},
		{"below the floor of its tenant", b.good.Archive, b.with(func(o *Options) { o.Floor = Floor{"acme": 9, "globex": 1} }), RolledBack, "tenant acme is 9"},
		{"Rego that does not come out", b.good.Archive, b.with(func(o *Options) { o.Check = func(*bundle.Archive) error { return errors.New("differs") } }), NotReproduced, "differs"},
	}
}

// besides are files beside the bundle that are not its own.
func (b *bench) besides() []refusal {
	return []refusal{
		{"the next bundle's detached signature", b.good.Archive, b.with(func(o *Options) { o.Detached = b.next.Detached[0] }), DetachedMismatch, "another archive"},
		{"a detached signature of nothing", b.good.Archive, b.with(func(o *Options) { o.Detached = []byte("{}") }), BadSignatureFile, "media type"},
		{"an attestation as detached signature", b.good.Archive, b.with(func(o *Options) { o.Detached = b.good.Attestation }), BadSignatureFile, "no signature of a file"},
		{"a detached signature as attestation", b.good.Archive, b.with(func(o *Options) { o.Attestation = b.good.Detached[0] }), BadSignatureFile, "no in-toto statement"},
		{"another bundle's attestation", b.next.Archive, b.with(func(o *Options) { o.Attestation = b.good.Attestation }), BadAttestation, "another archive"},
		{"an attestation by a stranger", b.good.Archive, b.with(func(o *Options) { o.Attestation = attestation(b.t, b.other, b.good.Archive) }), BadAttestation, "not given"},
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
