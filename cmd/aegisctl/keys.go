package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/aegisctl/aegis/bundle"
	"github.com/aegisctl/aegis/sign"
)

// passwordVariable is where cosign takes its password from, too.
const passwordVariable = "COSIGN_PASSWORD"

// password returns what asks for the password of a key file: the variable, which may be set to nothing, else a terminal.
// A password is never read from a pipe: whoever forgot to give one would seal a key with an empty one.
func (a *app) password(ctx context.Context, path string, again bool) func() ([]byte, error) {
	return func() ([]byte, error) {
		if pass, ok := os.LookupEnv(passwordVariable); ok {
			return []byte(pass), nil
		}
		in, ok := a.in.(*os.File)
		if !ok || !term.IsTerminal(int(in.Fd())) {
			return nil, fmt.Errorf("%s needs a password, and there is no terminal to ask on: set %s", path, passwordVariable)
		}
		first, err := a.ask(ctx, in, "password for "+path+": ")
		if err != nil || !again {
			return first, err
		}
		second, err := a.ask(ctx, in, "again: ")
		if err == nil && string(first) != string(second) {
			err = errors.New("the two passwords differ; nothing was written")
		}
		return first, err
	}
}

// ask reads a line without echo. Ctrl-C gives the terminal back as it was.
func (a *app) ask(ctx context.Context, in *os.File, prompt string) ([]byte, error) {
	fd := int(in.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return nil, err
	}
	fmt.Fprint(a.err, prompt)
	defer fmt.Fprintln(a.err)
	type answer struct {
		text []byte
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		got <- answer{text, err}
	}()
	select {
	case line := <-got:
		return line.text, line.err
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), term.Restore(fd, state))
	}
}

// privateKeys opens the keys to sign with: files or KMS URIs.
func (a *app) privateKeys(ctx context.Context, names []string, plain bool) ([]*sign.PrivateKey, error) {
	var keys []*sign.PrivateKey
	for _, name := range names {
		k, err := a.privateKey(ctx, name, plain)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func (a *app) privateKey(ctx context.Context, name string, plain bool) (*sign.PrivateKey, error) {
	if sign.IsKMS(name) {
		return sign.OpenKMS(ctx, name)
	}
	text, err := readBounded(name, sign.MaxKeyFile)
	if err != nil {
		return nil, err
	}
	k, err := sign.ParsePrivateKey(text, plain, a.password(ctx, name, false))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return k, nil
}

// publicKeys opens the keys to verify with: files, or KMS URIs, of which the public half is asked for.
func publicKeys(ctx context.Context, names []string) ([]*sign.PublicKey, error) {
	var keys []*sign.PublicKey
	for _, name := range names {
		if sign.IsKMS(name) {
			k, err := sign.OpenKMS(ctx, name)
			if err != nil {
				return nil, err
			}
			keys = append(keys, &k.PublicKey)
			continue
		}
		text, err := readBounded(name, sign.MaxKeyFile)
		if err != nil {
			return nil, err
		}
		k, err := sign.ParsePublicKey(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// readBounded reads a file, and no more than one byte past the bound, which whoever parses it then refuses.
func readBounded(path string, bound int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, bound+1))
}

// readBundle reads a bundle's bytes, once: what is verified is what is used.
func readBundle(path string) ([]byte, error) { return readBounded(path, bundle.MaxPacked) }

// Names of the files that lie beside a bundle. Further keys' signatures are numbered from 2.
func detachedPath(path string, i int) string {
	if i == 0 {
		return path + ".sigstore.json"
	}
	return fmt.Sprintf("%s.%d.sigstore.json", path, i+1)
}

func attestationPath(path string) string { return path + ".simulation.sigstore.json" }

// signError gives a refusal its exit code: 1 for a bundle that was judged, 2 for one that could not be.
func signError(path string, err error) error {
	refusal := new(sign.Error)
	if !errors.As(err, &refusal) {
		return err
	}
	code := exitFailed
	if refusal.Unreadable() {
		code = exitInput
	}
	return &exitError{code, fmt.Errorf("%s: %s: %w", path, refusal.Code, refusal)}
}
