package capture

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"

	"github.com/aegisctl/aegis"
)

// fileRow is the schema of captured traffic; no value of it is ever made. Columns are only ever added, at the end.
type fileRow struct {
	Time                  int64             `parquet:"time,optional,timestamp(microsecond),delta"`
	Tenant                string            `parquet:"tenant,optional,dict"`
	Session               string            `parquet:"session,optional,dict"`
	Seq                   int64             `parquet:"seq,optional,delta"`
	Agent                 string            `parquet:"agent,dict"`
	Chain                 []string          `parquet:"chain,optional,list" parquet-element:",dict"`
	Tool                  string            `parquet:"tool,dict"`
	Action                string            `parquet:"action,optional,dict"`
	Args                  string            `parquet:"args,optional"`
	Effect                string            `parquet:"effect,optional,dict"`
	Region                string            `parquet:"region,optional,dict"`
	EstimatedCost         int64             `parquet:"estimated_cost,optional,decimal(6:18)"`
	RecordedDecision      string            `parquet:"recorded_decision,optional,dict"`
	RecordedPolicyVersion string            `parquet:"recorded_policy_version,optional,dict"`
	Outcome               string            `parquet:"outcome,optional,dict"`
	Coverage              string            `parquet:"coverage,optional,dict"`
	Labels                map[string]string `parquet:"labels,optional" parquet-key:",dict" parquet-value:",dict"`
}

// Writer writes captured traffic to a Parquet file. It is not safe for use by several goroutines.
type Writer struct {
	t    *table
	keys []string
}

// Create begins a file of captured traffic. Until Close the rows go to a temporary file beside path; a file that is
// already at path stays until then.
func Create(path string) (*Writer, error) {
	t, err := newTable(path, "call", fileRow{})
	if err != nil {
		return nil, err
	}
	return &Writer{t: t}, nil
}

// Write appends rows, and keeps nothing of them. A row that could not be read back as a call is an error: a bad name
// (Row.Check), text that is no UTF-8, a value over 16 MiB. After an error only Abort and Close make sense, and both
// remove the file.
func (w *Writer) Write(rows ...Row) error {
	if w.t.err != nil {
		return w.t.err
	}
	for i := range rows {
		if err := rows[i].storable(); err != nil {
			return w.t.fail(fmt.Errorf("row %d: %w", w.t.rows+int64(i), err))
		}
	}
	for len(rows) > 0 {
		n := w.t.begin(len(rows))
		if err := w.write(rows[:n]); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// write turns a few rows into columns, in the order of fileRow.
func (w *Writer) write(rows []Row) error {
	t, col := w.t, 0
	put := func(each func(r *Row)) {
		for i := range rows {
			each(&rows[i])
		}
		t.put(col)
		col++
	}
	large := 0
	put(func(r *Row) { t.number(r.TimeMicros, r.HasTime) })
	put(func(r *Row) { t.text(r.Tenant, 1) })
	put(func(r *Row) { t.text(r.Session, 1) })
	put(func(r *Row) { t.number(r.Seq, r.HasSeq) })
	put(func(r *Row) { t.text(r.Agent, 0) })
	put(func(r *Row) { t.texts(r.Chain) })
	put(func(r *Row) { t.text(r.Tool, 0) })
	put(func(r *Row) { t.text(r.Action, 1) })
	put(func(r *Row) {
		large += len(r.Args) + len(r.Outcome)
		if r.Args == nil {
			t.text("", 1)
			return
		}
		t.vals = append(t.vals, parquet.ByteArrayValue(r.Args).Level(0, 1, 0))
	})
	put(func(r *Row) { t.text(r.Effect, 1) })
	put(func(r *Row) { t.text(r.Region, 1) })
	put(func(r *Row) { t.number(r.CostMicro, r.HasCost) })
	put(func(r *Row) { t.text(r.RecordedDecision, 1) })
	put(func(r *Row) { t.text(r.RecordedPolicyVersion, 1) })
	put(func(r *Row) { t.text(r.Outcome, 1) })
	put(func(r *Row) { t.text(r.Coverage, 1) })
	put(func(r *Row) { large += w.labels(r.Labels, false) })
	put(func(r *Row) { w.labels(r.Labels, true) })
	return t.add(len(rows), large)
}

// labels appends the keys or the values of a map, in the order of its keys, so that equal rows make equal files.
func (w *Writer) labels(labels map[string]string, values bool) (size int) {
	t := w.t
	if len(labels) == 0 {
		t.vals = append(t.vals, parquet.Value{}.Level(0, 0, 0))
		return 0
	}
	w.keys = w.keys[:0]
	for k, v := range labels {
		w.keys = append(w.keys, k)
		size += len(v)
	}
	slices.Sort(w.keys)
	for i, k := range w.keys {
		if values {
			k = labels[k]
		}
		t.vals = append(t.vals, textValue(k).Level(min(i, 1), 2, 0))
	}
	return size
}

// Rows returns how many rows were written.
func (w *Writer) Rows() int64 { return w.t.rows }

// Close completes the file, brings it to the disk and gives it its name. After an error of Write it removes the file
// and returns that error. A second Close does nothing.
func (w *Writer) Close() error { return w.t.close() }

// Abort removes what was written. After Close it does nothing.
func (w *Writer) Abort() { w.t.abort() }

// Check returns why the row is no call that the reader would accept, or Accepted.
func (r *Row) Check() Reject {
	optional := func(s string, valid func(string) bool) bool { return s == "" || valid(s) }
	_, coverage := parseCoverage(r.Coverage)
	switch {
	case !aegis.ValidName(r.Agent):
		return RejectAgentName
	case !aegis.ValidName(r.Tool):
		return RejectToolName
	case !optional(r.Tenant, aegis.ValidName):
		return RejectTenantName
	case !optional(r.Action, aegis.ValidName):
		return RejectActionName
	case !optional(r.Session, validSession):
		return RejectSession
	case !optional(r.Region, aegis.ValidName):
		return RejectRegion
	case !optional(r.Effect, validEffect):
		return RejectEffect
	case r.Coverage != "" && !coverage:
		return RejectCoverage
	case len(r.Chain) > aegis.MaxChain || slices.ContainsFunc(r.Chain, func(s string) bool { return !aegis.ValidName(s) }):
		return RejectChain
	case r.HasTime && (r.TimeMicros < minTime || r.TimeMicros > maxTime):
		return RejectTime
	case r.HasCost && (r.CostMicro <= -maxCost || r.CostMicro >= maxCost):
		return RejectCost
	}
	return Accepted
}

// maxCost is the bound of decimal(18,6), in millionths.
const maxCost = 1_000_000_000_000_000_000

// storable returns an error for a row that must not come into a file.
func (r *Row) storable() error {
	if why := r.Check(); why != Accepted {
		return fmt.Errorf("%s", why)
	}
	if !utf8.Valid(r.Args) || len(r.Args) > maxValue {
		return fmt.Errorf("args is not UTF-8 text of at most %d bytes", maxValue)
	}
	good := func(s string) bool { return len(s) <= maxValue && utf8.ValidString(s) }
	for _, s := range [...]string{r.RecordedDecision, r.RecordedPolicyVersion, r.Outcome} {
		if !good(s) {
			return fmt.Errorf("%.40q is not UTF-8 text of at most %d bytes", s, maxValue)
		}
	}
	for k, v := range r.Labels {
		if !good(k) || !good(v) {
			return fmt.Errorf("label %.40q is not UTF-8 text of at most %d bytes", k, maxValue)
		}
	}
	return nil
}
