package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aegisctl/aegis/policy"
)

// Format is the version of the bundle's own form: which members there are, and what stands in them.
const Format = 1

// MaxSerial is the greatest serial: every reader of JSON holds it exactly.
const MaxSerial = 1<<53 - 1

// Manifest is the file .manifest: what OPA must know of a bundle, and under metadata what aegisctl must.
type Manifest struct {
	Revision    string   `json:"revision"` // what OPA's logs and status show
	Roots       []string `json:"roots"`
	RegoVersion int      `json:"rego_version"`
	Metadata    Metadata `json:"metadata"`
}

// Metadata is what aegisctl says of a bundle. There is no time of creation: the same sources give the same bytes.
type Metadata struct {
	Format        int      `json:"format"`
	Language      int      `json:"language"` // version of the policy language
	Codegen       string   `json:"codegen"`  // the generator of the Rego: policy.Codegen
	Target        string   `json:"target"`   // rego or wasm
	Tenants       []string `json:"tenants"`  // whose policies it holds, sorted
	PolicyVersion string   `json:"policy_version"`
	Serial        int64    `json:"serial"`            // grows with every release; an older one is a rollback
	Expires       string   `json:"expires,omitempty"` // RFC 3339, UTC, whole seconds: from then on the bundle is refused
}

// Manifest reads the archive's manifest. It must be written exactly as Encode writes it, so that no two readers can
// find different things in it.
func (a *Archive) Manifest() (*Manifest, error) {
	text, ok := a.Get(ManifestPath)
	if !ok {
		return nil, fmt.Errorf("the bundle has no %s", ManifestPath)
	}
	m := new(Manifest)
	if err := strict(ManifestPath, text, m); err != nil {
		return nil, err
	}
	return m, m.check()
}

// strict decodes JSON that stands exactly as encode writes it: no key is unknown, twice, or spelled in another case.
func strict(path string, text []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if !bytes.Equal(encode(to), text) {
		return fmt.Errorf("%s: it is not written as aegisctl writes it (a key twice, an unknown key, or another order)", path)
	}
	return nil
}

// encode writes JSON in one way only: keys in their order, one space for each level, nothing escaped that need not be.
func encode(v any) []byte {
	if d, ok := v.(*data); ok {
		return d.encode()
	}
	return append(encodeAt("", v), '\n')
}

// encodeAt is encode for a value that stands behind an indentation.
func encodeAt(indent string, v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent(indent, " ")
	if err := e.Encode(v); err != nil {
		panic(err) // what is encoded are texts, numbers, lists and maps of texts
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// Encode returns the content of the file .manifest.
func (m *Manifest) Encode() []byte { return encode(m) }

func (m *Manifest) check() error {
	x := &m.Metadata
	_, expiresErr := x.ExpiresAt()
	bad := func(format string, args ...any) error { return fmt.Errorf(ManifestPath+": "+format, args...) }
	switch {
	case x.Format != Format:
		return bad("the bundle's format is %d, and this aegisctl reads %d", x.Format, Format)
	case x.Language != policy.LanguageVersion:
		return bad("the policies are written in version %d of the language, and this aegisctl knows version %d",
			x.Language, policy.LanguageVersion)
	case !slices.Equal(m.Roots, []string{"aegis"}):
		return bad("roots are %q, not [aegis]", m.Roots)
	case x.Serial < 1 || x.Serial > MaxSerial:
		return bad("serial %d is not between 1 and %d", x.Serial, int64(MaxSerial))
	case !slices.IsSorted(x.Tenants) || len(slices.Compact(slices.Clone(x.Tenants))) != len(x.Tenants):
		return bad("tenants are not sorted, or one stands twice")
	case expiresErr != nil:
		return bad("%w", expiresErr)
	}
	return nil
}

// ExpiresAt returns the moment from which the bundle is refused, or the zero time where there is none.
func (m *Metadata) ExpiresAt() (time.Time, error) {
	if m.Expires == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, m.Expires)
	if err != nil || m.Expires != t.UTC().Format(time.RFC3339) {
		return time.Time{}, errors.New("expires must be a UTC time such as 2027-01-31T00:00:00Z")
	}
	return t, nil
}
