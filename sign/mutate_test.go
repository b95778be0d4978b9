package sign

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aegisctl/aegis/bundle"
)

// mutant is a changed bundle, and who is to verify it.
type mutant struct {
	archive []byte
	keys    []*PublicKey
	beside  []byte
}

// mutator makes mutants of one signed bundle.
type mutator struct {
	t         *testing.T
	rng       *rand.Rand
	signed    *Signed
	tar       []byte // the archive unpacked by gzip
	files     []bundle.File
	key       *PrivateKey
	strangers []*PublicKey
}

func (m *mutator) pick(n int) int { return m.rng.IntN(n) }

// TestMutations: of random changes to a signed bundle none is accepted with changed content. AEGIS_LONG=1 makes 100,000.
func TestMutations(t *testing.T) {
	n := 1000
	if os.Getenv("AEGIS_LONG") != "" {
		n = 100_000
	}
	k := newKey(t, ES256)
	s := mustSign(t, pack(t, newArchive(t, "acme", 3, "a")), Order{Keys: []*PrivateKey{k, newKey(t, EdDSA)}})
	z, err := gzip.NewReader(bytes.NewReader(s.Archive))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	m := &mutator{t: t, rng: rand.New(rand.NewPCG(7, 11)), signed: s, tar: plain, files: unpack(t, s.Archive).Files, key: k,
		strangers: public(newKey(t, ES256), newKey(t, EdDSA), newKey(t, ES256))}
	levels := []struct {
		name string
		make func() mutant
	}{{"archive bytes", m.archiveBytes}, {"tar bytes", m.tarBytes}, {"members", m.members}, {"signature file", m.signatureFile},
		{"token", m.token}, {"keys", m.keySet}}
	refused, same := map[Code]int{}, map[string]int{}
	for i := range n {
		level := levels[i%len(levels)]
		x := level.make()
		v, err := Verify(x.archive, Options{Keys: x.keys, At: now, Detached: x.beside})
		if err != nil {
			e := new(Error)
			if !errors.As(err, &e) {
				t.Fatalf("%s: an error without a code: %v", level.name, err)
			}
			refused[e.Code]++
			continue
		}
		if !slices.Contains(x.keys, &k.PublicKey) || !m.sameContent(v.Bundle) {
			t.Fatalf("%s: accepted with changed content or without the key (mutation %d)", level.name, i)
		}
		same[level.name]++
	}
	t.Logf("%d mutations: 0 accepted with changed content; accepted with the same content: %v; refused: %v", n, same, refused)
	if n > 999 && (refused[Tampered] == 0 || refused[BadSignature] == 0 || refused[UnknownKey] == 0 || same["archive bytes"]+same["tar bytes"] == 0) {
		t.Error("the mutations do not reach what they are to test")
	}
}

// sameContent compares everything but the signatures, which may be written differently and say the same.
func (m *mutator) sameContent(a *bundle.Archive) bool {
	unsigned := func(files []bundle.File) []bundle.File {
		return slices.DeleteFunc(slices.Clone(files), func(f bundle.File) bool { return f.Path == bundle.SignaturesPath })
	}
	return slices.EqualFunc(unsigned(a.Files), unsigned(m.files), func(x, y bundle.File) bool {
		return x.Path == y.Path && bytes.Equal(x.Data, y.Data)
	})
}

func (m *mutator) trusted(archive []byte) mutant {
	return mutant{archive: archive, keys: public(m.key)}
}

// bytes makes one to three small changes.
func (m *mutator) bytes(b []byte) []byte {
	b = slices.Clone(b)
	for range 1 + m.pick(3) {
		if len(b) == 0 {
			return b
		}
		at := m.pick(len(b))
		switch m.pick(8) {
		case 0, 1, 2, 3:
			b[at] ^= 1 << m.pick(8)
		case 4:
			b[at] = byte(m.pick(256))
		case 5:
			b = slices.Delete(b, at, min(len(b), at+1+m.pick(16)))
		case 6:
			b = slices.Insert(b, at, b[at:min(len(b), at+1+m.pick(16))]...)
		case 7:
			b = b[:at]
		}
	}
	return b
}

