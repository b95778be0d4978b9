package aegis

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// refusedHere are documents that RFC 8259 permits and the strict decoder refuses (two for duplicate keys, one for a
// number of 81 bytes).
var refusedHere = map[string]bool{
	"y_object_duplicated_key.json":           true,
	"y_object_duplicated_key_and_value.json": true,
	"y_number_double_close_to_zero.json":     true,
}

func TestJSONTestSuite(t *testing.T) {
	files, err := filepath.Glob("testdata/jsontestsuite/*.json")
	if err != nil || len(files) < 283 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(f)
		_, err = Parse(text)
		switch {
		case name[0] == 'y' && refusedHere[name] != (err != nil):
			t.Errorf("%s: %v", name, err)
		case name[0] == 'n' && err == nil:
			t.Errorf("%s is accepted", name)
		case err == nil && !json.Valid(text):
			t.Errorf("%s is accepted, and encoding/json refuses it", name)
		}
	}
}

func TestStrictness(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	members := func(n int) string { return "[0" + strings.Repeat(",0", n-1) + "]" }
	for _, c := range []struct{ text, want string }{
		{`{"a":1,"a":2}`, "a key stands twice"},
		{`{"a":1,"\u0061":2}`, "a key stands twice"},
		{`{"ssn":1,"ſsn":2}`, "differ in case only"},
		{`{"k":1,"K":2}`, "differ in case only"},
		{`{"k":1,"K":2}`, "differ in case only"},
		{`{"x":{"Aa":1,"aA":2}}`, "differ in case only"},
		{`{"straße":1,"STRASSE":2}`, ""}, // full folding; simple folding keeps them apart
		{nested(64), ""},
		{nested(65), "deeper than 64"},
		{members(10_000), ""},
		{members(10_001), "more than 10000 members"},
		{strings.Repeat("1", 64), ""},
		{strings.Repeat("1", 65), "longer than 64 bytes"},
		{"1e999", ""},
		{"1e1000", "more than 3 digits"},
		{"1e0001", "more than 3 digits"},
		{`"\ud800"`, "lone surrogate"},
		{`"\udc00"`, "lone surrogate"},
		{`"\ud83d\ude00"`, ""},
		{"\"\xff\"", "not valid UTF-8"},
		{"\"\xed\xa0\x80\"", "not valid UTF-8"},
		{"\ufeff{}", "no JSON value"},
		{"{} {}", "after the document's end"},
		{"{}\x00", "after the document's end"},
		{"", "a value is missing"},
		{`"` + strings.Repeat("x", MaxBody) + `"`, "larger than"},
	} {
		_, err := Parse([]byte(c.text))
		var syntax *SyntaxError
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%.40q: %v", c.text, err)
		case c.want != "" && (!errors.As(err, &syntax) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%.40q: got %v, want %q", c.text, err, c.want)
		}
	}
}

// TestLargeObjects drives the path for objects with many keys.
func TestLargeObjects(t *testing.T) {
	for _, n := range []int{smallObject - 1, smallObject, smallObject + 1, smallObject + 2, 5000} {
		var b strings.Builder
		for i := range n {
			b.WriteString(`"k` + strings.Repeat("x", i%7) + Int(int64(i)).Text() + `":0,`)
		}
		text := "{" + strings.TrimSuffix(b.String(), ",") + "}"
		if _, err := Parse([]byte(text)); err != nil {
			t.Errorf("%d keys: %v", n, err)
		}
		for _, dup := range []string{`"k0":1`, `"K0":1`, `"k` + strings.Repeat("x", (n-1)%7) + Int(int64(n-1)).Text() + `":1`} {
			if _, err := Parse([]byte(text[:len(text)-1] + "," + dup + "}")); err == nil {
				t.Errorf("%d keys and %s: accepted", n, dup)
			}
		}
	}
}

// decoded rebuilds what encoding/json would make of a value, from the index.
func decoded(v Value) any {
	switch v.Kind() {
	case Object:
		m := map[string]any{}
		for e := v.First(); e.Kind() != Absent; e = v.After(e) {
			m[e.Key()] = decoded(e)
		}
		return m
	case List:
		l := []any{}
		for e := v.First(); e.Kind() != Absent; e = v.After(e) {
			l = append(l, decoded(e))
		}
		return l
	case String:
		return v.Str()
	case Number:
		return json.Number(v.Text())
	case Bool:
		return v.Bool()
	}
	return nil
}

