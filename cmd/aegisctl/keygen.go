package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/aegisctl/aegis/sign"
)

// keyAlgorithms are the values of --algorithm.
var keyAlgorithms = map[string]sign.Algorithm{"ecdsa-p256": sign.ES256, "ed25519": sign.EdDSA}

func (a *app) keygenCmd() *cobra.Command {
	var out, algorithm string
	var force bool
	c := &cobra.Command{
		Use:   "keygen -o NAME",
		Short: "Make a key pair to sign bundles with",
		Long: `Keygen writes NAME.key, the private key, and NAME.pub, the public one.

The private key is encrypted with a password, in the format of cosign: either program uses keys of the other. The password
is taken from COSIGN_PASSWORD, else asked for on a terminal. ECDSA P-256 suits cosign and every OPA; a stock OPA's
configuration does not take Ed25519.`,
		Example: "  aegisctl keygen -o k",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := a.formats("text", "json"); err != nil {
				return err
			}
			if out == "" {
				return errors.New("keygen needs a name: -o k writes k.key and k.pub")
			}
			alg, ok := keyAlgorithms[algorithm]
			if !ok {
				return fmt.Errorf("--algorithm %q is not one of ecdsa-p256, ed25519", algorithm)
			}
			return a.keygen(c, out, alg, force)
		},
	}
	f := c.Flags()
	f.StringVarP(&out, "output", "o", "", "name of the pair: NAME.key and NAME.pub")
	f.StringVar(&algorithm, "algorithm", "ecdsa-p256", "ecdsa-p256 or ed25519")
	f.BoolVar(&force, "force", false, "overwrite the files if they exist; bundles signed with a lost key must be signed again")
	return c
}

func (a *app) keygen(c *cobra.Command, out string, alg sign.Algorithm, force bool) error {
	private, public := out+".key", out+".pub"
	for _, path := range []string{private, public} {
		if _, err := os.Lstat(path); err == nil && !force {
			return fmt.Errorf("%s exists; choose another name, or overwrite it with --force", path)
		}
	}
	pass, err := a.password(c.Context(), private, true)()
	if err != nil {
		return err
	}
	if len(pass) == 0 {
		a.note("warning: the password is empty: whoever reads %s can sign", private)
	}
	k, err := sign.Generate(alg)
	if err != nil {
		return internal(err)
	}
	sealed, err := k.Encrypt(pass)
	if err != nil {
		return internal(err)
	}
	if err := writeFileMode(private, sealed, 0o600); err != nil {
		return err
	}
	if err := writeFile(public, k.PEM()); err != nil {
		return err
	}
	if a.format == "json" {
		return json.NewEncoder(a.out).Encode(map[string]any{"schema": 1, "id": k.ID, "algorithm": k.Alg, "private": private, "public": public})
	}
	_, err = fmt.Fprintf(a.out, "%s %s\n", k.ID, public)
	return err
}
