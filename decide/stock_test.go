package decide

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/bundle"
	captured "github.com/aegisctl/aegis/capture"
	"github.com/aegisctl/aegis/compile"
	"github.com/aegisctl/aegis/policy"
)

// The tests of this file run bundles where we have no say: on a stock OPA, and on the stock runtime of its WebAssembly
// modules. 10,000 captured calls of the examples are decided by aegisctl and there, and every answer must be the same.

// stockPacks are the examples and how many calls of each are taken; 0 takes all, and so does AEGIS_LONG.
var stockPacks = []struct {
	traffic string
	calls   int
}{
	{"payments/traffic.parquet", 0}, {"phi/traffic.parquet", 0}, {"saas-budgets/traffic.parquet", 0},
	{"deploys/traffic.parquet", 0}, {"multi-tenant/traffic.parquet", 0}, {"agentdojo/banking.parquet", 760},
	{"agentdojo/slack.parquet", 760}, {"agentdojo/travel.parquet", 760}, {"agentdojo/workspace.parquet", 760},
}

// stockCall is one call as OPA gets it, and what aegisctl decides on it.
type stockCall struct {
	input []byte
	want  stockDecision
}

// stockDecision is the part of the decision object that a bundle gives. (Mode, cost and rewritten arguments are the gate's.
// Messages that quote the call are written by aegisctl only; those that a policy states are on both sides.)
type stockDecision struct {
	Decision      string        `json:"decision"`
	PolicyVersion string        `json:"policy_version"`
	Reasons       []stockReason `json:"reasons"`
	Errors        []stockReason `json:"errors"`
}

type stockReason struct {
	Code    string `json:"code"`
	Rule    string `json:"rule"`
	Source  string `json:"source"`
	Message string `json:"message"`
}

// stockPack compiles a pack, loads the bundle as a server would, and decides calls of its traffic in their order.
func stockPack(t *testing.T, traffic string, most int, target compile.Target) (packed []byte, calls []stockCall) {
	t.Helper()
	set, err := policy.LoadOptions{Portable: true}.Load(filepath.Join("../examples", filepath.Dir(traffic), "policies"))
	if err != nil {
		t.Fatal(err)
	}
	a, err := compile.Build(set, compile.Options{Target: target})
	if err != nil {
		t.Fatal(err)
	}
	if packed, err = a.Bytes(); err != nil {
		t.Fatal(err)
	}
	if a, err = bundle.Read(bytes.NewReader(packed)); err != nil {
		t.Fatal(err)
	}
	if set, err = bundle.Load(a); err != nil {
		t.Fatal(err)
	}
	gate, err := NewGate(set, Options{})
	if err != nil {
		t.Fatal(err)
	}
	in, told := newInputs(set), toldMessages(set)
	var scratch Scratch
	for _, row := range stockRows(t, filepath.Join("../examples", traffic), most) {
		if c, ok := stockDecide(t, gate, in, told, &scratch, &row); ok {
			calls = append(calls, c)
		}
	}
	return packed, calls
}

// stockRows reads the first rows of a file; most 0 reads all.
func stockRows(t *testing.T, path string, most int) []captured.Row {
	t.Helper()
	f, err := captured.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rows []captured.Row
	var b captured.Batch
	for g := range f.NumGroups() {
		if err := f.ReadGroup(g, captured.AllColumns, &b); err != nil {
			t.Fatal(err)
		}
		for i := range f.GroupRows(g) {
			if most > 0 && len(rows) == most && os.Getenv("AEGIS_LONG") == "" {
				return rows
			}
			var r captured.Row
			b.Row(i, &r)
			rows = append(rows, r)
		}
	}
	return rows
}

// toldMessages returns, by rule, what policies tell the caller.
func toldMessages(s *policy.Set) map[string]bool {
	told := map[string]bool{}
	e, err := New(s)
	if err != nil {
		panic(err)
	}
	for i, x := range e.about {
		if x.condition != nil && x.condition.Message != "" {
			told[s.Rules[i].ID] = true
		}
	}
	return told
}

