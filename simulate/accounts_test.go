package simulate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// checkAccounts recounts a report from the decisions that were written beside it: every row is accounted for, once.
func checkAccounts(t rapid.TB, set *policy.Set, opt Options, rep *Report, got []decided, rows []call) {
	t.Helper()
	calls, by := Counts{}, map[string]map[string]*Counts{}
	add := func(group, key string, o aegis.Outcome) {
		if by[group] == nil {
			by[group] = map[string]*Counts{}
		}
		bump(by[group], key)[o]++
	}
	sessions, lacking := map[string]bool{}, map[string]int64{}
	for _, d := range got {
		o, ok := aegis.ParseOutcome(d.Decision)
		if !ok {
			t.Fatalf("decision %q", d.Decision)
		}
		calls[o]++
		add("agent", *d.Tenant+"/"+*d.Agent, o)
		add("tool", *d.Tool, o)
		add("action", *d.Tool+"/"+is(d.Action), o)
		for _, r := range d.Rules {
			add("rule", r, o)
		}
		for _, r := range d.Reasons {
			add("reason", r, o)
			if o == aegis.Unknown && (strings.HasPrefix(r, "args_") || strings.HasPrefix(r, "no_") && r != "no_policy") {
				lacking[r]++
			}
		}
		add("tenant", *d.Tenant, o)
		add("session", "(none)", o)
		if d.Session != nil {
			by["session"]["(none)"][o]--
			add("session", *d.Session, o)
			sessions[*d.Tenant+"\n"+*d.Session] = true
		}
		if is(d.Version) != set.Version || !slices.IsSorted(d.Rules) || !slices.IsSorted(d.Reasons) {
			t.Fatalf("decision %+v", d)
		}
	}
	if calls != rep.Decisions || rep.Calls != calls.Total() || rep.Calls+rep.RejectedRows != int64(len(rows)) {
		t.Fatalf("%v decided, %v in the report of %d calls and %d rejected rows; %d rows in all", calls, rep.Decisions, rep.Calls,
			rep.RejectedRows, len(rows))
	}
	if int64(len(sessions)) != rep.Sessions {
		t.Fatalf("%d sessions, want %d", rep.Sessions, len(sessions))
	}
	for _, group := range []string{"agent", "tool", "action", "rule", "reason", "tenant", "session"} {
		if _, wanted := rep.By[group]; wanted {
			sameGroups(t, group, rep.By[group], by[group])
		}
	}
	for _, u := range rep.Unknown {
		if n := lacking[u.Key]; n == 0 || u.Total() != n {
			t.Fatalf("%d calls are unknown for %s, want %d", u.Total(), u.Key, n)
		}
	}
	if len(rep.Unknown) != len(lacking) {
		t.Fatalf("unknown %v, want %v", rep.Unknown, lacking)
	}
	checkLabels(t, opt, rep, got, rows)
	checkUnused(t, set, rep, by["rule"])
	checkRates(t, rep)
	checkContract(t, rep)
}

func sameGroups(t rapid.TB, group string, rows []Row, want map[string]*Counts) {
	t.Helper()
	n := 0
	for i, r := range rows {
		if r.Total() == 0 || want[r.Key] == nil || *want[r.Key] != r.Counts {
			t.Fatalf("by %s: %s is %v, want %v", group, r.Key, r.Counts, want[r.Key])
		}
		if i > 0 && (r.Total() > rows[i-1].Total() || r.Total() == rows[i-1].Total() && r.Key <= rows[i-1].Key) {
			t.Fatalf("by %s: %v is out of order", group, rows)
		}
	}
	for _, c := range want {
		if c.Total() > 0 {
			n++
		}
	}
	if n != len(rows) {
		t.Fatalf("by %s: %d groups, want %d", group, len(rows), n)
	}
}

// checkLabels counts by label anew. A call without the label is "(none)".
func checkLabels(t rapid.TB, opt Options, rep *Report, got []decided, rows []call) {
	t.Helper()
	if opt.Label == "" {
		return
	}
	want, of := map[string]*Counts{}, map[string]string{}
	for _, r := range rows {
		of[is(r.Action)] = "(none)"
		if v, labelled := r.Labels[opt.Label]; labelled {
			of[is(r.Action)] = v
		}
	}
	for _, d := range got {
		o, _ := aegis.ParseOutcome(d.Decision)
		bump(want, of[is(d.Action)])[o]++
	}
	sameGroups(t, "label", rep.LabelRows(), want)
	for k, r := range rep.Labels {
		if k != r.Key {
			t.Fatalf("label %q is %q", k, r.Key)
		}
	}
}

