package serve_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/capture"
	"github.com/aegisctl/aegis/decide"
	"github.com/aegisctl/aegis/policy"
	"github.com/aegisctl/aegis/serve"
	"github.com/aegisctl/aegis/serve/authzen"
	"github.com/aegisctl/aegis/serve/native"
	"github.com/aegisctl/aegis/simulate"
)

// answered is what a door said of one call.
type answered struct {
	id     string
	passes bool
	said   string
}

// parityDoor sends the calls of a case and reads the answers.
type parityDoor interface {
	name() string
	send(t *testing.T, url string, c *parityCase, clock *hands) []answered
}

// wireDecision is the decision object as clients read it.
type wireDecision struct {
	Decision, Mode  string
	Enforced        bool
	WouldBlock      bool `json:"would_block"`
	WouldHold       bool `json:"would_hold"`
	Reasons, Errors []aegis.Reason
	Args            json.RawMessage
}

func (d *wireDecision) said() string {
	return said(d.Decision, d.Reasons, d.Errors)
}

// post sends one body and returns the answer.
func post(t testing.TB, url string, body []byte) (int, http.Header, []byte) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	return exchange(t, r, body)
}

// exchange sends a request, and holds it and the answer to the server's own document.
func exchange(t testing.TB, r *http.Request, body []byte) (int, http.Header, []byte) {
	t.Helper()
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	held(t, r, body, res.StatusCode, res.Header, text)
	return res.StatusCode, res.Header, text
}

func read(t testing.TB, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
}

// report tells the server that a call failed.
func report(t *testing.T, url string, c *parityCall, a answered) {
	t.Helper()
	if c.Outcome == "" || !a.passes {
		return
	}
	body := marshal(t, map[string]string{"decision_id": a.id, "outcome": c.Outcome})
	if status, _, text := post(t, url+"/v1/outcome", body); status != http.StatusNoContent {
		t.Fatalf("outcome: %d %s", status, text)
	}
}

// nativeDoor is POST /v1/decide.
type nativeDoor struct{}

func (nativeDoor) name() string { return "POST /v1/decide" }

func (nativeDoor) send(t *testing.T, url string, c *parityCase, clock *hands) (out []answered) {
	for i := range c.calls {
		k := &c.calls[i]
		clock.set(k.at)
		status, h, text := post(t, url+"/v1/decide", k.envelope(t))
		var d wireDecision
		read(t, text, &d)
		if want := map[bool]int{true: 400, false: 200}[d.Decision == "reject"]; status != want {
			t.Errorf("%s answers %d", text, status)
		}
		a := answered{id: h.Get("Aegis-Decision-Id"), said: d.said()}
		a.passes = d.Decision != "reject" && (d.Decision == "allow" || d.Decision == "sanitize" || !d.Enforced)
		report(t, url, k, a)
		out = append(out, a)
	}
	return out
}

// authzenDoor is POST /access/v1/evaluation.
type authzenDoor struct{}

func (authzenDoor) name() string { return "POST /access/v1/evaluation" }

// evaluation writes a call in the words of AuthZEN.
func (c *parityCall) evaluation() map[string]any {
	ctx := map[string]any{"obligations_supported": []string{"sanitize"}}
	for key, value := range map[string]string{"session": c.Session, "region": c.Region, "effect": c.Effect} {
		if value != "" {
			ctx[key] = value
		}
	}
	if len(c.Chain) > 0 {
		ctx["chain"] = c.Chain
	}
	return map[string]any{
		"subject":  map[string]any{"type": "agent", "id": c.Agent, "properties": map[string]any{"tenant": c.Tenant}},
		"resource": map[string]any{"type": "tool", "id": c.Tool},
		"action":   map[string]any{"name": c.Action, "properties": map[string]any{"args": c.Args}},
		"context":  ctx,
	}
}

// wireEvaluation is an AuthZEN answer.
type wireEvaluation struct {
	Decision bool
	Context  struct {
		ID          string
		Reason      string
		Obligations []struct {
			Type string
			Args json.RawMessage
		}
		Error *struct {
			Status  int
			Message string
		}
		Aegis *wireDecision
	}
}

func (e *wireEvaluation) answered() answered {
	if e.Context.Aegis == nil {
		return answered{id: e.Context.ID, said: "reject"}
	}
	return answered{id: e.Context.ID, passes: e.Decision, said: e.Context.Aegis.said()}
}

func (authzenDoor) send(t *testing.T, url string, c *parityCase, clock *hands) (out []answered) {
	for i := range c.calls {
		k := &c.calls[i]
		clock.set(k.at)
		status, _, text := post(t, url+"/access/v1/evaluation", marshal(t, k.evaluation()))
		a := answered{said: "reject"}
		if status == http.StatusOK {
			var e wireEvaluation
			read(t, text, &e)
			a = e.answered()
		} else if status != http.StatusBadRequest {
			t.Errorf("%d %s", status, text)
		}
		report(t, url, k, a)
		out = append(out, a)
	}
	return out
}

