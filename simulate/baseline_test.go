package simulate

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/capture"
	"github.com/aegisctl/aegis/decide"
	"github.com/aegisctl/aegis/policy"
)

var update = flag.Bool("update", false, "write the expected reports in testdata anew")

// TestKindOf: every change between the four classes has one kind, and only those.
func TestKindOf(t *testing.T) {
	for from := range aegis.Outcome(aegis.Outcomes) {
		for to := range aegis.Outcome(aegis.Outcomes) {
			class := func(o aegis.Outcome) string {
				switch o {
				case aegis.Allow, aegis.Sanitize:
					return "through"
				case aegis.Deny, aegis.Reject:
					return "blocked"
				}
				return o.String()
			}
			want := Same
			switch a, b := class(from), class(to); {
			case from == aegis.Allow && to == aegis.Sanitize:
				want = NewlySanitized
			case from == aegis.Sanitize && to == aegis.Allow:
				want = NoLongerSanitized
			case a == b:
			case b == "unknown":
				want = NewlyUnknown
			case a == "unknown":
				want = NoLongerUnknown
			case b == "blocked":
				want = NewlyDenied
			case b == "through":
				want = NewlyAllowed
			default:
				want = NewlyHeld
			}
			if got := KindOf(from, to); got != want {
				t.Errorf("from %s to %s: %s, want %s", from, to, got, want)
			}
		}
	}
}

// A realistic change: a ceiling goes down, another up, a grant is taken away and one is new.
const (
	beforePolicy = `
tenant: acme
agent: finance-agent
callers: [user, planner-agent]
allowed_tools:
  - name: stripe-payments
    actions: [create_payment]
    conditions:
      max_amount: 5000
      deny_if: amount > 50000
      args: {currency: {in: [USD, EUR]}}
  - {name: stripe-payments, actions: [refund_payment], conditions: {max_amount: 500}}
  - {name: stripe-payments, actions: ["get_*", "list_*"], effect: read}
`
	afterPolicy = `
tenant: acme
agent: finance-agent
callers: [user, planner-agent]
allowed_tools:
  - name: stripe-payments
    actions: [create_payment]
    conditions:
      max_amount: 3000
      approval_needed_if: amount > 3000
      deny_if: amount > 50000
      args: {currency: {in: [USD, EUR]}}
  - {name: stripe-payments, actions: [refund_payment], conditions: {max_amount: 900}}
  - {name: stripe-payments, actions: ["get_*"], effect: read}
  - {name: bank-transfer, actions: [send]}
`
)

