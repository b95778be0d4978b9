package route

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

const routesText = `
tenant: acme
routes:
  - match: POST api.stripe.com/v1/payment_intents
    call: stripe-payments/create_payment
    body: form
    args:
      amount: {from: form.amount, type: number, scale: -2}
      live: {from: form.live, type: boolean}
      account: header.stripe-account
  - {match: "GET api.stripe.com/v1/customers/{customer}", call: stripe-payments/get_customer, args: {limit: {from: query.limit, type: integer}}}
  - {match: GET api.stripe.com/v1/customers/search, call: stripe-payments/search}
  - {match: "GET api.test/issues/{n}/comments", call: t/list}
  - {match: "GET api.test/issues/comments/{id}", call: t/one}
  - {match: "POST api.test:8443/{a}/x:verb/", call: t/verb, body: none}
  - {match: "GET api.test:8443/{a}/x:verb/", call: t/get}
  - {match: "DELETE api.test:8443/items/{id}", call: "t/items%2Fdelete", door: ext_proc}
  - {match: POST api.test/json, call: t/json}
  - match: "POST api.test/json/{owner}"
    call: t/mapped
    args:
      who: path.owner
      value: {from: body#/amount/value, type: number, scale: -2}
      first: body#/list/0/id
      deep~/x: {from: body#/a~1b/m~0n, type: string}
      currency: body#/amount/currency
  - {match: PATCH api.test/doc, call: t/patch, args: {patch: "body#", kind: header.content-type}}
  - {match: POST api.test/mcp, call: github-mcp, body: mcp}
  - {match: "GET [::1]:8080/", call: t/root}
`

func table(t testing.TB, routes string) *Table {
	t.Helper()
	set, err := policy.LoadText("routes.yaml", routes)
	if err != nil {
		t.Fatal(err)
	}
	return New(set, "acme")
}

func request(t testing.TB, text string) *Request {
	t.Helper()
	r, err := ParseRequest([]byte(text))
	if err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return r
}

const form = "content-type: application/x-www-form-urlencoded\n\n"
const js = "content-type: application/json\n\n"
const pay = "POST https://api.stripe.com/v1/payment_intents\n"
const rpc = "POST https://api.test/mcp\n"

// call writes a call: the tool, the action, the effect and the arguments.
func call(m *Matched) string {
	return fmt.Sprintf("%s/%s %s %s", m.Call.Tool, m.Call.Action, m.Call.Effect, m.Call.Args.Text())
}

