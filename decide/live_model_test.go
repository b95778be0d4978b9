package decide

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aegisctl/aegis"
	"pgregory.net/rapid"
)

// TestLiveModel holds the live path against a model that keeps whole lists of calls and plain sums: random calls, dry runs,
// outcomes, releases, replaced policies and idle days, in every mode.
func TestLiveModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newLiveModel(t, rt)
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			m.step()
		}
	})
}

// edition is one version of the model's policy.
type edition struct {
	notes, pays, stars bool // mode: shadow on the entries note, pay and pa*
	calls, budget      int  // caps: calls a day of the agent, and dimes a day of pay
	watches            bool // send reads the session
}

func (e edition) text() string {
	mode := func(shadow bool) string {
		if shadow {
			return "mode: shadow, "
		}
		return ""
	}
	send := ""
	if e.watches {
		send = `, conditions: {deny_if: ['session.tainted("untrusted")', 'session.sum("note", "n") > 10']}`
	}
	return fmt.Sprintf(`
agent: a
limits: [{calls: %d/day}]
allowed_tools:
  - {name: read, taints: [untrusted]}
  - {name: note, %sconditions: {deny_if: n > 9}}
  - {name: pay, %sconditions: {deny_if: n > 7}, cost: $0.20, limits: [{budget: $%d.%d/day}]}
  - {name: "pa*", %sconditions: {deny_if: n > 5}, limits: [{calls: 4/day}]}
  - {name: send%s}
`, e.calls, mode(e.notes), mode(e.pays), e.budget/10, e.budget%10, mode(e.stars), send)
}

// modelCall is a call that went ahead.
type modelCall struct {
	tool    string
	n       int64
	session *modelSession
	of      int // gate that ruled on it
	taken   bool
	watched bool
	real    map[string]int64
	shadow  map[string]int64
	ticket  *Ticket
}

type modelSession struct {
	calls   []*modelCall
	gate    int
	watched bool
	last    int64
	taint   bool // the feature is in doubt
	sum     bool
}

type liveModel struct {
	rt           *rapid.T
	live         *live
	edition      edition
	gate         int
	shadow       bool // the server's mode
	sessions     map[string]*modelSession
	spent, would map[string]int64
	open         []*modelCall
}

func drawEdition(rt *rapid.T) edition {
	b := func(s string) bool { return rapid.Bool().Draw(rt, s) }
	return edition{b("notes"), b("pays"), b("stars"), rapid.IntRange(2, 12).Draw(rt, "calls"), rapid.IntRange(2, 9).Draw(rt, "budget"), rapid.IntRange(0, 3).Draw(rt, "watches") > 0}
}

func newLiveModel(t *testing.T, rt *rapid.T) *liveModel {
	m := &liveModel{rt: rt, edition: drawEdition(rt), gate: 1, sessions: map[string]*modelSession{}, spent: map[string]int64{}, would: map[string]int64{}}
	opt := Options{}
	if m.shadow = rapid.IntRange(0, 4).Draw(rt, "server") == 0; m.shadow {
		opt.Mode = aegis.Shadow
	}
	m.live = newLive(t, loadText(t, m.edition.text()), opt)
	return m
}

func (m *liveModel) step() {
	switch rapid.IntRange(0, 12).Draw(m.rt, "what") {
	case 0:
		m.edition = drawEdition(m.rt)
		m.gate++
		m.live.replace(loadText(m.live.t, m.edition.text()))
	case 1, 2, 3:
		m.end()
	case 4:
		if rapid.IntRange(0, 5).Draw(m.rt, "idle") == 0 {
			m.live.at += 25 * 3600 * 1_000_000
			m.open = nil
			clear(m.spent)
			clear(m.would)
		}
	default:
		m.call()
	}
	m.compare()
}

