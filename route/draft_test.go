package route

import (
	"bytes"
	"compress/gzip"
	"flag"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/aegisctl/aegis/policy"
)

var update = flag.Bool("update", false, "write the expected drafts anew")

func TestFromOpenAPI(t *testing.T) {
	text, err := os.ReadFile("testdata/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d, err := FromOpenAPI(text, DraftOptions{Tenant: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	if d.Routes != 5 || d.Skipped != 4 {
		t.Errorf("%d routes and %d that are none", d.Routes, d.Skipped)
	}
	const file = "testdata/openapi.expected.yaml"
	if *update {
		if err := os.WriteFile(file, d.YAML, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(file); err != nil || !bytes.Equal(want, d.YAML) {
		t.Errorf("%s differs (%v); go test ./route -update rewrites it:\n%s", file, err, d.YAML)
	}
	tab := table(t, string(d.YAML))
	var m Matched
	if err := tab.Match(request(t, "POST https://api.billing.example/v1/payments\nbilling-account: a\n"+form+"amount=7&confirm=true&id=x"), &m); err != nil {
		t.Fatal(err)
	}
	if got := call(&m); got != `billing-api/createPayment write {"amount":7,"confirm":true,"header_billing-account":"a","id":"x"}` {
		t.Error(got)
	}
}

// TestRealOpenAPI drafts from a document that Kubernetes ships: every operation gets a route.
func TestRealOpenAPI(t *testing.T) {
	f, err := os.Open("testdata/kubernetes-discovery.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	d, err := FromOpenAPI(text, DraftOptions{Tool: "kubernetes", Server: "https://kube.internal:6443"})
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(text, []byte(`"operationId"`)); d.Routes != n || n < 5 {
		t.Errorf("%d routes, %d operations", d.Routes, n)
	}
	set, err := policy.LoadText("k.yaml", string(d.YAML))
	if err != nil {
		t.Fatal(err)
	}
	got, err := New(set, "default").Find(&Request{Method: "GET", Scheme: "https", Host: "kube.internal:6443", Path: "/apis/discovery.k8s.io/v1/endpointslices"})
	if err != nil || got.Action != "listDiscoveryV1EndpointSliceForAllNamespaces" {
		t.Errorf("%v, %v", got, err)
	}
}

func TestOpenAPIErrors(t *testing.T) {
	const op = `{"openapi":"3.1.0","info":{"title":"x"},"servers":[{"url":"https://h.test"}],"paths":{"/a":{"get":{"operationId":"a"}}}}`
	for _, x := range []struct {
		text, words string
		opt         DraftOptions
	}{
		{"", "empty", DraftOptions{}},
		{"a: &x 1\nb: *x", "anchors", DraftOptions{}},
		{"{", "byte 1", DraftOptions{}},
		{`{"swagger":"2.0"}`, "Swagger 2.0", DraftOptions{}},
		{`{"openapi":"4.0.0","paths":{}}`, "3.0 or 3.1", DraftOptions{}},
		{`{"openapi":"3.0.0"}`, "no paths", DraftOptions{}},
		{`{"openapi":"3.0.0","info":{"title":"x"},"paths":{}}`, "no operations", DraftOptions{}},
		{`{"openapi":"3.0.0","paths":{"/a":{}}}`, "give one", DraftOptions{}},
		{`{"openapi":"3.0.0","openapi":"3.0.1"}`, "stands twice", DraftOptions{}},
		{op, "is no name", DraftOptions{Tool: "a b"}},
		{op, "is no name", DraftOptions{Tenant: "a b"}},
		{"openapi: 3.0.0\npaths: " + strings.Repeat("[", 70) + strings.Repeat("]", 70), "deeper", DraftOptions{}},
		{strings.Repeat(" ", MaxOpenAPI+1), "larger", DraftOptions{}},
	} {
		if d, err := FromOpenAPI([]byte(x.text), x.opt); err == nil || !strings.Contains(err.Error(), x.words) {
			t.Errorf("%.60q: %v, %v, want %q", x.text, d, err, x.words)
		}
	}
	// Schemas that contain each other many times are looked at once.
	loop := `{"allOf":[` + strings.Repeat(`{"$ref":"#/components/schemas/s"},`, 50) + `{"properties":{"a":{"type":"integer"}}}]}`
	text := `{"openapi":"3.1.0","info":{"title":"x"},"servers":[{"url":"https://h.test"}],"components":{"schemas":{"s":` + loop + `}},
		"paths":{"/a":{"post":{"operationId":"a","requestBody":{"content":{"application/x-www-form-urlencoded":{"schema":` + loop + `}}}}}}}`
	if d, err := FromOpenAPI([]byte(text), DraftOptions{}); err != nil || !strings.Contains(string(d.YAML), "a: {from: form.a, type: integer}") {
		t.Errorf("%v", err)
	}
	for _, server := range []string{"ftp://x", "/v1", "https://{a}.test", "https://h.test/?x"} {
		d, err := FromOpenAPI([]byte(op), DraftOptions{Server: server})
		if err != nil || d.Routes != 0 || !strings.Contains(string(d.YAML), "no whole URL") {
			t.Errorf("%s: %v, %v", server, d, err)
		}
	}
}

// FuzzFromOpenAPI: no document makes the room panic, and every draft loads.
func FuzzFromOpenAPI(f *testing.F) {
	text, err := os.ReadFile("testdata/openapi.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Add(`{"openapi":"3.1.0","info":{"title":"x\u0000\n#"},"servers":[{"url":"https://h.test/a%20b"}],"paths":{"/{a}/b":{"get":{"operationId":"a b\n"}},"/a/{b}":{"get":{"operationId":"` + "\u202e" + `"}}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		d, err := FromOpenAPI([]byte(text), DraftOptions{})
		if err != nil {
			return
		}
		set, err := policy.LoadText("d.yaml", string(d.YAML))
		if err != nil || len(set.Routes) != 1 || len(set.Routes[0].Routes) != d.Routes {
			t.Fatalf("%v in\n%s", err, d.YAML)
		}
	})
}
