package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/aegisctl/aegis/bundle"
	"github.com/aegisctl/aegis/compile"
	"github.com/aegisctl/aegis/sign"
)

// verifyFlags are the flags of verify that are not an option of the room as they stand.
type verifyFlags struct {
	keys, revoked []string
	floor         string
	raise         bool
	at            string
	detached      string
	attestation   string
}

func (a *app) verifyCmd() *cobra.Command {
	var o sign.Options
	var in verifyFlags
	c := &cobra.Command{
		Use:   "verify BUNDLE --key k.pub",
		Short: "Verify a signed bundle",
		Long: `Verify accepts a bundle if a given key signed exactly these files, the signature has not expired, the serial is not below
the floor, and the policies inside compile to the Rego inside. It works offline. The signature and the attestation that lie beside the bundle are verified as well.

A refusal is one line with a stable code. Exit 1: the bundle was judged and refused. Exit 2: it could not be read.

The floor keeps an attacker from bringing back an older bundle with its valid signature. --min-serial pins it; --floor FILE
keeps it in a state file, which --raise-floor raises after each success. A floor that is gone is an error and not zero:
--min-serial N with --raise-floor begins a new one.`,
		Example: "  aegisctl verify bundle.tar.gz --key k.pub --min-serial 41",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := a.formats("text", "json"); err != nil {
				return err
			}
			if err := in.fill(c, &o, args[0]); err != nil {
				return a.refused(args[0], err)
			}
			return a.verify(args[0], o, in)
		},
	}
	f := c.Flags()
	f.StringArrayVar(&in.keys, "key", nil, "public key file or KMS URI; repeat it while keys are rotated")
	f.StringArrayVar(&in.revoked, "revoked", nil, "public key that is no longer trusted")
	f.Int64Var(&o.MinSerial, "min-serial", 0, "lowest serial to accept")
	f.StringVar(&in.floor, "floor", "", "state file with the lowest serial to accept of each tenant")
	f.BoolVar(&in.raise, "raise-floor", false, "raise --floor to this bundle's serial once it is accepted")
	f.StringVar(&o.Tenant, "tenant", "", "the one tenant whose policies the bundle may hold")
	f.StringVar(&in.at, "at", "", "judge expiry at this RFC 3339 time (default now)")
	f.StringVar(&in.detached, "detached", "", "signature beside the bundle (default BUNDLE.sigstore.json, where it exists)")
	f.StringVar(&in.attestation, "attestation", "", "attestation beside the bundle (default BUNDLE.simulation.sigstore.json, where it exists)")
	return c
}

// verify reads the bundle once; what was read is what is judged.
func (a *app) verify(path string, o sign.Options, in verifyFlags) error {
	archive, err := readBundle(path)
	if err != nil {
		return err
	}
	reproduced := true
	o.Check = func(b *bundle.Archive) error {
		err := compile.Check(b)
		if errors.Is(err, compile.ErrCodegen) {
			reproduced = false
			a.note("%s: not compiled again: %v", path, err)
			return nil
		}
		return err
	}
	v, err := sign.Verify(archive, o)
	if err != nil {
		return a.refused(path, err)
	}
	if in.raise {
		if err := raiseFloor(in.floor, v); err != nil {
			return err
		}
	}
	return a.accepted(path, v, reproduced)
}

// fill turns flags into options.
func (in *verifyFlags) fill(c *cobra.Command, o *sign.Options, path string) (err error) {
	if len(in.keys) == 0 {
		return errors.New("verify needs a key: --key k.pub")
	}
	if in.raise && in.floor == "" {
		return errors.New("--raise-floor needs --floor FILE, the file to raise it in")
	}
	if o.MinSerial < 0 {
		return fmt.Errorf("--min-serial %d is below 0", o.MinSerial)
	}
	if in.at != "" {
		if o.At, err = time.Parse(time.RFC3339, in.at); err != nil {
			return fmt.Errorf("--at %q is no RFC 3339 time, such as 2026-12-31T12:00:00Z", in.at)
		}
	}
	if o.Keys, err = publicKeys(c.Context(), in.keys); err != nil {
		return err
	}
	if o.Revoked, err = publicKeys(c.Context(), in.revoked); err != nil {
		return err
	}
	if o.Detached, err = beside(in.detached, detachedPath(path, 0)); err != nil {
		return err
	}
	if o.Attestation, err = beside(in.attestation, attestationPath(path)); err != nil {
		return err
	}
	if in.floor != "" {
		o.Floor, err = readFloor(in.floor, in.raise && o.MinSerial > 0)
	}
	return err
}

