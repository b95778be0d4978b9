package aegis

import (
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// sameAsParse checks that text parsed with the shapes of earlier documents comes out as without them.
func sameAsParse(t interface{ Fatalf(string, ...any) }, s *Shapes, d *Doc, text []byte) {
	var plain Doc
	want, got := plain.Parse(text, MaxBody), d.ParseLike(text, MaxBody, s)
	if fmt.Sprint(want) != fmt.Sprint(got) {
		t.Fatalf("%q: %v with shapes, %v without", text, got, want)
	}
	if want != nil {
		return
	}
	if len(plain.variants) != len(d.variants) || !reflect.DeepEqual(plain.nodes, d.nodes) {
		t.Fatalf("%q:\n%+v %v with shapes\n%+v %v without", text, d.nodes, d.variants, plain.nodes, plain.variants)
	}
}

func TestShapes(t *testing.T) {
	const amount = `{"amount":12.5,"to":{"name":"a","tags":["x",true,null,[]]},"note":"n"} `
	for _, c := range []struct {
		first, second string
		hit           bool
	}{
		{amount, `{"amount":-7e2,"to":{"name":"\u00e9é","tags":["",false,null,[]]},"note":"longer"} `, true},
		{amount, `{"amount":"7","to":{"name":"a","tags":["x",true,null,[]]},"note":"n"} `, false},
		{amount, `{"amount":7,"to":{"name":"a","tags":["x",true,null,[]]},"note":"n"}`, false},
		{amount, `{"amount":7,"to":{"name":"a","tags":["x",null,null,[]]},"note":"n"} `, false},
		{amount, `{"amount":7,"to":{"name":"a","tags":["x",true,null,[]]},"note":"n"} x`, false},
		{amount, `{"amount":07,"to":{"name":"a","tags":["x",true,null,[]]},"note":"n"} `, false},
		{amount, `{"amount":7,"to":{"name":"a","tags":["x",true,null,[]]},"note":"n`, false},
		{amount, `{"amount":7,"to":{"name":"a","tags":["x",true,null,[]]},"note":"` + "\xff" + `"} `, false},
		{amount, `{"amount":7`, false},
		{amount, ``, false},
		{`{}`, `{}`, true},
		{`{}`, `{} `, false},
		{`[1,2]`, `[3,44]`, true},
		{`[1,2]`, `[3,44,5]`, false},
		{`"a"`, `"bb"`, true},
		{`1`, `22`, true},
		{`{"a":1,"A":2}`, `{"a":3,"A":4}`, false}, // keys that need care are never learned
		{`{"\u0061":1}`, `{"\u0061":2}`, false},
	} {
		var s Shapes
		var d Doc
		sameAsParse(t, &s, &d, []byte(c.first))
		shape := d.shape
		sameAsParse(t, &s, &d, []byte(c.second))
		if hit := shape != nil && d.shape == shape; hit != c.hit {
			t.Errorf("%q after %q: of its shape: %v", c.second, c.first, hit)
		}
	}
}

func FuzzParseLike(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":"x"}`), []byte(`{"a":22,"b":"\n"}`), []byte(`{"a":1,"b":"x","a":2}`))
	f.Add([]byte(`{"a":[1,{}],"b":null}`), []byte(`{"a":[1,{}],"b":true}`), []byte(`{"a":[-1e5,{}],"b":null}`))
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		var s Shapes
		var d Doc
		for _, text := range [][]byte{a, b, c, b, a} {
			sameAsParse(t, &s, &d, text)
		}
	})
}

// TestShapesProperty takes documents, and bytewise near misses of them, in any order.
func TestShapesProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var texts [][]byte
		for range rapid.IntRange(1, 3).Draw(t, "documents") {
			text := AppendValue(nil, mustParse(t, anyJSON(2).Draw(t, "document")).Root())
			texts = append(texts, text)
			for range 4 {
				near := append([]byte(nil), text...)
				at := rapid.IntRange(0, len(near)-1).Draw(t, "at")
				near[at] = rapid.SampledFrom([]byte(`"\,:{}[]0159.-eEtn aA`+"\x00\xc3\xff")).Draw(t, "byte")
				texts = append(texts, near)
			}
		}
		var s Shapes
		var d Doc
		for _, k := range rapid.SliceOfN(rapid.IntRange(0, len(texts)-1), 1, 40).Draw(t, "order") {
			sameAsParse(t, &s, &d, texts[k])
		}
	})
}
