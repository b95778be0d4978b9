package decide

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/limit"
	"github.com/aegisctl/aegis/policy"
)

// EngineKind chooses the evaluator.
type EngineKind string

// The evaluators. Both runs native and OPA and fails on the first difference.
const (
	Native EngineKind = "native"
	OnOPA  EngineKind = "opa"
	Both   EngineKind = "both"
)

// Held says what becomes of calls that wait for a human, where no human is there to ask.
type Held string

// What a simulation supposes of held calls.
const (
	Granted Held = "granted" // at once: they are charged, remembered and taint
	Refused Held = "refused" // they leave no trace
)

// Options of a Gate.
type Options struct {
	Engine EngineKind // Native where empty
	Mode   aegis.Mode
	Tenant string // the one tenant believed; "" believes every tenant
	Held   Held   // Granted where empty

	// What outlives a gate; made new where nil. Live gates that follow each other share these.
	Ledger, ShadowLedger *limit.Ledger
	Sessions             *Sessions
}

var gateSerials atomic.Uint64

// Gate is the one path of a call (DESIGN §2): admit, facts, evaluate, sanitize, reserve, record, answer. simulate,
// replay and serve use this one. It is safe for several goroutines, each with a Scratch of its own.
type Gate struct {
	Engine *Engine
	opt    Options
	opa    *OPA
	ledger *limit.Ledger
	tracks bool // something is remembered by session, so that every call keeps its session from being forgotten

	shadow   *limit.Ledger // of live calls: charged as the policy would decide
	serial   uint64        // tells gates apart that share sessions
	sessions *Sessions
}

// NewGate makes a gate round an engine for the set.
func NewGate(set *policy.Set, opt Options) (*Gate, error) {
	e, err := New(set)
	if err != nil {
		return nil, err
	}
	opt.Engine, opt.Held = orElse(opt.Engine, Native), orElse(opt.Held, Granted)
	g := &Gate{Engine: e, opt: opt, ledger: opt.Ledger, shadow: opt.ShadowLedger, sessions: opt.Sessions, serial: gateSerials.Add(1)}
	if g.ledger == nil {
		g.ledger = limit.New()
	}
	if g.shadow == nil {
		g.shadow = limit.New()
	}
	if g.sessions == nil {
		g.sessions = NewSessions()
	}
	g.tracks = len(set.Features) > 0 || e.sessionLimits
	switch opt.Engine {
	case Native:
	case OnOPA, Both:
		if g.opa, err = NewOPA(set); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("unknown engine %q (native, opa or both)", opt.Engine)
	}
	return g, nil
}

// Difference says that the two evaluators disagree on a call: a defect of Aegis.
type Difference struct {
	Call        string
	Native, OPA string
}

func (d *Difference) Error() string {
	return fmt.Sprintf("the engines differ on call %s: native says %s, OPA says %s (please report this)", d.Call, d.Native, d.OPA)
}

// Decide takes a call along the whole path. The plan must be that of the call's names, and session that of its
// tenant and session. An error is a defect or a failure of a store, never a property of the call.
func (g *Gate) Decide(s *Scratch, p *Plan, c *aegis.Call, session *Session) (*Verdict, error) {
	v, err := g.Judge(s, p, c, session)
	if err != nil || !g.NeedsCommit(p) {
		return v, err
	}
	return v, g.Commit(s, session, true)
}

// NeedsCommit reports whether calls of the plan read or change anything that outlives them.
func (g *Gate) NeedsCommit(p *Plan) bool { return p.NeedsOrder || g.tracks }

// Judge is the part of the path that changes nothing: steps 1 to 4. It depends on earlier calls only where the plan
// says NeedsSession.
func (g *Gate) Judge(s *Scratch, p *Plan, c *aegis.Call, session *Session) (*Verdict, error) {
	if v := g.admit(s, p, c); v != nil {
		return v, nil
	}
	f := &s.own
	*f = Facts{}
	if session != nil && p.NeedsSession {
		session.mu.Lock()
		defer session.mu.Unlock()
		f.Session = g.history(session, s.now(c))
		if f.Session.Doubt != nil {
			c.Lacks |= aegis.LacksSession
		}
	}
	return g.judge(s, p, c, f)
}

