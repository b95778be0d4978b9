package sign

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// transit is a Vault server as far as its transit engine goes: it tells the public half of its keys and signs digests.
type transit struct {
	keys map[string]crypto.Signer
	lies map[string]crypto.PublicKey // told in place of the key's own
}

func (v *transit) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := func(data map[string]any) { json.NewEncoder(w).Encode(map[string]any{"data": data}) }
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/v1/transit/"), "/")
	if r.Header.Get("X-Vault-Token") != "s.test" || len(parts) < 2 || v.keys[parts[1]] == nil {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"errors": ["permission denied"]}`)
		return
	}
	key := v.keys[parts[1]]
	switch parts[0] {
	case "keys":
		pub := key.Public()
		if lie := v.lies[parts[1]]; lie != nil {
			pub = lie
		}
		entry := map[string]any{"name": "P-256"}
		if p, ok := pub.(ed25519.PublicKey); ok {
			entry["name"], entry["public_key"] = "ed25519", base64.StdEncoding.EncodeToString(p)
		} else {
			k, _ := newPublicKey(pub)
			entry["public_key"] = string(k.pem)
		}
		answer(map[string]any{"latest_version": 1, "keys": map[string]any{"1": entry}})
	case "sign":
		var in struct {
			Input     []byte `json:"input"`
			Prehashed bool   `json:"prehashed"`
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		hash := crypto.Hash(0)
		if _, ok := key.(*ecdsa.PrivateKey); ok {
			if hash = crypto.SHA256; !in.Prehashed || len(parts) != 3 || parts[2] != "sha2-256" {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
		}
		sig, err := key.Sign(rand.Reader, in.Input, hash)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		answer(map[string]any{"signature": "vault:v1:" + base64.StdEncoding.EncodeToString(sig)})
	}
}

// TestKMS signs with keys that never leave a (local) Vault, through sigstore's provider.
func TestKMS(t *testing.T) {
	v := &transit{keys: map[string]crypto.Signer{}, lies: map[string]crypto.PublicKey{}}
	for name, alg := range map[string]Algorithm{"ec": ES256, "ed": EdDSA, "liar": ES256} {
		v.keys[name] = newKey(t, alg).signer
	}
	v.lies["liar"] = newKey(t, ES256).signer.Public()
	server := httptest.NewServer(v)
	defer server.Close()
	t.Setenv("VAULT_ADDR", server.URL)
	t.Setenv("VAULT_TOKEN", "s.test")

	archive := pack(t, newArchive(t, "acme", 1, "a"))
	for _, name := range []string{"ec", "ed"} {
		k, err := OpenKMS(context.Background(), "hashivault://"+name)
		if err != nil {
			t.Fatal(err)
		}
		s := mustSign(t, archive, Order{Keys: []*PrivateKey{k}})
		pub, err := ParsePublicKey(k.PEM())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(s.Archive, Options{Keys: []*PublicKey{pub}, At: now, Detached: s.Detached[0]}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := k.Encrypt([]byte("x")); err == nil {
			t.Errorf("%s: a KMS gave its key away", name)
		}
	}
	liar, err := OpenKMS(context.Background(), "hashivault://liar")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Sign(archive, Order{Keys: []*PrivateKey{liar}, At: now}); err == nil || !strings.Contains(err.Error(), "not by that key") {
		t.Errorf("a signature by another key than the KMS told was taken: %v", err)
	}
	for uri, text := range map[string]string{
		"hashivault://absent": "permission denied",
		"hashivault://a/b c":  "hashivault://<key>",
		"nosuchkms://k":       "sigstore-kms-nosuchkms",
	} {
		if _, err := OpenKMS(context.Background(), uri); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: got %v, want an error with %q", uri, err, text)
		}
	}
}