// checkUnused: no rule is both cited and unused, and every rule that can be cited is one of them.
func checkUnused(t rapid.TB, set *policy.Set, rep *Report, cited map[string]*Counts) {
	t.Helper()
	unused := map[string]bool{}
	for _, id := range rep.UnusedRules {
		if cited[id] != nil {
			t.Fatalf("rule %s is unused and cited", id)
		}
		unused[id] = true
	}
	for _, r := range set.Rules {
		implied := r.ID == "" || strings.HasSuffix(r.ID, "#callers") || strings.HasSuffix(r.ID, "#allowed_tools")
		if !implied && cited[r.ID] == nil && !unused[r.ID] {
			t.Fatalf("rule %s is neither cited nor unused", r.ID)
		}
	}
}

func checkRates(t rapid.TB, rep *Report) {
	t.Helper()
	known := rep.Calls - rep.Decisions[aegis.Unknown]
	for name, x := range map[string]struct {
		Rate
		count int64
	}{"block": {rep.WouldBlock, rep.Decisions[aegis.Deny] + rep.Decisions[aegis.Reject]},
		"hold": {rep.WouldHold, rep.Decisions[aegis.ApprovalNeeded]}} {
		want := 0.0
		if known > 0 {
			want = float64(x.count) / float64(known)
		}
		lo, hi := x.CI95[0], x.CI95[1]
		if x.Count != x.count || x.Rate.Rate != want || !(0 <= lo && lo <= x.Rate.Rate && x.Rate.Rate <= hi && hi <= 1) {
			t.Fatalf("would %s %+v, want %d of %d", name, x.Rate, x.count, known)
		}
	}
}

// contract is the shape of the JSON report (DESIGN §8): every key that must be there, with an example of its type. A list
// holds the shape of its elements; a map with the key "*" any number of members of that shape.
const contract = `{"schema": 1, "policy_version": "", "engine": "", "calls": 1, "sessions": 1, "rejected_rows": 1,
	"decisions": {"allow": 1, "deny": 1, "sanitize": 1, "approval_needed": 1, "unknown": 1, "reject": 1},
	"would_block": {"count": 1, "rate": 0.5, "ci95": [0.5]}, "would_hold": {"count": 1, "rate": 0.5, "ci95": [0.5]},
	"by": {"agent": [ROW], "tool": [ROW], "action": [ROW], "rule": [ROW], "reason": [ROW]},
	"unused_rules": [""], "elapsed_seconds": 0.5, "calls_per_second": 0.5}`

const contractRow = `{"key": "", "calls": 1, "allow": 1, "deny": 1, "sanitize": 1, "approval_needed": 1, "unknown": 1, "reject": 1}`

// checkContract holds the JSON form to the contract. Labels are there exactly if a label was asked for.
func checkContract(t rapid.TB, rep *Report) {
	t.Helper()
	text, err := json.Marshal(rep)
	if err != nil {
		t.Fatal(err)
	}
	var have, want map[string]any
	if err := json.Unmarshal(text, &have); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(strings.ReplaceAll(contract, "ROW", contractRow)), &want); err != nil {
		t.Fatal(err)
	}
	if rep.LabelKey != "" {
		var row any
		if err := json.Unmarshal([]byte(contractRow), &row); err != nil {
			t.Fatal(err)
		}
		want["labels"] = map[string]any{"*": row}
	}
	if _, labelled := have["labels"]; labelled != (rep.LabelKey != "") {
		t.Fatalf("labels %v with --label %q", have["labels"], rep.LabelKey)
	}
	if err := sameShape(have, want, "report"); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if _, err := aegis.Parse(text); err != nil { // also: no key twice
		t.Fatalf("%v\n%s", err, text)
	}
}

func sameShape(have, want any, at string) error {
	switch want := want.(type) {
	case map[string]any:
		h, ok := have.(map[string]any)
		if !ok {
			return fmt.Errorf("%s is %v, no object", at, have)
		}
		for k, w := range want {
			if k == "*" {
				for k, v := range h {
					if err := sameShape(v, w, at+"."+k); err != nil {
						return err
					}
				}
				continue
			}
			if _, ok := h[k]; !ok {
				return fmt.Errorf("%s lacks %s", at, k)
			}
			if err := sameShape(h[k], w, at+"."+k); err != nil {
				return err
			}
		}
	case []any:
		h, ok := have.([]any)
		if !ok {
			return fmt.Errorf("%s is %v, no list", at, have)
		}
		for i, v := range h {
			if err := sameShape(v, want[0], fmt.Sprint(at, "[", i, "]")); err != nil {
				return err
			}
		}
	case float64:
		h, ok := have.(float64)
		if !ok || want == 1 && h != float64(int64(h)) {
			return fmt.Errorf("%s is %v, no number like %v", at, have, want)
		}
	case string:
		if _, ok := have.(string); !ok {
			return fmt.Errorf("%s is %v, no text", at, have)
		}
	}
	return nil
}
