package route

import (
	"strings"
	"testing"

	"github.com/aegisctl/aegis"
)

func TestRewrite(t *testing.T) {
	tab := table(t, routesText)
	mcpBody := func(args string) string {
		return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay","arguments":` + args + `}}`
	}
	for _, x := range []struct{ request, args, want string }{
		{"POST http://api.test/json\n" + js + `{ "a":"ssn 1", "n": 1.50 }`, `{"a":"[SSN]","n":1.50}`, `{ "a":"[SSN]", "n": 1.50 }`},
		{"POST http://api.test/json\n" + js + `{ "a":{"b":["x", {"c":"y"}]}, "n": 1.50 }`, `{"n":1.50,"a":{"b":["x",{"c":"[C] \""}]}}`, `{ "a":{"b":["x", {"c":"[C] \""}]}, "n": 1.50 }`},
		{"POST http://api.test/json\n" + js + `{"a": {"b":1}}`, `{"a":"none"}`, `{"a": "none"}`},
		{"POST http://api.test/json\n" + js + `{"a": 1}`, `{"a":1}`, `{"a": 1}`},
		{"POST http://api.test/json?q=1\n" + js + `{"a": "x"}`, `{"a":"y","q":"1"}`, `{"a": "y"}`},
		{"POST http://api.test/json?q=1\n" + js + `{"a": "x"}`, `{"a":"x","q":"2"}`, "error: query.q"},
		{"POST http://api.test/json?q=1\n" + js + `{"a": "x"}`, `{"a":"x"}`, `error: "q" was removed`},
		{"POST http://api.test/json?q=1\n" + js + `{"a": "x"}`, `{"a":"x","b":1,"q":"1"}`, "error: added"},
		{"POST http://api.test/json?q=1\ncontent-digest: sha-256=:x:\n" + js + `{"a": "x"}`, `{"a":"y","q":"1"}`, "error: content-digest"},
		{"POST http://api.test/json/me\n" + js + `{"amount": {"value":5, "tax":"t", "deep":{"x":"p"}},"list":[{"id":"7"}],"a/b":{"m~n":"x"}}`,
			`{"amount":{"tax":"T","deep":{"x":"P"}},"deep~/x":"X","first":"7","list":[{"id":"7"}],"value":0.05,"who":"me"}`,
			`{"amount": {"value":5, "tax":"T", "deep":{"x":"P"}},"list":[{"id":"7"}],"a/b":{"m~n":"X"}}`},
		{"POST http://api.test/json/me\n" + js + `{"amount":{"value":5}}`, `{"value":6,"who":"me"}`, "error: body#/amount/value"},
		{"POST http://api.test/json/me\n" + js + `{"amount":{"value":5}}`, `{"value":0.05,"who":"you"}`, "error: path.owner"},
		{"POST http://api.test/json/me\n" + js + `{"list":[{"id":"7"}]}`, `{"first":"8","list":[{"id":"7"}],"who":"me"}`, "error: other arguments"},
		{"POST http://api.test/json/me\n" + js + `{"amount":{"value":5,"tax":"t"}}`, `{"amount":{},"value":0.05,"who":"me"}`, "error: other arguments"},
		{"PATCH http://api.test/doc\n" + js + `[{"value":"secret"}]`, `{"kind":"application/json","patch":[{"value":"[S]"}]}`, `[{"value":"[S]"}]`},
		{pay + form + "note=call+555&amount=7&b=1", `{"amount":0.07,"b":"1","note":"call [PHONE] é"}`, "note=call+%5BPHONE%5D+%C3%A9&amount=7&b=1"},
		{pay + form + "amount=700", `{"amount":8}`, "error: form.amount"},
		{pay + form + "live=true", `{"live":false}`, "error: form.live"},
		{pay + form + "a=b&flag", `{"a":"b","flag":"x"}`, "error: other arguments"},
		{pay + form + "a=b", `{"a":["b"]}`, "error: form.a"},
		{rpc + js + mcpBody(`{"body": "x"}`), `{"body":"y"}`, mcpBody(`{"body": "y"}`)},
		{rpc + js + `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, `{"a":1}`, "error: no arguments"},
		{rpc + js + `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, `{}`, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`},
		{rpc + js + mcpBody(`{"body": "x"}`), `[]`, "error: no object"},
	} {
		var m Matched
		if err := tab.Match(request(t, x.request), &m); err != nil {
			t.Errorf("%q: %v", x.request, err)
			continue
		}
		args, err := aegis.Parse([]byte(x.args))
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.Rewrite(args.Root())
		if words, bad := strings.CutPrefix(x.want, "error: "); bad {
			if err == nil || !strings.Contains(err.Error(), words) {
				t.Errorf("%q: %q, %v, want the error %q", x.request, got, err, words)
			}
		} else if err != nil || string(got) != x.want {
			t.Errorf("%q:\n got %s, %v\nwant %s", x.request, got, err, x.want)
		}
	}
}
