package sign

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aegisctl/aegis/bundle"
)

// recipe is one line of testdata/bundle_tamper.jsonl: how to make a hostile bundle from a good one.
type recipe struct {
	ID     string `json:"id"`
	Ops    []op   `json:"ops"`
	Expect string `json:"expect"`
	Why    string `json:"why"`
}

type op struct {
	Op, Path, Text, To, Kind, File, Key, Alg string
	Offset, Bit, Bytes, Count                int
	DropFromList                             []string `json:"drop_from_list"`
}

// live reports whether a recipe is about a running server: its clock, or a swap while it loads.
func (r recipe) live() bool {
	return slices.ContainsFunc(r.Ops, func(o op) bool {
		return o.Op == "serve_forever" || o.Op == "swap_file_between_verify_and_load"
	})
}

// heavy reports whether applying a recipe takes seconds.
func (r recipe) heavy() bool {
	return slices.ContainsFunc(r.Ops, func(o op) bool { return o.Op == "tar_add_zeros" || o.Op == "tar_add_many" })
}

// recipes holds the hostile recipes and the good bundle that they start from.
type recipes struct {
	recipes                []recipe
	key, retired, attacker *PrivateKey
	signed                 *Signed           // bundle.tar.gz
	others                 map[string][]byte // the other files that recipes name
}

const recipePolicy = "aegis/decision.rego" // what recipes call {policy}

func newRecipes(t *testing.T, archive func(t testing.TB, tenant string, serial int64, digit string) *bundle.Archive) *recipes {
	t.Helper()
	w := &recipes{key: newKey(t, ES256), retired: newKey(t, ES256), attacker: newKey(t, ES256), others: map[string][]byte{}}
	sign := func(tenant string, serial int64, digit string) *Signed {
		return mustSign(t, pack(t, archive(t, tenant, serial, digit)), Order{Keys: []*PrivateKey{w.key}})
	}
	w.signed = sign("acme", 8, "a")
	w.others["bundle_prev_signed.tar.gz"] = sign("acme", 7, "b").Archive
	w.others["bundle_globex_signed.tar.gz"] = sign("globex", 9, "c").Archive
	for line := range bytes.Lines(read(t, "testdata/bundle_tamper.jsonl")) {
		var r recipe
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		w.recipes = append(w.recipes, r)
	}
	return w
}

// apply makes a recipe's bundle.
func (w *recipes) apply(t *testing.T, r recipe) []byte {
	t.Helper()
	b := w.signed.Archive
	for _, o := range r.Ops {
		path := strings.ReplaceAll(o.Path, "{policy}", recipePolicy)
		switch o.Op {
		case "delete_state": // nothing of ours remembers: the caller pins the floor
		case "use":
			b = w.others[o.File]
		case "truncate_tail":
			b = b[:len(b)-o.Bytes]
		case "truncate_to":
			b = b[:o.Bytes]
		case "gzip_append_member":
			b = append(slices.Clone(b), gzipped(t, func(g io.Writer) { io.WriteString(g, o.Text) })...)
		case "tar_copy_from":
			text, _ := unpack(t, w.others[o.File]).Get(path)
			b = retar(t, b, func(m []member) []member { return replace(m, path, text) })
		case "resign":
			b = w.resign(t, b, o)
		case "tar_add_zeros":
			b = bomb(t, b, path, int64(o.Bytes))
		default:
			b = retar(t, b, func(m []member) []member { return edit(t, m, o, path) })
		}
	}
	return b
}

// member is a file of an archive as it comes, legal or not.
type member struct {
	tar.Header
	data []byte
}

func file(path string, data []byte) member {
	return member{tar.Header{Name: path, Mode: 0o644, Typeflag: tar.TypeReg}, data}
}

func replace(m []member, path string, data []byte) []member {
	for i := range m {
		if m[i].Name == path {
			m[i].data = data
		}
	}
	return m
}