func TestMatch(t *testing.T) {
	tab := table(t, routesText)
	for _, x := range []struct{ request, want string }{
		{pay + form + "amount=7200&currency=eur", `stripe-payments/create_payment write {"amount":72,"currency":"eur"}`},
		{pay + "stripe-account: acct_1\n" + form + "currency=%65ur&amount=7205&live=true&metadata%5Border%5D=a+b%2Bc",
			`stripe-payments/create_payment write {"account":"acct_1","amount":72.05,"currency":"eur","live":true,"metadata[order]":"a b+c"}`},
		{"# a comment\n\nPOST /v1/payment_intents HTTP/1.1\r\nHost: API.Stripe.COM\r\nContent-Length: 0\r\n\r\n", `stripe-payments/create_payment write {}`},
		{"POST https://API.Stripe.COM:443/v1/payment_intents\n\n", `stripe-payments/create_payment write {}`},
		{pay + form + "amount=7&note=%C3%A9%0A%22", `stripe-payments/create_payment write {"amount":0.07,"note":"é\u000a\""}`},
		{pay + form + `note=a "b" é#`, `stripe-payments/create_payment write {"note":"a \"b\" é#"}`},
		{pay[:len(pay)-1] + "?expand=x\n" + form + "amount=100", `stripe-payments/create_payment write {"amount":1,"expand":"x"}`},
		{"GET https://api.stripe.com/v1/customers/cus%3A1?limit=10&x=&y\n\n", `stripe-payments/get_customer read {"customer":"cus:1","limit":10,"x":"","y":""}`},
		{"GET https://api.stripe.com/v1/customers/search?q=a=b\n\n", `stripe-payments/search read {"q":"a=b"}`},
		{"POST http://api.test:8443/n%C3%A9/x:verb/\n\n", `t/verb write {"a":"né"}`},
		{"GET http://api.test/issues/7/comments\n\n", `t/list read {"n":"7"}`},
		{"GET http://api.test/issues/comments/7\n\n", `t/one read {"id":"7"}`},
		{"DELETE http://api.test:8443/items/7\n\n", `t/items/delete write {"id":"7"}`},
		{"GET http://[::1]:8080/\n\n", `t/root read {}`},
		{"POST http://api.test/json\n" + js + `{"b": 1.50, "a": [1, 2]}`, `t/json write {"b": 1.50, "a": [1, 2]}`},
		{"POST http://api.test/json?dry=1\ncontent-type: application/fhir+json; charset=UTF-8\n\n" + `{"b": 1.50, "a": [1, 2]}`,
			`t/json write {"a":[1, 2],"b":1.50,"dry":"1"}`},
		{"POST http://api.test/json/me\n" + js + `{"amount":{"value":123456e-2,"currency":"EUR"},"list":[{"id":7}],"a/b":{"m~n":"x","k":1}}`,
			`t/mapped write {"a/b":{"k":1},"currency":"EUR","deep~/x":"x","first":7,"list":[{"id":7}],"value":12.3456,"who":"me"}`},
		{"POST http://api.test/json/me\n" + js + `{"amount":{"value":null,"tax":1}}`, `t/mapped write {"amount":{"tax":1},"value":null,"who":"me"}`},
		{"POST http://api.test/json/me\n" + js + `{"amount":5}`, `t/mapped write {"amount":5,"who":"me"}`},
		{"PATCH http://api.test/doc\ncontent-type: application/json-patch+json\n\n" + `[{"op":"remove"}]`, `t/patch write {"kind":"application/json-patch+json","patch":[{"op":"remove"}]}`},
		{rpc + "mcp-method: tools/call\nmcp-name: pay\n" + js + `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay","arguments":{"n": 1},"_meta":{"x":1}}}`,
			`github-mcp/pay write {"n": 1}`},
		{rpc + js + `{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"pay"}}`, `github-mcp/pay write {}`},
		{rpc + js + `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, `github-mcp/mcp:tools/list write {}`},
		{rpc + "mcp-name: file:///x\n" + js + `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///x"}}`, `github-mcp/mcp:resources/read write {"uri":"file:///x"}`},
		{rpc + js + `{"jsonrpc":"2.0","method":"notifications/initialized"}`, `github-mcp/mcp:notifications/initialized write {}`},
	} {
		var m Matched
		if err := tab.Match(request(t, x.request), &m); err != nil {
			t.Errorf("%q: %v", x.request, err)
			continue
		}
		if got := call(&m); got != x.want || m.Call.Tenant != "acme" {
			t.Errorf("%q:\n got %s\nwant %s", x.request, got, x.want)
		}
	}
}

func customers(rest string) string { return "GET https://api.stripe.com" + rest + "\n\n" }

func toolCall(params string) string {
	return rpc + js + `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":` + params + `}`
}

// refusals are requests, and the status, the code and some words of the refusal.
var refusals = []struct{ request, status, words string }{
	// Where a request goes.
	{customers("/v1/other"), "403 tool_not_granted", "no route matches \"GET\" requests"},
	{customers("/v1/customers/a/b"), "403 tool_not_granted", "no route"},
	{"PUT https://api.stripe.com/v1/customers/a\n\n", "403 tool_not_granted", "no route"},
	{"get https://api.stripe.com/v1/customers/a\n\n", "403 tool_not_granted", "no route"},
	{"GET https://api.stripe.com:8443/v1/customers/a\n\n", "403 tool_not_granted", "no route"},
	{"GET http://api.stripe.com:443/v1/customers/a\n\n", "403 tool_not_granted", "no route"},
	{"GET https://api.stripe.com./v1/customers/a\n\n", "403 malformed", "ends in a dot"},
	{"GET https://u@api.stripe.com/v1/customers/a\n\n", "403 malformed", "no name of letters"},
	{"GET https://api.stripe.com:/v1/customers/a\n\n", "403 malformed", "no port"},
	{"GET https://api.stripe.com:0443/v1/customers/a\n\n", "403 malformed", "no port"},
	{"GET https://api.strıpe.com/v1/customers/a\n\n", "403 malformed", "no name of letters"},
	{"GET ftp://api.stripe.com/v1/customers/a\n\n", "403 malformed", "neither http"},
	{"GET /v1/customers/a\nhost: \n\n", "403 malformed", "names no host"},
	{"GET * HTTP/1.1\nhost: api.stripe.com\n\n", "403 malformed", "begins with /"},
	{"GET https://api.stripe.com/v1/customers/a\nhost: evil.test\n\n", "403 malformed", "the request goes to"},
	// Paths with two readings.
	{customers("/v1/customers/"), "403 tool_not_granted", "no route"},
	{customers("/v1/customers//a"), "403 malformed", "//"},
	{customers("//v1/customers/a"), "403 malformed", "//"},
	{customers("/v1/./customers/a"), "403 malformed", "segment ."},
	{customers("/v1/x/../customers/a"), "403 malformed", "segment .."},
	{customers("/v1/customers/.."), "403 malformed", "segment .."},
	{customers("/v1/customers/%2e%2e"), "403 malformed", "another spelling"},
	{customers("/v1/%63ustomers/a"), "403 malformed", "another spelling"},
	{customers("/v1/customers/a%2Fb"), "403 malformed", "%2F"},
	{customers("/v1/customers/a%5cb"), "403 malformed", "%5c"},
	{customers("/v1/customers/a%252Fb"), "403 malformed", "%25"},
	{customers("/v1/customers/a;x=1"), "403 malformed", "';'"},
	{customers("/v1/customers/a%3Bx"), "403 malformed", "%3B"},
	{customers(`/v1/customers/a\b`), "403 malformed", `'\\'`},
	{customers("/v1/customers/a%00"), "403 malformed", "%00"},
	{customers("/v1/customers/a%7f"), "403 malformed", "%7f"},
	{customers("/v1/customers/a%ff"), "403 malformed", "UTF-8"},
	{customers("/v1/customers/a%c0%af"), "403 malformed", "UTF-8"},
	{customers("/v1/customers/a%4"), "403 malformed", "hexadecimal"},
	{customers("/v1/customers/é"), "403 malformed", "several ways"},
	{customers("/v1/customers/a#x"), "403 malformed", "'#'"},
	{customers("/v1/customers/a?"), "403 malformed", "empty query"},
	{customers(strings.Repeat("/a", 65)), "403 malformed", "more than 64"},
	{"GET http://api.test:8443/a/x%3Averb/\n\n", "403 tool_not_granted", "two ways"},
	{customers("/v1/customers/Search"), "403 tool_not_granted", "two ways"},
	{"GET https://api.stripe.com/V1/customers/a\n\n", "403 tool_not_granted", "two ways"},
	{"GET http://api.test/issues/comments/comments\n\n", "403 tool_not_granted", "fits two routes"},
	// Queries and forms.
	{customers("/v1/customers/a?x=1&x=2"), "400 malformed", "query.x stands twice"},
	{customers("/v1/customers/a?limit=1&limit=2"), "400 malformed", "stands twice"},
	{customers("/v1/customers/a?limit=1&LIMIT=2"), "400 malformed", "case only"},
	{customers("/v1/customers/a?%6cimit=1&limit=2"), "400 malformed", "stands twice"},
	{customers("/v1/customers/a?customer=b"), "400 malformed", `"customer" is both path.customer and query.customer`},
	{customers("/v1/customers/a?limit=1e1"), "403 argument_type", "no plain decimal"},
	{customers("/v1/customers/a?limit="), "403 argument_type", "no plain decimal"},
	{customers("/v1/customers/a?limit=1.5"), "403 argument_type", "no integer"},
	{customers("/v1/customers/a?limit=" + strings.Repeat("9", 65)), "403 argument_type", "no plain decimal"},
	{customers("/v1/customers/a?x=1;y=2"), "400 malformed", "';'"},
	{customers("/v1/customers/a?x=%ff"), "400 malformed", "UTF-8"},
	{customers("/v1/customers/a?x=%00"), "400 malformed", "percent-encoding"},
	{customers("/v1/customers/a?x%0a=1"), "400 malformed", "control character"},
	{customers("/v1/customers/a?x=%zz"), "400 malformed", "percent-encoding"},
	{customers("/v1/customers/a?=1"), "400 malformed", "without a name"},
	{customers("/v1/customers/a?x=1&&y=2"), "400 malformed", "without a name"},
	{customers("/v1/customers/a?x=1&"), "400 malformed", "ends in &"},
	{customers("/v1/customers/a?_METHOD=DELETE"), "403 malformed", "another one"},
	{customers("/v1/customers/a?a" + strings.Repeat("&a", 256)), "400 malformed", "more than 256"},
	{pay + form + "amount=10&amount=99999", "400 malformed", "form.amount stands twice"},
	{pay + form + "amount=10&Amount=99999", "400 malformed", "case only"},
	{pay[:len(pay)-1] + "?amount=99999\n" + form + "amount=10", "400 malformed", "is form.amount"},
	{pay[:len(pay)-1] + "?Note=99999\n" + form + "note=10", "400 malformed", "in the query and in the form"},
	{pay + form + "amount=0x10", "403 argument_type", "no plain decimal"},
	{pay + form + "amount=+10", "403 argument_type", "no plain decimal"},
	{pay + form + "amount=010", "403 argument_type", "no plain decimal"},
	{pay + form + "amount=10\n\n", "400 malformed", "several ways"},
	{pay + form + "live=True", "403 argument_type", "not true or false"},
	{pay + form + "a;b=1", "400 malformed", "';'"},
	{pay + "content-type: multipart/form-data; boundary=x\n\nx", "403 malformed", "bodies are application/x-www-form"},
	{pay + js + `{"amount":1}`, "403 malformed", "bodies are application/x-www-form"},
	{pay + "\namount=1", "403 malformed", "content-type"},
	{pay + "stripe-account: a\nstripe-account: b\n" + form + "amount=1", "400 malformed", "stripe-account stands twice"},
	// Headers that contradict the request.
	{pay + "content-encoding: gzip\n" + form + "x", "403 malformed", "only identity"},
	{pay + "content-length: 5000\n" + form + "amount=1", "403 malformed", "8 bytes"},
	{pay + "content-length: +8\n" + form + "amount=1", "403 malformed", "8 bytes"},
	{pay + "content-length: 8\ncontent-length: 8\n" + form + "amount=1", "403 malformed", "stands twice"},
	{pay + "content-type: text/plain\n" + form + "amount=1", "403 malformed", "stands twice"},
	{pay + "content-type: application/x-www-form-urlencoded,text/plain\n\na=1", "403 malformed", "no media type"},
	{pay + "content-type: application/x-www-form-urlencoded; charset=utf-16\n\na=1", "403 malformed", "UTF-8"},
	{pay + "x-http-method-override: DELETE\n" + form + "amount=1", "403 malformed", "another one"},
	{pay + "X-Original-URL: /v1/refunds\n" + form + "amount=1", "403 malformed", "another one"},
	{pay + "upgrade: h2c\n" + form + "amount=1", "403 malformed", "upgrade"},
	{pay + "x-envoy-auth-partial-body: true\n" + form + "amount=1", "403 malformed", "a part of the body"},
	{pay + "x-envoy-auth-partial-body: false\nx-envoy-auth-partial-body: false\n" + form + "amount=1", "403 malformed", "stands twice"},
	{pay + "x-note: \xff\xfe\n" + form + "amount=1", "403 malformed", "UTF-8"},
	{pay + "x-note: a\x01\n" + form + "amount=1", "403 malformed", "control character"},
	{pay + "x note: a\n" + form + "amount=1", "403 malformed", "name of a header"},
	// Bodies.
	{"POST http://api.test/json\n" + js + `{"a":1,"a":2}`, "400 malformed", "a key stands twice"},
	{"POST http://api.test/json\n" + js, "400 malformed", "no strict JSON"},
	{"POST http://api.test/json\n" + js + `[1]`, "400 malformed", "no object"},
	{"POST http://api.test/json\ncontent-type: text/plain\n\n{}", "403 malformed", "application/json"},
	{"POST http://api.test/json?A=1\n" + js + `{"a":1}`, "400 malformed", "in the query and in the body"},
	{"POST http://api.test/json/me\n" + js + `{"amount":{"value":1,"Value":2}}`, "400 malformed", "ambiguous"},
	{"POST http://api.test/json/me\n" + js + `{"amount":{"value":"1"}}`, "403 argument_type", "is a string"},
	{"POST http://api.test/json/me\n" + js + `{"amount":{"value":1e300}}`, "403 number_out_of_range", "out of range"},
	{"POST http://api.test/json/me\n" + js + `{"who":1}`, "400 malformed", `is path.owner`},
	{"POST http://api.test/json/me\n" + js + `{"amount":{"currency":"EUR"},"currency":"USD"}`, "400 malformed", `is body#/amount/currency`},
	{"POST http://api.test:8443/a/x:verb/\n\nx", "403 malformed", "takes none"},
	{"POST http://api.test/json\n" + js + strings.Repeat(" ", aegis.MaxBody) + "{}", "413 malformed", "larger"},
	// The name of a mapped argument, from elsewhere.
	{pay + form + "account=acct_1&amount=10", "400 malformed", `the form gives "account", and the argument of that name is header.stripe-account`},
	{pay[:len(pay)-1] + "?ACCOUNT=acct_1\n" + form + "amount=10", "400 malformed", `is header.stripe-account`},
	{"POST http://api.test/json/me\n" + js + `{"value":1}`, "400 malformed", "is body#/amount/value"},
	{"PATCH http://api.test/doc?Op=1\n" + js + `{"op":1}`, "400 malformed", "in the query and in the body"},
	// MCP.
	{toolCall(`{"name":"create_payment ","arguments":{}}`), "403 malformed", "no name of a tool"},
	{toolCall(`{"name":"mcp:tools/list","arguments":{}}`), "403 malformed", "no name of a tool"},
	{toolCall(`{"name":"a","arguments":"{}"}`), "400 malformed", "params.arguments is string"},
	{toolCall(`{"name":"a","arguments":null}`), "400 malformed", "params.arguments is null"},
	{toolCall(`{"name":"a","Arguments":{}}`), "400 malformed", `"Arguments"`},
	{toolCall(`{"arguments":{}}`), "400 malformed", "params.name is missing"},
	{toolCall(`[]`), "400 malformed", "params is list"},
	{rpc + js + `{"jsonrpc":"2.0","id":1,"result":{}}`, "400 malformed", `"result"`},
	{rpc + js + `{"jsonrpc":"2.0","id":1}`, "400 malformed", "no method"},
	{rpc + js + `{"jsonrpc":"1.0","id":1,"method":"ping"}`, "400 malformed", "2.0"},
	{rpc + js + `{"jsonrpc":"2.0","id":1,"method":"notifications/x"}`, "400 malformed", "has an id"},
	{"POST https://api.test/mcp?x=1\n" + js + `{"jsonrpc":"2.0","id":1,"method":"ping"}`, "403 malformed", "query"},
}

func TestRefusals(t *testing.T) {
	tab := table(t, routesText)
	for _, x := range refusals {
		var m Matched
		checkRefusal(t, x.request, tab.Match(request(t, x.request), &m), x.status, x.words)
	}
}

func checkRefusal(t *testing.T, about string, err error, status, words string) {
	t.Helper()
	var r *Refusal
	if !errors.As(err, &r) {
		t.Errorf("%.200q: %v, want a refusal with %q", about, err, words)
		return
	}
	if got := fmt.Sprintf("%d %s", r.Status, r.Code); got != status || !strings.Contains(r.Msg, words) || (r.Status == 403) != (r.Outcome == aegis.Deny) {
		t.Errorf("%.200q: %s, %s %s; want %s, %q", about, got, r.Outcome, r.Msg, status, words)
	}
}

func TestDoors(t *testing.T) {
	tab := table(t, routesText)
	r := request(t, "DELETE http://api.test:8443/items/7\n\n")
	for door, want := range map[policy.Door]string{policy.AnyDoor: "", policy.ExtProc: "", policy.ExtAuthz: "403 tool_not_granted"} {
		r.Door = door
		found, err := tab.Find(r)
		if want != "" {
			checkRefusal(t, door.String(), err, want, "go through ext_proc, not through ext_authz")
		} else if err != nil || found.Action != "items/delete" {
			t.Errorf("%s: %v, %v", door, found, err)
		}
	}
	var m Matched
	r.Door, r.BodyComplete = policy.ExtProc, false
	checkRefusal(t, "partial", tab.Match(r, &m), "403 malformed", "not seen to its end")
}

func TestOtherTenant(t *testing.T) {
	set, err := policy.LoadText("routes.yaml", routesText)
	if err != nil {
		t.Fatal(err)
	}
	_, err = New(set, "globex").Find(request(t, "GET http://[::1]:8080/\n\n"))
	checkRefusal(t, "of another tenant", err, "403 tool_not_granted", "no route")
}

// A Matched that is used again holds nothing of the request before.
func TestMatchedIsUsedAgain(t *testing.T) {
	tab := table(t, routesText)
	texts := []string{
		"POST http://api.test/json/me?q=1\n" + js + `{"note":"x","amount":{"value":5}}`,
		pay[:len(pay)-1] + "?note=a\n" + form + "amount=100",
		rpc + js + `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay","arguments":{"n":1}}}`,
		"POST http://api.test/json\n" + js + `{"a":1}`,
		"GET https://api.stripe.com/v1/customers/a%3Ab\n\n",
		"GET https://api.stripe.com/v1/customers/search\n\n",
	}
	var again Matched
	for i := range 36 {
		r := request(t, texts[(i*i+i/6)%6])
		var fresh Matched
		if err := errors.Join(tab.Match(r, &again), tab.Match(r, &fresh)); err != nil {
			t.Fatal(err)
		}
		if call(&again) != call(&fresh) {
			t.Errorf("%s, and the first time %s", call(&again), call(&fresh))
		}
	}
}

func TestWhere(t *testing.T) {
	tab := table(t, routesText)
	for _, x := range []struct{ request, name, want string }{
		{"POST http://api.test/json/me?q=1\n" + js + `{"note":"x","amount":{"value":5,"tax":1}}`, "who", "path.owner"},
		{"POST http://api.test/json/me?q=1\n" + js + `{"note":"x","amount":{"value":5,"tax":1}}`, "q", "query.q"},
		{"POST http://api.test/json/me?q=1\n" + js + `{"note":"x","amount":{"value":5,"tax":1}}`, "value", "body#/amount/value"},
		{"POST http://api.test/json/me?q=1\n" + js + `{"note":"x","amount":{"value":5,"tax":1}}`, "amount", "body#/amount"},
		{"POST http://api.test/json/me?q=1\n" + js + `{"note":"x","amount":{"value":5,"tax":1}}`, "none", ""},
		{"POST http://api.test/json\n" + js + `{"a":1}`, "a", "body#/a"},
		{rpc + js + `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay","arguments":{"n":1}}}`, "n", "body#/params/arguments/n"},
		{pay + "stripe-account: x\n" + form + "a=1", "account", "header.stripe-account"},
	} {
		var m Matched
		if err := tab.Match(request(t, x.request), &m); err != nil {
			t.Fatal(err)
		}
		if got := m.Where(x.name); got != x.want {
			t.Errorf("%s is %q, want %q", x.name, got, x.want)
		}
	}
}
