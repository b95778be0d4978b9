package sign

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/aegisctl/aegis"
)

// The sigstore bundle format that cosign reads, as far as a signature with a plain key needs it: no certificate, and no
// entry of a transparency log.
type sigstoreBundle struct {
	MediaType            string               `json:"mediaType"`
	VerificationMaterial verificationMaterial `json:"verificationMaterial"`
	MessageSignature     *messageSignature    `json:"messageSignature,omitempty"`
	DSSEEnvelope         *dsseEnvelope        `json:"dsseEnvelope,omitempty"`
}

type verificationMaterial struct {
	PublicKey *publicKeyHint `json:"publicKey"`
}

type publicKeyHint struct {
	Hint string `json:"hint"`
}

type messageSignature struct {
	MessageDigest messageDigest `json:"messageDigest"`
	Signature     []byte        `json:"signature"`
}

type messageDigest struct {
	Algorithm string `json:"algorithm"`
	Digest    []byte `json:"digest"`
}

type dsseEnvelope struct {
	Payload     []byte          `json:"payload"`
	PayloadType string          `json:"payloadType"`
	Signatures  []dsseSignature `json:"signatures"`
}

type dsseSignature struct {
	Sig   []byte `json:"sig"`
	KeyID string `json:"keyid,omitempty"`
}

const (
	sigstoreMediaType   = "application/vnd.dev.sigstore.bundle.v0.3+json"
	sigstoreMediaPrefix = "application/vnd.dev.sigstore.bundle"
	inTotoPayload       = "application/vnd.in-toto+json"
	inTotoStatement     = "https://in-toto.io/Statement/v1"
)

// PredicateType names what an attestation of ours says of a bundle: the report of aegisctl simulate, as it is.
const PredicateType = "https://github.com/aegisctl/aegis/simulation/v1"

// statement is an in-toto statement.
type statement struct {
	Type          string          `json:"_type"`
	Subject       []subject       `json:"subject"`
	PredicateType string          `json:"predicateType"`
	Predicate     json.RawMessage `json:"predicate"`
}

type subject struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

func (b *sigstoreBundle) encode() ([]byte, error) {
	text, err := json.Marshal(b)
	return append(text, '\n'), err
}

// detach makes the sigstore bundle of a signature over the archive's bytes.
func detach(k *PrivateKey, archive []byte) ([]byte, error) {
	sig, err := k.sign(archive)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(archive)
	b := sigstoreBundle{MediaType: sigstoreMediaType, VerificationMaterial: verificationMaterial{&publicKeyHint{k.hint}},
		MessageSignature: &messageSignature{messageDigest{"SHA2_256", sum[:]}, sig}}
	return b.encode()
}

// attest makes the sigstore bundle of an in-toto statement about the archive, named name.
func attest(k *PrivateKey, archive []byte, name string, report []byte) ([]byte, error) {
	sum := sha256.Sum256(archive)
	text, err := json.Marshal(statement{Type: inTotoStatement, PredicateType: PredicateType, Predicate: report,
		Subject: []subject{{name, map[string]string{"sha256": fmt.Sprintf("%x", sum)}}}})
	if err != nil {
		return nil, err
	}
	sig, err := k.sign(preAuth(inTotoPayload, text))
	if err != nil {
		return nil, err
	}
	b := sigstoreBundle{MediaType: sigstoreMediaType, VerificationMaterial: verificationMaterial{&publicKeyHint{k.hint}},
		DSSEEnvelope: &dsseEnvelope{Payload: text, PayloadType: inTotoPayload, Signatures: []dsseSignature{{Sig: sig}}}}
	return b.encode()
}

// preAuth is DSSE's pre-authentication encoding: what is signed of an envelope.
func preAuth(payloadType string, payload []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload)
}

