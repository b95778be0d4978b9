package sign

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aegisctl/aegis/bundle"
)

// Options say what a bundle must be to be accepted.
type Options struct {
	Keys      []*PublicKey // trusted; a signature by one of them is enough
	Revoked   []*PublicKey // no longer trusted: they only make the refusal clearer
	At        time.Time    // the moment that expiry is judged at; zero: now
	MinSerial int64        // the lowest serial that is accepted, of any tenant
	Floor     Floor        // the lowest serial of each tenant
	Tenant    string       // where set, the one tenant that the bundle may hold policies of

	Detached    []byte // B.sigstore.json, where it lies beside the bundle B
	Attestation []byte // B.simulation.sigstore.json, likewise

	// Check recompiles the policies inside and reports whether the Rego inside is what comes out; nil: not checked.
	Check func(*bundle.Archive) error
}

// Verified is a bundle that was accepted. Use Bundle, not the file: the file may have changed since.
type Verified struct {
	Bundle        *bundle.Archive
	Digest        string // sha256: of the archive, in hex
	PolicyVersion string
	Serial        int64
	Tenants       []string
	KeyIDs        []string  // the trusted keys that signed it, in order
	SignedAt      time.Time // as the signer says
	Expires       time.Time // the earliest of the signatures and the manifest; zero: never
	Detached      string    // the key of the detached signature; "" where there is none, or of a key not given
	Report        json.RawMessage
}

// Verify judges a bundle. The error is an *Error.
func Verify(archive []byte, o Options) (*Verified, error) {
	v, refusal := verify(archive, &o)
	if refusal != nil {
		return nil, refusal
	}
	return v, nil
}

// verify goes from what is cheap and needs no trust to what rests on it: the archive's shape, the signatures, the files,
// then serial, expiry and tenant, which mean nothing before the manifest is known to be the signer's.
func verify(archive []byte, o *Options) (*Verified, *Error) {
	if o.At.IsZero() {
		o.At = time.Now()
	}
	trusted := slices.DeleteFunc(slices.Clone(o.Keys), func(k *PublicKey) bool { return keyByID(o.Revoked, k.ID) != nil })
	a, refusal := readArchive(archive)
	if refusal != nil {
		return nil, refusal
	}
	sum := sha256.Sum256(archive)
	v := &Verified{Bundle: a, Digest: "sha256:" + hex.EncodeToString(sum[:])}
	tokens, refusal := tokensOf(a, o)
	if refusal != nil {
		return nil, refusal
	}
	signed, refusal := checkTokens(tokens, trusted, o.Revoked)
	if refusal != nil {
		return nil, refusal
	}
	for _, s := range signed {
		if refusal := s.claims.check(a); refusal != nil {
			return nil, refusal
		}
	}
	if refusal := v.note(signed); refusal != nil {
		return nil, refusal
	}
	if refusal := v.checkPlace(o); refusal != nil {
		return nil, refusal
	}
	if refusal := v.checkBeside(archive, trusted, o); refusal != nil {
		return nil, refusal
	}
	if o.Check != nil {
		if err := o.Check(a); err != nil {
			return nil, &Error{Code: NotReproduced, Text: "the bundle is signed, and its Rego is not what its policies compile to: " + err.Error(), Err: err}
		}
	}
	return v, nil
}

func keyByID(keys []*PublicKey, id string) *PublicKey {
	for _, k := range keys {
		if k.ID == id {
			return k
		}
	}
	return nil
}

// tokensOf returns the signatures inside a bundle.
func tokensOf(a *bundle.Archive, o *Options) ([]*token, *Error) {
	text, ok := a.Get(bundle.SignaturesPath)
	switch {
	case !ok && o.Detached != nil:
		return nil, refuse(Stripped, "the signature was stripped from the bundle: %s is gone, and a signature lies beside it", bundle.SignaturesPath)
	case !ok:
		return nil, refuse(Unsigned, "the bundle is unsigned: sign it with aegisctl sign --key k.key")
	}
	s, err := parseSignatures(text)
	if err != nil {
		return nil, refuseFile(BadSignatureFile, bundle.SignaturesPath, "%s is malformed: %v", bundle.SignaturesPath, err)
	}
	if len(s.Tokens) != 1 {
		if len(s.Tokens) == 0 && len(s.Additional) == 0 {
			return nil, refuseFile(Unsigned, bundle.SignaturesPath, "the bundle is unsigned: %s holds no signature", bundle.SignaturesPath)
		}
		return nil, refuseFile(BadSignatureFile, bundle.SignaturesPath,
			"%s holds %d signatures in its first list, and OPA reads exactly one there", bundle.SignaturesPath, len(s.Tokens))
	}
	var tokens []*token
	for _, text := range s.all() {
		t, err := parseToken(text)
		if err != nil {
			return nil, refuseFile(BadSignatureFile, bundle.SignaturesPath, "%s holds %v", bundle.SignaturesPath, err)
		}
		tokens = append(tokens, t)
	}
	return tokens, nil
}

