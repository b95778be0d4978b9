package simulate

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/decide"
)

// The model is simulate once more, slow and obvious: rows are structs, order is a sort by the definition (arrange), and a
// family of policies is written out by hand. It shares no code with what it checks.

// knobs choose one policy of the family, and how it is simulated. 0 leaves a rule out.
type knobs struct {
	max, ask, ban        float64 // max_amount, approval_needed_if and deny_if above
	count, sum           int64   // session history that pay requires to be below
	perSession, perDay   int64   // calls
	budget               int64   // of amount by currency and day
	rate, burst          int64   // events a second
	taint, after         bool    // mail is denied in a tainted session; after a mail no pay
	held                 decide.Held
	mode                 aegis.Mode
	tenant               string
	twoTenants, stateful bool
}

func drawKnobs(t *rapid.T) knobs {
	one := func(name string, of ...int64) int64 { return rapid.SampledFrom(of).Draw(t, name) }
	k := knobs{max: float64(one("max", 0, 50)), ask: float64(one("ask", 0, 15, 50, 70)), ban: float64(one("ban", 0, 90)),
		stateful: rapid.IntRange(0, 4).Draw(t, "stateful") > 0, twoTenants: rapid.Bool().Draw(t, "twoTenants"),
		held:   rapid.SampledFrom([]decide.Held{decide.Granted, decide.Refused}).Draw(t, "held"),
		mode:   rapid.SampledFrom([]aegis.Mode{aegis.Enforce, aegis.Enforce, aegis.Shadow}).Draw(t, "mode"),
		tenant: rapid.SampledFrom([]string{"", "", "", "acme", "default"}).Draw(t, "only")}
	if k.stateful {
		k.count, k.sum, k.perSession = one("count", 0, 0, 1, 3), one("sum", 0, 0, 60), one("perSession", 0, 0, 1, 3)
		k.perDay, k.budget, k.rate, k.burst = one("perDay", 0, 0, 2, 7), one("budget", 0, 0, 60, 100), one("rate", 0, 0, 1, 3), one("burst", 1, 3)
		k.taint, k.after = rapid.Bool().Draw(t, "taint"), rapid.Bool().Draw(t, "after")
	}
	return k
}

// policy writes the policy for a tenant.
func (k knobs) policy(tenant string) string {
	var b strings.Builder
	line := func(on bool, format string, args ...any) {
		if on {
			fmt.Fprintf(&b, format+"\n", args...)
		}
	}
	line(true, "tenant: %s\nagent: [a, b]", tenant)
	line(k.perDay+k.rate > 0, "limits:")
	line(k.perDay > 0, "  - calls: %d/day", k.perDay)
	line(k.rate > 0, "  - {rate: %d/s, burst: %d}", k.rate, k.burst)
	line(true, "allowed_tools:\n  - name: pay\n    taints: [paid]")
	line(k.max+k.ask+k.ban > 0 || k.count+k.sum > 0 || k.after, "    conditions:")
	line(k.max > 0, "      max_amount: %v", k.max)
	line(k.ask > 0, "      approval_needed_if: amount > %v", k.ask)
	line(k.ban > 0, "      deny_if: amount > %v", k.ban)
	line(k.count+k.sum > 0 || k.after, "      require:")
	line(k.count > 0, `        - 'session.count("pay") < %d'`, k.count)
	line(k.sum > 0, `        - 'session.sum("pay", "amount") <= %d'`, k.sum)
	line(k.after, `        - '!session.seen("mail")'`)
	line(k.perSession+k.budget > 0, "    limits:")
	line(k.perSession > 0, "      - calls: %d/session", k.perSession)
	line(k.budget > 0, "      - {budget: %d/day of amount, by: currency}", k.budget)
	line(true, "  - {name: read, effect: read, taints: [seen]}\n  - name: mail")
	line(k.taint, `    conditions: {deny_if: 'session.tainted("seen")'}`)
	return b.String()
}

// verdict is what the model says of a call: codes with their outcomes, as a set.
type verdict map[string]aegis.Outcome

func (v verdict) say(o aegis.Outcome, code string) { v[code] = max(v[code], o) }