func edit(t *testing.T, m []member, o op, path string) []member {
	at := slices.IndexFunc(m, func(x member) bool { return x.Name == path })
	switch o.Op {
	case "tar_remove":
		return slices.Delete(m, at, at+1)
	case "tar_replace":
		return replace(m, path, []byte(o.Text))
	case "tar_flip":
		m[at].data = slices.Clone(m[at].data)
		m[at].data[o.Offset%len(m[at].data)] ^= 1 << o.Bit
		return m
	case "tar_add":
		return append(m, file(path, []byte(o.Text)))
	case "tar_add_first":
		return slices.Insert(m, 0, file(path, []byte(o.Text)))
	case "tar_add_many":
		for i := range o.Count {
			m = append(m, file("m/"+strconv.Itoa(i)+".json", []byte("0")))
		}
		return m
	case "tar_link":
		kind := map[string]byte{"sym": tar.TypeSymlink, "hard": tar.TypeLink}[o.Kind]
		return append(slices.Delete(m, at, at+1), member{tar.Header{Name: path, Linkname: o.To, Typeflag: kind}, nil})
	}
	t.Fatalf("unknown op %q", o.Op)
	return nil
}

// retar rewrites an archive with the standard library, which writes what ours would refuse to.
func retar(t *testing.T, archive []byte, change func([]member) []member) []byte {
	t.Helper()
	var members []member
	for _, f := range unpack(t, archive).Files {
		members = append(members, file(f.Path, f.Data))
	}
	return gzipped(t, func(g io.Writer) { writeTar(t, g, change(members)) })
}

