package lint

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/decide"
	"github.com/aegisctl/aegis/policy"
)

// What lint concludes by reasoning holds on every call, judged by the engine that enforces: random policies of two
// entries for the same calls, and random calls.
func TestReasoningIsSound(t *testing.T) {
	claims := map[string]int{}
	rounds := 1
	if os.Getenv("AEGIS_LONG") != "" {
		rounds = 200
	}
	for range rounds {
		rapid.Check(t, func(t *rapid.T) { checkClaims(t, claims) })
	}
	for _, id := range []string{"AEG011", "AEG018", "AEG019", "AEG050", "AEG051", "AEG052", "AEG053", "AEG054"} {
		if claims[id] == 0 {
			t.Errorf("%s was never claimed: the test tests nothing of it", id)
		}
	}
	t.Log(claims)
}

// checkClaims makes some policies, and calls for those of which lint claims something.
func checkClaims(t *rapid.T, claims map[string]int) {
	for range 15 {
		entries := []string{randomEntry(t), randomEntry(t)}
		text := agent(entries...)
		set, err := policy.LoadText("p.yaml", text)
		if err != nil {
			continue // kinds that do not fit
		}
		found := Run(set, Options{Enable: []string{"AEG011", "AEG018", "AEG019", "AEG050", "AEG051", "AEG052", "AEG053", "AEG054"}})
		if len(found) == 0 {
			continue
		}
		j := newJudge(t, set)
		for range 60 {
			j.judge(randomCall(t))
			for _, f := range found {
				if f.ID == "AEG011" && !strings.Contains(f.Message, "never needed") {
					continue // that goes by the text
				}
				claims[f.ID]++
				if wrong := j.refutes(f, entries); wrong != "" {
					t.Fatalf("%s\n%s\ncall: %s %s\nhits: %s\n%s", text, f, j.call.Action, j.call.Args.Text(), j.words(), wrong)
				}
			}
		}
	}
}

// judge decides calls by a set.
type judge struct {
	t       *rapid.T
	set     *policy.Set
	gate    *decide.Gate
	scratch decide.Scratch
	call    *aegis.Call
	hits    []aegis.Hit
	outcome aegis.Outcome
}