// judge evaluates an admitted call with the facts of its session, and sanitizes it.
func (g *Gate) judge(s *Scratch, p *Plan, c *aegis.Call, f *Facts) (*Verdict, error) {
	if len(p.Sanitizers) > 0 {
		f.Detected = s.detected(p, c.Args)
	}
	v, err := g.evaluate(s, p, c, f)
	if err != nil {
		return nil, err
	}
	if len(f.Detected) > 0 && (v.Outcome == aegis.Sanitize || v.Outcome == aegis.ApprovalNeeded) {
		return g.sanitize(s, p, c, f)
	}
	return v, nil
}

// admit refuses what no rule need look at: step 1.
func (g *Gate) admit(s *Scratch, p *Plan, c *aegis.Call) *Verdict {
	code, outcome := aegis.NoCode, aegis.Deny
	if g.opt.Tenant != "" && c.Tenant != g.opt.Tenant {
		code = aegis.TenantMismatch
	}
	for _, v := range c.Args.Variants() {
		if !p.permitsVariants(pathTo(c.Args, v)) {
			code, outcome = aegis.Malformed, aegis.Reject
		}
	}
	if code == aegis.NoCode {
		return nil
	}
	s.call, s.plan, s.charges = c, p, s.charges[:0]
	s.verdict = Verdict{Plan: p}
	s.hits = append(s.hits[:0], aegis.Hit{Rule: policy.NoPolicyRule, Code: code, Outcome: outcome})
	return s.conclude()
}

// Malformed is the verdict on a call that could not be parsed.
func (g *Gate) Malformed(s *Scratch) *Verdict {
	s.verdict, s.charges = Verdict{}, s.charges[:0]
	s.hits = append(s.hits[:0], aegis.Hit{Rule: policy.NoPolicyRule, Code: aegis.Malformed, Outcome: aegis.Reject})
	return s.conclude()
}

// pathTo returns the keys on the way from root to v; an element of a list is "[]".
func pathTo(root, v aegis.Value) []string {
	var path []string
	for at := root; at != v; {
		list := at.Kind() == aegis.List
		for m := at.First(); m.Kind() != aegis.Absent; m = at.After(m) {
			if m.Contains(v) {
				key := "[]"
				if !list {
					key = m.Key()
				}
				path, at = append(path, key), m
				break
			}
		}
	}
	return path
}

// now is when a call happens to limits and sessions: its own time, or the clock where that is ahead.
func (s *Scratch) now(c *aegis.Call) int64 {
	if c.HasTime && (s.Clock == 0 || c.Time > s.Clock) {
		return c.Time
	}
	return s.Clock
}

// evaluate runs the chosen evaluator: step 3.
func (g *Gate) evaluate(s *Scratch, p *Plan, c *aegis.Call, f *Facts) (*Verdict, error) {
	v := g.Engine.Evaluate(s, p, c, f)
	// What is in doubt no fact of the Rego can say; live traffic never is.
	if g.opa != nil && (f.Session == nil || f.Session.Doubt == nil) {
		_, hits, err := g.opa.Evaluate(c, f)
		if err != nil {
			return nil, err
		}
		if g.opt.Engine == Both {
			if a, b := g.Engine.Canon(v.Hits), g.Engine.Canon(hits); a != b {
				return nil, &Difference{c.Tenant + "/" + c.Agent + " " + c.Tool + "/" + c.Action + " " + string(c.Args.Text()), a, b}
			}
		} else {
			s.hits = append(s.hits[:0], hits...)
		}
	}
	g.Engine.lacking(s)
	return s.conclude(), nil
}

// sanitize rewrites the arguments and evaluates again: the rewritten call may change nothing more and be denied
// nothing. Step 4.
func (g *Gate) sanitize(s *Scratch, p *Plan, c *aegis.Call, f *Facts) (*Verdict, error) {
	if s.second == nil {
		s.second = new(Scratch)
	}
	s.rewrite = rewriteArgs(s.rewrite[:0], c.Args, p.Sanitizers)
	rewritten := *c
	again := Facts{Session: f.Session}
	ok := s.doc.Parse(s.rewrite, 2*aegis.GreatestBody) == nil
	if ok {
		rewritten.Args = s.doc.Root()
		again.Detected = s.second.detected(p, rewritten.Args)
		v, err := g.evaluate(s.second, p, &rewritten, &again)
		if err != nil {
			return nil, err
		}
		ok = len(again.Detected) == 0 && v.Outcome < aegis.Deny
		for _, h := range v.Hits {
			s.hit(h.Rule, h.Code, h.Outcome)
		}
	}
	if !ok {
		for _, r := range f.Detected {
			s.hit(r, aegis.SanitizeFailed, aegis.Deny)
		}
	}
	v := s.conclude()
	v.Args = rewritten.Args
	return v, nil
}

