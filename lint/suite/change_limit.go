package suite

import (
	"fmt"
	"strings"
	"time"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/limit"
	"github.com/aegisctl/aegis/policy"
)

const micro = 1_000_000

// unit is one unit of the last decimal of a number that stands at the beginning of a text, in millionths.
func unit(src string) int64 {
	end := strings.IndexFunc(strings.TrimPrefix(src, "$"), func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	num := strings.TrimPrefix(src, "$")
	if end >= 0 {
		num = num[:end]
	}
	u := int64(micro)
	if _, frac, ok := strings.Cut(num, "."); ok {
		for range min(len(frac), 6) {
			u /= 10
		}
	}
	return u
}

func (m *mutator) limits(at *[]*policy.Limit) {
	for i, l := range *at {
		r := m.ref(l.Rule)
		assign(m, r, "without "+l.Src, at, without(*at, i))
		if l.Kind == policy.LimitRate || l.Kind == policy.LimitCalls {
			m.spec(r, l, "one less than "+l.Src, func(s *limit.Spec) { s.Count-- })
			m.spec(r, l, "one more than "+l.Src, func(s *limit.Spec) { s.Count++ })
		} else {
			u := unit(l.Src)
			m.spec(r, l, aegis.FormatMicro(u)+" less than "+l.Src, func(s *limit.Spec) { s.Cap -= u })
			m.spec(r, l, aegis.FormatMicro(u)+" more than "+l.Src, func(s *limit.Spec) { s.Cap += u })
		}
		m.windows(r, l)
		for j, by := range l.By {
			assign(m, r, "without by "+strings.Join(by, "."), &l.By, without(l.By, j))
		}
		if l.PerTenant {
			assign(m, r, "per agent", &l.PerTenant, false)
		}
	}
}

// spec notes a limit with a changed copy of what its ledger charges: a ledger may have seen the old one.
func (m *mutator) spec(r ref, l *policy.Limit, text string, change func(*limit.Spec)) {
	s := *l.Spec
	change(&s)
	if s.Kind != limit.Budget && s.Count < 1 || s.Kind == limit.Budget && s.Cap < 1 || s.Burst < 0 {
		return
	}
	assign(m, r, text, &l.Spec, &s)
}

func (m *mutator) windows(r ref, l *policy.Limit) {
	switch l.Spec.Window {
	case limit.Hour, limit.Week, limit.Month, limit.Session:
		m.spec(r, l, l.Src+", but in a day", func(s *limit.Spec) { s.Window = limit.Day })
	case limit.Day:
		m.spec(r, l, l.Src+", but in an hour", func(s *limit.Spec) { s.Window = limit.Hour })
		m.spec(r, l, l.Src+", but in a week", func(s *limit.Spec) { s.Window = limit.Week })
	default:
		m.spec(r, l, l.Src+" and twice as slow", func(s *limit.Spec) { s.Per *= 2; s.Burst = burst(s) })
	}
	if l.Spec.Burst > 0 {
		m.spec(r, l, fmt.Sprintf("burst %d", l.Spec.Burst+1), func(s *limit.Spec) { s.Burst++ })
		if l.Spec.Burst > 1 {
			m.spec(r, l, fmt.Sprintf("burst %d", l.Spec.Burst-1), func(s *limit.Spec) { s.Burst-- })
		}
	}
	if l.Spec.Zone != nil && l.Spec.Zone != time.UTC {
		m.spec(r, l, "tz: UTC", func(s *limit.Spec) { s.Zone = nil })
	}
}

func burst(s *limit.Spec) int64 {
	if s.Burst > 0 {
		return s.Burst
	}
	return s.Count
}

func (m *mutator) cost(e *policy.Entry) {
	c := e.Cost
	if c == nil {
		return
	}
	r := m.ref(c.Rule)
	assign(m, r, "without cost", &e.Cost, nil)
	if c.Expr != nil {
		m.expression(r, c.Expr)
		return
	}
	u := unit(c.Src)
	assign(m, r, "$"+aegis.FormatMicro(c.Micro+u)+" instead of "+c.Src, &c.Micro, c.Micro+u)
	if c.Micro > u {
		assign(m, r, "$"+aegis.FormatMicro(c.Micro-u)+" instead of "+c.Src, &c.Micro, c.Micro-u)
	}
}

func (m *mutator) approvals(e *policy.Entry) {
	for i, t := range e.Approval {
		r := m.ref(t.Rule)
		assign(m, r, "without the approval", &e.Approval, without(e.Approval, i))
		for j, a := range t.Approvers {
			assign(m, r, "without the approver "+a, &t.Approvers, without(t.Approvers, j))
		}
		m.count(r, "quorum", &t.Quorum, 1, 100)
		assign(m, r, "expires "+(t.Expires*2).String(), &t.Expires, t.Expires*2)
		for j, w := range t.When {
			m.expression(r, w.Expr)
			assign(m, r, "without when: "+w.Src, &t.When, without(t.When, j))
		}
	}
}