func (m *mutator) archiveBytes() mutant {
	b := m.bytes(m.signed.Archive)
	if m.pick(8) == 0 { // the header of gzip, where most bits mean nothing
		b = slices.Clone(m.signed.Archive)
		b[4+m.pick(6)] ^= 1 << m.pick(8)
	}
	x := m.trusted(b)
	if m.pick(2) == 0 {
		x.beside = m.signed.Detached[0]
	}
	return x
}

func (m *mutator) tarBytes() mutant {
	b := m.bytes(m.tar)
	return m.trusted(gzipped(m.t, func(w io.Writer) { w.Write(b) }))
}

func (m *mutator) members() mutant {
	var list []member
	for _, f := range m.files {
		list = append(list, file(f.Path, f.Data))
	}
	i, j := m.pick(len(list)), m.pick(len(list))
	switch m.pick(6) {
	case 0:
		list[i].data = m.bytes(list[i].data)
	case 1:
		list[i].Name, list[j].Name = list[j].Name, list[i].Name
	case 2:
		list = slices.Delete(list, i, i+1)
	case 3:
		list = slices.Insert(list, j, file(list[i].Name, m.bytes(list[i].data)))
	case 4:
		list = append(list, file("x/"+string(rune('a'+m.pick(26)))+".rego", []byte("package aegis\n")))
	case 5:
		list[i], list[j] = list[j], list[i]
	}
	return m.trusted(gzipped(m.t, func(w io.Writer) { writeTar(m.t, w, list) }))
}

func (m *mutator) withSignatures(text []byte, change bool) mutant {
	a := &bundle.Archive{Files: slices.Clone(m.files)}
	a.Put(bundle.SignaturesPath, text)
	if change {
		path := []string{bundle.DataPath, recipePolicy}[m.pick(2)]
		data, _ := a.Get(path)
		a.Put(path, m.bytes(data))
	}
	return m.trusted(pack(m.t, a))
}

func (m *mutator) signatureText() []byte {
	text, _ := (&bundle.Archive{Files: m.files}).Get(bundle.SignaturesPath)
	return text
}

func (m *mutator) signatureFile() mutant {
	return m.withSignatures(m.bytes(m.signatureText()), m.pick(4) == 0)
}

// token takes the JWT apart, changes one part's JSON or bytes, and puts it together again.
func (m *mutator) token() mutant {
	var s signatures
	if err := json.Unmarshal(m.signatureText(), &s); err != nil {
		m.t.Fatal(err)
	}
	parts := strings.Split(s.Tokens[0], ".")
	i := m.pick(3)
	raw, err := b64.DecodeString(parts[i])
	if err != nil {
		m.t.Fatal(err)
	}
	if i == 2 || m.pick(3) == 0 {
		raw = m.bytes(raw)
	} else {
		raw = m.json(raw)
	}
	parts[i] = b64.EncodeToString(raw)
	s.Tokens[0] = strings.Join(parts, ".")
	if m.pick(2) == 0 {
		s.Additional = nil
	}
	text, err := s.encode()
	if err != nil {
		m.t.Fatal(err)
	}
	return m.withSignatures(text, m.pick(2) == 0)
}

// json changes one member of an object: gone, of another kind, or with a value that attackers like.
func (m *mutator) json(text []byte) []byte {
	var v map[string]any
	if err := json.Unmarshal(text, &v); err != nil {
		m.t.Fatal(err)
	}
	names := make([]string, 0, len(v))
	for n := range v {
		names = append(names, n)
	}
	slices.Sort(names)
	name := names[m.pick(len(names))]
	values := []any{nil, "", "none", "HS256", "ES384", "EdDSA", 0, -1, 1e18, []any{}, map[string]any{}, m.key.hint, m.strangers[0].ID}
	if m.pick(4) == 0 {
		delete(v, name)
	} else {
		v[name] = values[m.pick(len(values))]
	}
	out, err := json.Marshal(v)
	if err != nil {
		m.t.Fatal(err)
	}
	return out
}

// keySet verifies the bundle, changed or not, with sets of keys that mostly lack the signer's.
func (m *mutator) keySet() mutant {
	x := mutant{archive: m.signed.Archive}
	for _, k := range m.strangers {
		if m.pick(2) == 0 {
			x.keys = append(x.keys, k)
		}
	}
	if m.pick(4) == 0 {
		x.keys = append(x.keys, &m.key.PublicKey)
	}
	if m.pick(2) == 0 {
		x.archive = m.members().archive
	}
	return x
}
