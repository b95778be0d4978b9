// Package policy loads policy sources strictly into one typed rule tree, from which both evaluators, the linter and
// the compiler work.
//
// It promises that a Set is whole: every name, number, pattern and expression in it has been checked, lists, params and
// fragments are inlined, every rule has a stable id and a place in a source file, and nothing of a source that fails
// to load is in it. The order of files, entries and rules has no influence on what a Set means.
package policy

import (
	"strconv"
	"strings"
	"time"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/limit"
)

// LanguageVersion is the version of the policy language that this package reads.
const LanguageVersion = 1

// Pos is a place in a source file. Lines and columns count from 1, columns in characters.
type Pos struct {
	File      string
	Line, Col int
}

// String returns file:line:column, or "" for no place.
func (p Pos) String() string {
	if p.File == "" {
		return ""
	}
	return p.File + ":" + strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Col)
}

// RuleID is the index of a rule in Set.Rules. NoRule stands for a rule that is not written.
type RuleID = int32

// NoRule says that a policy does not state the rule.
const NoRule RuleID = -1

// NoPolicyRule is the rule cited where no policy covers an agent. Its id is empty.
const NoPolicyRule RuleID = 0

// Rule is one rule as people cite it.
type Rule struct {
	ID  string // tenant/agent/entry#key
	Pos Pos
}

// Set is everything that was loaded.
type Set struct {
	Version    string // "sha256:" and the digest of the canonical form: what is enforced, not how it was written
	Policies   []*Policy
	Guardrails []*Guardrail
	Rules      []Rule       // by RuleID; Rules[0] is NoPolicyRule
	Features   []Feature    // what expressions ask of a session's history, without repeats
	Routes     []*Raw       // files of routes
	Schemas    []*Raw       // files of tools' schemas, as data
	Sources    []*Source    // the files of policies, guardrails and fragments, by name
	Unused     []Definition // names that are defined and that nothing refers to, by place
	Origin     Origin       // what it can be made from again
}

// Raw is the content of a file of routes or schemas as strict JSON with sorted keys.
type Raw struct {
	Pos    Pos
	Tenant string
	JSON   []byte
	Routes []*Route // of a file of routes
}

// Pattern is a name, or a prefix of names followed by one star.
type Pattern string

// Match reports whether name fits the pattern. Bytes compare as they are.
func (p Pattern) Match(name string) bool {
	if n := len(p) - 1; n >= 0 && p[n] == '*' {
		return strings.HasPrefix(name, string(p[:n]))
	}
	return string(p) == name
}

// Exact reports whether the pattern is a plain name.
func (p Pattern) Exact() bool { return !strings.HasSuffix(string(p), "*") }

// MatchAny reports whether one of the patterns fits.
func MatchAny(ps []Pattern, name string) bool {
	for _, p := range ps {
		if p.Match(name) {
			return true
		}
	}
	return false
}

// Policy is what one agent, or the agents that fit its patterns, may do.
type Policy struct {
	Pos     Pos
	ID      string // tenant/agent, escaped, agents sorted and joined by +
	Tenant  string
	Agents  []Pattern
	Mode    Mode
	Meta    map[string]string
	Scope   Scope
	Grant   RuleID // cited where nothing grants the tool or the action
	Limits  []*Limit
	Entries []*Entry
	Custom  []*Custom
	Digest  string // SHA-256 (hex) of the canonical form of this policy and its guardrails: what an approval is bound to
}

// Guardrail bounds every policy that it matches and grants nothing.
type Guardrail struct {
	Pos     Pos
	ID      string // tenant/guardrail:NAME
	Name    string
	Tenant  string    // "*" is every tenant
	Agents  []Pattern // nil: every agent
	Scope   Scope
	Limits  []*Limit
	Entries []*Entry
}

// Matches reports whether the guardrail bounds that agent.
func (g *Guardrail) Matches(tenant, agent string) bool {
	return (g.Tenant == "*" || g.Tenant == tenant) && (g.Agents == nil || MatchAny(g.Agents, agent))
}