// parseSigstore reads a sigstore bundle that nothing vouches for. Members that we do not know, such as a log entry that
// cosign added, are skipped.
func parseSigstore(text []byte) (*sigstoreBundle, error) {
	var d aegis.Doc
	if err := d.Parse(text, MaxBeside); err != nil {
		return nil, err
	}
	if err := d.CaseVariants(); err != nil {
		return nil, err
	}
	var b sigstoreBundle
	if err := json.Unmarshal(text, &b); err != nil {
		return nil, errors.New("not a sigstore bundle")
	}
	if !strings.HasPrefix(b.MediaType, sigstoreMediaPrefix) {
		return nil, fmt.Errorf("not a sigstore bundle: its media type is %q", b.MediaType)
	}
	if b.VerificationMaterial.PublicKey == nil {
		return nil, errors.New("a sigstore bundle that names no key; one of a certificate is cosign's to verify")
	}
	return &b, nil
}

// of reports whether the digest is of text. Anyone can write it; it tells a signature of other bytes from a bad one.
func (m *messageDigest) of(text []byte) bool {
	sum := sha256.Sum256(text)
	return m.Algorithm == "SHA2_256" && bytes.Equal(m.Digest, sum[:])
}

// keyByHint returns the key that a sigstore bundle names, or nil. The hint is text that anyone can write; it only picks
// the key to verify with.
func keyByHint(keys []*PublicKey, hint string) *PublicKey {
	for _, k := range keys {
		if k.hint == hint {
			return k
		}
	}
	return nil
}

// checkDetached verifies the sigstore bundle beside an archive. It returns nil and no key where it is signed by a key
// that is not given: a verifier during a rotation may hold the other one, and the signature inside decides.
func checkDetached(text, archive []byte, keys []*PublicKey) (*PublicKey, *Error) {
	b, err := parseSigstore(text)
	if err != nil {
		return nil, refuse(BadSignatureFile, "the signature beside the bundle (.sigstore.json) is malformed: %v", err)
	}
	if b.MessageSignature == nil {
		return nil, refuse(BadSignatureFile, "the file beside the bundle (.sigstore.json) holds no signature of a file")
	}
	if !b.MessageSignature.MessageDigest.of(archive) {
		return nil, refuse(DetachedMismatch, "the signature beside the bundle (.sigstore.json) is of another archive: "+
			"the bundle was changed after it was signed, or one of the two was replaced")
	}
	k := keyByHint(keys, b.VerificationMaterial.PublicKey.Hint)
	if k != nil && !k.verify(archive, b.MessageSignature.Signature) {
		return nil, refuse(DetachedMismatch, "the signature beside the bundle (.sigstore.json) is not by the key that it names, %s", k.ID)
	}
	return k, nil
}

// checkAttestation verifies the attestation beside an archive and returns its predicate. By an unknown key it proves
// nothing, and is refused: unlike the detached signature, nothing inside the bundle says the same.
func checkAttestation(text, archive []byte, keys []*PublicKey) (json.RawMessage, *Error) {
	b, err := parseSigstore(text)
	if err != nil {
		return nil, refuse(BadSignatureFile, "the attestation beside the bundle is malformed: %v", err)
	}
	env := b.DSSEEnvelope
	if env == nil || env.PayloadType != inTotoPayload || len(env.Signatures) != 1 {
		return nil, refuse(BadSignatureFile, "the attestation beside the bundle is no in-toto statement with one signature")
	}
	k := keyByHint(keys, b.VerificationMaterial.PublicKey.Hint)
	if k == nil {
		return nil, refuse(BadAttestation, "the attestation beside the bundle is signed by a key that is not given")
	}
	if !k.verify(preAuth(env.PayloadType, env.Payload), env.Signatures[0].Sig) {
		return nil, refuse(BadAttestation, "the attestation beside the bundle is not by the key that it names, %s", k.ID)
	}
	var s statement
	if err := json.Unmarshal(env.Payload, &s); err != nil || s.Type != inTotoStatement {
		return nil, refuse(BadAttestation, "the attestation beside the bundle is no in-toto statement")
	}
	sum := sha256.Sum256(archive)
	if len(s.Subject) != 1 || s.Subject[0].Digest["sha256"] != fmt.Sprintf("%x", sum) {
		return nil, refuse(BadAttestation, "the attestation beside the bundle is about another archive")
	}
	if s.PredicateType != PredicateType {
		return nil, refuse(BadAttestation, "the attestation beside the bundle is no simulation report: its type is %q", s.PredicateType)
	}
	return s.Predicate, nil
}