// Commit reserves limits and remembers the call where it is let through: steps 5 and on. It must follow Judge with the
// same Scratch. success is false where the tool reported a failure: then the call is charged and not remembered.
func (g *Gate) Commit(s *Scratch, session *Session, success bool) error {
	if err := g.reserve(s, session); err != nil {
		return err
	}
	v := s.conclude()
	if session == nil {
		return nil
	}
	now := s.now(s.call)
	if g.Engine.sessionLimits {
		g.ledger.Touch(now, session.key)
	}
	session.mu.Lock()
	defer session.mu.Unlock()
	session.expire(now)
	if len(s.plan.updates) > 0 && success {
		g.remember(s, session, v)
	}
	session.last = max(session.last, now)
	return nil
}

// remember adds a call to its session's history if it is let through. Where the capture does not tell, what it may have
// changed is in doubt from then on.
func (g *Gate) remember(s *Scratch, session *Session, v *Verdict) {
	n, lacksArgs := len(g.Engine.set.Features), s.call.Lacks&(aegis.LacksArgs|aegis.LacksRedacted) != 0
	switch {
	case g.passes(v.Outcome):
		args := s.call.Args
		if v.Args.Kind() == aegis.Object {
			args = v.Args
		}
		h := g.history(session, s.now(s.call))
		s.plan.Remember(h, args)
		if lacksArgs {
			s.plan.Doubt(h, n, true)
		}
	case v.Outcome == aegis.Unknown:
		s.plan.Doubt(g.history(session, s.now(s.call)), n, false)
	}
}

// passes reports whether a call with that true outcome is let through.
func (g *Gate) passes(o aegis.Outcome) bool {
	if g.opt.Mode == aegis.Shadow {
		return o != aegis.Reject
	}
	return g.charged(o)
}

// charged reports whether a call with that outcome is charged: as the policy would decide, in every mode.
func (g *Gate) charged(o aegis.Outcome) bool {
	return o <= aegis.Sanitize || o == aegis.ApprovalNeeded && g.opt.Held == Granted
}

// reserve charges the call's limits, all or none, and notes those that are used up.
func (g *Gate) reserve(s *Scratch, session *Session) error {
	if len(s.charges) == 0 || s.verdict.Outcome == aegis.Reject {
		return nil
	}
	cs := s.limitCharges(session)
	g.Engine.lacking(s)
	if len(cs) == 0 {
		return nil
	}
	v := s.conclude()
	var exceeded uint64
	var err error
	if g.charged(v.Outcome) {
		_, exceeded, err = g.ledger.Reserve(s.now(s.call), cs)
	} else {
		exceeded, err = g.ledger.Peek(s.now(s.call), cs)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("ledger of rule %s", g.Engine.set.Rules[s.charges[0].rule].ID), err)
	}
	for i := 0; exceeded != 0; i, exceeded = i+1, exceeded>>1 {
		if exceeded&1 != 0 {
			rule := s.keys.rules[i]
			s.hit(rule, g.Engine.about[rule].exceeded(), aegis.Deny)
		}
	}
	return nil
}

// limitCharges completes the charges with time and session. A limit whose window the call cannot be placed in is an
// error.
func (s *Scratch) limitCharges(session *Session) []limit.Charge {
	cs, rules := s.keys.charges[:0], s.keys.rules[:0]
	for _, c := range s.charges {
		if c.Spec.Window == limit.Session {
			if session == nil {
				s.fail(c.rule, aegis.ExpressionError)
				continue
			}
			c.Charge.Session = session.key
		} else if !s.call.HasTime {
			s.fail(c.rule, aegis.ExpressionError)
			continue
		}
		cs, rules = append(cs, c.Charge), append(rules, c.rule)
	}
	s.keys.charges, s.keys.rules = cs, rules
	return cs
}

// Verdict returns the latest verdict that the Scratch holds.
func (s *Scratch) Verdict() *Verdict { return &s.verdict }