// end settles or releases a call that went ahead, or does so again.
func (m *liveModel) end() {
	if len(m.open) == 0 {
		return
	}
	c := m.open[rapid.IntRange(0, len(m.open)-1).Draw(m.rt, "which")]
	how := rapid.SampledFrom([]string{"ok", "failed", "release", "cost", "failed at a cost"}).Draw(m.rt, "how")
	cost := rapid.Int64Range(0, 500_000).Draw(m.rt, "cost")
	switch how {
	case "release":
		c.ticket.Release()
	case "ok", "failed":
		if err := c.ticket.Settle(how == "failed", nil); err != nil {
			m.rt.Fatal(err)
		}
	default:
		if err := c.ticket.Settle(how != "cost", &cost); err != nil {
			m.rt.Fatal(err)
		}
	}
	if c.taken {
		return
	}
	c.taken = true
	for _, of := range []struct{ ledger, charged map[string]int64 }{{m.spent, c.real}, {m.would, c.shadow}} {
		for id, amount := range of.charged {
			switch {
			case how == "release":
				of.ledger[id] -= amount
			case strings.Contains(how, "cost") && id == "budget":
				of.ledger[id] += cost - amount
			}
		}
	}
	if how == "ok" || how == "cost" || c.session == nil {
		return
	}
	if c.of == c.session.gate {
		for i, o := range c.session.calls {
			if o == c {
				c.session.calls = append(c.session.calls[:i:i], c.session.calls[i+1:]...)
				return
			}
		}
		return
	}
	// Its policy is gone, and what it left was carried over.
	if c.watched && c.session.watched {
		c.session.taint = c.session.taint || c.tool == "read"
		c.session.sum = c.session.sum || c.tool == "note"
	}
}

// enter is what a session is to the next call.
func (m *liveModel) enter(name string, dry bool) *modelSession {
	if name == "-" {
		return nil
	}
	s := m.sessions[name]
	if s == nil || m.live.at-s.last >= idle {
		s = &modelSession{}
	}
	if dry {
		c := *s
		s = &c
	} else {
		m.sessions[name] = s
		s.last = m.live.at
	}
	if s.gate != 0 && s.gate != m.gate && m.edition.watches && !s.watched {
		s.taint, s.sum = true, true
	}
	if s.gate != m.gate && !m.edition.watches {
		s.taint, s.sum = false, false // nobody asks; who asks later finds a doubt
	}
	s.gate, s.watched = m.gate, m.edition.watches
	return s
}

// sends reports whether the session's past forbids to send.
func (m *liveModel) sends(s *modelSession) (denied bool) {
	if !m.edition.watches {
		return false
	}
	if s == nil || s.taint || s.sum {
		return true // an error, which denies; or more than one
	}
	sum := int64(0)
	for _, c := range s.calls {
		if c.tool == "read" {
			return true
		}
		if c.tool == "note" {
			sum += c.n
		}
	}
	return sum > 10
}

// modelLimit is one limit that a call is charged on.
type modelLimit struct {
	id          string
	amount, cap int64
	bound       bool
}

// rules lists what forbids the call, and its limits, with what binds it.
func (m *liveModel) rules(tool string, n int64, s *modelSession) (boundDeny, freeDeny bool, limits []modelLimit, any bool) {
	e := m.edition
	deny := func(when, bound bool) {
		boundDeny, freeDeny = boundDeny || when && bound, freeDeny || when && !bound
	}
	any = true
	switch tool {
	case "note":
		any = !e.notes
		deny(n > 9, !e.notes && !m.shadow)
	case "pay":
		any = !e.pays || !e.stars
		deny(n > 7, !e.pays && !m.shadow)
		deny(n > 5, !e.stars && !m.shadow)
		limits = append(limits, modelLimit{"budget", 200_000, int64(e.budget) * 100_000, !e.pays && !m.shadow}, modelLimit{"stars", 1, 4, !e.stars && !m.shadow})
	case "send":
		deny(m.sends(s), !m.shadow)
	}
	any = any && !m.shadow
	return boundDeny, freeDeny, append(limits, modelLimit{"calls", 1, int64(e.calls), any}), any
}

// over reports whether some limit is used up.
func over(ledger map[string]int64, limits []modelLimit) bool {
	for _, l := range limits {
		if ledger[l.id]+l.amount > l.cap {
			return true
		}
	}
	return false
}

