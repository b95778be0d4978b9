package capture

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Decided is what a simulation decided of one call.
type Decided struct {
	Tenant, Session     string
	Seq                 int64
	HasSeq              bool
	Agent, Tool, Action string
	Decision            string   // allow, deny, sanitize, approval_needed, unknown or reject
	Reasons, Rules      []string // nil is written as an empty list
	PolicyVersion       string
	Baseline            string // the decision of the policy that is compared with; "" where there is none, written as null
}

// decidedRow is the schema of decisions; no value of it is ever made.
type decidedRow struct {
	Tenant        string   `parquet:"tenant,optional,dict"`
	Session       string   `parquet:"session,optional,dict"`
	Seq           int64    `parquet:"seq,optional,delta"`
	Agent         string   `parquet:"agent,optional,dict"`
	Tool          string   `parquet:"tool,optional,dict"`
	Action        string   `parquet:"action,optional,dict"`
	Decision      string   `parquet:"decision,dict"`
	Reasons       []string `parquet:"reasons,optional,list" parquet-element:",dict"`
	Rules         []string `parquet:"rules,optional,list" parquet-element:",dict"`
	PolicyVersion string   `parquet:"policy_version,optional,dict"`
	Baseline      string   `parquet:"baseline_decision,optional,dict"`
}

// DecisionWriter writes the decisions of a simulation to a Parquet file, one row per call. It is not safe for use by
// several goroutines.
type DecisionWriter struct{ t *table }

// CreateDecisions begins a file of decisions, as Create does one of traffic.
func CreateDecisions(path string) (*DecisionWriter, error) {
	t, err := newTable(path, "decision", decidedRow{})
	if err != nil {
		return nil, err
	}
	return &DecisionWriter{t}, nil
}

var noTexts = []string{}

// Write appends decisions, and keeps nothing of them. Text that is no UTF-8, as a rejected row can have, is written
// with U+FFFD in place of what is not. Some hundred rows at a time are faster than one.
func (w *DecisionWriter) Write(rows ...Decided) error {
	for len(rows) > 0 && w.t.err == nil {
		n := w.t.begin(len(rows))
		w.write(rows[:n])
		rows = rows[n:]
	}
	return w.t.err
}

func (w *DecisionWriter) write(rows []Decided) {
	t, col := w.t, 0
	put := func(each func(r *Decided)) {
		for i := range rows {
			each(&rows[i])
		}
		t.put(col)
		col++
	}
	lists := func(list []string) {
		if list == nil {
			list = noTexts
		}
		for i, s := range list {
			if !utf8.ValidString(s) {
				list = slices.Clone(list)
				list[i] = strings.ToValidUTF8(s, "\uFFFD")
			}
		}
		t.texts(list)
	}
	text := func(s string, present int) {
		if !utf8.ValidString(s) {
			s = strings.ToValidUTF8(s, "\uFFFD")
		}
		t.text(s, present)
	}
	put(func(r *Decided) { text(r.Tenant, 1) })
	put(func(r *Decided) { text(r.Session, 1) })
	put(func(r *Decided) { t.number(r.Seq, r.HasSeq) })
	put(func(r *Decided) { text(r.Agent, 1) })
	put(func(r *Decided) { text(r.Tool, 1) })
	put(func(r *Decided) { text(r.Action, 1) })
	put(func(r *Decided) { text(r.Decision, 0) })
	put(func(r *Decided) { lists(r.Reasons) })
	put(func(r *Decided) { lists(r.Rules) })
	put(func(r *Decided) { text(r.PolicyVersion, 1) })
	put(func(r *Decided) { text(r.Baseline, 1) })
	if err := t.add(len(rows), 0); err != nil {
		t.fail(fmt.Errorf("decisions: %w", err))
	}
}

// Rows returns how many rows were written.
func (w *DecisionWriter) Rows() int64 { return w.t.rows }

// Close completes the file, brings it to the disk and gives it its name.
func (w *DecisionWriter) Close() error { return w.t.close() }

// Abort removes what was written. After Close it does nothing.
func (w *DecisionWriter) Abort() { w.t.abort() }
