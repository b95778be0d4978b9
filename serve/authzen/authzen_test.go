package authzen_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
	"github.com/aegisctl/aegis/serve"
	"github.com/aegisctl/aegis/serve/authzen"
)

const rules = `
tenant: acme
agent: a
allowed_tools:
  - {name: pay, actions: [send], conditions: {max_amount: 10, approval_needed_if: amount > 10}, limits: [{calls: 3/session}]}
  - {name: mail, sanitize: [{redact: [email]}]}
  - {name: log, mode: shadow, conditions: {max_n: 1}}
  - {name: ping}
`

func client(t *testing.T, mode aegis.Mode) func(path, body string) (int, string) {
	t.Helper()
	set, err := policy.LoadText("policy.yaml", rules)
	if err != nil {
		t.Fatal(err)
	}
	s := serve.New(serve.Options{Mode: mode})
	t.Cleanup(s.Close)
	if err := s.Install([]serve.Source{{Name: "test", Set: set}}); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	authzen.New(s, &serve.Web{Auth: serve.NoAuth{}}).Register(mux)
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return func(path, body string) (int, string) {
		t.Helper()
		res, err := http.Post(srv.URL+path, "application/json", strings.NewReader(body))
		if body == "" {
			res, err = http.Get(srv.URL + path)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(text)
	}
}

// ask makes an evaluation; parts that are given replace the usual ones.
func ask(resource, action, context string) string {
	return `{"subject":{"type":"agent","id":"a","properties":{"tenant":"acme"}},"resource":{"type":"tool","id":"` + resource +
		`"},"action":` + action + `,"context":` + context + `}`
}

func TestEvaluation(t *testing.T) {
	post := client(t, aegis.Enforce)
	for _, c := range []struct{ what, body, want string }{
		{"allowed", ask("pay", `{"name":"send","properties":{"args":{"amount":5}}}`, `{"session":"s"}`), "true "},
		{"denied", ask("pay", `{"name":"other","properties":{"args":{"amount":5}}}`, `{"session":"s"}`), "false action_not_granted"},
		{"held", ask("pay", `{"name":"send","properties":{"args":{"amount":50}}}`, `{"session":"s"}`), "false approval_required"},
		{"no arguments are not an empty object", ask("pay", `{"name":"send"}`, `{"session":"s"}`), "false expression_error"},
		{"no action", ask("ping", `{"name":""}`, `{}`), "true "},
		{"sanitized for one who can", ask("mail", `{"name":"","properties":{"args":{"to":"ann@example.com"}}}`, `{"obligations_supported":["sanitize"]}`), `true sanitized {"to":"[EMAIL]"}`},
		{"sanitized for one who cannot", ask("mail", `{"name":"","properties":{"args":{"to":"ann@example.com"}}}`, `{}`), "false cannot_sanitize_here"},
		{"shadow entry", ask("log", `{"name":"","properties":{"args":{"n":5}}}`, `{}`), "true max_exceeded"},
	} {
		status, text := post("/access/v1/evaluation", c.body)
		var got struct {
			Decision bool
			Context  struct {
				Reason      string
				Obligations []struct{ Args json.RawMessage }
			}
		}
		if err := json.Unmarshal([]byte(text), &got); err != nil || status != 200 {
			t.Errorf("%s: %d %s", c.what, status, text)
			continue
		}
		said := map[bool]string{true: "true ", false: "false "}[got.Decision] + got.Context.Reason
		for _, o := range got.Context.Obligations {
			said += " " + string(o.Args)
		}
		if said != c.want {
			t.Errorf("%s: %s, want %s", c.what, said, c.want)
		}
	}
}

// TestNoEvaluation: what is not exactly an evaluation is refused, with its place.
func TestNoEvaluation(t *testing.T) {
	post := client(t, aegis.Enforce)
	good := ask("ping", `{"name":""}`, `{}`)
	for _, body := range []string{
		`[]`, `{}`, good + "x", strings.Replace(good, `"subject"`, `"Subject"`, 1), strings.Replace(good, `"agent"`, `7`, 1),
		strings.Replace(good, `"id":"a"`, `"id":""`, 1), strings.Replace(good, `"acme"`, `7`, 1), strings.Replace(good, `"acme"`, `""`, 1),
		strings.Replace(good, `"type":"tool",`, ``, 1), strings.Replace(good, `{"name":""}`, `{}`, 1),
		strings.Replace(good, `{"name":""}`, `{"name":"x","properties":{"args":[]}}`, 1),
		strings.Replace(good, `"context":{}`, `"context":{"Chain":[]}`, 1), strings.Replace(good, `"context":{}`, `"context":{"dryRun":true}`, 1),
		strings.Replace(good, `"context":{}`, `"contxet":{}`, 1), strings.Replace(good, `"context":{}`, `"context":{"dry_run":true,"time":"noon"}`, 1),
		strings.Replace(good, `{"name":""}`, `{"name":"","Name":""}`, 1),
		strings.Replace(good, `"context":{}`, `"context":{"sesion":"s"}`, 1), strings.Replace(good, `"context":{}`, `"context":{"tenant":"b"}`, 1),
		strings.Replace(good, `"context":{}`, `"context":{"obligations_supported":"sanitize"}`, 1),
		strings.Replace(good, `"context":{}`, `"context":{},"context":{}`, 1), `{"evaluations":[]}`,
	} {
		for _, path := range []string{"/access/v1/evaluation", "/access/v1/evaluations"} {
			if status, text := post(path, body); status != 400 || !strings.Contains(text, `"code":"malformed"`) {
				t.Errorf("%s %s: %d %s", path, body, status, text)
			}
		}
	}
}

func TestEvaluations(t *testing.T) {
	const defaults = `"subject":{"type":"agent","id":"a","properties":{"tenant":"acme"}},"resource":{"type":"tool","id":"pay"},
		"action":{"name":"send","properties":{"args":{"amount":1}}},"context":{"session":"s"}`
	for _, c := range []struct{ what, body, want string }{
		{"each counts for the next", `{` + defaults + `,"evaluations":[{},{},{},{}]}`, "true true true false"},
		{"until one is denied", `{` + defaults + `,"evaluations":[{},{"action":{"name":"x"}},{}],"options":{"evaluations_semantic":"deny_on_first_deny"}}`, "true false"},
		{"until one is permitted", `{` + defaults + `,"evaluations":[{"action":{"name":"x"}},{},{}],"options":{"evaluations_semantic":"permit_on_first_permit"}}`, "false true"},
		{"none is one", `{` + defaults + `}`, "single"},
		{"an empty list is one", `{` + defaults + `,"evaluations":[]}`, "single"},
		{"one that is wrong is denied in its place", `{` + defaults + `,"evaluations":[{"action":{}},{},5,{}]}`, "false true false true"},
		{"and ends a series that ends with the first denial", `{` + defaults + `,"evaluations":[{},{"action":{}},{}],"options":{"evaluations_semantic":"deny_on_first_deny"}}`, "true false"},
		{"a default that is wrong", `{"subject":7,"evaluations":[{}]}`, "400"},
		{"options that are none", `{` + defaults + `,"evaluations":[{}],"options":[]}`, "400"},
		{"options that nobody knows", `{` + defaults + `,"evaluations":[{}],"options":{"another_option":1}}`, "true"},
		{"no list", `{` + defaults + `,"evaluations":{}}`, "400"},
		{"another semantic", `{` + defaults + `,"evaluations":[{}],"options":{"evaluations_semantic":"random"}}`, "400"},
	} {
		post := client(t, aegis.Enforce)
		status, text := post("/access/v1/evaluations", c.body)
		var got struct {
			Decision    *bool
			Evaluations []struct{ Decision bool }
		}
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatalf("%s: %s", c.what, text)
		}
		said := ""
		for _, e := range got.Evaluations {
			said += map[bool]string{true: " true", false: " false"}[e.Decision]
		}
		if said = strings.TrimSpace(said); status != 200 {
			said = "400"
		} else if got.Decision != nil {
			said = "single"
		}
		if said != c.want {
			t.Errorf("%s: %s, want %s (%s)", c.what, said, c.want, text)
		}
	}
}

func TestMetadata(t *testing.T) {
	status, text := client(t, aegis.Enforce)("/.well-known/authzen-configuration", "")
	if status != 200 || !strings.Contains(text, `/access/v1/evaluations"`) {
		t.Errorf("%d %s", status, text)
	}
}

// TestShadowBlocksNothing: the true decision stands in the answer all the same.
func TestShadowBlocksNothing(t *testing.T) {
	status, text := client(t, aegis.Shadow)("/access/v1/evaluation", ask("pay", `{"name":"other"}`, `{}`))
	if status != 200 || !strings.HasPrefix(text, `{"decision":true`) || !strings.Contains(text, `"would_block":true`) {
		t.Errorf("%d %s", status, text)
	}
}
