// Package capture is captured traffic: the Parquet files that hold one row for each tool call of an agent. It writes
// them, imports them from JSON lines, and reads them column by column, fast enough that judging the calls is what
// takes the time.
//
// It promises:
//
//   - A file is never read as something it does not say. A column of another type, a missing agent or tool column, a
//     damaged page or footer is an error that names the place; a row without an agent, or with a name that no live
//     call may have, is handed over as rejected, not as agent "".
//   - A hostile file costs an error and little else: no panic, no memory that the file's size does not pay for, beyond
//     fixed bounds. The reader decodes pages itself for this reason: a general library trusts counts in the file.
//   - What it writes appears under its name whole or not at all, is the same bytes for the same rows, and is readable
//     by DuckDB and every other Parquet reader.
//
// It returns data and prints nothing.
package capture

import "fmt"

// SchemaVersion is the value of the metadata key aegis.schema in files that this package writes. Columns are only ever
// added, so that a newer file can still be read.
const SchemaVersion = "1"

// GroupRows is the number of rows in a row group that is written, and the most that one ReadGroup yields.
const GroupRows = 131072

// DefaultTenant is the tenant of calls for which a file states none.
const DefaultTenant = "default"

// Row is one captured call. An empty string or a nil slice or map was not stated, and is null in the file.
type Row struct {
	TimeMicros            int64 // microseconds since 1970, UTC; meaningful if HasTime
	HasTime               bool
	Tenant, Session       string
	Seq                   int64 // order within the session; meaningful if HasSeq
	HasSeq                bool
	Agent                 string
	Chain                 []string // callers, outermost first, without the agent; nil is null, the user called
	Tool, Action          string
	Args                  []byte // JSON text as received; nil is null
	Effect, Region        string // effect is "", "read" or "write"
	CostMicro             int64  // estimated cost in millionths of a US dollar; meaningful if HasCost
	HasCost               bool
	RecordedDecision      string
	RecordedPolicyVersion string
	Outcome               string // "" and "ok" succeeded; else what failed
	Coverage              string // "", "full", "redacted" or "absent"
	Labels                map[string]string
}

// Columns is a set of the columns of captured traffic.
type Columns uint32

// The columns, in the order in which they are written.
const (
	ColTime Columns = 1 << iota
	ColTenant
	ColSession
	ColSeq
	ColAgent
	ColChain
	ColTool
	ColAction
	ColArgs
	ColEffect
	ColRegion
	ColCost
	ColRecordedDecision
	ColRecordedPolicyVersion
	ColOutcome
	ColCoverage // implies ColArgs, because coverage that is not stated follows from args
	ColLabels
)

// OrderColumns are the columns that the order of events depends on, AllColumns all of them.
const (
	OrderColumns = ColTime | ColTenant | ColSession | ColSeq
	AllColumns   = 1<<columnCount - 1
)

// The bit numbers of Columns.
const (
	colTime = iota
	colTenant
	colSession
	colSeq
	colAgent
	colChain
	colTool
	colAction
	colArgs
	colEffect
	colRegion
	colCost
	colRecordedDecision
	colRecordedPolicyVersion
	colOutcome
	colCoverage
	colLabels
	columnCount
)

var columnNumber = func() map[string]int {
	m := map[string]int{}
	for i := range specs {
		m[specs[i].name] = i
	}
	return m
}()

// Coverage says how much of a call's arguments was captured.
type Coverage uint8

// The coverages.
const (
	CoverageFull Coverage = iota
	CoverageRedacted
	CoverageAbsent
)

var coverageNames = [...]string{"full", "redacted", "absent"}

// String returns "full", "redacted" or "absent".
func (c Coverage) String() string { return coverageNames[c] }

func parseCoverage(s string) (Coverage, bool) {
	for i, n := range coverageNames {
		if s == n {
			return Coverage(i), true
		}
	}
	return 0, false
}

// Reject says why a row cannot be read as a call. Zero is an accepted row.
type Reject uint8

// The reasons, in the order in which they are looked for; a row has the first that holds.
const (
	Accepted Reject = iota
	RejectAgentNull
	RejectAgentName
	RejectToolNull
	RejectToolName
	RejectTenantName
	RejectActionName
	RejectSession
	RejectRegion
	RejectEffect
	RejectCoverage
	RejectChain
	RejectTime
	RejectSeq
	RejectCost
)

var rejectNames = [...]string{
	"",
	"agent is null",
	"agent is no valid name (1 to 128 printable ASCII characters without space)",
	"tool is null",
	"tool is no valid name (1 to 128 printable ASCII characters without space)",
	"tenant is no valid name (1 to 128 printable ASCII characters without space)",
	"action is no valid name (1 to 128 printable ASCII characters without space)",
	"session is not 1 to 512 bytes of UTF-8 text without control characters",
	"region is no valid name (1 to 128 printable ASCII characters without space)",
	"effect is neither read nor write",
	"coverage is none of full, redacted, absent",
	"chain has more than 64 callers or one that is no valid name",
	"time is out of range",
	"seq is out of range",
	"estimated_cost is out of range",
}

// String says the reason in words.
func (r Reject) String() string { return rejectNames[r] }

// FormatError is a complaint about the content of a Parquet file.
type FormatError struct {
	Path   string
	Group  int    // number of the row group, from 0; -1 if the complaint is not about one
	Column string // "" if the complaint is not about one
	Err    error
}

// Error names the file and, where they are known, row group and column.
func (e *FormatError) Error() string {
	s := e.Path + ": "
	if e.Group >= 0 {
		s += fmt.Sprintf("row group %d: ", e.Group)
	}
	if e.Column != "" {
		s += "column " + e.Column + ": "
	}
	return s + e.Err.Error()
}

// Unwrap returns Err.
func (e *FormatError) Unwrap() error { return e.Err }