// stockDecide takes one call along the whole path, and notes the facts as they stood. It is false for calls that the gate
// answers without asking the rules, or after it has rewritten them to no avail.
func stockDecide(t *testing.T, g *Gate, in *inputs, told map[string]bool, s *Scratch, row *captured.Row) (stockCall, bool) {
	t.Helper()
	doc := new(aegis.Doc)
	if row.Args != nil {
		if err := doc.Parse(row.Args, aegis.MaxBody); err != nil {
			t.Fatal(err)
		}
	}
	c := &aegis.Call{Tenant: orElse(row.Tenant, "default"), Agent: row.Agent, Tool: row.Tool, Action: row.Action, Chain: row.Chain,
		Session: row.Session, Region: row.Region, Time: row.TimeMicros, HasTime: row.HasTime, Cost: row.CostMicro, HasCost: row.HasCost}
	c.Effect, _ = aegis.ParseEffect(row.Effect)
	if row.Args != nil {
		c.Args = doc.Root()
	}
	session := g.Session(c.Tenant, c.Session)
	v, err := g.Judge(s, g.Engine.Plan(c.Tenant, c.Agent, c.Tool, c.Action), c, session)
	if err != nil {
		t.Fatal(err)
	}
	facts := s.own
	if h := facts.Session; h != nil {
		facts.Session = &History{slices.Clone(h.Counts), slices.Clone(h.Sums), slices.Clone(h.Values), slices.Clone(h.Taints), nil}
	}
	if err := g.Commit(s, session, row.Outcome == "" || row.Outcome == "ok"); err != nil {
		t.Fatal(err)
	}
	for _, h := range v.Hits {
		switch h.Code {
		case aegis.Malformed, aegis.TenantMismatch, aegis.SanitizeFailed:
			return stockCall{}, false
		case aegis.RateExceeded, aegis.CallsExceeded, aegis.BudgetExceeded:
			facts.Exceeded = append(facts.Exceeded, h.Rule)
		}
	}
	d := stockDecision{Decision: v.Outcome.String(), PolicyVersion: g.Engine.set.Version}
	reasons, errs := g.Engine.Explain(c, v)
	d.Reasons, d.Errors = stockReasons(reasons, told), stockReasons(errs, told)
	return stockCall{stockInput(t, in, c, &facts), d}, true
}

func stockReasons(rs []aegis.Reason, told map[string]bool) []stockReason {
	out := []stockReason{}
	for _, r := range rs {
		x := stockReason{Code: r.Code.String(), Rule: r.Rule, Source: r.Source}
		if told[r.Rule] {
			x.Message = r.Message
		}
		out = append(out, x)
	}
	return out
}

// stockInput writes the envelope of a call, with the arguments as they came, and the facts beside it.
func stockInput(t *testing.T, in *inputs, c *aegis.Call, f *Facts) []byte {
	t.Helper()
	facts, err := ast.JSON(in.facts(c, f).Value)
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]any{"tenant": c.Tenant, "agent": c.Agent, "tool": c.Tool, "action": c.Action, "facts": facts}
	if len(c.Chain) > 0 {
		m["chain"] = c.Chain
	}
	if c.Region != "" {
		m["region"] = c.Region
	}
	if c.Session != "" {
		m["session"] = c.Session
	}
	if c.Args.Kind() == aegis.Object {
		m["args"] = json.RawMessage(c.Args.Text())
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// compareStock compares one answer.
func compareStock(t *testing.T, c stockCall, answer []byte) (same bool) {
	t.Helper()
	var got stockDecision
	if err := json.Unmarshal(answer, &got); err != nil {
		t.Errorf("%v: %s", err, answer)
		return false
	}
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", c.want) {
		t.Errorf("call %s\naegisctl %q\nthere    %q", c.input, c.want, got)
		return false
	}
	return true
}

// stockTool finds a program or directory that the Makefile provides by an environment variable.
func stockTool(t *testing.T, env string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("this takes a while")
	}
	tool := os.Getenv(env)
	if _, err := os.Stat(tool); tool != "" && err == nil {
		return tool
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s names nothing: run this by make test", env)
	}
	t.Skipf("SKIPPED: %s names nothing (make test sets it)", env)
	return ""
}

// enough is how many calls must have been compared, and of how many outcomes.
func enough(t *testing.T, outcomes map[string]int) {
	t.Helper()
	total := 0
	for _, n := range outcomes {
		total += n
	}
	t.Logf("%d calls: %v", total, outcomes)
	for _, o := range []string{"allow", "deny", "sanitize", "approval_needed"} {
		if outcomes[o] == 0 {
			t.Errorf("no call is decided %s", o)
		}
	}
	if total < 10_000 {
		t.Errorf("only %d calls were compared", total)
	}
}

