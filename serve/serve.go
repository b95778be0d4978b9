// Package serve is the enforcement server: the one path (decide.Gate) on live traffic, behind several doors.
//
// It promises that every door takes the same path: a door turns what it received into a Request, and what Service.Decide
// answers into its own words, and decides nothing itself. A call is judged by one snapshot of the policies from beginning
// to end; replacing them fails no call. What goes wrong denies, save reads whose entries say on_failure: open. No call is
// answered before its record is kept.
//
// A door is a folder below this one. Doors do not know each other.
package serve

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/decide"
	"github.com/aegisctl/aegis/limit"
)

// Options of a Service.
type Options struct {
	Mode      aegis.Mode        // Enforce, or Shadow: nothing is blocked, everything is recorded
	Tenant    string            // the one tenant believed; "" believes every tenant
	Engine    decide.EngineKind // decide.Native where empty
	Deadline  time.Duration     // for the recorders of one decision; 0: a second
	KeepStale bool              // decide writes under policies that are no longer fresh, too
	MaxBody   int               // bytes of a body that routes take; 0: aegis.MaxBody
	Recorders []Recorder        // each keeps every decision, in this order
	Observers []Observer        // are told of every decision afterwards
	Log       *slog.Logger      // nil: discarded
	Now       func() time.Time  // nil: time.Now
}

// Service decides live calls. It is safe for concurrent use.
type Service struct {
	opt      Options
	live     atomic.Pointer[state]
	install  sync.Mutex // held while policies are replaced
	ledger   *limit.Ledger
	shadow   *limit.Ledger
	sessions *decide.Sessions
	tickets  *tickets
	scratch  sync.Pool
	stop     chan struct{}
	stopped  sync.WaitGroup
}

// New makes a service that has no policies yet: until Install it denies every call (no_policy).
func New(opt Options) *Service {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Deadline == 0 {
		opt.Deadline = time.Second
	}
	s := &Service{opt: opt, ledger: limit.New(), shadow: limit.New(), sessions: decide.NewSessions(),
		tickets: newTickets(), stop: make(chan struct{})}
	s.scratch.New = func() any { return new(decide.Scratch) }
	s.live.Store(&state{})
	s.stopped.Add(1)
	go s.sweep()
	return s
}

// sweepEvery is how often what is idle or overdue is forgotten.
const sweepEvery = time.Minute

func (s *Service) sweep() {
	defer s.stopped.Done()
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
			now := s.opt.Now()
			s.sessions.Forget(now.UnixMicro())
			s.ledger.Forget(now.UnixMicro())
			s.shadow.Forget(now.UnixMicro())
			s.tickets.expire(now)
		}
	}
}

// Close ends the service's own work. Calls must have ended before. Recorders are not closed: who made them does that.
func (s *Service) Close() {
	close(s.stop)
	s.stopped.Wait()
}

// Principal is who calls, as a door's authentication established it.
type Principal struct {
	Name     string // for logs: "loopback token", "envoy", an issuer and subject
	Verified bool   // tenant, agent, chain, session and region below come from a verified token: they alone count
	Tenant   string
	Agent    string
	Chain    []string
	Session  string
	Region   string
	Claims   aegis.Value
	Scopes   []string
}

// Request is one call as a door received it.
type Request struct {
	Call     *aegis.Call // nil where it could not be read
	Bad      error       // why it could not be read; shown to the caller
	Who      Principal
	Door     string     // native, authzen, ext_authz, ext_proc: for records
	Rewrites bool       // the door forwards rewritten arguments, or tells the caller to
	Results  bool       // the door sees what the tool answers, and does with it what Answer.Results says
	Settled  bool       // the door will not learn the outcome: the call counts as done, and costs what was estimated
	Deny     aegis.Code // a door's own reason to deny (token_invalid, tool_not_granted); NoCode: none
	Why      string     // what it says of that
	Received time.Time  // zero: now

	// Forward, where it is set, makes what the door forwards of rewritten arguments, before the decision is recorded. An error
	// denies the call. The arguments are valid until it returns.
	Forward func(args aegis.Value) error

	// In is the policies by which the door found out what is called; they decide it, too. The zero value: those in force.
	In Snapshot
}

// Answer is what becomes of a call.
type Answer struct {
	ID       string // of the decision, for Outcome and for records
	Decision *aegis.Decision
	Outcome  aegis.Outcome // the true decision
	Passes   bool          // the call may go ahead
	Args     []byte        // JSON to forward instead of the call's own arguments; nil: as they came, byte for byte
	Effect   aegis.Effect  // what the call does, as policy and caller have it; a write where that is not known

	// Results is what must be done with the tool's answer before the caller sees it; nil: nothing.
	Results *decide.Results
}

// Decide takes a call along the path and answers it. It never fails: what goes wrong denies.
func (s *Service) Decide(ctx context.Context, r *Request) *Answer {
	if r.Received.IsZero() {
		r.Received = s.opt.Now()
	}
	began := time.Now()
	scratch := s.scratch.Get().(*decide.Scratch)
	p := &passage{service: s, scratch: scratch, request: r, id: newID(), began: began}
	p.decide(ctx)
	a := p.answer()
	rec := p.record(a)
	if err := s.keep(ctx, rec); err != nil {
		s.opt.Log.Error("a decision could not be recorded", "decision", p.id, "error", err)
		p.failedAfter(aegis.AuditUnavailable, "the decision could not be recorded")
		a = p.answer()
		rec = p.record(a)
	}
	switch ticket := p.ruling.Ticket; {
	case !a.Passes || r.isDry():
	case !r.Settled:
		s.tickets.keep(p.id, p.call.Tenant, ticket, r.Received)
	case ticket != nil:
		ticket.Settle(false, nil) // without a cost it cannot fail
	}
	rec.Latency = time.Since(began)
	for _, o := range s.opt.Observers {
		o.Observe(ctx, rec)
	}
	s.scratch.Put(scratch) // not deferred: after a panic nobody knows what it holds
	return a
}

func (r *Request) isDry() bool { return r.Call != nil && r.Call.DryRun }

// newID names a decision: 128 random bits.
func newID() string {
	var b [16]byte
	rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}

// keep hands a record to every recorder.
func (s *Service) keep(ctx context.Context, rec *Record) error {
	if len(s.opt.Recorders) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.opt.Deadline)
	defer cancel()
	var errs []error
	for _, k := range s.opt.Recorders {
		if err := k.Record(ctx, rec); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// ErrUnknownDecision is the error of Outcome for a decision that is not waiting for one: it was never made, not for this
// tenant, denied, settled before, or too long ago.
var ErrUnknownDecision = errors.New("no decision with that id waits for its outcome")

// Outcome reports what became of a call that went ahead. cost is what it really cost, in millionths of a US dollar; nil:
// as estimated. tenant is whose decision it must be; "" is anybody's.
func (s *Service) Outcome(id, tenant string, failed bool, cost *int64) error {
	t, ok := s.tickets.take(id, tenant)
	if !ok {
		return ErrUnknownDecision
	}
	for _, o := range s.opt.Observers {
		if o, ok := o.(OutcomeObserver); ok {
			o.Outcome(id, failed)
		}
	}
	if t == nil {
		return nil
	}
	return t.Settle(failed, cost)
}