// vouched is a token that a trusted key signed.
type vouched struct {
	key    *PublicKey
	claims *claims
}

// checkTokens returns the signatures by trusted keys. Those of unknown keys are passed over, so that a bundle that an old
// and a new key signed is accepted by who has either; one that names a trusted key must be that key's.
func checkTokens(tokens []*token, trusted, revoked []*PublicKey) ([]vouched, *Error) {
	var good []vouched
	var unknown, gone []string
	for _, t := range tokens {
		alg := Algorithm(t.header.Alg)
		if alg != ES256 && alg != EdDSA {
			return nil, refuse(WrongAlgorithm, "the signature's algorithm is %q: only ES256 and EdDSA are accepted, never none and never an HMAC, "+
				"whose secret would be the public key", t.header.Alg)
		}
		candidates := candidatesFor(t, trusted)
		if len(candidates) == 0 {
			if k := keyByID(revoked, t.header.Kid); k != nil {
				gone = append(gone, k.ID)
			} else {
				unknown = append(unknown, t.header.Kid)
			}
			continue
		}
		s, refusal := checkToken(t, candidates)
		if refusal != nil {
			return nil, refusal
		}
		good = append(good, s)
	}
	switch {
	case len(good) > 0:
		return good, nil
	case len(gone) > 0:
		return nil, refuse(RevokedKey, "the bundle is signed by the revoked key %s, and by no key that is trusted", strings.Join(gone, ", "))
	default:
		return nil, refuse(UnknownKey, "the bundle is signed by the unknown key %s, and by none that was given (%s)",
			printable(strings.Join(unknown, ", ")), keyList(trusted))
	}
}

// candidatesFor returns the keys that may have signed t: the one that it names, or all of its algorithm, where the name
// is not one of ours.
func candidatesFor(t *token, trusted []*PublicKey) []*PublicKey {
	if k := keyByID(trusted, t.header.Kid); k != nil {
		return []*PublicKey{k}
	}
	if strings.HasPrefix(t.header.Kid, "sha256:") {
		return nil
	}
	var all []*PublicKey
	for _, k := range trusted {
		if Algorithm(t.header.Alg) == k.Alg && t.verify(k) {
			all = append(all, k)
		}
	}
	return all
}

func checkToken(t *token, candidates []*PublicKey) (vouched, *Error) {
	k := candidates[0]
	if Algorithm(t.header.Alg) != k.Alg {
		return vouched{}, refuse(WrongAlgorithm, "the signature's algorithm is %s, and the key %s signs with %s", t.header.Alg, k.ID, k.Alg)
	}
	if !t.verify(k) {
		return vouched{}, refuse(BadSignature, "the signature is not by the key that it names, %s: it was damaged or forged", k.ID)
	}
	c, err := t.claims()
	if err != nil || c.Aegis == nil || c.Aegis.Schema != tokenSchema {
		return vouched{}, refuse(NotOurs, "the signature by key %s is valid, and does not bind every byte, the serial and the expiry, "+
			"as one by opa sign or a later aegisctl: sign the bundle with aegisctl sign", k.ID)
	}
	return vouched{k, c}, nil
}

