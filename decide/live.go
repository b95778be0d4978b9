package decide

import (
	"errors"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/limit"
	"github.com/aegisctl/aegis/policy"
)

// Ruling is what the gate says of a live call.
type Ruling struct {
	Verdict  *Verdict    // the true decision, whatever binds; it belongs to the Scratch
	Mode     aegis.Mode  // Shadow where nothing binds the call, DryRun where it asked for that
	Passes   bool        // the call may go ahead
	Enforced bool        // the true decision binds; else the call is let through, or goes ahead as it came
	Args     aegis.Value // to be forwarded instead of the call's own, where sanitizing binds
	Seq      int64       // of the call in its session, from 0; 0 without a session
	Ticket   *Ticket     // what was charged and remembered; nil where that is nothing
}

// Rule takes a live call along the path, from admitting it to step 5: with the time of the call, the facts of its
// session, the modes of the entries that match and the ledgers. The plan must be that of the call's names. Whoever
// answers the call records it first, and releases the ticket if that fails.
//
// Calls of one session are ruled one after the other. A call whose DryRun is set changes nothing. A *StoreError is a failure
// of what the gate remembers in: then the call must not go ahead, unless it reads and its plan fails open. Any other error
// is a defect of the evaluators, and nothing goes ahead.
func (g *Gate) Rule(s *Scratch, p *Plan, c *aegis.Call) (Ruling, error) {
	s.Clock = 0
	if v := g.admit(s, p, c); v != nil {
		return g.ruling(c, v, g.force(p, c), nil), nil
	}
	session, err := g.enter(c)
	if err != nil {
		return Ruling{}, err
	}
	f := &s.own
	*f = Facts{}
	if session != nil {
		defer session.mu.Unlock()
		g.adopt(session, c.Time)
		if !c.DryRun {
			session.last = max(session.last, c.Time)
		}
		if p.NeedsSession {
			f.Session = g.history(session, c.Time)
		}
	}
	if _, err := g.judge(s, p, c, f); err != nil {
		return Ruling{}, err
	}
	t := &Ticket{gate: g, session: session, plan: p}
	force := g.force(p, c)
	args := g.forwarded(s, p, c, f, &force)
	if err := g.reserveLive(s, t, c, &force); err != nil {
		t.release()
		if force.outcome(s.hits) <= aegis.Sanitize {
			return Ruling{}, &StoreError{err}
		}
		// The rules forbid the call, whatever the ledger would have said.
	}
	r := g.ruling(c, s.conclude(), force, t)
	r.Args = args
	if session != nil && !c.DryRun {
		r.Seq = session.calls
		session.calls++
		g.leave(session, t, c, &r)
	}
	return r, nil
}

// StoreError says that a ledger or the memory of sessions failed on a call that no rule forbids.
type StoreError struct{ Err error }

func (e *StoreError) Error() string { return e.Err.Error() }
func (e *StoreError) Unwrap() error { return e.Err }

// enter returns the session of a live call, locked; nil for no session. A dry run gets one of its own: it may ask about
// another time, and neither that nor its being asked may change what the true session remembers.
func (g *Gate) enter(c *aegis.Call) (*Session, error) {
	if !c.DryRun {
		s, err := g.sessions.lock(c.Tenant, c.Session)
		if err != nil {
			return nil, &StoreError{err}
		}
		return s, nil
	}
	s := g.sessions.glance(c.Tenant, c.Session)
	if s != nil {
		s.mu.Lock()
	}
	return s, nil
}

// Refuse is the ruling on a call that could not be read: it knows no mode.
func (g *Gate) Refuse(s *Scratch) Ruling {
	return Ruling{Verdict: g.Malformed(s), Mode: g.opt.Mode, Enforced: true}
}

// ruling says what a verdict comes to for those whom it binds. Where the bound rules hold or deny a call and the others
// would do more, the true decision is answered: it is the stricter one.
func (g *Gate) ruling(c *aegis.Call, v *Verdict, f force, t *Ticket) Ruling {
	bound := f.outcome(v.Hits)
	r := Ruling{Verdict: v, Ticket: t, Mode: g.opt.Mode, Passes: bound <= aegis.Sanitize}
	switch {
	case c.DryRun:
		r.Mode, r.Enforced = aegis.DryRun, false
	case !r.Passes:
		r.Enforced, r.Mode = true, aegis.Enforce
	case !f.any():
		r.Mode = aegis.Shadow
	default:
		r.Enforced = v.Outcome <= bound
	}
	return r
}

