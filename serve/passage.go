package serve

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/decide"
)

// passage is one call on its way.
type passage struct {
	service *Service
	scratch *decide.Scratch
	request *Request
	id      string
	began   time.Time
	unit    *Unit
	call    *aegis.Call
	ruling  decide.Ruling
	seq     int64
	results *decide.Results

	// A refusal of the gate itself, which no rule of a policy states.
	code    aegis.Code
	message string
	open    bool // the call is let through although the gate failed
}

// decide takes the call through admission and the gate.
func (p *passage) decide(ctx context.Context) {
	s, r := p.service, p.request
	st := r.In.state
	if st == nil {
		st = s.live.Load()
	}
	p.call = r.Call
	if p.call == nil {
		p.call = &aegis.Call{Tenant: r.Who.Tenant, Agent: r.Who.Agent}
		p.unit = st.unit(p.call.Tenant)
		p.refuse(aegis.Malformed, "the call is malformed: "+r.Bad.Error())
		return
	}
	p.identify()
	p.unit = st.unit(p.call.Tenant)
	if r.Deny != aegis.NoCode {
		p.refuse(r.Deny, r.Why)
		// Nothing blocks where the server is in shadow; who calls is no matter of mode.
		p.open = s.opt.Mode == aegis.Shadow && r.Deny != aegis.TokenInvalid && r.Deny != aegis.TenantMismatch
		return
	}
	if p.unit == nil {
		p.refuse(aegis.NoPolicy, "no policies are loaded")
		return
	}
	gate := p.unit.gate
	plan := gate.Engine.Plan(p.call.Tenant, p.call.Agent, p.call.Tool, p.call.Action)
	if err := ctx.Err(); err != nil {
		p.failed(plan, aegis.Deadline, "the caller did not wait for the decision")
		return
	}
	ruling, err := gate.Rule(p.scratch, plan, p.call)
	if err != nil {
		s.opt.Log.Error("a call could not be decided", "decision", p.id, "error", err)
		if store := (*decide.StoreError)(nil); !errors.As(err, &store) {
			plan = nil // the evaluators failed: no entry's on_failure is about that
		}
		p.failed(plan, aegis.StoreUnavailable, "what decisions need could not be read or written")
		return
	}
	p.ruling, p.seq = ruling, ruling.Seq
	if ruling.Passes && ruling.Mode != aegis.Shadow && p.stale(plan) {
		p.fail(aegis.ExpiredPolicy, "the policies are stale: their bundle expired, or was signed too long ago")
		return
	}
	if ruling.Passes {
		p.forward(plan)
	}
	if p.ruling.Passes && (ctx.Err() != nil || time.Since(p.began) > s.opt.Deadline) {
		p.failedAfter(aegis.Deadline, "the decision took too long, or the caller did not wait for it")
	}
}

// forward sees to it that a call goes ahead only where the door can do what the policies say of its arguments and its result.
func (p *passage) forward(plan *decide.Plan) {
	r := p.request
	if p.ruling.Args.Kind() == aegis.Object {
		if !r.Rewrites {
			p.fail(aegis.CannotSanitizeHere, "the arguments must be sanitized, and this door cannot forward other arguments than it received")
			return
		}
		if r.Forward != nil {
			if err := r.Forward(p.ruling.Args); err != nil {
				p.fail(aegis.CannotSanitizeHere, "the arguments must be sanitized: "+err.Error())
				return
			}
		}
	}
	if p.results = p.unit.gate.Results(plan, p.call); p.results != nil && !r.Results {
		p.fail(aegis.CannotSanitizeHere, "the result must be sanitized, and this door does not see it")
	}
}

// identify puts what authentication established in place of what the envelope says, and the server's clock in place of
// its time. Only a dry run may ask about another time.
func (p *passage) identify() {
	c, who := p.call, &p.request.Who
	if who.Verified {
		c.Chain, c.Session, c.Region, c.Claims = who.Chain, who.Session, who.Region, who.Claims
		switch {
		case c.Tenant != who.Tenant && c.Tenant != "":
			p.deny(aegis.TenantMismatch, fmt.Sprintf("the token is not of tenant %q", c.Tenant))
		case c.Agent != who.Agent && c.Agent != "":
			p.deny(aegis.TokenInvalid, fmt.Sprintf("the token is not of agent %q", c.Agent))
		}
		c.Tenant, c.Agent = who.Tenant, who.Agent
	}
	if !c.DryRun || !c.HasTime {
		c.Time, c.HasTime = p.request.Received.UnixMicro(), true
	}
}

// deny notes a reason of the door's kind, unless there is one already.
func (p *passage) deny(code aegis.Code, why string) {
	if p.request.Deny == aegis.NoCode {
		p.request.Deny, p.request.Why = code, why
	}
}

// refuse ends the passage with a reason of the gate's own.
func (p *passage) refuse(code aegis.Code, message string) { p.code, p.message = code, message }

// fail is refuse for a call that the gate has ruled on: what that charged is taken back.
func (p *passage) fail(code aegis.Code, message string) {
	if p.ruling.Ticket != nil {
		p.ruling.Ticket.Release()
	}
	p.ruling, p.results, p.open = decide.Ruling{}, nil, false
	p.refuse(code, message)
}

