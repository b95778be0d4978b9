package sign

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
)

// claims are what a signature says. The first four names are OPA's; exp is the JWT's own, and only we heed it.
type claims struct {
	Files    []signedFile `json:"files"`
	KeyID    string       `json:"keyid"`
	IssuedAt int64        `json:"iat"`           // unix seconds
	Expires  int64        `json:"exp,omitempty"` // unix seconds; 0: never
	Aegis    *identity    `json:"aegis"`
}

// signedFile is one file of the list. OPA hashes the meaning of data.json and .manifest, so whitespace, number notation
// and duplicate keys escape it; SHA256 is over the bytes, and is the one that we go by.
type signedFile struct {
	Name      string `json:"name"`
	Hash      string `json:"hash"`
	Algorithm string `json:"algorithm"`
	SHA256    string `json:"sha256"`
}

// identity says which bundle a signature is of, so that a signature of another one can be told from a changed file.
type identity struct {
	Schema        int      `json:"schema"`
	PolicyVersion string   `json:"policy_version"`
	Serial        int64    `json:"serial"`
	Tenants       []string `json:"tenants"`
}

func (i *identity) equal(j *identity) bool {
	return i.Serial == j.Serial && i.PolicyVersion == j.PolicyVersion && slices.Equal(i.Tenants, j.Tenants)
}

// tokenSchema is the version of the claims.
const tokenSchema = 1

// header is the JOSE header. Any other member is refused: keys and critical extensions have no business there.
type header struct {
	Alg string `json:"alg"`
	Kid string `json:"kid"`
	Typ string `json:"typ"`
}

var b64 = base64.RawURLEncoding.Strict()

// newToken makes the compact JWT of c, signed by k.
func newToken(k *PrivateKey, c *claims) (string, error) {
	head, err := json.Marshal(header{Alg: string(k.Alg), Kid: k.ID, Typ: "JWT"})
	if err != nil {
		return "", err
	}
	own := *c
	own.KeyID = k.ID
	body, err := json.Marshal(&own)
	if err != nil {
		return "", err
	}
	text := b64.EncodeToString(head) + "." + b64.EncodeToString(body)
	sig, err := k.sign([]byte(text))
	if err != nil {
		return "", err
	}
	if k.Alg == ES256 {
		if sig, err = rawECDSA(sig); err != nil {
			return "", err
		}
	}
	return text + "." + b64.EncodeToString(sig), nil
}

// rawECDSA turns an ASN.1 signature on P-256 into the two 32-byte numbers that a JWT carries.
func rawECDSA(der []byte) ([]byte, error) {
	var rs struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &rs); err != nil || len(rest) != 0 {
		return nil, errors.New("the signature is not an ECDSA signature")
	}
	raw := make([]byte, 64)
	rs.R.FillBytes(raw[:32])
	rs.S.FillBytes(raw[32:])
	return raw, nil
}

// token is a JWT that was split and not yet verified.
type token struct {
	header  header
	signed  []byte // header and payload as they came: what the signature is over
	payload []byte
	sig     []byte
}

// parseToken splits a compact JWT. It reads nothing of the payload.
func parseToken(text string) (*token, error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, errors.New("not a compact JWT of three parts")
	}
	var raw [3][]byte
	for i, p := range parts {
		b, err := b64.DecodeString(p)
		if err != nil || b64.EncodeToString(b) != p { // the decoder skips line breaks
			return nil, errors.New("a JWT with a part that is not base64url")
		}
		raw[i] = b
	}
	t := &token{signed: []byte(parts[0] + "." + parts[1]), payload: raw[1], sig: raw[2]}
	d, err := aegis.Parse(raw[0])
	if err != nil {
		return nil, fmt.Errorf("a JWT whose header is not strict JSON: %w", err)
	}
	if err := exactMembers(d.Root(), "alg", "kid", "typ"); err != nil {
		return nil, fmt.Errorf("a JWT with a header that %w", err)
	}
	if err := json.Unmarshal(raw[0], &t.header); err != nil {
		return nil, errors.New("a JWT whose header holds something other than text")
	}
	return t, nil
}

// verify reports whether t was signed by k. The algorithm is k's, whatever the header says.
func (t *token) verify(k *PublicKey) bool {
	switch p := k.key.(type) {
	case *ecdsa.PublicKey:
		if len(t.sig) != 64 {
			return false
		}
		sum := sha256.Sum256(t.signed)
		return ecdsa.Verify(p, sum[:], new(big.Int).SetBytes(t.sig[:32]), new(big.Int).SetBytes(t.sig[32:]))
	case ed25519.PublicKey:
		return ed25519.Verify(p, t.signed, t.sig)
	}
	return false
}

// claims reads the payload. Call it only after verify.
func (t *token) claims() (*claims, error) {
	var d aegis.Doc
	if err := d.Parse(t.payload, MaxBeside); err != nil {
		return nil, err
	}
	if err := d.CaseVariants(); err != nil {
		return nil, err
	}
	var c claims
	if err := json.Unmarshal(t.payload, &c); err != nil {
		return nil, err
	}
	return &c, nil
}
