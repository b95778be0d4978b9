package route

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aegisctl/aegis/policy"
)

// many writes n routes of which no two match one request.
func many(n int) string {
	var b strings.Builder
	b.WriteString("tenant: acme\nroutes:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - {match: \"POST h.test/v%d/things/{id}/parts%d\", call: t/c%d, body: none}\n", i%10, i, i)
	}
	return b.String()
}

func BenchmarkFind(b *testing.B) {
	for _, n := range []int{10, 100, 1_000, 8_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			tab := table(b, many(n))
			r := &Request{Method: "POST", Scheme: "https", Host: "h.test", Path: fmt.Sprintf("/v%d/things/abc/parts%d", (n-1)%10, n-1)}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tab.Find(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMatch(b *testing.B) {
	tab := table(b, routesText)
	const headers = "user-agent: x/1.0\naccept: */*\nauthorization: Bearer abcdefghijklmnopqrstuvwxyz0123456789\nx-request-id: 1b4e28ba-2fa1-11d2-883f-0016d3cca427\n" +
		"x-forwarded-proto: https\nx-forwarded-for: 10.0.0.1\n"
	for name, text := range map[string]string{
		"form":   pay + headers + "stripe-account: acct_1f3a9c2e77\n" + form + "amount=7200&currency=eur&confirm=true&description=order+1234",
		"json":   "POST http://api.test/json\n" + headers + js + `{"amount":7200,"currency":"eur","confirm":true,"description":"order 1234"}`,
		"mapped": "POST http://api.test/json/me?q=1\n" + headers + js + `{"amount":{"value":7200,"currency":"eur"},"confirm":true,"description":"order 1234"}`,
		"mcp":    rpc + headers + js + `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay","arguments":{"amount":7200,"currency":"eur"}}}`,
		"get":    "GET https://api.stripe.com/v1/customers/cus_1?limit=10&expand=x\n" + headers + "\n",
	} {
		b.Run(name, func(b *testing.B) {
			r := request(b, text)
			r.Header = append(r.Header, Field{":method", r.Method}, Field{":scheme", "https"}, Field{":authority", r.Host}, Field{":path", r.Path})
			m := new(Matched)
			b.ReportAllocs()
			for b.Loop() {
				if err := tab.Match(r, m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkNew loads and indexes routes.
func BenchmarkNew(b *testing.B) {
	text := many(8_000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		set, err := policy.LoadText("r.yaml", text)
		if err != nil {
			b.Fatal(err)
		}
		New(set, "acme")
	}
}