// beside reads a file that was named, or the one that lies beside the bundle, if there is one.
func beside(named, usual string) ([]byte, error) {
	path := named
	if path == "" {
		path = usual
	}
	data, err := readBounded(path, sign.MaxBeside)
	if named == "" && errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// readFloor reads the floor. Only who pins a serial may begin without one.
func readFloor(path string, begin bool) (sign.Floor, error) {
	text, err := readBounded(path, sign.MaxBeside)
	switch {
	case err == nil:
		return sign.ParseFloor(text)
	case !errors.Is(err, os.ErrNotExist):
		return nil, err
	case begin:
		return sign.Floor{}, nil
	}
	return nil, &sign.Error{Code: sign.FloorMissing, Err: err, Text: fmt.Sprintf(
		"the floor %s is gone, and without it an old bundle would pass: restore it, or begin anew with --min-serial N --raise-floor", path)}
}

// raiseFloor reads the floor again, so that of two that raise it at a time the higher stays but for a moment's race.
func raiseFloor(path string, v *sign.Verified) error {
	f, err := readFloor(path, true)
	if err != nil {
		return signError(path, err)
	}
	return writeFile(path, f.Raise(v).Encode())
}

// report is what verify and sign print as JSON.
type report struct {
	Schema        int             `json:"schema"`
	Bundle        string          `json:"bundle"`
	Verified      bool            `json:"verified"`
	Code          sign.Code       `json:"code,omitempty"`
	File          string          `json:"file,omitempty"`
	Message       string          `json:"message,omitempty"`
	Digest        string          `json:"digest,omitempty"`
	PolicyVersion string          `json:"policy_version,omitempty"`
	Serial        int64           `json:"serial,omitempty"`
	Tenants       []string        `json:"tenants,omitempty"`
	Keys          []string        `json:"keys,omitempty"`
	SignedAt      string          `json:"signed_at,omitempty"`
	Expires       string          `json:"expires,omitempty"`
	Detached      string          `json:"detached,omitempty"`   // the key of the signature beside the bundle
	Reproduced    *bool           `json:"reproduced,omitempty"` // its Rego was compiled again, and is the same
	Simulation    json.RawMessage `json:"simulation,omitempty"`
	Files         []string        `json:"files,omitempty"`
}

func verdict(path string, v *sign.Verified) *report {
	r := &report{Schema: 1, Bundle: path, Verified: true, Digest: v.Digest, PolicyVersion: v.PolicyVersion, Serial: v.Serial,
		Tenants: v.Tenants, Keys: v.KeyIDs, SignedAt: v.SignedAt.Format(time.RFC3339), Detached: v.Detached, Simulation: v.Report}
	if !v.Expires.IsZero() {
		r.Expires = v.Expires.Format(time.RFC3339)
	}
	return r
}

// refused reports a refusal: one line on stderr, and as JSON on stdout where that was asked for.
func (a *app) refused(path string, err error) error {
	refusal := new(sign.Error)
	if a.format == "json" && errors.As(err, &refusal) {
		r := &report{Schema: 1, Bundle: path, Code: refusal.Code, File: refusal.File, Message: refusal.Text}
		if err := json.NewEncoder(a.out).Encode(r); err != nil {
			return err
		}
	}
	return signError(path, err)
}

func (a *app) accepted(path string, v *sign.Verified, reproduced bool) error {
	r := verdict(path, v)
	r.Reproduced = &reproduced
	if a.format == "json" {
		return json.NewEncoder(a.out).Encode(r)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: verified\n", path)
	fmt.Fprintf(&b, "  policy   %s\n  serial   %d of %s\n", r.PolicyVersion, r.Serial, list(r.Tenants))
	fmt.Fprintf(&b, "  signed   %s by %s\n", r.SignedAt, list(r.Keys))
	if r.Expires != "" {
		fmt.Fprintf(&b, "  expires  %s\n", r.Expires)
	}
	if r.Detached != "" {
		fmt.Fprintf(&b, "  beside   a sigstore signature by %s\n", r.Detached)
	}
	if r.Simulation != nil {
		fmt.Fprintf(&b, "  attested a simulation of this policy (--format json shows it)\n")
	}
	_, err := fmt.Fprint(a.out, b.String())
	return err
}

func list(names []string) string { return strings.Join(names, ", ") }