// Scope is who may call, how deep, where, and until when. Each part has the rule that states it, or NoRule. (A
// policy's CallersRule is always set: the default callers are [user].)
type Scope struct {
	Callers     []string
	CallersRule RuleID
	MaxDepth    int
	DepthRule   RuleID
	Regions     []string
	RegionsRule RuleID
	Until       int64 // microseconds since the epoch: the first moment after the last day (UTC)
	UntilRule   RuleID
}

// Mode says whether, and for which share of sessions, decisions bind. The zero Mode enforces all.
type Mode struct {
	Stated  bool
	Shadow  bool
	Percent float64 // of sessions that are enforced; 0 means all, where Shadow is false
}

// Failure says what becomes of a call when the gate itself fails.
type Failure uint8

// The values of on_failure.
const (
	FailureUnset Failure = iota
	FailClosed
	FailOpen
)

// Entry is one entry of allowed_tools or of a guardrail's tools, or (with Parent set) an action with keys of its own.
type Entry struct {
	Pos          Pos
	ID           string // tenant/agent/entry: the part of its rules' ids before the #
	Parent       *Entry
	Tools        []Pattern
	Actions      []Pattern // nil: any action, and calls that carry none
	Grants       bool
	Effect       aegis.Effect // EffectUnset where not stated
	Mode         Mode
	OnFailure    Failure
	CaseDistinct bool
	Scope        Scope // callers only
	Conditions   *Conditions
	Sanitize     []*Sanitizer
	Taints       []string
	Limits       []*Limit
	Cost         *Cost
	Approval     []*Tier
	Children     []*Entry // actions with keys of their own
	Names        []string // top-level arguments that its own rules name, sorted
}

// Matches reports whether the entry is about that tool and action.
func (e *Entry) Matches(tool, action string) bool {
	return MatchAny(e.Tools, tool) && (e.Actions == nil || action != "" && MatchAny(e.Actions, action))
}

// Conditions is one conditions block.
type Conditions struct {
	Pos        Pos
	Args       []*Constraint
	OtherArgs  RuleID // of other_args: deny, else NoRule
	Require    []*Condition
	DenyIf     []*Condition
	ApprovalIf []*Condition
}

// Constraint is what must hold of one argument.
type Constraint struct {
	Pos       Pos
	Path      []string   // from args; an element of a list adds nothing to it
	Type      aegis.Kind // as declared by its checks, or Absent where none of them does
	Optional  bool       // missing and null pass
	Approval  bool       // else: approval
	Checks    []*Check
	Each      *Constraint // of every element; a lone value counts as a list of one
	Args      []*Constraint
	OtherArgs RuleID // of a nested other_args: deny, else NoRule
}

// CheckOp is what a check compares.
type CheckOp uint8

// The checks. Those on text other than CheckIn and the lengths are all RE2 patterns that match the whole value.
const (
	CheckType      CheckOp = iota
	CheckInteger           // type: integer
	CheckMax               // Num
	CheckMin               // Num
	CheckDecimals          // N: most decimal places
	CheckIn                // List
	CheckNotIn             // List
	CheckPattern           // Pattern; Code says whether it stands for matches, hosts, domains, under or commands
	CheckMaxLength         // N: of a list's elements (of any other value: 1); without Each, of a string's code points
	CheckMinLength         // N
)

// Check is one rule on one argument.
type Check struct {
	Rule    RuleID
	Op      CheckOp
	Code    aegis.Code // of a breach
	Type    aegis.Kind // that the argument must have; Absent where any will do
	Num     aegis.Num
	N       int
	List    []Literal // of one kind
	Pattern string    // RE2, anchored at both ends
	Parts   *Parts    // what a CheckPattern was made of
	Text    string    // the rule's value as written, for messages
}