// forwarded returns the arguments that replace the call's own: rewritten by the sanitizers that bind. What is rewritten
// so must satisfy the rules that bind, else they deny.
func (g *Gate) forwarded(s *Scratch, p *Plan, c *aegis.Call, f *Facts, force *force) aegis.Value {
	var bound []*Sanitizer
	detected := 0
	for _, z := range p.Sanitizers {
		for _, r := range f.Detected {
			if r == z.Rule {
				detected++
				if force.binds(r) {
					bound = append(bound, z)
				}
			}
		}
	}
	if len(bound) == 0 || s.verdict.Outcome > aegis.ApprovalNeeded {
		return aegis.Value{}
	}
	if len(bound) == detected {
		return s.verdict.Args
	}
	doc, second := new(aegis.Doc), new(Scratch)
	rewritten := *c
	ok := doc.Parse(rewriteArgs(nil, c.Args, bound), 2*aegis.GreatestBody) == nil
	if ok {
		rewritten.Args = doc.Root()
		again := Facts{Session: f.Session}
		v, err := g.evaluate(second, p, &rewritten, &again)
		ok = err == nil && force.outcome(v.Hits) < aegis.Deny
		for _, z := range bound {
			ok = ok && !z.found(rewritten.Args)
		}
	}
	if !ok {
		for _, z := range bound {
			s.hit(z.Rule, aegis.SanitizeFailed, aegis.Deny)
		}
		return aegis.Value{}
	}
	return rewritten.Args
}

// reserveLive charges the limits. Those that bind are charged on the ledger if what binds lets the call pass; every
// limit is charged on the shadow ledger if the whole policy would.
func (g *Gate) reserveLive(s *Scratch, t *Ticket, c *aegis.Call, f *force) error {
	if len(s.charges) == 0 || s.verdict.Outcome == aegis.Reject {
		return nil
	}
	cs := s.limitCharges(t.session)
	bound, free := split{}, split{}
	for i, ch := range cs {
		if rule := s.keys.rules[i]; f.binds(rule) {
			bound.add(g, ch, rule)
		} else {
			free.add(g, ch, rule)
		}
	}
	now := c.Time
	passes := func() bool { return !c.DryRun && f.outcome(s.hits) <= aegis.Sanitize }
	if err := bound.charge(g, s, g.ledger, now, passes(), &t.real); err != nil {
		return err
	}
	// In shadow a call that the policy would hold goes ahead: it counts as granted, as in a simulation.
	v := s.conclude()
	would := passes() && v.Outcome <= aegis.ApprovalNeeded
	if err := free.charge(g, s, g.shadow, now, would, &t.shadow); err != nil {
		return err
	}
	if v = s.conclude(); would && v.Outcome <= aegis.ApprovalNeeded && len(bound.charges) > 0 {
		// What binds was decided above; this only keeps the shadow ledger true.
		t.copy, _, _ = g.shadow.Reserve(now, bound.charges)
	}
	t.costs = bound.costs
	t.shadowCosts = free.costs
	return nil
}

// split is the charges of a call that go to one ledger.
type split struct {
	charges []limit.Charge
	rules   []policy.RuleID
	costs   []bool // the charge is of the call's cost
}

func (x *split) add(g *Gate, c limit.Charge, rule policy.RuleID) {
	l := g.Engine.about[rule].limit
	x.charges, x.rules = append(x.charges, c), append(x.rules, rule)
	x.costs = append(x.costs, l != nil && l.Kind == policy.LimitCost)
}

// charge reserves, or only looks, and notes the limits that are used up.
func (x *split) charge(g *Gate, s *Scratch, ledger *limit.Ledger, now int64, reserve bool, into *limit.Reservation) error {
	if len(x.charges) == 0 {
		return nil
	}
	var exceeded uint64
	var err error
	if reserve {
		*into, exceeded, err = ledger.Reserve(now, x.charges)
	} else {
		exceeded, err = ledger.Peek(now, x.charges)
	}
	if err != nil {
		return errors.Join(errors.New("ledger of rule "+g.Engine.set.Rules[x.rules[0]].ID), err)
	}
	for i := 0; exceeded != 0; i, exceeded = i+1, exceeded>>1 {
		if exceeded&1 != 0 {
			s.hit(x.rules[i], g.Engine.about[x.rules[i]].exceeded(), aegis.Deny)
		}
	}
	return nil
}