func writeTar(t *testing.T, g io.Writer, members []member) {
	t.Helper()
	w := tar.NewWriter(g)
	for _, m := range members {
		m.Size = int64(len(m.data))
		if err := w.WriteHeader(&m.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(m.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func gzipped(t *testing.T, fill func(io.Writer)) []byte {
	t.Helper()
	var b bytes.Buffer
	g := gzip.NewWriter(&b)
	fill(g)
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// bomb adds a member of n zero bytes, in constant memory.
func bomb(t *testing.T, archive []byte, path string, n int64) []byte {
	t.Helper()
	return gzipped(t, func(g io.Writer) {
		w := tar.NewWriter(g)
		for _, f := range unpack(t, archive).Files {
			w.WriteHeader(&tar.Header{Name: f.Path, Mode: 0o644, Size: int64(len(f.Data)), Typeflag: tar.TypeReg})
			w.Write(f.Data)
		}
		w.WriteHeader(&tar.Header{Name: path, Mode: 0o644, Size: n, Typeflag: tar.TypeReg})
		zeros := make([]byte, 1<<20)
		for ; n > 0; n -= int64(len(zeros)) {
			w.Write(zeros)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// resign replaces the signature: by another key, with another algorithm, or of a list with files left out.
func (w *recipes) resign(t *testing.T, archive []byte, o op) []byte {
	t.Helper()
	a := unpack(t, archive)
	if o.Alg == "HS256" {
		a.Put(bundle.SignaturesPath, hmacSigned(t, a, w.key))
		return pack(t, a)
	}
	k := map[string]*PrivateKey{"attacker": w.attacker, "k2-retired": w.retired, "k1": w.key}[o.Key]
	if k == nil {
		t.Fatalf("no key %q", o.Key)
	}
	text, _ := a.Get(bundle.SignaturesPath)
	s, err := parseSignatures(text)
	if err != nil {
		t.Fatal(err)
	}
	old, err := parseToken(s.Tokens[0])
	if err != nil {
		t.Fatal(err)
	}
	c, err := old.claims()
	if err != nil {
		t.Fatal(err)
	}
	c.Files = slices.DeleteFunc(c.Files, func(f signedFile) bool { return slices.Contains(o.DropFromList, f.Name) })
	a.Put(bundle.SignaturesPath, tokenFile(t, k, c))
	return pack(t, a)
}

func tokenFile(t *testing.T, k *PrivateKey, c *claims) []byte {
	t.Helper()
	token, err := newToken(k, c)
	if err != nil {
		t.Fatal(err)
	}
	text, err := (&signatures{Tokens: []string{token}}).encode()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// want says how each recipe is refused: its code, and a word that its message alone has.
var want = map[string]struct {
	code Code
	text string
}{
	"bn-nosig":             {Stripped, "was stripped"},
	"bn-file-swapped":      {Tampered, recipePolicy + " was changed"},
	"bn-byte":              {Tampered, recipePolicy + " was changed"},
	"bn-extra":             {AddedFile, "zz/extra.rego is in the bundle and was not signed"},
	"bn-missing":           {MissingFile, "data.json was signed and is missing"},
	"bn-dup-entry":         {DuplicateEntry, "stands twice"},
	"bn-dup-first":         {DuplicateEntry, "stands twice"},
	"bn-dotdot":            {UnsafePath, "leads out of the archive"},
	"bn-abs":               {UnsafePath, "is absolute"},
	"bn-symlink":           {NotAFile, "symbolic link"},
	"bn-case":              {DuplicateEntry, "differ in case only"},
	"bn-trailing-gzip":     {TrailingData, "follows the gzip member"},
	"bn-trunc":             {Truncated, "cut off"},
	"bn-empty":             {Truncated, "is empty"},
	"bn-bomb":              {TooLarge, "big.json"},
	"bn-many":              {TooLarge, "more than 10000 members"},
	"bn-rollback":          {RolledBack, "rolled back: its serial is 7"},
	"bn-rollback-restart":  {RolledBack, "rolled back: its serial is 7"},
	"bn-other-tenant":      {WrongTenant, "of tenant globex"},
	"bn-wrong-key":         {UnknownKey, "unknown key"},
	"bn-retired-key":       {RevokedKey, "revoked key"},
	"bn-sig-other":         {OtherBundle, "of another bundle"},
	"bn-alg-hs":            {WrongAlgorithm, `"HS256"`},
	"bn-hardlink":          {NotAFile, "hard link"},
	"bn-sig-files-missing": {AddedFile, "data.json is in the bundle and was not signed"},
}

// TestRecipes: every recipe is refused, each in its own words, within bounds, and nothing is written anywhere. The two
// that only a running server can show are TestFreeze and TestSwapWhileLoading.
func TestRecipes(t *testing.T) {
	w := newRecipes(t, newArchive)
	var live, refused int
	for _, r := range w.recipes {
		t.Run(r.ID, func(t *testing.T) {
			if r.live() {
				live++
				t.Skipf("about a running server, and tested with one: %s", r.Why)
			}
			if r.heavy() && os.Getenv("AEGIS_LONG") == "" { // smaller, and still far over the bounds
				r.Ops[0].Bytes /= 8
				r.Ops[0].Count /= 32
			}
			o := Options{Keys: public(w.key, w.retired), Revoked: public(w.retired), At: now, MinSerial: 8, Tenant: "acme"}
			if r.ID == "bn-nosig" {
				o.Detached = w.signed.Detached[0]
			}
			archive := w.apply(t, r)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Verify(archive, o)
			runtime.ReadMemStats(&after)
			if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
				t.Errorf("%d bytes were allocated to refuse it", used)
			}
			if r.Expect == "accept" {
				if err != nil {
					t.Errorf("the control is refused: %v", err)
				}
				return
			}
			refused++
			e := wantCode(t, err, want[r.ID].code)
			if !strings.Contains(e.Text, want[r.ID].text) {
				t.Errorf("refused with %q, which lacks %q", e.Text, want[r.ID].text)
			}
			if _, err := os.Stat(filepath.Join(os.TempDir(), "pwned")); err == nil {
				t.Error("a file was written outside")
			}
		})
	}
	if live != 2 || refused != len(want) {
		t.Errorf("%d recipes are about a server and %d were refused, want 2 and %d", live, refused, len(want))
	}
}
