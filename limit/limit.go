// Package limit counts what agents spend: rates, calls in a window, and budgets of money or of an argument.
//
// It promises that a limit is never exceeded by what Reserve granted, whatever the interleaving of callers and whatever
// the clock does: charges are made all or none, what is not settled counts as spent, and time never runs backwards for
// a key, so that a window which has ended never opens again and one that is open is never emptied. Arithmetic is exact;
// where the state of one limit must be carried over to an edited one, it is rounded against the caller.
//
// A Ledger lives in memory and does no I/O. It reads no clock either: every method is told the time, in microseconds
// since the Unix epoch, so the server passes its own clock and the simulator that of the captured traffic.
package limit

import (
	"errors"
	"fmt"
	"time"
)

// Kind is what a limit counts.
type Kind uint8

// The kinds of limit.
const (
	Rate   Kind = iota + 1 // events per period, as GCRA: a burst, refilled evenly
	Calls                  // events in a window
	Budget                 // a sum in a window, in millionths: of money (micro-USD) or of an argument
)

// String returns "rate", "calls", "budget" or "".
func (k Kind) String() string {
	if k > Budget {
		return ""
	}
	return [...]string{"", "rate", "calls", "budget"}[k]
}

// Window is the span over which calls and budgets are counted. All but Session are calendar windows.
type Window uint8

// The windows. A session ends when it was idle for SessionIdle.
const (
	Session Window = iota + 1
	Hour
	Day
	Week // begins on Monday
	Month
)

var windowNames = [...]string{"", "session", "hour", "day", "week", "month"}

// String returns the window as a policy writes it, "session" to "month", or "".
func (w Window) String() string {
	if w > Month {
		return ""
	}
	return windowNames[w]
}

// SessionIdle is how long a session is remembered after it was last charged or touched, in microseconds.
const SessionIdle = int64(24 * time.Hour / time.Microsecond)

// MaxWhole is the largest number that a limit may state, in events or whole units of a budget.
const MaxWhole = 9_200_000_000_000

const micro = 1_000_000

// Spec is one limit as the policy states it. It must not be changed once a Ledger has seen it, and may be shared by
// ledgers and goroutines.
//
// What was spent belongs to the Ledger id, not to the Spec, so an edit keeps it. Where the edit changes the window or
// its zone, what the open window holds counts in the new one; where it changes a rate, the bucket is at most empty.
// Another Kind, and the step between Session and a calendar window, is another ledger. A budget that turns from money
// to an argument, or to another argument, counts something else: its caller gives it another id.
type Spec struct {
	Ledger string // the rule id of the limit; not empty
	Kind   Kind
	Count  int64          // Rate: events per Per; Calls: the most in a window. 1 to MaxWhole
	Per    time.Duration  // Rate: whole microseconds
	Burst  int64          // Rate: the most at once, up to MaxWhole; 0 means Count
	Window Window         // Calls, Budget
	Zone   *time.Location // where the calendar windows begin and end; nil is UTC
	Cap    int64          // Budget: the most in a window, in millionths. 1 to MaxWhole units
}

// Charge is what one call wants of one limit.
type Charge struct {
	Spec    *Spec
	Key     string // which ledger of that limit: the caller joins tenant, agent and values so that no two are alike
	Session string // Window Session: which session, told apart by tenant; not empty. Else ignored
	Amount  int64  // Rate and Calls: events, 1 for a call; Budget: millionths. Not negative
}

// MaxCharges is how many charges one call to Peek or Reserve may carry: one bit each.
const MaxCharges = 64

// Errors of Peek and Reserve. With any of them nothing was charged.
var (
	ErrTooMany  = errors.New("limit: more than 64 charges at once")
	ErrNegative = errors.New("limit: a negative amount cannot be charged")
	ErrSession  = errors.New("limit: a limit per session needs a session")
	ErrTime     = errors.New("limit: the time is outside the years 1 to 9999")
	ErrSpec     = errors.New("limit: unusable limit") // wrapped; the text says what is wrong with it
)

// Times outside the years 1 to 9999 are no times of a call, and leave room for sums that cannot overflow.
const (
	minTime = -62_135_596_800 * micro
	maxTime = 253_402_300_800*micro - 1
)

func (s *Spec) check() error {
	if s == nil {
		return fmt.Errorf("%w: no spec", ErrSpec)
	}
	bad := func(what string) error { return fmt.Errorf("%w %s: %s", ErrSpec, quote(s.Ledger), what) }
	switch {
	case s.Ledger == "":
		return bad("no ledger id")
	case s.Kind < Rate || s.Kind > Budget:
		return bad("no such kind")
	case s.Kind != Budget && (s.Count < 1 || s.Count > MaxWhole):
		return bad("the count must be 1 to 9200000000000")
	case s.Kind == Budget && (s.Cap < 1 || s.Cap > MaxWhole*micro):
		return bad("the cap must be over 0 and at most 9200000000000")
	case s.Kind == Rate && (s.Per < time.Microsecond || s.Per%time.Microsecond != 0):
		return bad("the period must be whole microseconds, and at least one")
	case s.Kind == Rate && (s.Burst < 0 || s.Burst > MaxWhole):
		return bad("the burst must be 0 to 9200000000000")
	case s.Kind != Rate && (s.Window < Session || s.Window > Month):
		return bad("no such window")
	}
	return nil
}
