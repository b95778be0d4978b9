package sign

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"testing"

	"github.com/aegisctl/aegis/bundle"
)

// forge makes .signatures.json with any header and signature over the claims of a signed bundle.
func forge(t testing.TB, a *bundle.Archive, head map[string]any, sig func(signed []byte) []byte) []byte {
	t.Helper()
	text, _ := a.Get(bundle.SignaturesPath)
	s, err := parseSignatures(text)
	if err != nil {
		t.Fatal(err)
	}
	old, err := parseToken(s.Tokens[0])
	if err != nil {
		t.Fatal(err)
	}
	h, err := json.Marshal(head)
	if err != nil {
		t.Fatal(err)
	}
	signed := b64.EncodeToString(h) + "." + b64.EncodeToString(old.payload)
	out, err := (&signatures{Tokens: []string{signed + "." + b64.EncodeToString(sig([]byte(signed)))}}).encode()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// hmacSigned is the confusion of algorithms: an HMAC whose secret is the text of the public key.
func hmacSigned(t testing.TB, a *bundle.Archive, k *PrivateKey) []byte {
	return forge(t, a, map[string]any{"alg": "HS256", "kid": k.ID}, func(signed []byte) []byte {
		m := hmac.New(sha256.New, k.PEM())
		m.Write(signed)
		return m.Sum(nil)
	})
}