func (v verdict) outcome() (o aegis.Outcome) {
	for _, x := range v {
		o = max(o, x)
	}
	return o
}

func (v verdict) String() string {
	codes := []string{}
	for c := range v {
		codes = append(codes, c)
	}
	slices.Sort(codes)
	return v.outcome().String() + " " + strings.Join(codes, " ")
}

// memory is what a session's calls left behind: for its rules, and in its limit.
type memory struct {
	pays    int64
	sum     float64
	sumBad  bool
	mailed  bool
	tainted bool
	charged map[string]int64 // by agent
	last    int64
	any     bool
}

// window is a window of a day, or a bucket of tokens, each of which is worth a second.
type window struct {
	day, spent int64
	full       bool
	tokens, at int64
}

// model is a run under way.
type model struct {
	knobs
	clock    int64
	sessions map[string]*memory
	windows  map[string]*window
}

// decide gives every call's verdict by its action's name, in event order.
func (k knobs) decide(rows []call) (names []string, verdicts map[string]string) {
	m := &model{knobs: k, sessions: map[string]*memory{}, windows: map[string]*window{}}
	verdicts = map[string]string{}
	own := k.tenant
	if own == "" {
		own = "default"
	}
	rows = arrange(rows, own)
	for _, r := range rows {
		if r.Time != nil && (m.clock == 0 || *r.Time < m.clock) {
			m.clock = *r.Time // the earliest: from there the clock runs
		}
	}
	for _, r := range rows {
		if !aegis.ValidName(*r.Tool) {
			continue
		}
		if r.Time != nil {
			m.clock = max(m.clock, *r.Time)
		}
		names = append(names, *r.Action)
		verdicts[*r.Action] = m.call(&r).String()
	}
	return names, verdicts
}

// facts are a call's arguments as far as they are known.
type facts struct {
	lacking  string // the code for arguments that the capture lacks
	amount   float64
	wrong    string // the code for an amount that is none
	currency string
	noMoney  string // the code for a currency that is none
}

func factsOf(r *call) (f facts, malformed bool) {
	text := ""
	switch {
	case r.Coverage != nil:
		return facts{lacking: "args_" + *r.Coverage}, false
	case r.Args == nil:
		return facts{lacking: "args_absent"}, false
	default:
		text = *r.Args
	}
	var args map[string]any
	if json.Unmarshal([]byte(text), &args) != nil || args == nil || strings.Count(strings.ToLower(text), `"amount":`) > 1 {
		return f, true
	}
	switch x := args["amount"].(type) {
	case float64:
		f.amount = x
	case nil:
		f.wrong = "argument_null"
		if _, given := args["amount"]; !given {
			f.wrong = "argument_missing"
		}
	default:
		f.wrong = "argument_type"
	}
	switch x := args["currency"].(type) {
	case string:
		f.currency = x
	case nil:
		f.noMoney = "argument_null"
		if _, given := args["currency"]; !given {
			f.noMoney = "argument_missing"
		}
	}
	return f, false
}

// call judges a call and lets it leave its trace.
func (m *model) call(r *call) verdict {
	f, malformed := factsOf(r)
	if malformed {
		return verdict{"malformed": aegis.Reject}
	}
	s := m.session(r)
	v := verdict{}
	if m.tenant != "" && *r.Tenant != m.tenant {
		v.say(aegis.Deny, "tenant_mismatch")
		return v
	}
	if *r.Agent == "z" || *r.Tenant == "nobody" || *r.Tenant == "acme" && !m.twoTenants {
		v.say(aegis.Deny, "no_policy")
		return v
	}
	if *r.Tool == "delete" {
		v.say(aegis.Deny, "tool_not_granted")
	}
	if r.Chain != nil {
		v.say(aegis.Deny, "caller_not_allowed")
	}
	charge := []func(){}
	claim := func(name string, amount func(b *window) bool, code string, spend func(b *window)) {
		b := m.windows[*r.Tenant+" "+*r.Agent+" "+name]
		if b == nil {
			b = &window{full: true}
			m.windows[*r.Tenant+" "+*r.Agent+" "+name] = b
		}
		if d := m.clock / day; d != b.day {
			b.day, b.spent = d, 0
		}
		if !amount(b) {
			v.say(aegis.Deny, code)
		}
		charge = append(charge, func() { spend(b) })
	}
	switch *r.Tool {
	case "pay":
		m.pay(v, &f, s)
		m.payLimits(v, &f, r, s, claim)
	case "mail":
		m.require(v, s, m.taint, "deny_if", func() (bool, bool) { return !s.tainted, true })
	}
	m.agentLimits(v, r, claim)
	m.trace(v.outcome(), &f, r, s, charge)
	return v
}

