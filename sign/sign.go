// Package sign signs policy bundles and verifies them, offline.
//
// A signed bundle carries its signature inside, as the file .signatures.json that a stock OPA checks, and beside it, as a
// sigstore bundle that a stock cosign checks. Both are made with the same key: an ECDSA P-256 or Ed25519 key in the
// encrypted file that cosign writes, or a key that a KMS holds.
//
// Verify promises that what it accepts is, byte for byte, what a trusted key signed: every file and no other, neither
// expired nor older than the floor. Whatever it refuses it refuses with an *Error whose Code never changes. Verify
// returns what it has read, and whoever goes on to use a bundle uses that and does not read the file again.
package sign

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	opa "github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/aegisctl/aegis/bundle"
)

// Order is what to sign a bundle with.
type Order struct {
	Keys    []*PrivateKey // at least one. The first makes the signature that a stock OPA reads, and the attestation
	At      time.Time     // when it is signed
	Expires time.Time     // zero: never
	Name    string        // the archive's file name, for the attestation's subject
	Report  []byte        // what aegisctl simulate --format json printed, to be attested; nil: no attestation
}

// Signed is a signed bundle: the archive, and the files that go beside it.
type Signed struct {
	Archive     []byte
	Detached    [][]byte // a sigstore bundle over Archive for each key, in their order
	Attestation []byte   // nil without a report
	Verified    *Verified
}

// Sign signs a bundle, in place of any signatures that it carries. The result has been verified. The error is an *Error
// where the archive cannot be read.
func Sign(archive []byte, o Order) (*Signed, error) {
	if len(o.Keys) == 0 || len(o.Keys) > MaxKeys {
		return nil, fmt.Errorf("a bundle is signed with 1 to %d keys, not %d", MaxKeys, len(o.Keys))
	}
	pub := make([]*PublicKey, len(o.Keys))
	for i, k := range o.Keys {
		pub[i] = &k.PublicKey
		for _, other := range pub[:i] {
			if other.ID == k.ID {
				return nil, fmt.Errorf("key %s is given twice", k.ID)
			}
		}
	}
	if !o.Expires.IsZero() && !o.Expires.After(o.At) {
		return nil, fmt.Errorf("the signature would expire at %s, before it is made", o.Expires.UTC().Format(time.RFC3339))
	}
	a, refusal := readArchive(archive)
	if refusal != nil {
		return nil, refusal
	}
	id, refusal := identify(a)
	if refusal != nil {
		return nil, refusal
	}
	if err := checkReport(o.Report, id); err != nil {
		return nil, err
	}
	s, err := signInside(a, id, &o)
	if err != nil {
		return nil, err
	}
	for _, k := range o.Keys {
		d, err := detach(k, s.Archive)
		if err != nil {
			return nil, err
		}
		s.Detached = append(s.Detached, d)
	}
	if o.Report != nil {
		if s.Attestation, err = attest(o.Keys[0], s.Archive, o.Name, o.Report); err != nil {
			return nil, err
		}
	}
	s.Verified, err = Verify(s.Archive, Options{Keys: pub, At: o.At, Detached: s.Detached[0], Attestation: s.Attestation})
	return s, err
}

// signInside makes the archive with .signatures.json in it.
func signInside(a *bundle.Archive, id *identity, o *Order) (*Signed, error) {
	a.Remove(bundle.SignaturesPath)
	c := claims{IssuedAt: o.At.Unix(), Aegis: id}
	if !o.Expires.IsZero() {
		c.Expires = o.Expires.Unix()
	}
	for _, f := range a.Files {
		hash, err := opaHash(f)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(f.Data)
		c.Files = append(c.Files, signedFile{f.Path, hash, string(opa.SHA256), hex.EncodeToString(sum[:])})
	}
	var sigs signatures
	for i, k := range o.Keys {
		t, err := newToken(k, &c)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			sigs.Tokens = []string{t}
		} else {
			sigs.Additional = append(sigs.Additional, t)
		}
	}
	text, err := sigs.encode()
	if err != nil {
		return nil, err
	}
	a.Put(bundle.SignaturesPath, text)
	archive, err := a.Bytes()
	return &Signed{Archive: archive}, err
}

// opaHash is the digest that a stock OPA computes of a file: of its meaning, where the file is data.json or .manifest.
func opaHash(f bundle.File) (string, error) {
	h, err := opa.NewSignatureHasher(opa.SHA256)
	if err != nil {
		return "", err
	}
	var content any = f.Data
	if opa.IsStructuredDoc(f.Path) {
		if err := util.Unmarshal(f.Data, &content); err != nil {
			return "", fmt.Errorf("%s in the bundle: %w", f.Path, err)
		}
	}
	sum, err := h.HashFile(content)
	return hex.EncodeToString(sum), err
}

// checkReport refuses to attest what is no simulation report, or one of another policy.
func checkReport(report []byte, id *identity) error {
	if report == nil {
		return nil
	}
	var r struct {
		PolicyVersion string           `json:"policy_version"`
		Decisions     map[string]int64 `json:"decisions"`
	}
	if err := json.Unmarshal(report, &r); err != nil || r.PolicyVersion == "" || r.Decisions == nil {
		return errors.New("the report is not one that aegisctl simulate --format json prints")
	}
	if r.PolicyVersion != id.PolicyVersion {
		return fmt.Errorf("the report is of policy %s, and the bundle holds %s: simulate the policies of this bundle",
			r.PolicyVersion, id.PolicyVersion)
	}
	return nil
}

// readArchive reads a bundle's archive.
func readArchive(archive []byte) (*bundle.Archive, *Error) {
	a, err := bundle.Read(bytes.NewReader(archive))
	if err != nil {
		return nil, &Error{Code: archiveCode(err), Text: "the bundle cannot be read: " + err.Error(), Err: err}
	}
	return a, nil
}

// archiveCode passes on the name that the archive's fault has.
func archiveCode(err error) Code {
	if f := bundle.FaultOf(err); f != "" {
		return Code(f)
	}
	return BadArchive
}

// identify says which bundle an archive is.
func identify(a *bundle.Archive) (*identity, *Error) {
	m, err := a.Manifest()
	if err != nil {
		return nil, &Error{Code: BadArchive, Text: "not a bundle of aegisctl compile: " + err.Error(), Err: err}
	}
	return &identity{tokenSchema, m.Metadata.PolicyVersion, m.Metadata.Serial, m.Metadata.Tenants}, nil
}
