package sign

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
)

// Algorithm is how a key signs, by its name in a JWT.
type Algorithm string

// The algorithms. ES256 is the one that both OPA's configuration and cosign accept; a stock OPA refuses EdDSA there.
const (
	ES256 Algorithm = "ES256" // ECDSA P-256 with SHA-256
	EdDSA Algorithm = "EdDSA" // Ed25519
)

// The types of PEM blocks that hold keys.
const (
	pemSigstore = "ENCRYPTED SIGSTORE PRIVATE KEY" // what cosign writes
	pemCosign   = "ENCRYPTED COSIGN PRIVATE KEY"   // what cosign wrote before 2.0
	pemPKCS8    = "PRIVATE KEY"
	pemSEC1     = "EC PRIVATE KEY"
	pemPublic   = "PUBLIC KEY"
)

// MaxKeyFile bounds a key file, in bytes.
const MaxKeyFile = 64 << 10

// ErrPlainKey is returned for a private key that lies unencrypted in its file.
var ErrPlainKey = errors.New("the private key is not encrypted: whoever reads the file can sign; " +
	"encrypt it (cosign import-key-pair --key FILE), or pass --allow-plain-key")

// ErrPassword is returned for a private key that the password does not open.
var ErrPassword = errors.New("the password does not open the private key; it is read from COSIGN_PASSWORD, else asked for on a terminal")

// PublicKey verifies signatures. Two that are equal have the same ID.
type PublicKey struct {
	ID  string // sha256: and the hex digest of the key's SubjectPublicKeyInfo
	Alg Algorithm

	key  crypto.PublicKey // *ecdsa.PublicKey on P-256, or ed25519.PublicKey
	hint string           // how sigstore names the key
	pem  []byte
}

// PEM returns the key as text: one block PUBLIC KEY.
func (k *PublicKey) PEM() []byte { return bytes.Clone(k.pem) }

// newPublicKey takes on a key if it is of a kind that bundles are signed with.
func newPublicKey(pub crypto.PublicKey) (*PublicKey, error) {
	k := &PublicKey{key: pub}
	switch p := pub.(type) {
	case *ecdsa.PublicKey:
		if p.Curve != elliptic.P256() {
			return nil, fmt.Errorf("an ECDSA key on curve %s: bundles are signed with ECDSA P-256 or Ed25519", p.Curve.Params().Name)
		}
		k.Alg = ES256
	case ed25519.PublicKey:
		k.Alg = EdDSA
	default:
		return nil, fmt.Errorf("a key of type %T: bundles are signed with ECDSA P-256 or Ed25519", pub)
	}
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(der)
	k.ID = "sha256:" + hex.EncodeToString(sum[:])
	k.hint = base64.StdEncoding.EncodeToString(sum[:])
	k.pem = pem.EncodeToMemory(&pem.Block{Type: pemPublic, Bytes: der})
	return k, nil
}

// ParsePublicKey reads a PEM file that holds one public key and nothing else.
func ParsePublicKey(text []byte) (*PublicKey, error) {
	block, err := onePEM(text)
	if err != nil {
		return nil, err
	}
	switch block.Type {
	case pemPublic:
	case pemSigstore, pemCosign, pemPKCS8, pemSEC1:
		return nil, errors.New("this is a private key; verifying takes the public one (k.pub beside k.key)")
	default:
		return nil, fmt.Errorf("a PEM block %q where a PUBLIC KEY is due", block.Type)
	}
	pub, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("not a public key: %w", err)
	}
	return newPublicKey(pub)
}

// onePEM returns the one PEM block of a file. Text round it is refused: a file that two programs read differently is no
// key file.
func onePEM(text []byte) (*pem.Block, error) {
	if len(text) > MaxKeyFile {
		return nil, fmt.Errorf("the key file is over %d bytes", MaxKeyFile)
	}
	text = bytes.TrimSpace(text)
	if !bytes.HasPrefix(text, []byte("-----BEGIN ")) {
		return nil, errors.New("not a PEM file (it must begin with -----BEGIN)")
	}
	block, rest := pem.Decode(text)
	if block == nil {
		return nil, errors.New("a damaged PEM file")
	}
	if len(bytes.TrimSpace(rest)) != 0 {
		return nil, errors.New("more than one key in the file; give each key its own file and repeat --key")
	}
	return block, nil
}

