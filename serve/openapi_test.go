package serve_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"gopkg.in/yaml.v3"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/serve"
	"github.com/aegisctl/aegis/serve/admin"
	"github.com/aegisctl/aegis/serve/authzen"
	"github.com/aegisctl/aegis/serve/native"
	"github.com/aegisctl/aegis/serve/openapi"
	"github.com/aegisctl/aegis/source"
)

// document is the server's own description, with a validator of it.
var document = sync.OnceValues(func() (validator.Validator, error) {
	d, err := libopenapi.NewDocument(openapi.Document)
	if err != nil {
		return nil, err
	}
	v, errs := validator.NewValidator(d)
	return v, errors.Join(errs...)
})

// held holds an exchange to the document: each answer, and each request that was taken.
func held(t testing.TB, r *http.Request, body []byte, status int, h http.Header, answer []byte) {
	t.Helper()
	v, err := document()
	if err != nil {
		t.Fatal(err)
	}
	// The document names one server; where a test listens is no part of it.
	req := httptest.NewRequest(r.Method, (&url.URL{Scheme: "http", Host: "127.0.0.1:8181", Path: r.URL.Path}).String(), bytes.NewReader(body))
	if strings.HasPrefix(r.URL.Path, "/healthz") || strings.HasPrefix(r.URL.Path, "/readyz") || r.URL.Path == "/v1/status" {
		req.URL.Host, req.Host = "127.0.0.1:8182", "127.0.0.1:8182"
	}
	req.Header = r.Header.Clone()
	res := &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(bytes.NewReader(answer)), Request: req}
	if ok, errs := v.ValidateHttpResponse(req, res); !ok {
		for _, e := range errs {
			t.Errorf("%s %s: the answer %d is not as the document has it: %s: %s %v\n%.400s", r.Method, r.URL.Path, status, e.Message, e.Reason, e.SchemaValidationErrors, answer)
		}
	}
	var value any
	if status >= 300 || len(body) > 0 && json.Unmarshal(body, &value) != nil {
		return // the validator, as encoding/json, knows no numbers beyond float64
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	if ok, errs := v.ValidateHttpRequest(req); !ok {
		for _, e := range errs {
			t.Errorf("%s %s takes what the document does not allow: %s: %s %v\n%.400s", r.Method, r.URL.Path, e.Message, e.Reason, e.SchemaValidationErrors, body)
		}
	}
}

func TestDocumentIsValid(t *testing.T) {
	v, err := document()
	if err != nil {
		t.Fatal(err)
	}
	if ok, errs := v.ValidateDocument(); !ok {
		for _, e := range errs {
			t.Errorf("%s: %s %v", e.Message, e.Reason, e.SchemaValidationErrors)
		}
	}
}

// TestDocumentNamesAllCodes: the codes of the document are those that a server gives.
func TestDocumentNamesAllCodes(t *testing.T) {
	var d struct {
		Components struct {
			Schemas map[string]struct{ Enum []string }
		}
	}
	if err := yaml.Unmarshal(openapi.Document, &d); err != nil {
		t.Fatal(err)
	}
	var want []string
	for c := aegis.NoCode + 1; int(c) < aegis.Codes; c++ {
		if c < aegis.ArgsRedacted { // those are the simulator's
			want = append(want, c.String())
		}
	}
	if got := d.Components.Schemas["Code"].Enum; !slices.Equal(got, want) {
		t.Errorf("the document has the codes\n%v\nwant\n%v", got, want)
	}
}