// leave notes in the session that a call was, and what it did where it goes ahead.
func (g *Gate) leave(session *Session, t *Ticket, c *aegis.Call, r *Ruling) {
	if g.Engine.sessionLimits {
		g.ledger.Touch(c.Time, session.key)
		g.shadow.Touch(c.Time, session.key)
	}
	if !r.Passes || len(t.plan.updates) == 0 {
		return
	}
	args := c.Args
	if r.Args.Kind() == aegis.Object {
		args = r.Args
	}
	t.features = g.Engine.set.Features
	for _, u := range t.plan.updates {
		if u.path != nil {
			t.text = append([]byte(nil), args.Text()...)
			break
		}
	}
	session.remember(g.history(session, c.Time), t, args)
}

// Ticket is what a live call was charged and what it left in its session, until its outcome is known. Settle or Release
// ends it; what comes later does nothing. One that is dropped counts as spent and as done.
type Ticket struct {
	gate     *Gate
	session  *Session
	plan     *Plan
	features []policy.Feature
	text     []byte // of the arguments, where the history needs them
	dropped  bool   // its session's history cannot take it back any more
	ended    bool

	real, shadow, copy limit.Reservation
	costs, shadowCosts []bool
}

// Empty reports whether the call was charged nothing and left nothing behind.
func (t *Ticket) Empty() bool {
	return t.features == nil && t.real.Empty() && t.shadow.Empty() && t.copy.Empty()
}

// Size returns how many bytes of the call's arguments a ticket holds; none where it is nil.
func (t *Ticket) Size() int {
	if t == nil {
		return 0
	}
	return len(t.text)
}

func (t *Ticket) arguments() aegis.Value {
	if t.text == nil {
		return aegis.Value{}
	}
	d := new(aegis.Doc)
	if err := d.Parse(t.text, 2*aegis.GreatestBody); err != nil {
		return aegis.Value{} // it was parsed before
	}
	return d.Root()
}

// Settle ends a ticket with what became of the call. A failed call stays charged and is not remembered. Where its cost
// turned out otherwise than estimated, cost (in millionths of a US dollar; nil: as estimated) is what budgets of money
// are charged. The error says that a cost makes no sense; then the ticket stays open.
func (t *Ticket) Settle(failed bool, cost *int64) error {
	if cost != nil && *cost < 0 {
		return limit.ErrNegative
	}
	if t.session != nil {
		t.session.mu.Lock()
		defer t.session.mu.Unlock()
	}
	if t.ended {
		return nil
	}
	t.ended = true
	var err error
	if cost != nil {
		err = errors.Join(t.gate.ledger.Settle(&t.real, amounts(t.costs, *cost)...),
			t.gate.shadow.Settle(&t.shadow, amounts(t.shadowCosts, *cost)...), t.gate.shadow.Settle(&t.copy, amounts(t.costs, *cost)...))
	}
	if t.session != nil {
		t.session.settle(t, !failed)
	}
	return err
}

// amounts are what the charges of a reservation came to: those of cost to that, all others as they were reserved.
func amounts(costs []bool, cost int64) []int64 {
	out := make([]int64, len(costs))
	for i, is := range costs {
		if out[i] = limit.AsReserved; is {
			out[i] = cost
		}
	}
	return out
}

// Release takes back a call that was not answered: it was never made.
func (t *Ticket) Release() {
	if t.session != nil {
		t.session.mu.Lock()
		defer t.session.mu.Unlock()
	}
	if t.ended {
		return
	}
	t.release()
	if t.session != nil {
		t.session.settle(t, false)
	}
}

func (t *Ticket) release() {
	t.ended = true
	t.gate.ledger.Release(&t.real)
	t.gate.shadow.Release(&t.shadow)
	t.gate.shadow.Release(&t.copy)
}

// Decision writes a ruling as the decision object.
func (g *Gate) Decision(c *aegis.Call, r Ruling) *aegis.Decision {
	v := r.Verdict
	d := &aegis.Decision{Decision: v.Outcome.String(), Mode: r.Mode.String(), Enforced: r.Enforced, Schema: 1,
		PolicyVersion: g.Engine.set.Version, EstimatedCost: aegis.USD(v.Cost)}
	d.WouldBlock = !r.Enforced && v.Outcome >= aegis.Deny
	d.WouldHold = !r.Enforced && v.Outcome == aegis.ApprovalNeeded
	d.Reasons, d.Errors = g.Engine.Explain(c, v)
	if v.Outcome == aegis.Sanitize {
		args := aegis.RawJSON(v.Args.Text())
		d.Args = &args
	}
	return d
}