// Parts is what the pattern of a CheckPattern was made of. Only the pattern is enforced; its parts are there for those who
// report on a policy, or try what another would do.
type Parts struct {
	Key            string   // matches, domains, under or commands; "" for hosts, schemes and paths together
	List           []string // of hosts, where Key is ""
	Schemes, Paths []string
	Bare           string
}

// Compile makes the pattern that stands for the parts.
func (p *Parts) Compile() (string, error) {
	switch p.Key {
	case "matches":
		return WholePattern(p.List[0])
	case "domains":
		return DomainPattern(p.List)
	case "under":
		return UnderPattern(p.List)
	case "commands":
		return CommandsPattern(p.List)
	}
	return URLPattern(p.List, p.Schemes, p.Paths, p.Bare)
}

// Condition is one CEL expression and what the caller is told.
type Condition struct {
	Rule    RuleID
	Pos     Pos
	Src     string
	Expr    *Expr
	Message string // "" where the policy gives none
}

// LimitKind is what a limit counts.
type LimitKind uint8

// The limits.
const (
	LimitRate LimitKind = iota
	LimitCalls
	LimitCost // a budget of estimated cost, in USD
	LimitSum  // a budget of an argument
)

// Limit is one limit. Its rule's id is its ledger's id.
type Limit struct {
	Rule      RuleID
	Kind      LimitKind
	Src       string // as written, for messages: "20000/day of amount"
	Arg       []string
	By        [][]string  // arguments: one ledger per combination of their values
	PerTenant bool        // one ledger for the tenant; else one for each agent
	Agent     bool        // stated for a whole policy or guardrail: a LimitSum covers the entries that constrain Arg
	Spec      *limit.Spec // what the ledger charges; its Ledger is the rule's id
	pos       Pos
}

// Sanitizer is one item of sanitize.
type Sanitizer struct {
	Rule    RuleID
	Redact  []string   // kinds of personal data; nil for a pattern
	Match   string     // RE2
	Replace string     // text
	Fields  [][]string // segments; "*" is one level, "**" any depth
	Args    bool       // where
	Result  bool
}

// Cost is the estimated cost of a call.
type Cost struct {
	Rule  RuleID
	Micro int64 // in millionths of a US dollar, where Expr is nil
	Expr  *Expr // a number of dollars
	Src   string
	pos   Pos
}

// Tier is one approval that a held call needs.
type Tier struct {
	Rule      RuleID // approval or approval[i], which is also the rule of its conditions
	Pos       Pos
	When      []*Condition // all must hold; nil: always
	Approvers []string     // nil: any approver of the tenant
	Channel   string
	Expires   time.Duration
	Stated    bool // that Expires is written, and not the default
	Quorum    int
}

// Custom is a tenant's own Rego, package aegis.custom, which may fill the sets deny and approval_needed.
type Custom struct {
	File   string
	Source string
	Rule   RuleID // rego[i]
}

// FeatureKind is what an expression asks of a session's earlier calls.
type FeatureKind uint8

// The features of a session's history.
const (
	FeatureCount FeatureKind = iota
	FeatureSum
	FeatureValues
	FeatureTaint
)

// Feature is one thing that some expression asks of a session's earlier calls. Only what is asked for is remembered.
type Feature struct {
	Kind   FeatureKind
	Tool   string
	Action string
	Any    bool // any action, and none
	Arg    string
	Taint  string
}

// Key returns the feature's name in the facts that go to Rego: "tool/action", "tool/action#arg" or the taint.
func (f Feature) Key() string {
	if f.Kind == FeatureTaint {
		return f.Taint
	}
	s := aegis.EscapeName(f.Tool)
	if !f.Any {
		s += "/" + aegis.EscapeName(f.Action)
	}
	if f.Arg != "" {
		s += "#" + f.Arg
	}
	return s
}

// Covers reports whether an earlier call of that tool and action counts for the feature.
func (f Feature) Covers(tool, action string) bool {
	return f.Kind != FeatureTaint && f.Tool == tool && (f.Any || f.Action == action)
}