// TestDocumentIsTrue makes each kind of answer that no other test of the doors makes, and sends what the document forbids.
func TestDocumentIsTrue(t *testing.T) {
	s := service(t, serve.Options{Tenant: "acme"}, payments)
	mux := http.NewServeMux()
	web := &serve.Web{Auth: serve.NewSecret("open sesame"), Slots: serve.NewSlots(1)}
	native.New(s, web).Register(mux)
	authzen.New(s, web).Register(mux)
	openapi.Register(mux, web)
	var unready error
	sources := func() []source.Status {
		return []source.Status{{Source: "x", Checked: time.Now(), Code: "unreachable", Error: "no", Failures: 2}}
	}
	admin.New(s, sources, func() error { return unready }).Register(mux)
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	good := call("pay", `{"amount":1}`)
	asked := `{"subject":{"type":"agent","id":"finance-agent","properties":{"tenant":"acme"}},"resource":{"type":"tool","id":"mail"},"action":{"name":"","properties":{"args":{"x":"a@example.com"}}},"context":{"obligations_supported":["sanitize"]}}`
	const bearer = "Bearer open sesame"
	for _, c := range []struct {
		method, path, body string
		auth, kind         string
		status             int
	}{
		{"POST", "/v1/decide", good, bearer, "application/json", 200},
		{"POST", "/v1/decide", good, "", "application/json", 401},
		{"POST", "/v1/decide", good, bearer, "text/plain", 415},
		{"POST", "/v1/decide", strings.Repeat(" ", aegis.MaxBody+1), bearer, "application/json", 413},
		{"POST", "/v1/decide", `{"tenant":"acme"}`, bearer, "application/json", 400},
		{"POST", "/v1/decide", strings.Replace(good, `"tool"`, `"effect":"maybe","tool"`, 1), bearer, "application/json", 400},
		{"POST", "/v1/outcome", `{"decision_id":"x","outcome":"ok"}`, bearer, "application/json", 404},
		{"POST", "/v1/outcome", `{"decision_id":"x"}`, bearer, "application/json", 400},
		{"POST", "/access/v1/evaluation", asked, bearer, "application/json", 200},
		{"POST", "/access/v1/evaluation", asked, bearer, "text/plain", 400},
		{"POST", "/access/v1/evaluation", asked, "", "application/json", 401},
		{"POST", "/access/v1/evaluation", `{}`, bearer, "application/json", 400},
		{"POST", "/access/v1/evaluations", `{"evaluations":[` + asked + `,{}]}`, bearer, "application/json", 200},
		{"POST", "/access/v1/evaluations", asked, bearer, "application/json", 200},
		{"POST", "/access/v1/evaluations", `{"options":[],"evaluations":[{}]}`, bearer, "application/json", 400},
		{"GET", "/.well-known/authzen-configuration", "", "", "", 200},
		{"GET", "/openapi.yaml", "", "", "", 200},
		{"GET", "/openapi.json", "", "", "", 200},
		{"GET", "/healthz", "", "", "", 200},
		{"GET", "/readyz", "", "", "", 200},
		{"GET", "/readyz", "", "", "", 503},
		{"GET", "/v1/status", "", "", "", 200},
	} {
		unready = map[int]error{503: errors.New("the server is draining")}[c.status]
		r, err := http.NewRequest(c.method, srv.URL+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", c.kind)
		if c.auth != "" {
			r.Header.Set("Authorization", c.auth)
		}
		status, h, text := exchange(t, r, []byte(c.body))
		if status != c.status {
			t.Errorf("%s %s: %d %s, want %d", c.method, c.path, status, text, c.status)
		}
		if c.path == "/openapi.json" && (h.Get("Content-Type") != "application/json" || !json.Valid(text)) {
			t.Errorf("%v %s", h, text)
		}
	}
}

// TestBusy: where all slots are taken, a call is told so.
func TestBusy(t *testing.T) {
	s := service(t, serve.Options{}, payments)
	mux := http.NewServeMux()
	native.New(s, &serve.Web{Auth: serve.NoAuth{}, Slots: serve.NewSlots(0)}).Register(mux)
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	if status, h, text := post(t, srv.URL+"/v1/decide", []byte(call("pay", `{}`))); status != 503 || h.Get("Retry-After") == "" {
		t.Errorf("%d %s", status, text)
	}
}
