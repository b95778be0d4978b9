package route

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// FuzzMatch: no request makes the room panic; what becomes a call has strict arguments; written back unchanged, they leave
// the body as it came, byte for byte; and matched again, the request gives the same call.
func FuzzMatch(f *testing.F) {
	for _, s := range []string{
		pay + form + "amount=7200&currency=eur&metadata[a]=b%20c",
		"GET https://api.stripe.com/v1/customers/cus%3A1?limit=10&x=&y\n\n",
		"POST http://api.test/json/me?q=1\n" + js + `{"amount":{"value":123456e-2,"tax":[1]},"list":[{"id":7}],"a/b":{"m~n":"x","k":1}}`,
		"POST http://api.test/json\n" + js + `{"b": 1.50, "a": [1, 2]}`,
		"PATCH http://api.test/doc\ncontent-type: application/json-patch+json\n\n" + `[{"op":"remove"}]`,
		rpc + "mcp-method: tools/call\nmcp-name: pay\n" + js + `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay","arguments":{"n": 1}}}`,
		rpc + js + `{"jsonrpc":"2.0","method":"notifications/initialized"}`,
	} {
		f.Add([]byte(s))
	}
	tab := table(f, routesText)
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := ParseRequest(text)
		if err != nil {
			return
		}
		var m, again Matched
		if err := tab.Match(r, &m); err != nil {
			var refused *Refusal
			if !errors.As(err, &refused) || refused.Msg == "" || refused.Outcome != aegis.Deny && refused.Outcome != aegis.Reject {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		doc := new(aegis.Doc)
		if err := doc.Parse(m.Call.Args.Text(), 10*aegis.MaxBody); err != nil || doc.Root().Kind() != aegis.Object {
			t.Fatalf("the arguments %s: %v", m.Call.Args.Text(), err)
		}
		if body, err := m.Rewrite(doc.Root()); err != nil || string(body) != string(r.Body) {
			t.Fatalf("written back unchanged: %q, %v", body, err)
		}
		for k := doc.Root().First(); k.Kind() != aegis.Absent; k = doc.Root().After(k) {
			if m.Where(k.Key()) == "" {
				t.Fatalf("the argument %q comes from nowhere", k.Key())
			}
		}
		if err := tab.Match(r, &again); err != nil || call(&again) != call(&m) {
			t.Fatalf("matched again: %s, %v", call(&again), err)
		}
	})
}

// FuzzPath: no two spellings of one path match two routes. Every byte of a path that matches is written as an escape, every
// escape in the other case, and as what it stands for.
func FuzzPath(f *testing.F) {
	var b strings.Builder
	b.WriteString("routes:\n")
	for i, p := range []string{"a", "a/", "{x}", "{x}/a", "a/{x}", "a:b", "b/{x}", "b/x@y", "{x}/{y}/", "a/a/{x}", "a/{x}/a:b/c", "{x}/b/a:b/{y}"} {
		fmt.Fprintf(&b, "  - {match: \"GET h.test/%s\", call: t/c%d}\n", p, i)
	}
	set, err := policy.LoadText("r.yaml", b.String())
	if err != nil {
		f.Fatal(err)
	}
	tab := New(set, "default")
	for _, s := range []string{"/a", "/a/", "/x%20y", "/a%3ab", "/a:b", "/b/x%40y", "/q/b/a:b/a,b", "/%C3%A9/a/"} {
		f.Add(s)
	}
	find := func(p string) *policy.Route {
		r, _ := tab.Find(&Request{Method: "GET", Host: "h.test", Path: p})
		return r
	}
	f.Fuzz(func(t *testing.T, p string) {
		p, _, _ = strings.Cut(p, "?")
		r := find(p)
		if r == nil || len(p) > 200 {
			return
		}
		var spellings []string
		for i := 1; i < len(p); i++ {
			if p[i] == '%' {
				c, _ := hexByte(p[i:])
				spellings = append(spellings, p[:i]+string([]byte{c})+p[i+3:], p[:i]+strings.ToLower(p[i:i+3])+p[i+3:],
					p[:i]+strings.ToUpper(p[i:i+3])+p[i+3:], p[:i]+"%25"+p[i+1:])
				i += 2
				continue
			}
			spellings = append(spellings, fmt.Sprintf("%s%%%02x%s", p[:i], p[i], p[i+1:]))
		}
		spellings = append(spellings, "/."+p, "/x/.."+p, "/"+p, p+"/.", p+"#", strings.ToUpper(p), strings.ToLower(p), strings.ReplaceAll(p, "/", "%2f"))
		for _, s := range spellings {
			if other := find(s); other != nil && other != r {
				t.Fatalf("%q is of %s, and %q is of %s", p, r.Match(), s, other.Match())
			}
		}
	})
}
