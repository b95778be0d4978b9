package sign

import (
	"crypto/x509"
	"encoding/pem"
	"testing"
)

// FuzzKey: whatever a key file holds, reading it ends in a key or an error, and a public key that is accepted is written
// in one way only.
func FuzzKey(f *testing.F) {
	k := newKey(f, ES256)
	f.Add(k.PEM())
	f.Add(newKey(f, EdDSA).PEM())
	der, err := x509.MarshalPKCS8PrivateKey(k.signer)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(pem.EncodeToMemory(&pem.Block{Type: pemPKCS8, Bytes: der}))
	f.Add(pem.EncodeToMemory(&pem.Block{Type: pemSigstore, Bytes: []byte(`{"kdf": {"name": "scrypt"}}`)}))
	f.Fuzz(func(t *testing.T, text []byte) {
		if pub, err := ParsePublicKey(text); err == nil {
			again, err := ParsePublicKey(pub.PEM())
			if err != nil || again.ID != pub.ID || string(again.PEM()) != string(pub.PEM()) {
				t.Fatalf("the key %s does not come back: %v", pub.ID, err)
			}
		}
		if private, err := ParsePrivateKey(text, true, password("")); err == nil {
			if _, err := private.sign([]byte("x")); err != nil {
				t.Fatalf("an accepted key does not sign: %v", err)
			}
		}
	})
}

// FuzzBeside: whatever lies beside a bundle, only what a trusted key signed is accepted.
func FuzzBeside(f *testing.F) {
	k := newKey(f, ES256)
	archive := []byte("an archive")
	detached, err := detach(k, archive)
	if err != nil {
		f.Fatal(err)
	}
	attested, err := attest(k, archive, "b", []byte(`{"a": 1}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(detached)
	f.Add(attested)
	f.Fuzz(func(t *testing.T, text []byte) {
		if k, refusal := checkDetached(text, archive, public(k)); refusal == nil && k != nil {
			b, err := parseSigstore(text)
			if err != nil || !k.verify(archive, b.MessageSignature.Signature) {
				t.Fatalf("accepted without a signature: %v", err)
			}
		}
		if report, refusal := checkAttestation(text, archive, public(k)); refusal == nil && string(report) != `{"a":1}` {
			t.Fatalf("attested: %s", report)
		}
	})
}