// seriesDoor is POST /access/v1/evaluations, with all calls of a case in one request. A series cannot report what became of
// a call before the next: such cases go call by call, each as a series of one.
type seriesDoor struct{}

func (seriesDoor) name() string { return "POST /access/v1/evaluations" }

func (seriesDoor) send(t *testing.T, url string, c *parityCase, clock *hands) (out []answered) {
	step := len(c.calls)
	for i := range c.calls {
		if c.calls[i].Outcome != "" {
			step = 1
		}
	}
	for i := 0; i < len(c.calls); i += step {
		var list []any
		var times []time.Time
		for j := i; j < i+step; j++ {
			list, times = append(list, c.calls[j].evaluation()), append(times, c.calls[j].at)
		}
		clock.set(times...)
		status, _, text := post(t, url+"/access/v1/evaluations", marshal(t, map[string]any{"evaluations": list}))
		var got struct{ Evaluations []wireEvaluation }
		if read(t, text, &got); status != http.StatusOK || len(got.Evaluations) != step {
			t.Fatalf("%d %s", status, text)
		}
		for j, e := range got.Evaluations {
			report(t, url, &c.calls[i+j], e.answered())
			out = append(out, e.answered())
		}
	}
	return out
}

// through sends a case through a door of a server that captures, and simulates the capture.
func (c *parityCase) through(t *testing.T, set *policy.Set, door parityDoor, mode aegis.Mode) (got []string) {
	t.Helper()
	clock := &hands{}
	clock.set(c.calls[0].at)
	dir := t.TempDir()
	kept := serve.NewCapture(serve.CaptureOptions{Dir: dir, Now: func() time.Time { return c.calls[0].at }})
	s := serve.New(serve.Options{Mode: mode, Now: clock.now, Observers: []serve.Observer{kept}})
	defer s.Close()
	if err := s.Install([]serve.Source{{Name: c.name, Set: set}}); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	web := &serve.Web{Auth: serve.NoAuth{}}
	native.New(s, web).Register(mux)
	authzen.New(s, web).Register(mux)
	srv := httptest.NewServer(mux)
	defer srv.Close()
	var readable []int
	for i, a := range door.send(t, srv.URL, c, clock) {
		got = append(got, a.said)
		if mode == aegis.Shadow && !a.passes && a.said != "reject" {
			t.Errorf("%s, call %d: %s blocks in shadow: %s", c.name, i+1, door.name(), a.said)
		}
		if c.calls[i].malformed(t) {
			continue
		}
		readable = append(readable, i)
	}
	if err := kept.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.parquet"))
	if err != nil || len(files) != 1 {
		t.Fatal(door.name(), mode, files, err)
	}
	again := c.simulate(t, set, files[0], mode)
	for row, i := range readable {
		if said := at(again, row); said != got[i] && !c.calls[i].untold(said) {
			t.Errorf("%s: call %d in mode %s was captured through %s as\n  %s\nand is simulated as\n  %s", c.name, i+1, mode, door.name(), got[i], said)
		}
	}
	return got
}

// malformed reports whether a call cannot be read by any door, so that no capture has it.
func (c *parityCall) malformed(t *testing.T) bool {
	_, err := aegis.DecodeCall(c.envelope(t))
	return err != nil
}

// parquet writes the case as captured traffic.
func (c *parityCase) parquet(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "t.parquet")
	w, err := capture.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range c.calls {
		k := &c.calls[i]
		row := capture.Row{TimeMicros: k.at.UnixMicro(), HasTime: true, Tenant: k.Tenant, Session: k.Session, Agent: k.Agent, Chain: k.Chain,
			Tool: k.Tool, Action: k.Action, Args: k.Args, Effect: k.Effect, Region: k.Region, Outcome: k.Outcome, Coverage: "full"}
		if err := w.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// simulate replays a capture. Held calls are refused, as on a server where nobody has approved; one in shadow lets them
// pass.
func (c *parityCase) simulate(t *testing.T, set *policy.Set, path string, mode aegis.Mode) (got []string) {
	t.Helper()
	engine, err := decide.New(set)
	if err != nil {
		t.Fatal(err)
	}
	held := map[aegis.Mode]decide.Held{aegis.Enforce: decide.Refused, aegis.Shadow: decide.Granted}[mode]
	_, err = simulate.Run(context.Background(), set, simulate.Options{Traffic: []string{path}, Mode: mode, Held: held,
		Each: func(k *aegis.Call, v *decide.Verdict) {
			if v.Outcome == aegis.Reject {
				got = append(got, v.Outcome.String())
				return
			}
			reasons, errs := engine.Explain(k, v)
			got = append(got, said(v.Outcome.String(), reasons, errs))
		}})
	if err != nil {
		t.Fatal(err)
	}
	return got
}