// check compares what was signed with what is there. A manifest that cannot be read is left to the comparison of bytes,
// which says whether it was changed.
func (c *claims) check(a *bundle.Archive) *Error {
	if id, err := identify(a); err == nil && !c.Aegis.equal(id) {
		return refuse(OtherBundle, "the signature is of another bundle (serial %d, policy %s), and this one says serial %d, policy %s",
			c.Aegis.Serial, c.Aegis.PolicyVersion, id.Serial, id.PolicyVersion)
	}
	listed := make(map[string]string, len(c.Files))
	for _, f := range c.Files {
		if _, twice := listed[f.Name]; twice {
			return refuseFile(BadSignatureFile, bundle.SignaturesPath, "the signature lists %s twice", f.Name)
		}
		listed[f.Name] = f.SHA256
	}
	for _, f := range c.Files {
		data, ok := a.Get(f.Name)
		if !ok {
			return refuseFile(MissingFile, f.Name, "%s was signed and is missing from the bundle", f.Name)
		}
		if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != f.SHA256 {
			return refuseFile(Tampered, f.Name, "%s was changed after it was signed", f.Name)
		}
	}
	for _, f := range a.Files {
		if _, ok := listed[f.Path]; !ok && f.Path != bundle.SignaturesPath {
			return refuseFile(AddedFile, f.Path, "%s is in the bundle and was not signed", f.Path)
		}
	}
	return nil
}

// note takes over what the signatures and the manifest, which is now known to be the signer's, say.
func (v *Verified) note(signed []vouched) *Error {
	m, err := v.Bundle.Manifest()
	if err != nil {
		return &Error{Code: BadArchive, Text: "the bundle is signed, and not one of aegisctl compile: " + err.Error(), Err: err}
	}
	v.PolicyVersion, v.Serial, v.Tenants = m.Metadata.PolicyVersion, m.Metadata.Serial, m.Metadata.Tenants
	v.Expires, err = m.Metadata.ExpiresAt()
	if err != nil {
		return &Error{Code: BadArchive, Text: "the bundle is signed, and not one of aegisctl compile: " + err.Error(), Err: err}
	}
	for _, s := range signed {
		v.KeyIDs = append(v.KeyIDs, s.key.ID)
		if at := time.Unix(s.claims.IssuedAt, 0).UTC(); v.SignedAt.Before(at) {
			v.SignedAt = at
		}
		if s.claims.Expires != 0 {
			if at := time.Unix(s.claims.Expires, 0).UTC(); v.Expires.IsZero() || at.Before(v.Expires) {
				v.Expires = at
			}
		}
	}
	return nil
}

// checkPlace asks whether an authentic bundle is the right one, here and now.
func (v *Verified) checkPlace(o *Options) *Error {
	if o.Tenant != "" && (len(v.Tenants) != 1 || v.Tenants[0] != o.Tenant) {
		return refuse(WrongTenant, "the bundle is of tenant %s, not of %s alone", strings.Join(v.Tenants, ", "), o.Tenant)
	}
	if v.Serial < o.MinSerial {
		return refuse(RolledBack, "the bundle was rolled back: its serial is %d, and at least %d is required", v.Serial, o.MinSerial)
	}
	for _, t := range v.Tenants {
		if v.Serial < o.Floor[t] {
			return refuse(RolledBack, "the bundle was rolled back: its serial is %d, and the floor of tenant %s is %d", v.Serial, t, o.Floor[t])
		}
	}
	if !v.Expires.IsZero() && !o.At.Before(v.Expires) {
		return refuse(Expired, "the bundle expired at %s: sign it again, or compile a new one", v.Expires.Format(time.RFC3339))
	}
	return nil
}

// checkBeside verifies what lies beside the bundle.
func (v *Verified) checkBeside(archive []byte, trusted []*PublicKey, o *Options) (refusal *Error) {
	if o.Detached != nil {
		k, refusal := checkDetached(o.Detached, archive, trusted)
		if refusal != nil {
			return refusal
		}
		if k != nil {
			v.Detached = k.ID
		}
	}
	if o.Attestation != nil {
		v.Report, refusal = checkAttestation(o.Attestation, archive, trusted)
	}
	return refusal
}

// keyList names keys in a message.
func keyList(keys []*PublicKey) string {
	ids := make([]string, len(keys))
	for i, k := range keys {
		ids[i] = k.ID
	}
	if len(ids) == 0 {
		return "no key is trusted"
	}
	return strings.Join(ids, ", ")
}

// printable bounds and quotes text that nothing vouches for.
func printable(s string) string {
	if len(s) > 200 {
		s = s[:200] + "…"
	}
	return strings.Trim(fmt.Sprintf("%q", s), `"`)
}