// session finds the memory of a call's session; nil for none. Untimed calls happen at the clock.
func (m *model) session(r *call) *memory {
	if r.Session == nil {
		return nil
	}
	key := *r.Tenant + " " + *r.Session
	s := m.sessions[key]
	if s == nil || s.any && m.clock-s.last >= day {
		s = &memory{charged: map[string]int64{}}
		m.sessions[key] = s
	}
	s.last, s.any = m.clock, true
	return s
}

// require denies where a condition on the session does not hold or cannot be read.
func (m *model) require(v verdict, s *memory, on bool, code string, holds func() (holds, readable bool)) {
	if !on {
		return
	}
	if s == nil {
		v.say(aegis.Unknown, "no_session")
		return
	}
	switch ok, readable := holds(); {
	case !readable:
		v.say(aegis.Deny, "expression_error")
	case !ok:
		v.say(aegis.Deny, code)
	}
}

// pay applies the conditions of payments.
func (m *model) pay(v verdict, f *facts, s *memory) {
	compare := func(limit float64, o aegis.Outcome, code string) bool {
		switch {
		case limit == 0:
		case f.lacking != "":
			v.say(aegis.Unknown, f.lacking)
		case f.wrong != "":
			v.say(aegis.Deny, "expression_error")
		case f.amount > limit:
			v.say(o, code)
			return true
		}
		return false
	}
	lifted := compare(m.ask, aegis.ApprovalNeeded, "approval_if")
	compare(m.ban, aegis.Deny, "deny_if")
	if m.max > 0 {
		switch {
		case f.lacking != "":
			v.say(aegis.Unknown, f.lacking)
		case f.wrong != "":
			v.say(aegis.Deny, f.wrong)
		case f.amount > m.max && !lifted:
			v.say(aegis.Deny, "max_exceeded")
		}
	}
	m.require(v, s, m.count > 0, "require_failed", func() (bool, bool) { return s.pays < m.count, true })
	m.require(v, s, m.sum > 0, "require_failed", func() (bool, bool) { return s.sum <= float64(m.sum), !s.sumBad })
	m.require(v, s, m.after, "require_failed", func() (bool, bool) { return !s.mailed, true })
}

type claimFunc = func(name string, fits func(*window) bool, code string, spend func(*window))

// payLimits weighs a payment against its session's calls and the day's budget. Budgets are in half units here.
func (m *model) payLimits(v verdict, f *facts, r *call, s *memory, claim claimFunc) {
	if m.perSession > 0 {
		if s == nil {
			v.say(aegis.Unknown, "no_session")
		} else if s.charged[*r.Agent] >= m.perSession {
			v.say(aegis.Deny, "calls_exceeded")
		}
	}
	if m.budget == 0 {
		return
	}
	fine := true
	for _, wrong := range []string{f.wrong, f.noMoney} {
		switch {
		case f.lacking != "":
			v.say(aegis.Unknown, f.lacking)
			fine = false
		case wrong != "" && r.Time == nil: // what a rule reads is static: with a time it might have been decided
			v.say(aegis.Unknown, "no_time")
			fine = false
		case wrong != "":
			v.say(aegis.Deny, wrong)
			fine = false
		}
	}
	if f.lacking == "" && f.wrong == "" && f.amount < 0 {
		fine = false
		if v.say(aegis.Deny, "number_out_of_range"); r.Time == nil {
			delete(v, "number_out_of_range")
			v.say(aegis.Unknown, "no_time")
		}
	}
	if !fine {
		return
	}
	if r.Time == nil {
		v.say(aegis.Unknown, "no_time")
		return
	}
	half := int64(2 * f.amount)
	claim("budget "+f.currency, func(b *window) bool { return half == 0 || b.spent+half <= 2*m.budget }, "budget_exceeded",
		func(b *window) { b.spent += half })
}