func chargeAll(ledger map[string]int64, limits []modelLimit) map[string]int64 {
	out := map[string]int64{}
	for _, l := range limits {
		ledger[l.id] += l.amount
		out[l.id] += l.amount
	}
	return out
}

func (m *liveModel) call() {
	tool := rapid.SampledFrom([]string{"read", "note", "pay", "pay", "send"}).Draw(m.rt, "tool")
	name := rapid.SampledFrom([]string{"s", "s", "u", "-"}).Draw(m.rt, "session")
	n := rapid.Int64Range(0, 11).Draw(m.rt, "n")
	line, dry := fmt.Sprintf(`a %s %s {"n":%d}`, tool, name, n), rapid.IntRange(0, 5).Draw(m.rt, "dry") == 0
	if dry {
		line += " dry"
	}
	at := m.live.at
	if dry && rapid.Bool().Draw(m.rt, "later") {
		m.live.at += 26 * 3600 * 1_000_000 // a dry run may ask about another day
	}
	m.live.call(line)
	r := m.live.ruling
	s := m.enter(name, dry)
	boundDeny, freeDeny, limits, any := m.rules(tool, n, s)
	var bound, free []modelLimit
	for _, l := range limits {
		if l.bound {
			bound = append(bound, l)
		} else {
			free = append(free, l)
		}
	}
	c := &modelCall{tool: tool, n: n, session: s, of: m.gate, watched: m.edition.watches, ticket: r.Ticket}
	spent, would := m.spent, m.would
	if m.live.at > at+2_000_000 {
		spent, would = map[string]int64{}, map[string]int64{}
	}
	if over(spent, bound) {
		boundDeny = true
	} else if !boundDeny && !dry {
		c.real = chargeAll(m.spent, bound)
	}
	granted := !dry && !boundDeny && !freeDeny
	if over(would, free) {
		freeDeny, granted = true, false
	}
	if granted {
		c.shadow = chargeAll(m.would, free)
		if !over(m.would, bound) {
			for id, a := range chargeAll(m.would, bound) {
				c.shadow[id] = a
			}
		}
	}
	mode := aegis.Enforce
	switch {
	case dry:
		mode = aegis.DryRun
	case !boundDeny && !any:
		mode = aegis.Shadow
	}
	denied := boundDeny || freeDeny
	enforced := !dry && (boundDeny || any && !denied)
	if (r.Verdict.Outcome == aegis.Deny) != denied || r.Passes == boundDeny || r.Enforced != enforced || r.Mode != mode {
		m.rt.Fatalf("%s under %+v: outcome %v, passes %v, enforced %v, %v; want denied %v, passes %v, enforced %v, %v", line, m.edition,
			r.Verdict.Outcome, r.Passes, r.Enforced, r.Mode, denied, !boundDeny, enforced, mode)
	}
	if m.live.at > at+2_000_000 {
		m.live.at = at + 1_000_000
	}
	if dry || boundDeny {
		return
	}
	if s != nil {
		s.calls = append(s.calls, c)
	}
	m.open = append(m.open, c)
}

// compare holds what the ledgers say against plain sums.
func (m *liveModel) compare() {
	for ledger, want := range map[interface {
		Len() int
	}]map[string]int64{m.live.gate.ledger: m.spent, m.live.gate.shadow: m.would} {
		got := map[string]int64{}
		usage := m.live.gate.ledger.Usage(m.live.at, 99)
		if ledger == m.live.gate.shadow {
			usage = m.live.gate.shadow.Usage(m.live.at, 99)
		}
		for _, u := range usage {
			id := "calls"
			switch {
			case strings.Contains(u.Ledger, "pa*"):
				id = "stars"
			case strings.Contains(u.Ledger, "/pay"):
				id = "budget"
			}
			got[id] = u.Spent
		}
		for _, id := range []string{"calls", "budget", "stars"} {
			if got[id] != want[id] {
				m.rt.Fatalf("%s: %d are spent, want %d (%+v)", id, got[id], want[id], usage)
			}
		}
	}
}
