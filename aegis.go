// Package aegis holds the nouns of Aegis: the call an agent makes, the facts it is judged by, the verdict and the
// decision object that every door answers with. It also holds the one strict JSON decoder through which every call
// enters (Parse, DecodeCall) and exact decimal numbers (Num).
//
// It promises to import only the standard library, to do no I/O, and never to read an input in two ways: what Parse
// accepts has exactly one meaning, and what was parsed can be forwarded byte for byte.
package aegis

import "time"

// Effect says whether a call only reads. The zero value is unset; an unset effect is treated as write.
type Effect uint8

// The effects of a call.
const (
	EffectUnset Effect = iota
	Read
	Write
)

// String returns "read", "write" or "".
func (e Effect) String() string { return [...]string{"", "read", "write"}[e] }

// ParseEffect reads "read" or "write"; anything else is false.
func ParseEffect(s string) (Effect, bool) {
	switch s {
	case "read":
		return Read, true
	case "write":
		return Write, true
	}
	return EffectUnset, false
}

// Lack names facts that a captured call does not carry. A rule that cannot be decided and reads such a fact makes the
// call unknown instead of denied. Live calls lack nothing in this sense: there a missing fact is an error.
type Lack uint8

// The facts that a capture can lack.
const (
	LacksArgs     Lack = 1 << iota // arguments were not captured
	LacksRedacted                  // arguments were captured with parts removed
	LacksTime
	LacksSession
	LacksRegion
	LacksClaims
)

// Code returns the reason code for the first fact in l, in the order above.
func (l Lack) Code() Code {
	for i, c := range [...]Code{ArgsAbsent, ArgsRedacted, NoTime, NoSession, NoRegion, NoClaims} {
		if l&(1<<i) != 0 {
			return c
		}
	}
	return NoCode
}

// Call is one tool call as an agent asked for it, after strict decoding.
type Call struct {
	Tenant, Agent, Tool string
	Action              string   // "" means the call carries none
	Args                Value    // an object, or absent (Value{})
	Chain               []string // callers, outermost first, without the agent; empty: the user called
	Session             string   // the root task; "" is none
	Region              string   // "" is unknown
	Effect              Effect   // as declared; it can only raise the effect to write
	Time                int64    // microseconds since the Unix epoch; meaningful if HasTime
	HasTime             bool
	Claims              Value  // verified token claims, or absent
	Cost                int64  // estimated cost as the client or capture reports it, in millionths of a US dollar
	HasCost             bool   // whether Cost was reported
	Approval            string // id of an approval the caller refers to
	DryRun              bool
	Lacks               Lack
}

// When returns the call's time in UTC.
func (c *Call) When() time.Time { return time.UnixMicro(c.Time).UTC() }

// Outcome is what a rule or a whole policy says of a call, ordered by strength: the strongest wins.
type Outcome uint8

// The outcomes. Unknown ranks between approval and deny: a known deny wins over it, nothing else does.
const (
	Allow Outcome = iota
	Sanitize
	ApprovalNeeded
	Unknown
	Deny
	Reject
	outcomes
)

// Outcomes is the number of outcomes, for arrays indexed by one.
const Outcomes = int(outcomes)

var outcomeNames = [...]string{"allow", "sanitize", "approval_needed", "unknown", "deny", "reject"}

// String returns the outcome as the decision object spells it.
func (o Outcome) String() string { return outcomeNames[o] }

// ParseOutcome is the inverse of String.
func ParseOutcome(s string) (Outcome, bool) {
	for i, n := range outcomeNames {
		if n == s {
			return Outcome(i), true
		}
	}
	return 0, false
}

// Hit is one rule that had something to say of a call. It names the rule by its number in the policy set, so that
// judging a call allocates nothing; the engine turns it into a Reason when someone wants to read it.
type Hit struct {
	Rule    int32 // index into the set's rules
	Code    Code
	Outcome Outcome
}

// Reason is a Hit in words, as the decision object carries it.
type Reason struct {
	Code    Code   `json:"code"`
	Rule    string `json:"rule"`
	Message string `json:"message"`
	Source  string `json:"source,omitempty"` // file:line:column of the rule
}

// Mode says whether decisions bind.
type Mode uint8

// The modes of a server or a simulation.
const (
	Enforce Mode = iota
	Shadow
	DryRun
)

// String returns "enforce", "shadow" or "dry-run".
func (m Mode) String() string { return [...]string{"enforce", "shadow", "dry-run"}[m] }

// Decision is the decision object: the answer of every door (HTTP, explain, audit, SDKs).
type Decision struct {
	Decision      string    `json:"decision"`
	Mode          string    `json:"mode"`
	Enforced      bool      `json:"enforced"`
	WouldBlock    bool      `json:"would_block"`
	WouldHold     bool      `json:"would_hold"`
	PolicyVersion string    `json:"policy_version"`
	EstimatedCost USD       `json:"estimated_cost"`
	Reasons       []Reason  `json:"reasons"`
	Errors        []Reason  `json:"errors"`
	Args          *RawJSON  `json:"args,omitempty"`
	Approval      *Approval `json:"approval,omitempty"`
	Schema        int       `json:"schema"`
}

// Approval is an approval that a held call waits for.
type Approval struct {
	ID        string    `json:"id"`
	ExpiresAt time.Time `json:"expires_at"`
}

// RawJSON is JSON text that is written out as it stands.
type RawJSON []byte

// MarshalJSON returns the text unchanged.
func (r RawJSON) MarshalJSON() ([]byte, error) { return r, nil }

// USD is an amount of money in millionths of a US dollar. As JSON it is an exact decimal number of dollars.
type USD int64

// MarshalJSON writes the amount in dollars.
func (u USD) MarshalJSON() ([]byte, error) { return []byte(FormatMicro(int64(u))), nil }
