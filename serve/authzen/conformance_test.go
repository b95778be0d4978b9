package authzen_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
	"github.com/aegisctl/aegis/serve"
	"github.com/aegisctl/aegis/serve/authzen"
)

// The cases of this file follow the OpenID AuthZEN Authorization API 1.0 (openid.net/specs/authorization-api-1_0.html, of
// 11 January 2026) and the certification scenario of its working group (openid/authzen, certification/
// authorization-api-1_0-scenario.md; §2.2.8 and the like below are its numbers). The scenario's fixture has subjects of type
// user and resources of type record, which are no agents and tools: this server must answer such requests in the API's
// form, and always denies them. Its fixture of identifiers is therefore asked about as agents and tools.

const fixture = `
agent: alice
allowed_tools: [{name: record-1, actions: [read, write, {name: delete, conditions: {require: [soft == true]}}]}]
`

const fixtureBob = `
agent: bob
allowed_tools: [{name: record-1, actions: [read]}]
`

// pdp serves the fixture, and returns its URL.
func pdp(t *testing.T) string {
	t.Helper()
	s := serve.New(serve.Options{Mode: aegis.Enforce, Tenant: "default"})
	t.Cleanup(s.Close)
	dir := t.TempDir()
	for name, text := range map[string]string{"a.yaml": fixture, "b.yaml": fixtureBob} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	set, err := policy.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Install([]serve.Source{{Name: "fixture", Set: set}}); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	authzen.New(s, &serve.Web{Auth: serve.NoAuth{}}).Register(mux)
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL
}

// send makes a request; the answer is its status, header and body.
func send(t *testing.T, method, url, kind, body string, headers ...string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(text)
}

const (
	alice  = `"subject":{"type":"agent","id":"alice"}`
	bob    = `"subject":{"type":"agent","id":"bob"}`
	record = `"resource":{"type":"tool","id":"record-1"}`
)

func action(name string) string { return `"action":{"name":"` + name + `"}` }

// decisions reads the decisions of an answer, each of which must be a boolean.
func decisions(t *testing.T, text string) (single *bool, series []bool) {
	t.Helper()
	type one struct {
		Decision *bool
		Context  map[string]any
	}
	var got struct {
		one
		Evaluations []one
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	for _, e := range got.Evaluations {
		if e.Decision == nil {
			t.Fatalf("an evaluation without a decision: %s", text)
		}
		series = append(series, *e.Decision)
	}
	return got.Decision, series
}

func TestConformanceEvaluation(t *testing.T) {
	url := pdp(t) + "/access/v1/evaluation"
	for _, c := range []struct {
		what, body string
		want       bool
	}{
		{"2.2.1 permit", `{` + alice + `,` + action("read") + `,` + record + `}`, true},
		{"2.2.2 deny", `{` + bob + `,` + action("write") + `,` + record + `}`, false},
		{"2.2.3 optional context", `{` + alice + `,` + action("read") + `,` + record + `,"context":{"time":"2025-06-27T18:03-07:00","ip":"192.168.1.1"}}`, true},
		{"2.2.6 action properties", `{` + alice + `,"action":{"name":"delete","properties":{"args":{"soft":true}}},` + record + `}`, true},
		{"2.2.7 action properties", `{` + alice + `,"action":{"name":"delete","properties":{"args":{"soft":false}}},` + record + `}`, false},
		{"2.2.8 more properties", `{"subject":{"type":"agent","id":"alice","properties":{"department":"Sales","role":"manager"}},` + action("read") +
			`,"resource":{"type":"tool","id":"record-1","properties":{"status":"active","owner":"bob"}}}`, true},
		{"2.2.9 unknown fields", `{` + alice + `,` + action("read") + `,` + record + `,"foo":"bar","futureField":{"nested":true}}`, true},
		{"unknown fields of entities", `{"subject":{"type":"agent","id":"alice","foo":1},"action":{"name":"read","foo":1},"resource":{"type":"tool","id":"record-1","foo":1}}`, true},
		{"the fixture's own types", `{"subject":{"type":"user","id":"alice"},` + action("read") + `,"resource":{"type":"record","id":"record-1"}}`, false},
		{"its action with properties", `{` + alice + `,"action":{"name":"read","properties":{"method":"GET"}},` + record + `}`, false}, // they may be arguments
	} {
		for range 3 { // 2.6: the same each time
			status, h, text := send(t, "POST", url, "application/json", c.body)
			if status != 200 || h.Get("Content-Type") != "application/json" {
				t.Fatalf("%s: %d %s", c.what, status, text)
			}
			if one, series := decisions(t, text); one == nil || *one != c.want || series != nil {
				t.Errorf("%s: %s", c.what, text)
			}
		}
	}
}

// TestConformanceErrors: what is no request of the API is a bad request (spec §10.1.1, scenario §2.4).
func TestConformanceErrors(t *testing.T) {
	url := pdp(t) + "/access/v1/evaluation"
	for _, c := range []struct{ what, kind, body string }{
		{"no subject", "application/json", `{` + action("read") + `,` + record + `}`},
		{"no action", "application/json", `{` + alice + `,` + record + `}`},
		{"no resource", "application/json", `{` + alice + `,` + action("read") + `}`},
		{"subject without type", "application/json", `{"subject":{"id":"alice"},` + action("read") + `,` + record + `}`},
		{"subject without id", "application/json", `{"subject":{"type":"agent"},` + action("read") + `,` + record + `}`},
		{"action without name", "application/json", `{` + alice + `,"action":{},` + record + `}`},
		{"resource without type", "application/json", `{` + alice + `,` + action("read") + `,"resource":{"id":"record-1"}}`},
		{"resource without id", "application/json", `{` + alice + `,` + action("read") + `,"resource":{"type":"tool"}}`},
		{"another content type", "text/plain", `{` + alice + `,` + action("read") + `,` + record + `}`},
		{"no content type", "", `{` + alice + `,` + action("read") + `,` + record + `}`},
		{"no JSON", "application/json", `{"subject":`},
		{"no body", "application/json", ``},
		{"subject is text", "application/json", `{"subject":"alice",` + action("read") + `,` + record + `}`},
		{"name is a number", "application/json", `{` + alice + `,"action":{"name":123},` + record + `}`},
	} {
		status, h, text := send(t, "POST", url, c.kind, c.body, "X-Request-ID", "id 1")
		if status != 400 || h.Get("X-Request-ID") != "id 1" || h.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %v %s", c.what, status, h, text)
		}
	}
}

