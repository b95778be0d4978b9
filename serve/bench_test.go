package serve_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aegisctl/aegis/serve"
	"github.com/aegisctl/aegis/serve/native"
)

// BenchmarkDecide is one call through the native door, without the network.
func BenchmarkDecide(b *testing.B) {
	for _, c := range []struct{ name, body string }{{"allow", call("mail", `{"to":"x"}`)}, {"deny", call("other", `{"amount":5001}`)}} {
		b.Run(c.name, func(b *testing.B) {
			s := service(b, serve.Options{}, strings.Replace(payments, "limits: [{calls: 3/day}]", "", 1))
			mux := http.NewServeMux()
			native.New(s, &serve.Web{Auth: serve.NoAuth{}}).Register(mux)
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/v1/decide", strings.NewReader(c.body))
				r.Header.Set("Content-Type", "application/json")
				w := httptest.NewRecorder()
				if mux.ServeHTTP(w, r); w.Code != 200 {
					b.Fatal(w.Body)
				}
			}
		})
	}
}
