package simulate

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/aegisctl/aegis/capture"
)

// traffic is the captured files of a run, as one sequence of row groups.
type traffic struct {
	files   []*capture.File
	paths   []string
	all     []group
	rows    int64
	labels  []string // groups by a column or label: --label and --group-by
	tenant_ string   // what a call without a tenant belongs to
	assumed []string

	rejectedRows int64
	rejected     []RejectedRow
}

// group is one row group of one file.
type group struct {
	file, index int
}

// maxRejected is how many rejected rows the report lists.
const maxRejected = 10

func openTraffic(opt Options) (_ *traffic, err error) {
	if len(opt.Traffic) == 0 {
		return nil, errors.New("no traffic to simulate")
	}
	t := &traffic{paths: opt.Traffic, tenant_: orElse(opt.Tenant, "default")}
	defer func() {
		if err != nil {
			t.close()
		}
	}()
	for i, path := range opt.Traffic {
		f, err := capture.Open(path)
		if err != nil {
			return nil, err
		}
		t.files = append(t.files, f)
		for g := range f.NumGroups() {
			t.all = append(t.all, group{i, g})
			t.rows += int64(f.GroupRows(g))
		}
		for _, a := range f.Assumed() {
			if !slices.Contains(t.assumed, a) {
				t.assumed = append(t.assumed, a)
			}
		}
	}
	if opt.Label != "" {
		t.labels = append(t.labels, opt.Label)
	}
	for _, g := range opt.GroupBy {
		switch g {
		case "agent", "tool", "action", "rule", "reason":
			return nil, fmt.Errorf("--group-by %s: the report always groups by it", g)
		}
		if !slices.Contains(t.labels, g) {
			t.labels = append(t.labels, g)
		}
	}
	return t, nil
}

func (t *traffic) close() {
	for _, f := range t.files {
		f.Close()
	}
}

// tenant says whose a call without a tenant is.
func (t *traffic) tenant(name string) string { return orElse(name, t.tenant_) }

// groups returns a function that hands out row groups with their number, to any goroutine, each once.
func (t *traffic) groups() func() (int, group, bool) {
	var at atomic.Int64
	return func() (int, group, bool) {
		n := int(at.Add(1)) - 1
		if n >= len(t.all) {
			return 0, group{}, false
		}
		return n, t.all[n], true
	}
}

func (t *traffic) read(g group, cols capture.Columns, b *batch) error {
	b.file = g.file
	return t.files[g.file].ReadGroup(g.index, cols, &b.Batch)
}

// columns is what evaluating reads.
func (t *traffic) columns() capture.Columns {
	cols := capture.AllColumns &^ (capture.ColLabels | capture.ColRecordedDecision | capture.ColRecordedPolicyVersion)
	if slices.ContainsFunc(t.labels, isLabel) {
		cols |= capture.ColLabels
	}
	return cols
}

// isLabel reports that a group's name is a label, and no column.
func isLabel(name string) bool { return name != "tenant" && name != "region" && name != "session" }

// labelColumn returns the values of a group's column or label.
func (t *traffic) labelColumn(b *batch, name string) capture.StringColumn {
	switch name {
	case "tenant":
		return b.Tenant
	case "region":
		return b.Region
	case "session":
		return b.Session
	}
	if b.file == spooled {
		return b.labels[slices.Index(t.labels, name)]
	}
	return b.Label(name)
}

// note counts a batch's rows that are no calls.
func (t *traffic) note(b *batch) {
	if b.file == spooled {
		return
	}
	t.rejectedRows += int64(b.NumRejected)
	for i := 0; i < b.Rows && b.NumRejected > 0 && len(t.rejected) < maxRejected; i++ {
		if b.Rejected[i] != capture.Accepted {
			t.rejected = append(t.rejected, RejectedRow{t.paths[b.file], b.Start + int64(i), b.Rejected[i].String()})
		}
	}
}
