package sign

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/aegisctl/aegis"
)

// Bounds of what an unverified bundle may bring.
const (
	MaxBeside = 8 << 20 // bytes of .signatures.json, and of a file beside the bundle
	MaxKeys   = 16      // signatures in one bundle
)

// signatures is the member .signatures.json (bundle.SignaturesPath). A stock OPA insists on exactly one token and skips what it does not know, so the
// signatures of further keys have a place of their own.
type signatures struct {
	Tokens     []string `json:"signatures"`
	Additional []string `json:"additional_signatures,omitempty"`
	// There is no plugin: naming one, even by an empty default's name, makes a stock OPA look for it.
}

func (s *signatures) all() []string { return append(slices.Clone(s.Tokens), s.Additional...) }

func (s *signatures) encode() ([]byte, error) {
	b, err := json.MarshalIndent(s, "", "  ")
	return append(b, '\n'), err
}

// parseSignatures reads .signatures.json, which nothing vouches for.
func parseSignatures(text []byte) (*signatures, error) {
	var d aegis.Doc
	if err := d.Parse(text, MaxBeside); err != nil {
		return nil, err
	}
	if err := d.CaseVariants(); err != nil {
		return nil, err
	}
	root := d.Root()
	if plugin := root.Get("plugin"); plugin.Kind() == aegis.String && plugin.Str() != "" {
		return nil, fmt.Errorf("it names the plugin %q, and a signature that only a plugin understands proves nothing here", plugin.Str())
	}
	if err := exactMembers(root, "signatures", "additional_signatures", "plugin"); err != nil {
		return nil, fmt.Errorf("it %w", err)
	}
	var s signatures
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, errors.New("its signatures are not a list of text")
	}
	if n := len(s.Tokens) + len(s.Additional); n > MaxKeys {
		return nil, fmt.Errorf("it holds %d signatures, and more than %d are not read", n, MaxKeys)
	}
	return &s, nil
}

// exactMembers checks that v is an object with no other keys than these.
func exactMembers(v aegis.Value, keys ...string) error {
	if v.Kind() != aegis.Object {
		return fmt.Errorf("is %s, no object", v.Kind())
	}
	for m := v.First(); m.Kind() != aegis.Absent; m = v.After(m) {
		if !slices.Contains(keys, m.Key()) {
			return fmt.Errorf("holds the unknown member %q", m.Key())
		}
	}
	return nil
}
