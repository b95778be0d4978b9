// Package openapi is the description of the HTTP doors, as an OpenAPI 3.1 document: GET /openapi.yaml and /openapi.json.
//
// It promises to be true: the tests of the server hold each request that it takes and each answer that it gives to the
// document.
package openapi

import (
	_ "embed" // the document
	"encoding/json"
	"net/http"
	"sync"

	"gopkg.in/yaml.v3"

	"github.com/aegisctl/aegis/serve"
)

// Document is the document, in YAML.
//
//go:embed openapi.yaml
var Document []byte

// asJSON is the document in JSON, made when somebody asks.
var asJSON = sync.OnceValues(func() ([]byte, error) {
	var v any
	if err := yaml.Unmarshal(Document, &v); err != nil {
		return nil, err
	}
	return json.Marshal(v)
})

// Register adds the document's endpoints. They tell everybody the same.
func Register(mux *http.ServeMux, web *serve.Web) {
	mux.Handle("GET /openapi.yaml", web.Open(func(w http.ResponseWriter, _ *http.Request) { write(w, "application/yaml", Document) }))
	mux.Handle("GET /openapi.json", web.Open(func(w http.ResponseWriter, _ *http.Request) {
		b, err := asJSON()
		if err != nil {
			serve.Problem(w, http.StatusInternalServerError, "internal", "the document could not be written as JSON")
			return
		}
		write(w, "application/json", b)
	}))
}

func write(w http.ResponseWriter, kind string, b []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Write(b)
}