// verify reports whether sig is k's signature over message: ASN.1 for ECDSA, as sigstore has it.
func (k *PublicKey) verify(message, sig []byte) bool {
	switch p := k.key.(type) {
	case *ecdsa.PublicKey:
		sum := sha256.Sum256(message)
		return ecdsa.VerifyASN1(p, sum[:], sig)
	case ed25519.PublicKey:
		return len(sig) == ed25519.SignatureSize && ed25519.Verify(p, message, sig)
	}
	return false
}

// PrivateKey signs. Where the secret is, in memory or in a KMS, is the signer's matter.
type PrivateKey struct {
	PublicKey
	signer crypto.Signer
}

func newPrivateKey(signer crypto.Signer) (*PrivateKey, error) {
	pub, err := newPublicKey(signer.Public())
	if err != nil {
		return nil, err
	}
	return &PrivateKey{*pub, signer}, nil
}

// Generate makes a new key.
func Generate(alg Algorithm) (*PrivateKey, error) {
	switch alg {
	case ES256:
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		return newPrivateKey(k)
	case EdDSA:
		_, k, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		return newPrivateKey(k)
	}
	return nil, fmt.Errorf("algorithm %q is not one of ES256, EdDSA", alg)
}

// Encrypt returns the private key as the PEM file that cosign writes: PKCS #8, sealed under a key that scrypt derives
// from the password. It is an error for a key that a KMS holds.
func (k *PrivateKey) Encrypt(password []byte) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.signer)
	if err != nil {
		return nil, err
	}
	sealed, err := encrypted.Encrypt(der, password)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemSigstore, Bytes: sealed}), nil
}

// ParsePrivateKey reads a private key file: one that keygen or cosign wrote, or, where plain is true, an unencrypted one
// (else ErrPlainKey). It asks for the password only when it needs one; ErrPassword is the answer to a wrong one.
func ParsePrivateKey(text []byte, plain bool, password func() ([]byte, error)) (*PrivateKey, error) {
	block, err := onePEM(text)
	if err != nil {
		return nil, err
	}
	der := block.Bytes
	switch block.Type {
	case pemSigstore, pemCosign:
		if der, err = open(der, password); err != nil {
			return nil, err
		}
	case pemPKCS8, pemSEC1:
		if !plain {
			return nil, ErrPlainKey
		}
	case pemPublic:
		return nil, errors.New("this is a public key; signing takes the private one (k.key beside k.pub)")
	default:
		return nil, fmt.Errorf("a PEM block %q where a private key is due; take one that aegisctl keygen or cosign generate-key-pair wrote", block.Type)
	}
	var key any
	if block.Type == pemSEC1 {
		key, err = x509.ParseECPrivateKey(der)
	} else {
		key, err = x509.ParsePKCS8PrivateKey(der)
	}
	if err != nil {
		return nil, fmt.Errorf("not a private key: %w", err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a key of type %T cannot sign", key)
	}
	return newPrivateKey(signer)
}

// open decrypts a key. The library checks scrypt's cost parameters against those in use, so a hostile file cannot make
// it slow.
func open(sealed []byte, password func() ([]byte, error)) ([]byte, error) {
	pass, err := password()
	if err != nil {
		return nil, err
	}
	der, err := encrypted.Decrypt(sealed, pass)
	if err != nil {
		if err.Error() == "encrypted: decryption failed" {
			return nil, ErrPassword
		}
		return nil, fmt.Errorf("a damaged key file: %w", err)
	}
	return der, nil
}

// sign signs a message: ASN.1 for ECDSA.
func (k *PrivateKey) sign(message []byte) ([]byte, error) {
	var sig []byte
	var err error
	if k.Alg == EdDSA {
		sig, err = k.signer.Sign(rand.Reader, message, crypto.Hash(0))
	} else {
		sum := sha256.Sum256(message)
		sig, err = k.signer.Sign(rand.Reader, sum[:], crypto.SHA256)
	}
	if err != nil {
		return nil, fmt.Errorf("signing with key %s: %w", k.ID, err)
	}
	if !k.verify(message, sig) { // a KMS may hold another version of the key than it told
		return nil, fmt.Errorf("signing with key %s: the signature that came back is not by that key", k.ID)
	}
	return sig, nil
}
