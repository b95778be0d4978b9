package bundle

import (
	"archive/tar"
	"bytes"
	stdgzip "compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var sample = &Archive{Files: []File{
	{".manifest", []byte("{}\n")},
	{"aegis/decision.rego", []byte("package aegis\n")},
	{"data.json", bytes.Repeat([]byte("a"), 513)},
	{"empty", nil},
}}

func mustBytes(t testing.TB, a *Archive) []byte {
	t.Helper()
	b, err := a.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func sameFiles(a, b []File) bool {
	return slices.EqualFunc(a, b, func(x, y File) bool { return x.Path == y.Path && bytes.Equal(x.Data, y.Data) })
}

// TestBytes pins the bytes that are written. When this fails after an upgrade of klauspost/compress, bundles are no longer
// byte-identical with those of earlier releases: say so in the change log, and bring the sum up to date.
func TestBytes(t *testing.T) {
	sum := sha256.Sum256(mustBytes(t, sample))
	const want = "5811c86dbd22fe89af71b6f2b2750638cccb081a3b5e23170d5d2ec1c7f61bcd"
	if got := hex.EncodeToString(sum[:]); got != want {
		t.Errorf("the archive's bytes have changed: %s", got)
	}
}

// generate draws an archive of names and contents that may stand in one.
func generate(t *rapid.T) *Archive {
	a := &Archive{}
	names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{1,8}(/[a-z0-9_-]{1,60}){0,4}\.rego`), 0, 8, rapid.ID).Draw(t, "names")
	for _, n := range names {
		a.Put(n, rapid.SliceOfN(rapid.Byte(), 0, 1100).Draw(t, "data"))
	}
	return a
}

// TestRoundTrip: what is written is read again, by us and by Go's own reader of archives, and writing is a function of
// the members.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := generate(t)
		packed, err := a.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		b, err := Read(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		if !sameFiles(a.Files, b.Files) {
			t.Fatalf("written %v, read %v", a, b)
		}
		if again, _ := b.Bytes(); !bytes.Equal(packed, again) {
			t.Fatal("the same members give other bytes")
		}
		if other := standard(t, packed); !sameFiles(a.Files, other) {
			t.Fatalf("written %v, and archive/tar reads %v", a, other)
		}
	})
}

// standard reads an archive with the standard library, as OPA does.
func standard(t interface{ Fatal(...any) }, packed []byte) []File {
	z, err := stdgzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(z)
	var files []File
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil || h.Typeflag != tar.TypeReg || h.Format != tar.FormatUSTAR {
			t.Fatal(h.Name, h.Typeflag, h.Format, err)
		}
		files = append(files, File{h.Name, data})
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files
}

// packTar makes an archive with Go's writer, which lets more through than ours.
func packTar(t testing.TB, hs ...*tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range hs {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(w, zeros{}, h.Size); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func pack(t testing.TB, plain []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := stdgzip.NewWriter(&b)
	if _, err := z.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func plainFile(name string) *tar.Header {
	return &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Format: tar.FormatUSTAR}
}

func ofKind(kind byte, link string) *tar.Header {
	return &tar.Header{Name: "x", Typeflag: kind, Linkname: link, Mode: 0o644}
}

// TestRefused: each kind of hostile archive is refused with words of its own.
func TestRefused(t *testing.T) {
	good := mustBytes(t, sample)
	paths := func(names ...string) []byte {
		var hs []*tar.Header
		for _, n := range names {
			hs = append(hs, plainFile(n))
		}
		return pack(t, packTar(t, hs...))
	}
	named := func(name string) []byte { // names that Go's writer would put into a PAX header
		h, err := newHeader(name, 0)
		if err != nil {
			t.Fatal(err)
		}
		return pack(t, append(h[:], make([]byte, 1024)...))
	}
	edit := func(f func(h *header)) []byte {
		h, _ := newHeader("x", 0)
		f(h)
		copy(h[timeEnd:], "      \x00 ")
		sum := h.sum()
		for i := range 6 {
			h[timeEnd+5-i] = byte('0' + sum%8)
			sum /= 8
		}
		return pack(t, append(h[:], make([]byte, 1024)...))
	}
	withName := func() []byte {
		var b bytes.Buffer
		z := stdgzip.NewWriter(&b)
		z.Name = "x.tar"
		z.Write(packTar(t, plainFile("a")))
		z.Close()
		return b.Bytes()
	}
	flipped := slices.Clone(good)
	flipped[len(flipped)-5] ^= 1
	gnu := plainFile(strings.Repeat("a", 120))
	gnu.Format = tar.FormatGNU
	huge := func(size int64) []byte {
		h, _ := newHeader("big.json", int(size))
		return pack(t, h[:])
	}
	tests := []struct {
		name, want string
		data       []byte
	}{
		{"empty", "the file is empty", nil},
		{"no gzip", "no gzip file", []byte("PK\x03\x04 this is a zip archive")},
		{"cut", "cut off", good[:len(good)-9]},
		{"cut in the header", "cut off", good[:5]},
		{"checksum", "damaged", flipped},
		{"second member", "follows the gzip member", append(slices.Clone(good), pack(t, []byte("x"))...)},
		{"trailing byte", "follows the gzip member", append(slices.Clone(good), 0)},
		{"gzip name", "carries a name", withName()},
		{"no end", "cut off", pack(t, packTar(t, plainFile("a"))[:512])},
		{"one zero block", "cut off", pack(t, packTar(t, plainFile("a"))[:1024])},
		{"behind the end", "follows the end", pack(t, append(packTar(t, plainFile("a")), packTar(t, plainFile("b"))...))},
		{"much padding", "padding", pack(t, make([]byte, 1<<20))},
		{"between members", "between two members", pack(t, func() []byte {
			h, _ := newHeader("a", 1)
			b := append(h[:], make([]byte, 512+1024)...)
			b[512+5] = 1
			return b
		}())},
		{"twice", "stands twice", paths("a", "a")},
		{"case", "differ in case only", paths("data.json", "DATA.JSON")},
		{"file and directory", "is a file, and a directory", paths("a", "a/b.rego")},
		{"absolute", "absolute", named("/tmp/pwned")},
		{"dotdot", "leads out", paths("../../../../tmp/pwned")},
		{"dotdot inside", "leads out", paths("a/../b")},
		{"dot", "not canonical", named("./a")},
		{"double slash", "not canonical", named("a//b")},
		{"trailing slash", "not canonical", named("a/")},
		{"backslash", "backslash", named(`a\b`)},
		{"drive", "stands in the name", named("c:x")},
		{"newline", "stands in the name", named("a\nb")},
		{"not ASCII", "stands in the name", named("dät")},
		{"NUL in the name", "follows the end of the name", edit(func(h *header) { copy(h[:], "a\x00b") })},
		{"no name", "no name", edit(func(h *header) { h[0] = 0 })},
		{"symlink", "symbolic link", pack(t, packTar(t, ofKind(tar.TypeSymlink, "/etc/passwd")))},
		{"hard link", "hard link", pack(t, packTar(t, ofKind(tar.TypeLink, ".signatures.json")))},
		{"character device", "device", pack(t, packTar(t, ofKind(tar.TypeChar, "")))},
		{"block device", "device", pack(t, packTar(t, ofKind(tar.TypeBlock, "")))},
		{"pipe", "named pipe", pack(t, packTar(t, ofKind(tar.TypeFifo, "")))},
		{"directory", "directory", pack(t, packTar(t, &tar.Header{Name: "x/", Typeflag: tar.TypeDir}))},
		{"PAX", "PAX header", pack(t, packTar(t, &tar.Header{Name: "dät", Typeflag: tar.TypeReg, Format: tar.FormatPAX}))},
		{"global PAX", "PAX header", pack(t, packTar(t, &tar.Header{Typeflag: tar.TypeXGlobalHeader, Format: tar.FormatPAX,
			PAXRecords: map[string]string{"path": "b"}}))},
		{"GNU", "GNU long name", pack(t, packTar(t, gnu))},
		{"old type", "no plain file", edit(func(h *header) { h[typeAt] = 0 })},
		{"magic", "not in the ustar format", edit(func(h *header) { copy(h[linkEnd:], "ustar  \x00") })},
		{"link target", "target of a link", edit(func(h *header) { h[typeAt+1] = 'x' })},
		{"behind the header", "behind the header", edit(func(h *header) { h[511] = 1 })},
		{"base-256 size", "not octal", edit(func(h *header) { h[gidEnd] = 0x80 })},
		{"negative mode", "not octal", edit(func(h *header) { copy(h[nameEnd:], "-000644") })},
		{"header checksum", "damaged", pack(t, append(bytes.Repeat([]byte{'a'}, 512), make([]byte, 1024)...))},
		{"large member", "larger than", huge(MaxMember + 1)},
		{"second manifest", "second manifest", paths("x/.manifest")},
		{"manifest by ending", "second manifest", paths("x.manifest")},
		{"protobuf manifest", "second manifest", paths(".manifest.pb")},
		{"second signatures", "second list", paths("a/.signatures.json")},
		{"delta", "delta", paths("patch.json")},
		{"plan", "plan", paths("plan.json")},
		{"nested data", "merge", paths("aegis/data.json")},
		{"data twin", "merge", paths("data.yaml")},
		{"second module", "compiled module", paths("a/policy.wasm")},
	}
	for _, x := range tests {
		a, err := Read(bytes.NewReader(x.data))
		if err == nil {
			t.Errorf("%s: accepted: %v", x.name, a.Files)
			continue
		}
		if !strings.Contains(err.Error(), x.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q does not say %q", x.name, err, x.want)
		}
	}
}

// TestBounds: what is large when unpacked is refused before it takes memory.
func TestBounds(t *testing.T) {
	many := func(w io.Writer) error {
		for i := range MaxMembers + 1 {
			h, err := newHeader("m/"+strings.Repeat("x", i%50)+hex.EncodeToString([]byte{byte(i >> 8), byte(i)})+".json", 0)
			if err != nil {
				return err
			}
			if _, err := w.Write(h[:]); err != nil {
				return err
			}
		}
		return nil
	}
	much := func(w io.Writer) error {
		for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
			h, _ := newHeader(name, MaxMember)
			if _, err := w.Write(h[:]); err != nil {
				return err
			}
			if _, err := io.CopyN(w, zeros{}, MaxMember); err != nil {
				return err
			}
		}
		return nil
	}
	for _, x := range []struct {
		want string
		fill func(io.Writer) error
	}{{"more than 10000 members", many}, {"bytes together", much}} {
		r, w := io.Pipe()
		go func() {
			z, _ := stdgzip.NewWriterLevel(w, 1)
			w.CloseWithError(errors.Join(x.fill(z), z.Close()))
		}()
		_, err := Read(r)
		r.Close()
		if err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%q does not say %q", err, x.want)
		}
	}
	r := io.LimitReader(zeros{}, MaxPacked*2)
	stored := io.MultiReader(bytes.NewReader([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}), r)
	if _, err := Read(stored); err == nil {
		t.Error("zeros are accepted")
	}
}

// FuzzRead: whatever is accepted is what Go's own reader finds, and can be written and read again.
func FuzzRead(f *testing.F) {
	f.Add(mustBytes(f, sample), false)
	f.Add(packTar(f, plainFile("a"), plainFile("b/c.rego")), true)
	f.Add(packTar(f, ofKind(tar.TypeSymlink, "/etc/passwd")), true)
	h, _ := newHeader("a", 3)
	f.Add(slices.Concat(h[:], []byte("abc"), make([]byte, 509+1024)), true)
	f.Fuzz(func(t *testing.T, data []byte, plain bool) {
		if plain { // so that the fuzzer gets past the checksum of gzip
			data = pack(t, data)
		}
		a, err := Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		if other := standard(t, data); !sameFiles(a.Files, other) {
			t.Fatalf("read %v, and archive/tar reads %v", a, other)
		}
		b, err := Read(bytes.NewReader(mustBytes(t, a)))
		if err != nil || !sameFiles(a.Files, b.Files) {
			t.Fatalf("written and read again: %v %v", b, err)
		}
	})
}