// failedAfter is fail where the gate failed after its ruling. A call that goes ahead all the same goes as it was ruled:
// charged, remembered, and with the arguments that were sanitized.
func (p *passage) failedAfter(code aegis.Code, message string) {
	if p.open {
		p.refuse(code, message)
		return
	}
	if p.ruling.Passes {
		if p.failed(p.plan(), code, message); p.open {
			return
		}
	}
	p.fail(code, message)
}

// failed answers for a gate that failed: reads whose entries say on_failure: open go ahead, and are recorded as such.
// Nothing blocks where the server is in shadow.
func (p *passage) failed(plan *decide.Plan, code aegis.Code, message string) {
	p.refuse(code, message)
	reads := plan != nil && plan.Effect == aegis.Read && p.call.Effect != aegis.Write
	// What would have to be sanitized must not go ahead as it came, and without a ruling nobody knows how it would go.
	sanitizes := p.ruling.Verdict == nil && plan != nil && len(plan.Sanitizers)+len(plan.Results) > 0
	p.open = reads && !sanitizes && plan.FailsOpen() || p.service.opt.Mode == aegis.Shadow
}

// stale reports whether a call writes under policies that are no longer fresh. Whoever keeps new policies from the server
// must not be able to keep old ones in force for ever; reads go on.
func (p *passage) stale(plan *decide.Plan) bool {
	if p.service.opt.KeepStale || !p.unit.Stale(p.request.Received) {
		return false
	}
	return plan == nil || plan.Effect != aegis.Read || p.call.Effect == aegis.Write
}

// answer makes the answer of where the passage has come to.
func (p *passage) answer() *Answer {
	a := &Answer{ID: p.id, Effect: effect(p.plan(), p.call)}
	if p.code == aegis.NoCode {
		a.Decision = p.unit.gate.Decision(p.call, p.ruling)
		a.Outcome, a.Passes, a.Results = p.ruling.Verdict.Outcome, p.ruling.Passes, p.results
		if a.Passes {
			a.Args = p.forwarded()
		}
		if a.Decision.Args != nil {
			// The text belongs to the scratch.
			text := aegis.RawJSON(append([]byte(nil), *a.Decision.Args...))
			a.Decision.Args = &text
		}
		return a
	}
	outcome := aegis.Deny
	if p.code == aegis.Malformed && p.request.Call == nil {
		outcome = aegis.Reject
	}
	reasons := []aegis.Reason{{Code: p.code, Message: p.message}}
	d := &aegis.Decision{Mode: p.service.opt.Mode.String(), Enforced: true, Reasons: reasons, Errors: []aegis.Reason{}, Schema: 1}
	if p.unit != nil {
		d.PolicyVersion = p.unit.set.Version
	}
	if p.open {
		a.Passes, a.Args, a.Results, d.Enforced = true, p.forwarded(), p.results, false
		if p.service.opt.Mode != aegis.Shadow {
			outcome = aegis.Allow
			if a.Args != nil {
				text := aegis.RawJSON(a.Args)
				outcome, d.Enforced, d.Args = aegis.Sanitize, true, &text
			}
			d.Reasons = append(d.Reasons, aegis.Reason{Code: aegis.FailedOpen, Message: "let through: the entry reads and says on_failure: open"})
		}
	}
	d.Decision = outcome.String()
	d.WouldBlock = !d.Enforced && outcome >= aegis.Deny
	a.Outcome, a.Decision = outcome, d
	return a
}

// forwarded returns the arguments to forward instead of the call's own; nil where they go as they came.
func (p *passage) forwarded() []byte {
	if p.ruling.Args.Kind() != aegis.Object {
		return nil
	}
	return append([]byte(nil), p.ruling.Args.Text()...) // that belongs to the scratch
}

// record makes the record of an answer.
func (p *passage) record(a *Answer) *Record {
	return &Record{ID: p.id, Door: p.request.Door, Who: p.request.Who.Name, Time: p.request.Received, Call: p.call, Answer: a,
		Plan: p.plan(), Seq: p.seq, Malformed: p.call.Tool == "", Settled: p.request.Settled}
}

func (p *passage) plan() *decide.Plan {
	if v := p.ruling.Verdict; v != nil {
		return v.Plan
	}
	return nil
}

// Record is what is kept of one decision. Its call shares memory with the request: what outlives Record or Observe must be
// copied.
type Record struct {
	ID        string
	Door      string
	Who       string
	Time      time.Time
	Call      *aegis.Call
	Answer    *Answer
	Plan      *decide.Plan  // nil where no policy was asked
	Seq       int64         // of the call in its session, from 0, in the order of rulings
	Malformed bool          // no call could be read: Call holds only what authentication knows
	Settled   bool          // nobody will report the outcome
	Latency   time.Duration // from the door to here; only for observers
}

// Effect is what the call does, as policy and caller have it.
func (r *Record) Effect() aegis.Effect { return effect(r.Plan, r.Call) }

func effect(p *decide.Plan, c *aegis.Call) aegis.Effect {
	if p == nil || c.Effect == aegis.Write {
		return aegis.Write
	}
	return p.Effect
}

// Recorder keeps records. An error means that the record is not kept; the call is then denied (audit_unavailable).
type Recorder interface {
	Record(context.Context, *Record) error
}

// Observer is told of decisions that have been made. It must not wait.
type Observer interface {
	Observe(context.Context, *Record)
}

// OutcomeObserver is an Observer that is also told what became of calls that went ahead.
type OutcomeObserver interface {
	Observer
	Outcome(id string, failed bool)
}

// ErrClosed is the error of a recorder that was closed.
var ErrClosed = errors.New("the recorder is closed")
