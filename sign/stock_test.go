package sign

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// stock returns a tool of others that an environment variable names (the Makefile builds it), or that is on the PATH.
func stock(t *testing.T, variable, name string) string {
	t.Helper()
	if path := os.Getenv(variable); path != "" {
		return path
	}
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not set and %s is not on the PATH", variable, name)
		}
		t.Skipf("SKIPPED: %s is not set and %s is not on the PATH; make test builds it", variable, name)
	}
	return path
}

// runTool runs a tool in a home of its own, with the password of test keys and without proxies to reach anything.
func runTool(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	c := exec.Command(name, args...)
	home := t.TempDir()
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "COSIGN_PASSWORD=" + testPassword,
		"HTTP_PROXY=http://127.0.0.1:1", "HTTPS_PROXY=http://127.0.0.1:1"}
	c.Dir = home
	out, err := c.CombinedOutput()
	return string(out), err
}

const testPassword = "correct horse"

// place writes a signed bundle and what goes beside it, and returns the bundle's path.
func place(t *testing.T, s *Signed, k *PublicKey) (archive, key string) {
	t.Helper()
	dir := t.TempDir()
	archive, key = filepath.Join(dir, "bundle.tar.gz"), filepath.Join(dir, "k.pub")
	write(t, archive, s.Archive)
	write(t, archive+".sigstore.json", s.Detached[0])
	if s.Attestation != nil {
		write(t, archive+".simulation.sigstore.json", s.Attestation)
	}
	write(t, key, k.PEM())
	return archive, key
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// opaRun starts a stock opa run on a bundle that it has to verify, and asks it for one decision.
func opaRun(t *testing.T, opa, archive, key string, alg Algorithm) (string, error) {
	t.Helper()
	c := exec.Command(opa, "run", "--skip-version-check", "-b", archive, "--verification-key", key, "--signing-alg", string(alg))
	c.Env = []string{"HOME=" + t.TempDir()}
	c.Stdin = strings.NewReader("data.aegis.decision with input as {\"args\": {\"amount\": 5001}}\n")
	out, err := c.CombinedOutput()
	return string(out), err
}

func cosignBlob(t *testing.T, cosign, archive, key string) (string, error) {
	t.Helper()
	return runTool(t, cosign, "verify-blob", "--key", key, "--bundle", archive+".sigstore.json", "--insecure-ignore-tlog", archive)
}

// TestStock: what we sign, a stock OPA and a stock cosign accept, and both refuse it after a change.
func TestStock(t *testing.T) {
	opa, cosign := stock(t, "AEGIS_OPA", "opa"), stock(t, "AEGIS_COSIGN", "cosign")
	for _, alg := range []Algorithm{ES256, EdDSA} {
		t.Run(string(alg), func(t *testing.T) {
			k, second := newKey(t, alg), newKey(t, ES256)
			report := []byte(`{"schema": 1, "policy_version": "` + version("a") + `", "decisions": {"allow": 1}}`)
			s := mustSign(t, pack(t, newArchive(t, "acme", 7, "a")), Order{Keys: []*PrivateKey{k, second}, Name: "bundle.tar.gz",
				Report: report, Expires: now.Add(time.Hour)})
			archive, key := place(t, s, &k.PublicKey)
			if out, err := opaRun(t, opa, archive, key, alg); err != nil || !strings.Contains(out, `"deny"`) {
				t.Errorf("opa run: %v\n%s", err, out)
			}
			if out, err := cosignBlob(t, cosign, archive, key); err != nil {
				t.Errorf("cosign verify-blob: %v\n%s", err, out)
			}
			out, err := runTool(t, cosign, "verify-blob-attestation", "--key", key, "--bundle", archive+".simulation.sigstore.json",
				"--type", PredicateType, "--insecure-ignore-tlog", archive)
			if err != nil {
				t.Errorf("cosign verify-blob-attestation: %v\n%s", err, out)
			}

			write(t, key, second.PEM())
			if out, err := opaRun(t, opa, archive, key, ES256); err == nil {
				t.Errorf("opa run accepts another key:\n%s", out)
			}
			if out, err := cosignBlob(t, cosign, archive, key); err == nil {
				t.Errorf("cosign accepts another key:\n%s", out)
			}
			write(t, archive+".sigstore.json", s.Detached[1])
			if out, err := cosignBlob(t, cosign, archive, key); err != nil {
				t.Errorf("cosign verify-blob of the second signature: %v\n%s", err, out)
			}
		})
	}
}

// TestStockRefuses: the stock tools refuse the changes that we refuse, so that who verifies with them is as safe. What
// they let through is named, with the reason.
func TestStockRefuses(t *testing.T) {
	opa, cosign := stock(t, "AEGIS_OPA", "opa"), stock(t, "AEGIS_COSIGN", "cosign")
	opaBlind := map[string]string{
		"bn-ok":               "the control",
		"bn-rollback":         "OPA knows no serial",
		"bn-rollback-restart": "OPA knows no serial",
		"bn-other-tenant":     "OPA knows no tenants",
		"bn-trailing-gzip":    "OPA reads on behind the end",
	}
	w := newRecipes(t, newArchive)
	for _, r := range w.recipes {
		if r.live() || r.heavy() {
			continue
		}
		t.Run(r.ID, func(t *testing.T) {
			archive, key := place(t, &Signed{Archive: w.apply(t, r), Detached: w.signed.Detached}, &w.key.PublicKey)
			out, err := cosignBlob(t, cosign, archive, key)
			if (err == nil) != (r.Expect == "accept") {
				t.Errorf("cosign: %v\n%s", err, out)
			}
			out, err = opaRun(t, opa, archive, key, ES256)
			if why, blind := opaBlind[r.ID]; (err == nil) != blind {
				t.Errorf("opa run: %v (blind: %q)\n%s", err, why, out)
			}
		})
	}
}

// TestKeysOfCosign: a key that cosign made signs with us, and a key that we made signs with cosign.
func TestKeysOfCosign(t *testing.T) {
	cosign := stock(t, "AEGIS_COSIGN", "cosign")
	dir := t.TempDir()
	if out, err := runTool(t, cosign, "generate-key-pair", "--output-key-prefix", filepath.Join(dir, "c")); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	theirs, err := ParsePrivateKey(read(t, filepath.Join(dir, "c.key")), false, password(testPassword))
	if err != nil {
		t.Fatal(err)
	}
	pub, err := ParsePublicKey(read(t, filepath.Join(dir, "c.pub")))
	if err != nil || pub.ID != theirs.ID || !bytes.Equal(pub.PEM(), read(t, filepath.Join(dir, "c.pub"))) {
		t.Fatalf("the halves of cosign's key differ: %v", err)
	}
	s := mustSign(t, pack(t, newArchive(t, "acme", 1, "a")), Order{Keys: []*PrivateKey{theirs}})
	archive, key := place(t, s, pub)
	if out, err := cosignBlob(t, cosign, archive, key); err != nil {
		t.Errorf("%v\n%s", err, out)
	}

	// With an Ed25519 key cosign 3.1.3 signs blobs that it does not verify itself: it leaves the digest out.
	ours := newKey(t, ES256)
	text, err := ours.Encrypt([]byte(testPassword))
	if err != nil {
		t.Fatal(err)
	}
	keyFile := filepath.Join(dir, "k.key")
	write(t, keyFile, text)
	out, err := runTool(t, cosign, "sign-blob", "--yes", "--key", keyFile, "--tlog-upload=false", "--use-signing-config=false",
		"--bundle", archive+".sigstore.json", archive)
	if err != nil {
		t.Fatalf("cosign sign-blob with our key: %v\n%s", err, out)
	}
	write(t, key, ours.PEM())
	if out, err := cosignBlob(t, cosign, archive, key); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	v, err := Verify(s.Archive, Options{Keys: append(public(ours), pub), At: now, Detached: read(t, archive+".sigstore.json")})
	if err != nil || v.Detached != ours.ID {
		t.Errorf("we do not accept the detached signature that cosign made: %v", err)
	}
}

// TestStockConfig: an OPA that is configured with the keys of a rotation finds the signer's by its id.
func TestStockConfig(t *testing.T) {
	opa := stock(t, "AEGIS_OPA", "opa")
	old, next := newKey(t, ES256), newKey(t, ES256)
	for _, k := range []*PrivateKey{old, next} {
		s := mustSign(t, pack(t, newArchive(t, "acme", 1, "a")), Order{Keys: []*PrivateKey{k}})
		archive, _ := place(t, s, &k.PublicKey)
		dir := filepath.Dir(archive)
		config, err := json.Marshal(map[string]any{
			"keys": map[string]any{
				old.ID:  map[string]any{"algorithm": "ES256", "key": string(old.PEM())},
				next.ID: map[string]any{"algorithm": "ES256", "key": string(next.PEM())},
			},
			"bundles": map[string]any{"aegis": map[string]any{"resource": "file://" + archive, "signing": map[string]any{}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "opa.json"), config)
		write(t, filepath.Join(dir, "input.json"), []byte(`{"args": {"amount": 5001}}`))
		out, err := runTool(t, opa, "exec", "-c", filepath.Join(dir, "opa.json"), "--timeout", "60s", "--decision", "aegis/decision", filepath.Join(dir, "input.json"))
		if err != nil || !strings.Contains(out, `"deny"`) {
			t.Errorf("opa exec: %v\n%s", err, out)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func password(text string) func() ([]byte, error) {
	return func() ([]byte, error) { return []byte(text), nil }
}