// TestStockOPA asks a stock OPA server that runs the bundle.
func TestStockOPA(t *testing.T) {
	opa := stockTool(t, "AEGIS_OPA")
	t.Parallel()
	for _, target := range []compile.Target{compile.Rego, compile.Wasm} {
		t.Run(string(target), func(t *testing.T) {
			outcomes := map[string]int{}
			packs := stockPacks
			if target == compile.Wasm { // the same Rego: OPA need only take the module beside it
				packs = packs[:1]
			}
			for _, p := range packs {
				packed, calls := stockPack(t, p.traffic, p.calls, target)
				ask, stop := startOPA(t, opa, packed)
				var group sync.WaitGroup
				answers := make([][]byte, len(calls))
				for lane := range 4 {
					group.Go(func() {
						for i := lane; i < len(calls); i += 4 {
							answers[i] = ask(calls[i].input)
						}
					})
				}
				group.Wait()
				stop()
				for i, c := range calls {
					outcomes[c.want.Decision]++
					if !compareStock(t, c, answers[i]) {
						t.Fatalf("%s, call %d", p.traffic, i)
					}
				}
			}
			if target == compile.Rego {
				enough(t, outcomes)
			}
		})
	}
}

// startOPA starts an OPA server on a socket of its own. ask returns data.aegis.decision on an input.
func startOPA(t *testing.T, opa string, packed []byte) (ask func(input []byte) []byte, stop func()) {
	t.Helper()
	dir, err := os.MkdirTemp("", "opa") // a short name: sockets' names are bounded
	if err != nil {
		t.Fatal(err)
	}
	file, socket := filepath.Join(dir, "b.tar.gz"), filepath.Join(dir, "s")
	if err := os.WriteFile(file, packed, 0o644); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd := exec.Command(opa, "run", "--server", "--bundle", file, "--addr", "unix://"+socket, "--log-level", "error", "--disable-telemetry")
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		cmd.Process.Kill()
		cmd.Wait()
		os.RemoveAll(dir)
	})
	t.Cleanup(stop)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	for tries := 0; ; tries++ {
		r, err := client.Get("http://opa/health?bundles")
		if err == nil {
			r.Body.Close()
		}
		if err == nil && r.StatusCode == http.StatusOK {
			break
		}
		if tries == 300 {
			t.Fatalf("OPA does not start: %v\n%s", err, said.String())
		}
		time.Sleep(100 * time.Millisecond)
	}
	return func(input []byte) []byte {
		r, err := client.Post("http://opa/v0/data/aegis/decision", "application/json", bytes.NewReader(input))
		if err != nil {
			return []byte(err.Error())
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return []byte(err.Error())
		}
		return body
	}, stop
}

// TestStockWasm runs the module of a bundle on the stock runtime of OPA's modules for JavaScript.
func TestStockWasm(t *testing.T) {
	modules := stockTool(t, "AEGIS_OPA_WASM")
	t.Parallel()
	outcomes := map[string]int{}
	for _, p := range stockPacks {
		packed, calls := stockPack(t, p.traffic, p.calls, compile.Wasm)
		a, err := bundle.Read(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		for _, name := range []string{bundle.WasmPath, bundle.DataPath} {
			data, _ := a.Get(name)
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		var input, answers, said bytes.Buffer
		for _, c := range calls {
			input.Write(append(c.input, '\n'))
		}
		cmd := exec.Command("node", "testdata/wasm.cjs", modules, filepath.Join(dir, bundle.WasmPath), filepath.Join(dir, bundle.DataPath))
		cmd.Stdin, cmd.Stdout, cmd.Stderr = &input, &answers, &said
		if err := cmd.Run(); err != nil {
			t.Fatalf("%s: %v\n%s", p.traffic, err, said.String())
		}
		lines := bufio.NewScanner(&answers)
		lines.Buffer(nil, 16<<20)
		for i, c := range calls {
			if !lines.Scan() {
				t.Fatalf("%s: only %d answers\n%s", p.traffic, i, said.String())
			}
			outcomes[c.want.Decision]++
			if !compareStock(t, c, lines.Bytes()) {
				t.Fatalf("%s, call %d", p.traffic, i)
			}
		}
	}
	enough(t, outcomes)
}
