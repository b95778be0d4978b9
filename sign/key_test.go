package sign

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
)

func TestKeyFiles(t *testing.T) {
	for _, alg := range []Algorithm{ES256, EdDSA} {
		k := newKey(t, alg)
		text, err := k.Encrypt([]byte("pw"))
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParsePrivateKey(text, false, password("pw"))
		if err != nil || back.ID != k.ID || back.Alg != alg {
			t.Errorf("%s: the key does not come back: %v", alg, err)
		}
		asked := errors.New("asked")
		if _, err := ParsePrivateKey(text, false, func() ([]byte, error) { return nil, asked }); !errors.Is(err, asked) {
			t.Errorf("%s: the password's own error is lost: %v", alg, err)
		}
		pub, err := ParsePublicKey(k.PEM())
		if err != nil || pub.ID != k.ID || !bytes.Equal(pub.PEM(), k.PEM()) {
			t.Errorf("%s: the public half does not come back: %v", alg, err)
		}
	}
}

// TestCosignKey reads a key pair that cosign v3.1.3 generated, and not with another password.
func TestCosignKey(t *testing.T) {
	k, err := ParsePrivateKey(read(t, "testdata/cosign.key"), false, password(testPassword))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParsePrivateKey(read(t, "testdata/cosign.key"), false, password("x")); !errors.Is(err, ErrPassword) {
		t.Errorf("a wrong password gives %v", err)
	}
	if pub, err := ParsePublicKey(read(t, "testdata/cosign.pub")); err != nil || pub.ID != k.ID {
		t.Errorf("the halves differ: %v", err)
	}
}

func TestRefusedKeyFiles(t *testing.T) {
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	pkcs8 := func(key any) string {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return block("PRIVATE KEY", der)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	plain := pkcs8(newKey(t, ES256).signer)
	if k, err := ParsePrivateKey([]byte(plain), true, nil); err != nil || k.Alg != ES256 {
		t.Errorf("an unencrypted key that is asked for is refused: %v", err)
	}
	pub := string(newKey(t, ES256).PEM())
	hostile := `{"kdf":{"name":"scrypt","params":{"N":1073741824,"r":8,"p":1},"salt":""},"cipher":{"name":"nacl/secretbox","nonce":""},"ciphertext":""}`
	for _, c := range []struct {
		name, text, want string
		plain            bool
	}{
		{"unencrypted", plain, "not encrypted", false},
		{"P-384", pkcs8(p384), "curve P-384", true},
		{"RSA", pkcs8(rsaKey), "rsa.PublicKey", true},
		{"empty", "", "not a PEM file", false},
		{"text before", "hello\n" + plain, "not a PEM file", true},
		{"two keys", plain + plain, "more than one key", true},
		{"cut off", plain[:60], "damaged PEM", true},
		{"public", pub, "a public key", false},
		{"certificate", block("CERTIFICATE", []byte("x")), `"CERTIFICATE"`, false},
		{"not DER", block("PRIVATE KEY", []byte("x")), "not a private key", true},
		{"sealed garbage", block(pemSigstore, []byte("x")), "damaged key file", false},
		{"costly scrypt", block(pemSigstore, []byte(hostile)), "unsupported scrypt parameters", false},
		{"huge", strings.Repeat("-", MaxKeyFile+1), "over 65536 bytes", false},
	} {
		if _, err := ParsePrivateKey([]byte(c.text), c.plain, password("pw")); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", c.name, err, c.want)
		}
	}
	for _, c := range [][2]string{{plain, "a private key"}, {pub + pub, "more than one key"}, {block("PUBLIC KEY", []byte("x")), "not a public key"}, {"", "not a PEM file"}} {
		if _, err := ParsePublicKey([]byte(c[0])); err == nil || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("got %v, want an error with %q", err, c[1])
		}
	}
}
