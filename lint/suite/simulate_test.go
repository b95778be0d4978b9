package suite_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/capture"
	"github.com/aegisctl/aegis/decide"
	"github.com/aegisctl/aegis/lint/suite"
	"github.com/aegisctl/aegis/policy"
	"github.com/aegisctl/aegis/simulate"
)

// oneOf draws a member of a list.
func oneOf[T any](t *rapid.T, name string, list ...T) T { return rapid.SampledFrom(list).Draw(t, name) }

// traffic draws calls of the agents of an example, everything captured, in time order.
func traffic(t *rapid.T) []capture.Row {
	now := int64(1_772_442_000_000_000)
	rows := make([]capture.Row, rapid.IntRange(2, 40).Draw(t, "rows"))
	for i := range rows {
		now += oneOf(t, "gap", int64(1), 2, 6, 60, 3600, 25*3600) * 1_000_000
		r := capture.Row{TimeMicros: now, HasTime: true, Tenant: oneOf(t, "tenant", "acme", "acme", "acme", "globex"),
			Agent: oneOf(t, "agent", "finance-agent", "finance-agent", "finance-agent", "other"), Session: oneOf(t, "session", "s1", "s2"),
			Chain: oneOf(t, "chain", nil, nil, []string{"planner-agent"}, []string{"x"}), Region: "eu-west-1",
			Tool: "stripe-payments", Action: oneOf(t, "action", "create_payment", "create_payment", "refund_payment", "get_balance"),
			Outcome: oneOf(t, "outcome", "ok", "ok", "error")}
		amount := oneOf(t, "amount", "1", "499.99", "5000", "5000.01", "20000", "50001", `"1"`, "null", "1e2", "-1", "0.001")
		r.Args = fmt.Appendf(nil, `{"amount":%s,"currency":%q,"recipient":%q,"payment_id":"pi_%d"}`, amount,
			oneOf(t, "currency", "USD", "EUR", "GBP"), oneOf(t, "payee", "acct_1f3a9c2e77", "acct_0"), oneOf(t, "payment", 1, 2, 3))
		if rapid.IntRange(0, 19).Draw(t, "hostile") == 0 {
			r.Args = []byte(`{"amount":1,"amount":2}`)
		}
		rows[i] = r
	}
	return rows
}

// expectation writes what simulate said of a call as a test expects it.
func expectation(set *policy.Set, v *decide.Verdict) map[string]any {
	reasons, errs := []any{}, []any{}
	for _, h := range v.Hits {
		item := map[string]any{"code": h.Code.String()}
		if id := set.Rules[h.Rule].ID; id != "" {
			item["rule"] = id
		}
		if h.Code.IsError() {
			errs = append(errs, item)
		} else {
			reasons = append(reasons, item)
		}
	}
	return map[string]any{"decision": v.Outcome.String(), "reasons": reasons, "errors": errs, "cost": "$" + aegis.FormatMicro(v.Cost)}
}

// envelope writes a captured call as the envelope of a test.
func envelope(r *capture.Row) map[string]any {
	e := map[string]any{"tenant": r.Tenant, "agent": r.Agent, "session": r.Session, "region": r.Region, "tool": r.Tool, "action": r.Action,
		"args": string(r.Args), "time": time.UnixMicro(r.TimeMicros).UTC().Format(time.RFC3339Nano)}
	if r.Chain != nil {
		e["chain"] = r.Chain
	}
	return e
}

// TestAgreesWithSimulate: what simulate says of captured calls, written down as a test, passes; and with one decision
// changed it fails, at that call.
func TestAgreesWithSimulate(t *testing.T) {
	policies, err := filepath.Abs("../../examples/payments/policies")
	if err != nil {
		t.Fatal(err)
	}
	set, err := policy.Load(policies)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		rows := traffic(rt)
		held := oneOf(rt, "held", decide.Granted, decide.Refused)
		steps := simulated(rt, set, rows, held, filepath.Join(dir, "t.parquet"))
		wrong := rapid.IntRange(-1, len(steps)-1).Draw(rt, "wrong")
		if wrong >= 0 {
			e := steps[wrong]["expect"].(map[string]any)
			e["decision"] = map[any]string{"allow": "deny"}[e["decision"]]
			if e["decision"] == "" {
				e["decision"] = "allow"
			}
		}
		last := steps[len(steps)-1]
		text, err := json.Marshal(map[string]any{"test": "simulated", "held": string(held), "cases": []any{map[string]any{
			"name": "all", "before": steps[:len(steps)-1], "call": last["call"], "expect": last["expect"]}}})
		if err != nil {
			rt.Fatal(err)
		}
		path := filepath.Join(dir, "p_test.json")
		if err := os.WriteFile(path, text, 0o644); err != nil {
			rt.Fatal(err)
		}
		rep, err := suite.Run(t.Context(), []string{path}, suite.Options{Policies: []string{policies}})
		if err != nil {
			rt.Fatal(err)
		}
		want := ""
		switch {
		case wrong == len(steps)-1:
			want = "decision"
		case wrong >= 0:
			want = fmt.Sprintf("before[%d] decision", wrong)
		}
		got := ""
		for _, f := range rep.Cases[0].Failures {
			got += f.What
		}
		if got != want {
			rt.Fatalf("failed %q, want %q: %+v", got, want, rep.Cases[0].Failures)
		}
	})
}

// simulated runs rows through simulate and returns them as steps of a test. The outcome of the last one does not matter
// to a case, and has no place in it.
func simulated(rt *rapid.T, set *policy.Set, rows []capture.Row, held decide.Held, path string) []map[string]any {
	rows[len(rows)-1].Outcome = "ok"
	w, err := capture.Create(path)
	if err != nil {
		rt.Fatal(err)
	}
	if err := w.Write(rows...); err != nil {
		rt.Fatal(err)
	}
	if err := w.Close(); err != nil {
		rt.Fatal(err)
	}
	var steps []map[string]any
	opt := simulate.Options{Traffic: []string{path}, Held: held}
	opt.Each = func(c *aegis.Call, v *decide.Verdict) {
		r := &rows[len(steps)]
		step := map[string]any{"call": envelope(r), "expect": expectation(set, v)}
		if v.Outcome == aegis.Unknown {
			rt.Fatalf("a fact is lacking: %s", r.Args)
		}
		if len(steps) < len(rows)-1 && r.Outcome != "ok" {
			step["outcome"] = "error"
		}
		steps = append(steps, step)
	}
	if _, err := simulate.Run(rt.Context(), set, opt); err != nil {
		rt.Fatal(err)
	}
	return steps
}
