// Package source keeps policies as they are elsewhere: in a file, a directory, behind HTTP(S) or in an OCI registry. It
// fetches, verifies and loads them, at first and whenever they change.
//
// It promises that what is put in force was verified: the bytes that sign.Verify judged are the bytes that are loaded. What
// cannot be fetched, verified or loaded, or would bring back an older serial, leaves what is in force as it is, and is told
// to the log and to whoever watches. The floor of serials is on disk before a bundle is in force. It decides nothing about
// calls.
package source

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aegisctl/aegis/policy"
	"github.com/aegisctl/aegis/sign"
)

// Options say where policies come from and what they must be.
type Options struct {
	Places    []string // paths, https://… (http://… too), oci://host/repository:tag
	Unsigned  bool     // take what nobody signed; Keys is then not asked
	MinSerial int64
	Tenant    string        // where set, a tenant that every signed bundle must hold policies of
	MaxAge    time.Duration // how long after its signing a bundle is fresh; 0: until it expires
	Every     time.Duration // between two looks, give or take a tenth; 0: only when told
	State     *State        // keeps the floor; nil: it is kept in memory only
	Tokens    map[string]string
	CA        *x509.CertPool // nil: the system's

	// Keys returns the keys that are trusted and those that are no longer. It is asked at first and at each forced look.
	Keys func(context.Context) (trusted, revoked []*sign.PublicKey, err error)

	// Install puts policies in force, all or none. It calls last when nothing else can fail, and does nothing if last fails.
	Install func(all []*Loaded, last func() error) error

	Watch func(Event)  // is told of each look; nil: nobody
	Log   *slog.Logger // nil: discarded
	Now   func() time.Time
}

// Loaded is one bundle, or one directory of policies, that was accepted.
type Loaded struct {
	Name       string
	Set        *policy.Set
	Serial     int64
	Signed     bool
	FreshUntil time.Time // when it expires, or was signed too long ago; zero: never

	sum     [32]byte
	tenants []string
	proof   *sign.Verified // nil: unsigned
}

// Event is one look at one source.
type Event struct {
	Source string
	Result Result
	Code   string // of a refusal: a sign.Code, or one below; "" otherwise
	Err    error
	Stale  bool // what is in force of it is no longer fresh
}

// Result is what came of a look.
type Result string

// The results of a look.
const (
	Installed Result = "installed" // something new is in force
	Unchanged Result = "unchanged"
	Refused   Result = "refused" // what was in force stays
)

// Codes of refusals, beside those of package sign.
const (
	Unreachable = "unreachable" // it could not be fetched
	Unloadable  = "unloadable"  // it was verified, and its policies cannot be loaded
	NotKept     = "not_kept"    // the floor could not be written
	NotInstall  = "not_installed"
)

// Status is how a source stands.
type Status struct {
	Source   string    `json:"source"`
	Checked  time.Time `json:"checked"` // the latest look
	Changed  time.Time `json:"changed"` // when something new of it was put in force
	Code     string    `json:"code,omitempty"`
	Error    string    `json:"error,omitempty"`    // why the latest look put nothing in force, though there was something new
	Failures int       `json:"failures,omitempty"` // looks in a row that failed
	Stale    bool      `json:"stale"`
}

// Keeper keeps a server's policies as their sources are.
type Keeper struct {
	opt Options

	look    sync.Mutex // held during a look
	sources []*kept
	trusted []*sign.PublicKey
	revoked []*sign.PublicKey
	floor   sign.Floor

	mu     sync.Mutex // guards status
	status []Status
}

// kept is one source and what is in force of it.
type kept struct {
	place place
	live  []*Loaded
	tag   string // what the place called what is in force

	// The latest look.
	next    []*Loaded
	nextTag string
	err     error
}

// New makes a keeper. Nothing is fetched yet.
func New(o Options) (*Keeper, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Watch == nil {
		o.Watch = func(Event) {}
	}
	k := &Keeper{opt: o, floor: sign.Floor{}}
	for _, text := range o.Places {
		p, err := newPlace(text, &o)
		if err != nil {
			return nil, err
		}
		k.sources = append(k.sources, &kept{place: p})
		k.status = append(k.status, Status{Source: p.name()})
	}
	if o.State != nil && !o.Unsigned {
		floor, err := o.State.floor(o.MinSerial > 0)
		if err != nil {
			return nil, err
		}
		k.floor = floor
	}
	return k, nil
}

// Begin loads all sources for the first time. Unless every one is accepted, nothing is in force.
func (k *Keeper) Begin(ctx context.Context) error {
	if errs := k.refresh(ctx, true, true); len(errs) > 0 {
		return errs[0]
	}
	return nil
}

// Refresh looks at all sources once. With force, keys are read again and nothing is taken for unchanged unseen. The errors
// were logged.
func (k *Keeper) Refresh(ctx context.Context, force bool) []error {
	return k.refresh(ctx, force, false)
}

// Run looks at the sources from time to time, and at once when now yields, until ctx ends.
func (k *Keeper) Run(ctx context.Context, now <-chan struct{}) {
	for {
		var tick <-chan time.Time
		if k.opt.Every > 0 {
			// Servers that began together do not ask together.
			tick = time.After(k.opt.Every*9/10 + rand.N(k.opt.Every/5+1))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick:
			k.Refresh(ctx, false)
		case <-now:
			k.Refresh(ctx, true)
		}
	}
}