// loadHere writes a policy to the current directory, so that places in it are the same everywhere, and loads it.
func loadHere(t *testing.T, name, text string) *policy.Set {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := policy.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestBaselineReports holds the report of the realistic change in every format to what was read and found right.
func TestBaselineReports(t *testing.T) {
	traffic, err := filepath.Abs("../examples/payments/traffic.parquet")
	if err != nil {
		t.Fatal(err)
	}
	golden, _ := filepath.Abs("testdata")
	t.Chdir(t.TempDir())
	old, set := loadHere(t, "before.yaml", beforePolicy), loadHere(t, "after.yaml", afterPolicy)
	rep, err := Run(context.Background(), set, Options{Traffic: []string{traffic}, Baseline: old, Examples: true})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	p := &printer{w: &text}
	p.line(rep.Changes.Headline())
	p.changes(rep.Changes)
	var md sections
	rep.Changes.markdown(&md)
	js, err := json.MarshalIndent(rep.Changes, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	var findings strings.Builder
	for _, f := range rep.Changes.Findings() {
		fmt.Fprintln(&findings, f)
	}
	for name, got := range map[string]string{"baseline.txt": text.String(), "baseline.md": md.String(), "baseline.json": string(js) + "\n",
		"baseline.findings.txt": findings.String()} {
		path := filepath.Join(golden, name)
		if *update {
			if err := os.MkdirAll(golden, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs (write it anew with -update, and read it):\n%s", name, got)
		}
	}
	html, err := rep.HTML()
	if err != nil || !strings.Contains(html, rep.Changes.Headline()) || !strings.Contains(html, "What changed, and why") {
		t.Errorf("the page lacks the comparison: %v", err)
	}
}

// TestBaselineWorkersAgree: the comparison, examples and all, does not depend on who counts first.
func TestBaselineWorkersAgree(t *testing.T) {
	rows := many(140_000)
	for i := range rows {
		rows[i].Args = fmt.Appendf(nil, `{"amount":%d,"n":%d}`, i%100, (i*7919)%1000)
	}
	traffic := write(t, filepath.Join(t.TempDir(), "t.parquet"), rows...)
	old := loadText(t, "agent: a\nallowed_tools: [{name: pay, conditions: {max_amount: 90, approval_needed_if: amount > 97}}]\n")
	set := loadText(t, "agent: a\nallowed_tools: [{name: pay, conditions: {max_amount: 80, deny_if: n > 990, approval_needed_if: amount > 95}}]\n")
	var first string
	for _, opt := range []Options{{Workers: 1}, {Workers: 2}, {Workers: 5}, {Workers: 2, Each: func(*aegis.Call, *decide.Verdict) {}}} {
		opt.Traffic, opt.Baseline, opt.Examples = []string{traffic}, old, true
		rep, err := Run(context.Background(), set, opt)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(rep.Changes)
		if err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = string(b)
		}
		if string(b) != first {
			t.Errorf("workers %d:\n%s\nfirst:\n%s", opt.Workers, b, first)
		}
	}
	if strings.Count(first, `"newly_`) < 6 {
		t.Errorf("nothing to compare: %s", first)
	}
}

// TestExamplesHidePersonalData: what an example shows was cited, cleaned and cut, and stays text in every format.
func TestExamplesHidePersonalData(t *testing.T) {
	rows := []capture.Row{
		{Agent: "a", Tool: "mail", Args: []byte(`{"to":"jane.roe@example.com","note":"card 4111 1111 1111 1111 \u001b]52;c;A\u0007 ` +
			"`@all` <b>|</b>" + `","other":"bob@example.com","list":["eve@example.com"],"card":4111111111111111}`)},
		{Agent: "a", Tool: "sum", Args: []byte(`{"surprise <i>":"x@example.com"}`)},
		{Agent: "a", Tool: "big", Args: []byte(`{"text":"` + strings.Repeat("long ", 1000) + `"}`)},
		{Agent: "a", Tool: "gone", Coverage: "redacted"},
	}
	traffic := write(t, filepath.Join(t.TempDir(), "t.parquet"), rows...)
	old := loadText(t, "agent: a\nallowed_tools: [{name: [mail, sum, big]}, {name: gone}]\n")
	set := loadText(t, `
agent: a
allowed_tools:
  - name: mail
    conditions: {deny_if: ['to != "x"', 'note != "x"', '"y" in list || card > 5']}
  - {name: sum, conditions: {other_args: deny}}
  - {name: big, conditions: {args: {text: {max_length: 5}}}}
`)
	rep, err := Run(context.Background(), set, Options{Traffic: []string{traffic}, Baseline: old, Examples: true})
	if err != nil {
		t.Fatal(err)
	}
	args := map[string]string{}
	for _, e := range rep.Changes.Examples {
		args[e.Tool] = fmt.Sprintf("%d others", e.OtherArgs)
		if e.Args != nil {
			args[e.Tool] = fmt.Sprintf("%s and %d others", *e.Args, e.OtherArgs)
		}
	}
	want := map[string]string{
		"sum":  `{"surprise \u003ci\u003e":"[EMAIL]"} and 0 others`,
		"big":  `{"text":"` + strings.Repeat("long ", exampleBytes/5) + `…"} and 0 others`,
		"gone": "0 others",
	}
	for tool, w := range want {
		if args[tool] != w {
			t.Errorf("%s shows %s, want %s", tool, args[tool], w)
		}
	}
	if m := args["mail"]; !strings.Contains(m, `"to":"[EMAIL]"`) || !strings.Contains(m, `"list":"[\"[EMAIL]\"]"`) || !strings.HasSuffix(m, "and 1 others") {
		t.Errorf("mail shows %s", m)
	}
	checkHarmless(t, rep, "example.com", "4111")
	rep, err = Run(context.Background(), set, Options{Traffic: []string{traffic}, Baseline: old})
	if err != nil {
		t.Fatal(err)
	}
	if len(rep.Changes.Examples) > 0 || rep.Changes.NewlyDenied.Count != 4 {
		t.Errorf("without examples: %+v", rep.Changes)
	}
}

// checkHarmless: no format holds the forbidden texts, nor what a terminal or a browser acts on.
func checkHarmless(t *testing.T, rep *Report, forbidden ...string) {
	t.Helper()
	var text strings.Builder
	if err := rep.WriteText(&text, false); err != nil {
		t.Fatal(err)
	}
	html, err := rep.HTML()
	if err != nil {
		t.Fatal(err)
	}
	js, err := json.Marshal(rep)
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]string{"text": text.String(), "markdown": rep.Markdown(), "html": html, "json": string(js)} {
		for _, bad := range append(forbidden, "\x1b", "\a", "\u202e") {
			if strings.Contains(s, bad) {
				t.Errorf("%s holds %q", name, bad)
			}
		}
	}
	if strings.Contains(html, "<b>|") || strings.Contains(rep.Markdown(), "``@all") {
		t.Error("text of the traffic became markup")
	}
}

// TestMarkdownFits: a comment holds 65,536 characters, however much there is to say.
func TestMarkdownFits(t *testing.T) {
	rep := &Report{Changes: &Changes{Changed: 1, Matrix: map[string]Counts{}}, By: map[string][]Row{}}
	long := strings.Repeat("<&|`x", 200)
	for i := range 400 {
		side := Side{Decision: "deny", Reasons: []ChangeCause{{Code: aegis.MaxExceeded, Rule: fmt.Sprint(i, long), Says: long}}}
		rep.Changes.Groups = append(rep.Changes.Groups, ChangeGroup{Change: Kind(1 + i%int(kinds-1)), Calls: 1, Old: side, New: side, Source: long})
		rep.Changes.Examples = append(rep.Changes.Examples, Example{Group: i, Tenant: long, Agent: long})
		rep.Changes.ByTool = append(rep.Changes.ByTool, ChangeRow{Key: long})
		for _, by := range []string{"tool", "action", "agent", "reason", "rule", "a", "b", "c"} {
			rep.By[by] = append(rep.By[by], Row{Key: long})
		}
		rep.Rollout.EnforceNow = append(rep.Rollout.EnforceNow, ToolPlan{Tool: long})
	}
	md := rep.Markdown()
	if len(md) > 65_536 {
		t.Errorf("%d bytes", len(md))
	}
	if strings.Count(md, "<details") != strings.Count(md, "</details>") || !strings.Contains(md, "did not fit into a comment") {
		t.Error("a part was cut, or nobody is told that some are missing")
	}
}
