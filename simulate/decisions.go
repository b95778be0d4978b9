package simulate

import (
	"slices"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/capture"
)

// decisions writes one row for each call.
type decisions struct {
	w   *capture.DecisionWriter
	run *run
}

// result is one call's row.
type result = capture.Decided

func (r *run) openDecisions() error {
	if r.opt.Decisions == "" {
		return nil
	}
	w, err := capture.CreateDecisions(r.opt.Decisions)
	if err != nil {
		return err
	}
	r.out = &decisions{w, r}
	return nil
}

// closeDecisions completes the file, or removes it where the run failed.
func (r *run) closeDecisions(err error) error {
	if r.out == nil {
		return err
	}
	if err != nil {
		r.out.w.Abort()
		return err
	}
	return r.out.w.Close()
}

// result makes the row of a verdict: reasons and rules sorted, each once.
func (d *decisions) result(l *lane, e *resolved, o aegis.Outcome, hits []aegis.Hit, i int) result {
	out := result{Tenant: e.combo.tenant, Session: l.batch.Session.At(i), Agent: e.combo.agent, Tool: e.combo.tool,
		Action: e.combo.action, Decision: o.String(), PolicyVersion: d.run.set.Version}
	if !l.batch.SeqNull[i] {
		out.Seq, out.HasSeq = l.batch.Seq[i], true
	}
	for _, h := range hits {
		out.Reasons = append(out.Reasons, h.Code.String())
		if id := d.run.set.Rules[h.Rule].ID; id != "" {
			out.Rules = append(out.Rules, id)
		}
	}
	slices.Sort(out.Reasons)
	slices.Sort(out.Rules)
	out.Reasons, out.Rules = slices.Compact(out.Reasons), slices.Compact(out.Rules)
	return out
}

func (d *decisions) write(rs []result) error {
	return d.w.Write(rs...)
}
