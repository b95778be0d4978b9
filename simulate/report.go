package simulate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
)

// Report is what a simulation found. Its JSON form is a contract (DESIGN §8): keys may be added, never changed.
type Report struct {
	Schema         int              `json:"schema"`
	PolicyVersion  string           `json:"policy_version"`
	Engine         string           `json:"engine"`
	Mode           string           `json:"mode"`
	Held           string           `json:"held"`
	Calls          int64            `json:"calls"`
	Sessions       int64            `json:"sessions"`
	RejectedRows   int64            `json:"rejected_rows"`
	Decisions      Counts           `json:"decisions"`
	WouldBlock     Rate             `json:"would_block"`
	WouldHold      Rate             `json:"would_hold"`
	Unknown        []Row            `json:"unknown"` // by what the capture lacks
	By             map[string][]Row `json:"by"`
	Labels         map[string]Row   `json:"labels,omitempty"`
	Changes        *Changes         `json:"changes,omitempty"` // against the baseline
	UnusedRules    []string         `json:"unused_rules"`
	UnusedEntries  []string         `json:"unused_entries"`
	Rollout        Rollout          `json:"rollout"`
	Assumed        []string         `json:"assumed"`
	Rejected       []RejectedRow    `json:"rejected"` // the first few
	Reordered      bool             `json:"reordered"`
	ElapsedSeconds float64          `json:"elapsed_seconds"`
	CallsPerSecond float64          `json:"calls_per_second"`

	FirstTime int64    `json:"-"` // microseconds; of the earliest and latest call with a time
	LastTime  int64    `json:"-"`
	Timed     int64    `json:"-"` // calls with a time
	LabelKey  string   `json:"-"`
	Traffic   []string `json:"-"`
	Policy    string   `json:"-"`
}

// Counts is a number of calls for each outcome.
type Counts [aegis.Outcomes]int64

// contractOrder is the order of outcomes in the report.
var contractOrder = [...]aegis.Outcome{aegis.Allow, aegis.Deny, aegis.Sanitize, aegis.ApprovalNeeded, aegis.Unknown, aegis.Reject}

// Total returns the number of calls.
func (c Counts) Total() int64 {
	n := int64(0)
	for _, x := range c {
		n += x
	}
	return n
}

// Blocked returns the calls that enforcing would block: denied or rejected.
func (c Counts) Blocked() int64 { return c[aegis.Deny] + c[aegis.Reject] }

// Held returns the calls that would wait for a human.
func (c Counts) Held() int64 { return c[aegis.ApprovalNeeded] }

// Known returns the denominator of rates: the calls that could be decided.
func (c Counts) Known() int64 { return c.Total() - c[aegis.Unknown] }

func (c *Counts) add(o Counts) {
	for i := range c {
		c[i] += o[i]
	}
}

func (c Counts) fields(b *bytes.Buffer) {
	for i, o := range contractOrder {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(b, "%q:%d", o.String(), c[o])
	}
}

// MarshalJSON writes every outcome, also those with no calls.
func (c Counts) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	c.fields(&b)
	b.WriteByte('}')
	return b.Bytes(), nil
}

// Row is one group's counts.
type Row struct {
	Key string
	Counts
}

// MarshalJSON writes the key, the calls and every outcome side by side.
func (r Row) MarshalJSON() ([]byte, error) {
	key, err := json.Marshal(r.Key)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"key":%s,"calls":%d,`, key, r.Total())
	r.fields(&b)
	b.WriteByte('}')
	return b.Bytes(), nil
}

// Rate is a share of the calls that could be decided, with its 95% interval clustered by session.
type Rate struct {
	Count int64      `json:"count"`
	Rate  float64    `json:"rate"`
	CI95  [2]float64 `json:"ci95"`
}

func rate(count, of int64, m Moments) Rate {
	r := Rate{Count: count}
	if of > 0 {
		r.Rate = float64(count) / float64(of)
	}
	r.CI95[0], r.CI95[1] = m.Interval95()
	return r
}

// RejectedRow is a row that is no call, and why.
type RejectedRow struct {
	File   string `json:"file"`
	Row    int64  `json:"row"` // from 0
	Reason string `json:"reason"`
}

// Rollout says which tools can be enforced now, on the evidence of this traffic.
type Rollout struct {
	EnforceNow      []ToolPlan `json:"enforce_now"`
	KeepInShadow    []ToolPlan `json:"keep_in_shadow"`
	ApprovalsPerDay float64    `json:"approvals_per_day"` // 0 where the traffic has no times
	Days            float64    `json:"days"`              // that the timed calls span; 0 where unknown
}

// ToolPlan is one tool's place in the rollout, and why.
type ToolPlan struct {
	Tool  string  `json:"tool"`
	Calls int64   `json:"calls"`
	Block float64 `json:"would_block"`
	Upper float64 `json:"would_block_upper95"`
	Held  int64   `json:"held"`
	Why   string  `json:"why"`
}

// Thresholds of the rollout plan: a tool is safe to enforce when nothing of it is unknown and the upper end of its
// would-block interval is at most safeUpper, on at least safeCalls calls.
const (
	safeUpper = 0.01
	safeCalls = 30
)

// planTool judges one tool. The interval is that of the tool's own calls, clustered by session.
func planTool(key string, c Counts, m Moments) (ToolPlan, bool) {
	_, upper := m.Interval95()
	p := ToolPlan{Tool: key, Calls: c.Total(), Upper: upper, Held: c.Held()}
	if c.Known() > 0 {
		p.Block = float64(c.Blocked()) / float64(c.Known())
	}
	switch {
	case c[aegis.Unknown] > 0:
		p.Why = fmt.Sprintf("%d calls could not be decided", c[aegis.Unknown])
	case c.Total() < safeCalls:
		p.Why = fmt.Sprintf("only %d calls seen, fewer than %d", c.Total(), safeCalls)
	case upper > safeUpper && c.Blocked() == 0:
		p.Why = fmt.Sprintf("nothing blocked, but too few sessions to be sure: up to %s may be", percent(upper))
	case upper > safeUpper:
		p.Why = fmt.Sprintf("%s would be blocked, up to %s", percent(p.Block), percent(upper))
	default:
		p.Why = fmt.Sprintf("at most %s would be blocked", percent(upper))
		return p, true
	}
	return p, false
}

// percent writes a share for people: enough digits to tell small rates apart, and never 0% or 100% for what is not.
func percent(x float64) string {
	p := x * 100
	switch {
	case p == 0 || p == 100:
		return fmt.Sprintf("%.0f%%", p)
	case p < 0.01:
		return "<0.01%"
	case p < 1:
		return fmt.Sprintf("%.2f%%", p)
	case p > 99.9:
		return ">99.9%"
	}
	return fmt.Sprintf("%.1f%%", p)
}

// finite keeps NaN and infinities, which JSON cannot say, out of the report.
func finite(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	return x
}

// sortRows orders groups by calls, most first, then by key.
func sortRows(rows []Row) {
	slices.SortFunc(rows, func(a, b Row) int {
		if n := b.Total() - a.Total(); n != 0 {
			return int(max(-1, min(1, n)))
		}
		return strings.Compare(a.Key, b.Key)
	})
}
