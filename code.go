package aegis

import "fmt"

// Code is a reason code: why a rule, the gate or the simulator said what it said.
type Code uint8

// The reason codes of the policy language. Their spelling (String) is a contract.
const (
	NoCode Code = iota
	NoPolicy
	ToolNotGranted
	ActionNotGranted
	CallerNotAllowed
	ChainTooDeep
	RegionNotAllowed
	ExpiredPolicy
	MaxExceeded
	MinNotMet
	NotInList
	InDeniedList
	PatternMismatch
	URLNotAllowed
	DomainNotAllowed
	PathNotAllowed
	CommandNotAllowed
	TooManyDecimals
	LengthNotAllowed
	UnnamedArgument
	RequireFailed
	DenyIf
	ApprovalIf
	Sanitized
	SanitizeFailed
	RateExceeded
	CallsExceeded
	BudgetExceeded
	CustomDeny
	CustomApproval
	CustomError
	// Errors: an error denies.
	ArgumentMissing
	ArgumentNull
	ArgumentType
	NumberOutOfRange
	ExpressionError
	// The gate's own.
	Malformed
	TokenInvalid
	TenantMismatch
	StoreUnavailable
	AuditUnavailable
	Deadline
	ApprovalInvalid
	EmergencyStop
	CannotSanitizeHere
	FailedOpen
	// The simulator's: what a capture lacks.
	ArgsRedacted
	ArgsAbsent
	NoTime
	NoSession
	NoRegion
	NoClaims
	codes
)

var codeNames = [...]string{"", "no_policy", "tool_not_granted", "action_not_granted", "caller_not_allowed",
	"chain_too_deep", "region_not_allowed", "expired_policy", "max_exceeded", "min_not_met", "not_in_list",
	"in_denied_list", "pattern_mismatch", "url_not_allowed", "domain_not_allowed", "path_not_allowed",
	"command_not_allowed", "too_many_decimals", "length_not_allowed", "unnamed_argument", "require_failed", "deny_if",
	"approval_if", "sanitized", "sanitize_failed", "rate_exceeded", "calls_exceeded", "budget_exceeded", "custom_deny",
	"custom_approval", "custom_error", "argument_missing", "argument_null", "argument_type", "number_out_of_range",
	"expression_error", "malformed", "token_invalid", "tenant_mismatch", "store_unavailable", "audit_unavailable",
	"deadline", "approval_invalid", "emergency_stop", "cannot_sanitize_here", "failed_open", "args_redacted",
	"args_absent", "no_time", "no_session", "no_region", "no_claims"}

// Codes is the number of codes, for arrays indexed by one.
const Codes = int(codes)

// String returns the code as the decision object spells it.
func (c Code) String() string { return codeNames[c] }

// MarshalText returns String.
func (c Code) MarshalText() ([]byte, error) { return []byte(codeNames[c]), nil }

// UnmarshalText is the inverse of MarshalText.
func (c *Code) UnmarshalText(b []byte) error {
	for i, n := range codeNames {
		if n == string(b) {
			*c = Code(i)
			return nil
		}
	}
	return fmt.Errorf("unknown reason code %q", b)
}

// IsError reports whether c says that a rule could not be decided; such a reason is listed among a decision's errors.
func (c Code) IsError() bool { return c >= ArgumentMissing && c <= ExpressionError || c == CustomError }