// agentLimits weighs a call against the limits that all calls of an agent share.
func (m *model) agentLimits(v verdict, r *call, claim claimFunc) {
	if m.perDay+m.rate > 0 && r.Time == nil {
		v.say(aegis.Unknown, "no_time")
		return
	}
	if m.perDay > 0 {
		claim("day", func(b *window) bool { return b.spent < m.perDay }, "calls_exceeded", func(b *window) { b.spent++ })
	}
	if m.rate > 0 {
		claim("rate", func(b *window) bool {
			b.tokens += (m.clock - b.at) * m.rate
			if b.at = m.clock; b.full || b.tokens > m.burst*second {
				b.tokens, b.full = m.burst*second, false
			}
			return b.tokens >= second
		}, "rate_exceeded", func(b *window) { b.tokens -= second })
	}
}

// trace charges a call and remembers it, as far as it was let through.
func (m *model) trace(o aegis.Outcome, f *facts, r *call, s *memory, charge []func()) {
	passed := o <= aegis.Sanitize || o == aegis.ApprovalNeeded && m.held == decide.Granted
	if passed {
		for _, c := range charge {
			c()
		}
		if s != nil && *r.Tool == "pay" {
			s.charged[*r.Agent]++
		}
	}
	failed := r.Outcome != nil && *r.Outcome != "ok"
	if s == nil || failed || !passed && m.mode != aegis.Shadow {
		return
	}
	switch *r.Tool {
	case "pay":
		s.pays++
		if f.lacking == "" && f.wrong == "argument_type" {
			s.sumBad = true
		}
		s.sum += f.amount
	case "mail":
		s.mailed = true
	case "read":
		s.tainted = true
	}
}

// TestModel compares simulate with the model, decision by decision: with one worker and several, in memory and with
// everything sorted on disk, for several divisions of the rows into files and row groups.
func TestModel(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out.parquet")
	rapid.Check(t, func(rt *rapid.T) {
		k, rows := drawKnobs(rt), anyCalls(rt)
		texts := []string{k.policy("default")}
		if k.twoTenants {
			texts = append(texts, k.policy("acme"))
		}
		set := load(t, texts...)
		names, want := k.decide(rows)
		for _, x := range []struct{ files, groups, workers, spill int }{{1, 1 << 20, 1, 0}, {3, 4, 2, 7}, {2, 1, 4, 0}} {
			opt := Options{Traffic: save(t, dir, rows, x.files, x.groups), Held: k.held, Mode: k.mode, Tenant: k.tenant,
				Workers: x.workers, SpillRows: int64(x.spill), Decisions: out, Label: "class", GroupBy: []string{"tenant", "session"}}
			rep, err := Run(t.Context(), set, opt)
			if err != nil {
				rt.Fatal(err)
			}
			got := readDecisions(t, out)
			checkAccounts(rt, set, opt, rep, got, rows)
			for i, d := range got {
				if s := strings.TrimSpace(d.Decision + " " + strings.Join(d.Reasons, " ")); s != strings.TrimSpace(want[is(d.Action)]) {
					rt.Fatalf("%+v\n%s\ncall %s: %q, want %q\nin order: %v", x, texts[0], is(d.Action), s, want[is(d.Action)], describe(rows, names))
				}
				if (rep.Reordered || k.stateful && ordersMatter(set.Features, texts[0])) && is(d.Action) != names[i] {
					rt.Fatalf("%+v: call %d in order is %s, want %s\n%s", x, i, is(d.Action), names[i], describe(rows, names))
				}
			}
			if len(got) != len(names) {
				rt.Fatalf("%d decisions of %d calls", len(got), len(names))
			}
		}
	})
}

func ordersMatter[F any](features []F, text string) bool {
	return len(features) > 0 || strings.Contains(text, "limits:")
}

// describe lists rows for people.
func describe(rows []call, names []string) string {
	var b strings.Builder
	for _, n := range names {
		for _, r := range rows {
			if *r.Action == n {
				text, _ := json.Marshal(r)
				fmt.Fprintf(&b, "%s\n", text)
			}
		}
	}
	return b.String()
}
