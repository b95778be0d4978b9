package telemetry_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
	"github.com/aegisctl/aegis/serve"
	"github.com/aegisctl/aegis/serve/telemetry"
)

const payments = `
tenant: acme
agent: finance-agent
limits: [{calls: 1000/day}, {budget: $500/day}]
allowed_tools:
  - name: pay
    conditions: {approval_needed_if: amount > 1000}
    cost: $0.02
  - {name: refund, conditions: {max_amount: 100}}
  - {name: "ledger-*", effect: read}
  - {name: mail, sanitize: [{redact: [email]}]}
`

const globex = `
tenant: globex
agent: finance-agent
allowed_tools:
  - {name: pay, conditions: {max_amount: 10}}
`

// service makes a service of policies, told to observers.
func service(t testing.TB, opt serve.Options, texts ...string) *serve.Service {
	t.Helper()
	s := serve.New(opt)
	t.Cleanup(s.Close)
	install(t, s, texts...)
	return s
}

func install(t testing.TB, s *serve.Service, texts ...string) {
	t.Helper()
	var src []serve.Source
	for i, text := range texts {
		set, err := policy.LoadText("policy.yaml", text)
		if err != nil {
			t.Fatal(err)
		}
		src = append(src, serve.Source{Name: filepath.Join("policies", string(rune('a'+i))), Set: set, Serial: 7, Signed: true})
	}
	if err := s.Install(src); err != nil {
		t.Fatal(err)
	}
}

// request makes a request of parts that need not be what a strict decoder lets pass.
func request(t testing.TB, tenant, agent, tool, args string) *serve.Request {
	t.Helper()
	c, err := aegis.DecodeCall([]byte(`{"tenant":"x","agent":"x","tool":"x","args":` + args + `}`))
	if err != nil {
		t.Fatal(err)
	}
	c.Tenant, c.Agent, c.Tool = tenant, agent, tool
	return &serve.Request{Call: c, Door: "native", Rewrites: true, Who: serve.Principal{Name: "anybody"}}
}

// outputs opens an output of each spec; done closes them.
func outputs(t *testing.T, specs ...string) (events telemetry.Events, done func()) {
	t.Helper()
	for _, spec := range specs {
		o, err := telemetry.NewOutput(telemetry.OutputOptions{Spec: spec, Version: "v1"})
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, o)
	}
	return events, func() {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		for _, o := range events {
			if err := o.Close(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// tool finds a program that a test hands output to, by a variable or on the PATH.
func tool(t *testing.T, variable, name string) string {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		path, _ = exec.LookPath(name)
	}
	if path != "" {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not there: install it, or set %s", name, variable)
	}
	t.Skipf("SKIPPED: %s is not there; set %s", name, variable)
	return ""
}

// eventually waits for something that another goroutine or process does.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("did not happen: %s", what)
}