func newJudge(t *rapid.T, set *policy.Set) *judge {
	g, err := decide.NewGate(set, decide.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &judge{t: t, set: set, gate: g}
}

func (j *judge) judge(c *aegis.Call) {
	v, err := j.gate.Decide(&j.scratch, j.gate.Engine.Plan(c.Tenant, c.Agent, c.Tool, c.Action), c, nil)
	if err != nil {
		j.t.Fatal(err)
	}
	j.call, j.hits, j.outcome = c, slices.Clone(v.Hits), v.Outcome
}

func (j *judge) words() string {
	var out []string
	for _, h := range j.hits {
		out = append(out, fmt.Sprintf("%s %s %s", j.set.Rules[h.Rule].ID, h.Code, h.Outcome))
	}
	return strings.Join(out, "; ")
}

// cites reports whether a hit of a rule is one that f picks.
func (j *judge) cites(rule string, f func(aegis.Hit) bool) bool {
	return slices.ContainsFunc(j.hits, func(h aegis.Hit) bool { return j.set.Rules[h.Rule].ID == rule && f(h) })
}

// matched reports whether the call is one of those that an entry of that id is about.
func (j *judge) matched(ok func(*policy.Entry) bool) bool {
	return slices.ContainsFunc(j.set.Policies[0].Entries, func(e *policy.Entry) bool {
		return slices.ContainsFunc(append([]*policy.Entry{e}, e.Children...), func(x *policy.Entry) bool {
			return ok(x) && x.Matches(j.call.Tool, j.call.Action)
		})
	})
}

// refutes says how the latest call refutes a finding, or "".
func (j *judge) refutes(f aegis.Finding, entries []string) string {
	anyDeny := func(h aegis.Hit) bool { return h.Outcome >= aegis.Deny }
	of := func(x *policy.Entry) bool { return strings.HasPrefix(f.Rule, x.ID+"#") }
	switch f.ID {
	case "AEG018":
		return j.refutesConstant(f)
	case "AEG011":
		return j.refutesIdleTier(f, entries)
	case "AEG019", "AEG052":
		if j.matched(of) && j.outcome < aegis.Deny {
			return "the call is not denied"
		}
	case "AEG050":
		asks := j.cites(f.Rule, func(h aegis.Hit) bool { return h.Outcome == aegis.ApprovalNeeded })
		if asks && j.outcome == aegis.ApprovalNeeded {
			return "the call asks for an approval"
		}
	case "AEG051":
		if line := otherLine(f.Message); j.matched(of) && j.matched(func(x *policy.Entry) bool { return x.Pos.Line == line }) && j.outcome < aegis.Deny {
			return "the call is not denied"
		}
	case "AEG053":
		if strings.Contains(f.Message, "every call asks") && j.matched(of) && j.outcome < aegis.ApprovalNeeded {
			return "the call does not ask"
		}
		if j.cites(f.Rule, anyDeny) && !slices.ContainsFunc(j.hits, func(h aegis.Hit) bool {
			return anyDeny(h) && j.set.Rules[h.Rule].ID != f.Rule
		}) {
			return "the condition alone denies"
		}
	case "AEG054":
		return j.refutesRedundant(f, entries)
	}
	return ""
}

func (j *judge) refutesConstant(f aegis.Finding) string {
	switch {
	case strings.Contains(f.Message, "can never be true"):
		if j.cites(f.Rule, func(h aegis.Hit) bool { return h.Code == aegis.DenyIf || h.Code == aegis.ApprovalIf }) {
			return "it is true"
		}
	case strings.Contains(f.Message, "it requires nothing"):
		if j.cites(f.Rule, func(h aegis.Hit) bool { return h.Code == aegis.RequireFailed }) {
			return "it is false"
		}
	case strings.Contains(f.Message, "can never be false") && !strings.Contains(f.Message, "it always applies"):
		of := func(x *policy.Entry) bool { return strings.HasPrefix(f.Rule, x.ID+"#") }
		if j.matched(of) && !j.cites(f.Rule, func(aegis.Hit) bool { return true }) {
			return "it is false"
		}
	}
	return ""
}

// refutesRedundant decides the call without the entry that is said to be redundant.
func (j *judge) refutesRedundant(f aegis.Finding, entries []string) string {
	rest := entries[1:]
	if strings.HasPrefix(f.Source, "p.yaml:3:") {
		rest = entries[:1]
	}
	set, err := policy.LoadText("p.yaml", agent(rest...))
	if err != nil {
		return "it does not load without it: " + err.Error()
	}
	other := newJudge(j.t, set)
	if other.judge(j.call); other.outcome != j.outcome {
		return "without it the outcome is " + other.outcome.String()
	}
	return ""
}

// refutesIdleTier decides the call with the tier's condition required as well: if it is still held, the condition is true.
func (j *judge) refutesIdleTier(f aegis.Finding, entries []string) string {
	if j.outcome != aegis.ApprovalNeeded || !strings.Contains(f.Message, "never needed") {
		return ""
	}
	for _, e := range unitsOf(j.set)[0].entries {
		for _, tier := range e.Approval {
			for _, c := range tier.When {
				if j.set.Rules[c.Rule].ID != f.Rule || !e.Matches(j.call.Tool, j.call.Action) {
					continue
				}
				set, err := policy.LoadText("p.yaml", agent(append(slices.Clone(entries), "{name: bank, conditions: {require: ['"+c.Src+"']}}")...))
				if err != nil {
					return "it does not load: " + err.Error()
				}
				other := newJudge(j.t, set)
				if other.judge(j.call); other.outcome == aegis.ApprovalNeeded {
					return "the call needs the approval"
				}
			}
		}
	}
	return ""
}

func otherLine(message string) int {
	var n int
	_, rest, _ := strings.Cut(message, "the one at line ")
	fmt.Sscan(strings.TrimRight(strings.SplitN(rest, " ", 2)[0], ","), &n)
	return n
}

func pick[T any](t *rapid.T, of ...T) T { return rapid.SampledFrom(of).Draw(t, "pick") }

// randomEntry makes an entry, or an entry with an action, for bank's pay and get.
func randomEntry(t *rapid.T) string {
	actions := pick(t, "[pay]", "[pay]", "[pay, get]", `["p*"]`)
	if pick(t, 0, 0, 0, 1) == 1 {
		actions = "[{name: pay" + randomConditions(t) + "}]"
	}
	tiers := ""
	if pick(t, 0, 0, 1) == 1 {
		tiers = ", approval: [{approvers: ['user:x']}, {when: '" + randomTerm(t, pick(t, 0, 1)) + "', approvers: ['user:y']}]"
	}
	return "{name: bank, actions: " + actions + randomConditions(t) + tiers + "}"
}

func randomConditions(t *rapid.T) string {
	var parts, args []string
	for _, a := range []string{"a", "b"} {
		if pick(t, true, false) {
			args = append(args, fmt.Sprintf("%s: {%s%s}", a, pick(t, "max: 1", "max: 2", "min: 2", "min: 1, max: 3", "in: [1, 2]", "in: [3]",
				"not_in: [1, 2]", "type: integer, min: 1, max: 2", "type: number", "decimals: 0"), pick(t, "", "", ", optional: true", ", else: approval")))
		}
	}
	if pick(t, true, false) {
		args = append(args, fmt.Sprintf("s: {%s%s}", pick(t, "in: [x, xy]", "in: [X]", "matches: 'x+y?'", "max_length: 1", "min_length: 2", "not_in: [x]",
			"matches: 'x{2,}'", "matches: '(?i)X|y'", "matches: '[a-x]*y?'", "type: string", "each: {in: [x, xy]}, max_length: 1"),
			pick(t, "", "", ", optional: true", ", else: approval")))
	}
	if pick(t, 0, 0, 0, 1) == 1 {
		args = append(args, pick(t, "o: {args: {n: {max: 2}}}", "o: {optional: true, args: {n: {min: 3}}}", "o: {args: {n: {min: 2, optional: true}}}", "l: {each: {max: 2}}"))
	}
	if len(args) > 0 {
		parts = append(parts, "args: {"+strings.Join(args, ", ")+"}")
	}
	for _, key := range []string{"require", "deny_if", "approval_needed_if"} {
		if pick(t, true, false) {
			parts = append(parts, key+": ['"+randomTerm(t, pick(t, 0, 0, 1, 1, 2))+"']")
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return ", conditions: {" + strings.Join(parts, ", ") + "}"
}

func randomTerm(t *rapid.T, depth int) string {
	if depth > 0 {
		x := randomTerm(t, depth-1)
		switch pick(t, "!", "&&", "||", "&&") {
		case "!":
			return "!(" + x + ")"
		case "&&":
			return "(" + x + " && " + randomTerm(t, depth-1) + ")"
		}
		return "(" + x + " || " + randomTerm(t, depth-1) + ")"
	}
	op := pick(t, "==", "!=", "<", "<=", ">", ">=")
	switch pick(t, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6) {
	case 0:
		return fmt.Sprintf("%s %s %s", pick(t, "a", "b"), op, pick(t, "1", "2", "3", "1.5"))
	case 1:
		return fmt.Sprintf("%s %s %s", pick(t, "a", "b", "a + 1"), op, pick(t, "b", "a", "b - 1"))
	case 2:
		return fmt.Sprintf("%s %s %s", pick(t, "a + 1", "2 - a", "b - 1", "size(s)", "size(l)", "o.n", "a * 2"), op, pick(t, "0", "1", "2", "3"))
	case 3:
		return pick(t, `s.startsWith("x")`, `s.startsWith("y")`, `s.endsWith("y")`, `s.contains("xy")`, `s.matches("^x")`, `s.matches("x$")`, `s.matches("^[xy]+$")`, `s.matches("Y")`, `size(s) < 0`, `size(s) >= 2`, `s.endsWith("x")`,
			`s.lowerAscii().matches("[A-Z]")`, `!s.startsWith("x")`, `!s.endsWith("y")`, `s == "x"`, `s != "X"`,
			`s < "xy"`, `s in ["x", "y"]`, `s.lowerAscii() == "x"`, `s.lowerAscii() == "X"`, `s.lowerAscii().startsWith("Y")`)
	case 4:
		return pick(t, "has(a)", "has(s)", "has(o.n)", "has(o)", "has(l)")
	case 5:
		return pick(t, "l.exists(x, x > 1 && x < 1)", "l.exists(x, x > 1)", "l.all(x, x > 1 || x <= 1)", "1 in l", "l.all(x, x > 2)", "a in l")
	}
	return pick(t, `action == "get"`, `action == "pay"`, `action.startsWith("p")`, "a in [1, 2]", "!(b in [2, 3])", `tool == "x"`, "true", "f", "!f", "f == true", `agent == "a"`)
}

func randomCall(t *rapid.T) *aegis.Call {
	var members []string
	add := func(name string, values ...string) {
		if v := pick(t, values...); v != "" {
			members = append(members, fmt.Sprintf("%q: %s", name, v))
		}
	}
	numbers := []string{"0", "1", "1.5", "2", "2.5", "3", "4", "-1", "1", "2", "3", "", "null", `"x"`, "1e30"}
	add("a", numbers...)
	add("b", numbers...)
	add("s", `"x"`, `"xy"`, `"X"`, `"y"`, `"xxy"`, `""`, "", "null", "1")
	add("o", `{"n": 1}`, `{"n": 2}`, `{"n": 3}`, `{"n": null}`, `{}`, "", "null", "1")
	add("l", `[1]`, `[1, 2]`, `[3]`, `[]`, `[null]`, `["x"]`, "", "2")
	add("f", "true", "false", "", "null", "1")
	d := new(aegis.Doc)
	if err := d.Parse([]byte("{"+strings.Join(members, ", ")+"}"), aegis.MaxBody); err != nil {
		t.Fatal(err)
	}
	return &aegis.Call{Tenant: "default", Agent: "a", Tool: "bank", Action: pick(t, "pay", "pay", "get"), Args: d.Root()}
}
