package sign

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/kms"
	_ "github.com/sigstore/sigstore/pkg/signature/kms/hashivault" // hashivault:// and openbao://
	"github.com/sigstore/sigstore/pkg/signature/options"
)

// IsKMS reports whether a key's name is a KMS URI and no file.
func IsKMS(name string) bool { return strings.Contains(name, "://") }

// OpenKMS returns the key that a KMS URI names. hashivault:// and openbao:// are built in; any other scheme S is handed
// to the sigstore plugin sigstore-kms-S on the PATH. The secret never leaves the KMS; ctx reaches those providers that heed one.
func OpenKMS(ctx context.Context, uri string) (*PrivateKey, error) {
	sv, err := kms.Get(ctx, uri, crypto.SHA256)
	if err != nil {
		return nil, kmsError(uri, err)
	}
	pub, err := sv.PublicKey(options.WithContext(ctx))
	if err != nil {
		return nil, kmsError(uri, err)
	}
	if _, ok := pub.(ed25519.PublicKey); ok { // Ed25519 signs the message itself, so the KMS must not hash it
		if sv, err = kms.Get(ctx, uri, crypto.Hash(0)); err != nil {
			return nil, kmsError(uri, err)
		}
	}
	k, err := newPrivateKey(&kmsSigner{ctx, sv, pub})
	if err != nil {
		return nil, kmsError(uri, err)
	}
	return k, nil
}

func kmsError(uri string, err error) error {
	scheme, _, _ := strings.Cut(uri, "://")
	if none := new(kms.ProviderNotFoundError); errors.As(err, &none) {
		return fmt.Errorf("%s: no such key service: hashivault:// and openbao:// are built in, others need the program sigstore-kms-%s on the PATH", uri, scheme)
	}
	return fmt.Errorf("%s: %w", uri, err)
}

// kmsSigner makes a KMS look like a key in memory.
type kmsSigner struct {
	ctx context.Context
	sv  kms.SignerVerifier
	pub crypto.PublicKey
}

func (s *kmsSigner) Public() crypto.PublicKey { return s.pub }

// Sign signs a digest, or with crypto.Hash(0) a message.
func (s *kmsSigner) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts.HashFunc() == crypto.Hash(0) {
		return s.sv.SignMessage(bytes.NewReader(digest), options.WithContext(s.ctx))
	}
	o := []signature.SignOption{options.WithContext(s.ctx), options.WithDigest(digest), options.WithCryptoSignerOpts(opts)}
	return s.sv.SignMessage(nil, o...)
}