func TestConformanceRequestID(t *testing.T) {
	url := pdp(t) + "/access/v1/evaluation"
	good := `{` + alice + `,` + action("read") + `,` + record + `}`
	for _, id := range []string{"bfe9eb29-ab87-4ca3-be83-a1d5d8305716", strings.Repeat("x", 4000), "ä ö", "a,b"} {
		if status, h, _ := send(t, "POST", url, "application/json", good, "X-Request-ID", id); status != 200 || h.Get("X-Request-ID") != id {
			t.Errorf("%q: %d %q", id, status, h.Get("X-Request-ID"))
		}
	}
	if status, h, _ := send(t, "POST", url, "application/json", good); status != 200 || h.Get("X-Request-ID") != "" {
		t.Errorf("%d %q", status, h.Get("X-Request-ID"))
	}
	if _, h, _ := send(t, "POST", url, "application/json", good, "X-Request-ID", "7", "Origin", "https://evil.example"); h.Get("X-Request-ID") != "7" {
		t.Error("a request that is refused for its origin gets no id back")
	}
}

func TestConformanceEvaluations(t *testing.T) {
	url := pdp(t) + "/access/v1/evaluations"
	for _, c := range []struct{ what, body, want string }{
		{"3.2.1", `{` + alice + `,` + action("read") + `,"evaluations":[{` + record + `},{"resource":{"type":"tool","id":"record-2"}}]}`, "true false"},
		{"3.2.2 order", `{` + bob + `,` + record + `,"evaluations":[{` + action("read") + `},{` + action("write") + `}]}`, "true false"},
		{"3.2.4 subjects", `{` + record + `,` + action("write") + `,"evaluations":[{` + alice + `},{` + bob + `}]}`, "true false"},
		{"3.2.5 no defaults", `{"evaluations":[{` + alice + `,` + action("read") + `,` + record + `},{` + bob + `,` + action("write") + `,` + record + `}]}`, "true false"},
		{"3.2.6 context", `{` + alice + `,` + action("read") + `,"context":{"time":"2025-06-27T18:03-07:00"},"evaluations":[{` + record + `},{` + record +
			`,"context":{"time":"2025-06-27T19:00-07:00","source":"batch-override"}}]}`, "true true"},
		{"3.4.1 an evaluation that is none", `{` + alice + `,` + action("read") + `,"evaluations":[{` + record + `},{}]}`, "true false"},
		{"3.4.2 no evaluations", `{` + alice + `,` + action("read") + `,` + record + `}`, "single true"},
		{"3.4.3 empty evaluations", `{` + alice + `,` + action("read") + `,` + record + `,"evaluations":[]}`, "single true"},
		{"spec, deny on first deny", `{` + alice + `,` + record + `,"options":{"evaluations_semantic":"deny_on_first_deny"},"evaluations":[{` + action("read") +
			`},{` + action("x") + `},{` + action("read") + `}]}`, "true false"},
		{"spec, permit on first permit", `{` + alice + `,` + record + `,"options":{"evaluations_semantic":"permit_on_first_permit"},"evaluations":[{` +
			action("read") + `},{` + action("x") + `},{` + action("read") + `}]}`, "true"},
	} {
		status, _, text := send(t, "POST", url, "application/json", c.body)
		one, series := decisions(t, text)
		var said []string
		if one != nil {
			said, series = append(said, "single"), append(series, *one)
		}
		for _, d := range series {
			said = append(said, map[bool]string{true: "true", false: "false"}[d])
		}
		if got := strings.Join(said, " "); status != 200 || got != c.want {
			t.Errorf("%s: %d %s, want %s (%s)", c.what, status, got, c.want, text)
		}
	}
}

// TestConformanceMetadata: spec §9, scenario §6. (A server behind TLS names itself by https.)
func TestConformanceMetadata(t *testing.T) {
	base := pdp(t)
	status, h, text := send(t, "GET", base+"/.well-known/authzen-configuration", "", "")
	var got map[string]string
	if err := json.Unmarshal([]byte(text), &got); err != nil || status != 200 || h.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %v %s", status, err, text)
	}
	want := map[string]string{"policy_decision_point": base, "access_evaluation_endpoint": base + "/access/v1/evaluation",
		"access_evaluations_endpoint": base + "/access/v1/evaluations"}
	for key, value := range want {
		if got[key] != value {
			t.Errorf("%s: %q, want %q", key, got[key], value)
		}
	}
	// Searches are not served, so they are not announced.
	if len(got) != len(want) {
		t.Errorf("%v", got)
	}
}
