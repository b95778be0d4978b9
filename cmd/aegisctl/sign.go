package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/aegisctl/aegis/sign"
)

// maxReport bounds a simulation report that is attested, in bytes. Base64 and JSON make it a third larger.
const maxReport = 4 << 20

func (a *app) signCmd() *cobra.Command {
	var keys []string
	var expires, report string
	var plain bool
	c := &cobra.Command{
		Use:   "sign BUNDLE --key k.key",
		Short: "Sign a bundle, for aegisctl, OPA and cosign",
		Long: `Sign writes the signature into the bundle, in place (.signatures.json, which a stock OPA verifies), and beside it
(BUNDLE.sigstore.json, which a stock cosign verifies). Earlier signatures are replaced.

A key is a file of aegisctl keygen or cosign, or a KMS URI (hashivault://NAME, openbao://NAME, or S://… with the program
sigstore-kms-S on the PATH). With several keys, verifiers may hold any of them; OPA sees the first one's signature.`,
		Example: "  aegisctl sign bundle.tar.gz --key k.key --expires 90d --attest report.json",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := a.formats("text", "json"); err != nil {
				return err
			}
			if len(keys) == 0 {
				return errors.New("sign needs a key: --key k.key (aegisctl keygen -o k makes one)")
			}
			o := sign.Order{At: time.Now().UTC().Truncate(time.Second)}
			var err error
			if o.Expires, err = expiryFrom(expires, o.At); err != nil {
				return err
			}
			if report != "" {
				if o.Report, err = readBounded(report, maxReport); err != nil {
					return err
				}
				if len(o.Report) > maxReport {
					return fmt.Errorf("%s is over %d bytes", report, maxReport)
				}
			}
			path, archive, err := signable(args[0])
			if err != nil {
				return err
			}
			if o.Keys, err = a.privateKeys(c.Context(), keys, plain); err != nil {
				return err
			}
			if plain {
				a.note("warning: --allow-plain-key: whoever reads an unencrypted key file can sign")
			}
			o.Name = filepath.Base(path)
			return a.sign(c.Context(), path, archive, o)
		},
	}
	f := c.Flags()
	f.StringArrayVar(&keys, "key", nil, "private key file or KMS URI; repeat it while keys are rotated")
	f.StringVar(&expires, "expires", "", "when the signature expires: 90d, 12h, a day (its last, UTC) or an RFC 3339 time (default never)")
	f.StringVar(&report, "attest", "", "attest this report of aegisctl simulate --format json, as BUNDLE.simulation.sigstore.json")
	f.BoolVar(&plain, "allow-plain-key", false, "take private keys that are not encrypted, too")
	return c
}

// signable reads the bundle to be signed. Behind a symbolic link the file itself is signed, and the link stays.
func signable(name string) (path string, archive []byte, err error) {
	if path, err = filepath.EvalSymlinks(name); err != nil {
		return "", nil, err
	}
	archive, err = readBundle(path)
	return path, archive, err
}

var span = regexp.MustCompile(`^([0-9]{1,5})([hd])$`)

// expiryFrom reads --expires: a span from now, or what compile takes.
func expiryFrom(text string, now time.Time) (time.Time, error) {
	m := span.FindStringSubmatch(text)
	if m == nil {
		return expiry(text)
	}
	n, err := strconv.Atoi(m[1])
	if m[2] == "d" {
		n *= 24
	}
	return now.Add(time.Duration(n) * time.Hour), err
}

// sign signs and writes. All signatures are made before the first file is written; whatever is then cut short leaves a
// bundle and a file beside it that do not match, which verify refuses.
func (a *app) sign(ctx context.Context, path string, archive []byte, o sign.Order) error {
	s, err := sign.Sign(archive, o)
	if err != nil {
		return signError(path, err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := writeFile(path, s.Archive); err != nil {
		return err
	}
	written := []string{path}
	for i, d := range s.Detached {
		if err := writeFile(detachedPath(path, i), d); err != nil {
			return err
		}
		written = append(written, detachedPath(path, i))
	}
	if s.Attestation != nil {
		if err := writeFile(attestationPath(path), s.Attestation); err != nil {
			return err
		}
		written = append(written, attestationPath(path))
	}
	if err := a.removeStale(path, s); err != nil {
		return err
	}
	v := s.Verified
	if a.format == "json" {
		r := verdict(path, v)
		r.Files = written
		return json.NewEncoder(a.out).Encode(r)
	}
	_, err = fmt.Fprintf(a.out, "%s: serial %d, policy %s, signed by %s\n", path, v.Serial, v.PolicyVersion, list(v.KeyIDs))
	return err
}

// removeStale removes what an earlier signing left beside the bundle and this one did not replace: it is about bytes
// that are gone.
func (a *app) removeStale(path string, s *sign.Signed) error {
	stale := []string{}
	for i := len(s.Detached); i < sign.MaxKeys; i++ {
		stale = append(stale, detachedPath(path, i))
	}
	if s.Attestation == nil {
		stale = append(stale, attestationPath(path))
	}
	for _, f := range stale {
		switch err := os.Remove(f); {
		case err == nil:
			a.note("removed %s: it was about the bundle before it was signed again", f)
		case !errors.Is(err, os.ErrNotExist):
			return err
		}
	}
	return nil
}