// agrees checks an accepted document against encoding/json.
func agrees(t interface{ Fatalf(string, ...any) }, d *Doc) {
	dec := json.NewDecoder(bytes.NewReader(d.Text()))
	dec.UseNumber()
	var want any
	if err := dec.Decode(&want); err != nil {
		t.Fatalf("accepted, and encoding/json says %v: %q", err, d.Text())
	}
	if got := decoded(d.Root()); !reflect.DeepEqual(got, want) {
		t.Fatalf("%q: got %v, want %v", d.Text(), got, want)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"a":[1,-0.5e3,"\u00e9\n",null,true,{}]}`, `"😀"`, `[[]]`, `{"ſ":1,"s":2}`, `-`, `"\`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := Parse(text)
		if err != nil {
			return
		}
		agrees(t, d)
		again, err := Parse(AppendValue(nil, d.Root()))
		if err != nil {
			t.Fatalf("%q re-encoded: %v", text, err)
		}
		if !reflect.DeepEqual(decoded(d.Root()), decoded(again.Root())) {
			t.Fatalf("%q re-encodes differently", text)
		}
	})
}

func TestParseProperty(t *testing.T) {
	var doc Doc
	rapid.Check(t, func(t *rapid.T) {
		v := anyJSON(3).Draw(t, "v")
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := doc.Parse(text, MaxBody); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		agrees(t, &doc)
	})
}

// mustParse parses what encoding/json writes of v.
func mustParse(t *rapid.T, v any) *Doc {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return d
}

func anyJSON(depth int) *rapid.Generator[any] {
	leaf := rapid.OneOf(rapid.Just[any](nil), rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Map(rapid.String(), func(s string) any { return s }),
		rapid.Map(rapid.Float64Range(-1e15, 1e15), func(x float64) any { return x }))
	if depth == 0 {
		return leaf
	}
	return rapid.OneOf(leaf, rapid.Map(rapid.SliceOfN(anyJSON(depth-1), 0, 5), func(l []any) any { return l }),
		rapid.Map(rapid.MapOfN(rapid.StringMatching(`[a-e]{1,3}|é|\n"`), anyJSON(depth-1), 0, 5),
			func(m map[string]any) any { return m }))
}

// TestEvilCalls: what must be rejected is rejected here, and no control is. (What must be denied is the policy's part.)
func TestEvilCalls(t *testing.T) {
	for _, c := range readEvil(t, "testdata/redteam/calls_evil.jsonl") {
		_, err := DecodeCall(c.body())
		if len(c.Expect) == 1 && c.Expect[0] == "reject" && err == nil {
			t.Errorf("%s (%s): accepted", c.ID, c.Why)
		}
		if c.Class == "control" && err != nil {
			t.Errorf("%s (%s): %v", c.ID, c.Why, err)
		}
	}
}

type evil struct {
	ID, Class, Why string
	Expect         []string
	Raw            *string `json:"raw"`
	RawB64         []byte  `json:"raw_b64"`
	RawGen         struct {
		Prefix, Repeat, Mid, Suffix string
		RepeatClose                 string `json:"repeat_close"`
		Times                       int
	} `json:"raw_gen"`
}

func (c *evil) body() []byte {
	if c.Raw != nil {
		return []byte(*c.Raw)
	}
	if c.RawB64 != nil {
		return c.RawB64
	}
	g := c.RawGen
	return []byte(g.Prefix + strings.Repeat(g.Repeat, g.Times) + g.Mid + strings.Repeat(g.RepeatClose, g.Times) + g.Suffix)
}

func readEvil(t *testing.T, file string) []evil {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var cs []evil
	for _, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
		var c evil
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		cs = append(cs, c)
	}
	return cs
}

func BenchmarkParse(b *testing.B) {
	text := []byte(`{"amount":4999.99,"currency":"USD","recipient":"acct_1f3a9c2e77","reference":"INV-004211","memo":"July"}`)
	b.Run("strict", func(b *testing.B) {
		var d Doc
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			if err := d.Parse(text, MaxBody); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("strict-like-the-last", func(b *testing.B) {
		var d Doc
		var s Shapes
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			if err := d.ParseLike(text, MaxBody, &s); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json-valid", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			if !json.Valid(text) {
				b.Fatal("invalid")
			}
		}
	})
}