// Status returns how each source stands, in the order of Options.Places.
func (k *Keeper) Status() []Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.status)
}

// lookWithin bounds one look at all sources.
const lookWithin = time.Minute

func (k *Keeper) refresh(ctx context.Context, force, first bool) []error {
	k.look.Lock()
	defer k.look.Unlock()
	patient, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	if force && !k.opt.Unsigned {
		trusted, revoked, err := k.opt.Keys(patient)
		if err != nil {
			err = fmt.Errorf("the keys could not be read again: %w", err)
			k.opt.Log.Error("policies stay as they are", "error", err)
			return []error{err}
		}
		k.trusted, k.revoked = trusted, revoked
	}
	var wait sync.WaitGroup
	for _, s := range k.sources {
		wait.Go(func() { s.next, s.nextTag, s.err = k.fetch(patient, s, force) })
	}
	wait.Wait()
	if ctx.Err() != nil {
		return []error{ctx.Err()}
	}
	if first {
		for _, s := range k.sources {
			if s.err != nil {
				return []error{k.firstError(s)}
			}
		}
	}
	installed := k.install(first)
	var errs []error
	for i, s := range k.sources {
		if s.err != nil {
			errs = append(errs, s.err)
		}
		k.note(i, s, installed[s])
	}
	return errs
}

// install puts in force what changed: all of it, or where that fails, of each source by itself.
func (k *Keeper) install(first bool) map[*kept]bool {
	var changed []*kept
	for _, s := range k.sources {
		if s.next != nil && (first || !same(s.next, s.live)) {
			changed = append(changed, s)
		}
	}
	installed := map[*kept]bool{}
	if len(changed) == 0 {
		return installed
	}
	err := k.put(changed)
	if err == nil {
		for _, s := range changed {
			installed[s] = true
		}
		return installed
	}
	for _, s := range changed {
		if len(changed) > 1 && !first {
			err = k.put([]*kept{s})
		}
		if err == nil {
			installed[s] = true
		} else if s.err == nil {
			s.err = err
		}
	}
	return installed
}

// put puts the new state of some sources in force, beside what the others have. The floor is on disk before.
func (k *Keeper) put(changed []*kept) error {
	var all []*Loaded
	floor := k.floor
	for _, s := range k.sources {
		now := s.live
		if slices.Contains(changed, s) {
			now = s.next
		}
		for _, l := range now {
			if l.proof != nil {
				floor = floor.Raise(l.proof)
			}
		}
		all = append(all, now...)
	}
	err := k.opt.Install(all, func() error {
		if k.opt.State == nil || k.opt.Unsigned {
			return nil
		}
		if err := k.opt.State.keep(floor); err != nil {
			return &refusal{NotKept, fmt.Errorf("the floor of serials could not be kept: %w", err)}
		}
		return nil
	})
	if err != nil {
		return err
	}
	k.floor = floor
	for _, s := range changed {
		s.live = s.next
	}
	return nil
}

func same(a, b []*Loaded) bool {
	return slices.EqualFunc(a, b, func(a, b *Loaded) bool {
		return a.Set == b.Set && a.FreshUntil.Equal(b.FreshUntil) && a.Serial == b.Serial
	})
}

// note tells what came of a look at a source.
func (k *Keeper) note(i int, s *kept, installed bool) {
	now := k.opt.Now()
	e := Event{Source: s.place.name(), Result: Unchanged, Err: s.err}
	k.mu.Lock()
	st := &k.status[i]
	before := *st
	st.Checked, st.Code, st.Error = now, "", ""
	if installed {
		e.Result, st.Changed = Installed, now
	}
	if s.err != nil {
		st.Failures++
		st.Code, st.Error = code(s.err), s.err.Error()
		if !installed {
			e.Result = Refused
		}
	} else {
		st.Failures, s.tag = 0, s.nextTag
	}
	st.Stale = slices.ContainsFunc(s.live, func(l *Loaded) bool { return !l.FreshUntil.IsZero() && !now.Before(l.FreshUntil) })
	e.Code, e.Stale = st.Code, st.Stale
	after := *st
	k.mu.Unlock()
	// A source that stays broken is said once; the status counts.
	switch {
	case after.Error != "" && after.Error != before.Error:
		k.opt.Log.Error("new policies are refused; those in force stay", "source", e.Source, "code", e.Code, "error", s.err)
	case after.Error == "" && before.Error != "":
		k.opt.Log.Warn("the source of policies is well again", "source", e.Source)
	}
	if after.Stale && !before.Stale {
		k.opt.Log.Error("the policies in force are stale: they expired, or were signed too long ago", "source", e.Source)
	}
	k.opt.Watch(e)
}

// refusal is an error with a code of this package.
type refusal struct {
	code string
	err  error
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// code returns the stable name of why a source was refused.
func code(err error) string {
	if e, ok := errors.AsType[*refusal](err); ok {
		return e.code
	}
	if e, ok := errors.AsType[*sign.Error](err); ok {
		return string(e.Code)
	}
	return NotInstall
}

// firstError is the one line that a server ends with that never had policies.
func (k *Keeper) firstError(s *kept) error {
	err := s.err
	if e, ok := errors.AsType[*sign.Error](err); ok {
		err = fmt.Errorf("%s: %w", e.Code, err)
	}
	if strings.Contains(err.Error(), s.place.name()) {
		return err
	}
	return fmt.Errorf("%s: %w", s.place.name(), err)
}
