package lint

import (
	"slices"
	"time"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/limit"
	"github.com/aegisctl/aegis/policy"
)

var limitNeverBinds = &Rule{
	ID:       "AEG036",
	Name:     "limit-never-binds",
	Severity: aegis.SeverityWarning,
	Summary:  "a limit that another one always reaches first",
	Doc: `avoid: limits: [{calls: 10/hour}, {calls: 1000/day}]
prefer: a bound that can be reached: {calls: 100/day}; or one of the two
why: all limits apply. Ten calls an hour are 260 a day at most, clocks that go back included, so the 1,000 are never
reached, and whoever raises them later changes nothing. Compared are limits of one kind over the same calls.`,
	check: checkLimitNeverBinds,
}

func checkLimitNeverBinds(p *pass) {
	for _, u := range p.units {
		p.idle(u.limits, u.limits)
		for _, e := range u.entries {
			p.idle(e.Limits, e.Limits)
			if e.Parent != nil {
				p.idle(e.Limits, e.Parent.Limits)
			}
			p.idleSums(u, e)
			p.idle(e.Limits, slices.DeleteFunc(slices.Clone(u.limits), func(l *policy.Limit) bool { return l.Kind == policy.LimitSum }))
		}
	}
}

// idle reports those of some limits that one of others, over the same calls or more, always reaches first.
func (p *pass) idle(limits, others []*policy.Limit) {
	for i, l := range limits {
		for j, m := range others {
			if l == m || !slices.EqualFunc(l.By, m.By, slices.Equal[[]string]) && len(m.By) > 0 || l.PerTenant && !m.PerTenant ||
				!slices.Equal(l.Arg, m.Arg) || !reachedFirst(m, l) || reachedFirst(l, m) && len(limits) == len(others) && i < j {
				continue
			}
			p.report(l.Rule, "lower it, or remove it", "%s is never reached: %s (%s) allows less", l.Src, m.Src, line(p.pos(m.Rule), p.pos(l.Rule)))
			break
		}
	}
}

// idleSums looks at budgets of an argument beside its bounds: what a number of calls cannot reach, and what one call
// exceeds.
func (p *pass) idleSums(u *unit, e *policy.Entry) {
	for _, l := range e.Limits {
		if l.Kind != policy.LimitSum {
			continue
		}
		var min, max *policy.Check
		for _, c := range constraintsOf(e) {
			for _, ch := range c.Checks {
				if slices.Equal(c.Path, l.Arg) && ch.Op == policy.CheckMin && !c.Approval && !c.Optional {
					min = ch
				}
				if slices.Equal(c.Path, l.Arg) && ch.Op == policy.CheckMax && !c.Approval && !lifted(e.Conditions, c) {
					max = ch
				}
			}
		}
		budget := float64(l.Spec.Cap) / 1e6
		if min != nil && min.Num.Float() > budget && !lifted(e.Conditions, &policy.Constraint{Path: l.Arg}) {
			p.report(l.Rule, "raise the budget, or lower the bound", "%s is less than one call: %s", l.Src, p.wording(min))
			continue
		}
		for _, m := range append(slices.Clone(e.Limits), u.limits...) {
			if max != nil && m.Kind == policy.LimitCalls && len(m.By) == 0 && m.Spec.Window == l.Spec.Window && float64(m.Spec.Count)*max.Num.Float() <= budget {
				p.report(l.Rule, "lower it, or remove it", "%s is never reached: %s (%s) with %s is less", l.Src, m.Src, line(p.pos(m.Rule), p.pos(l.Rule)), p.wording(max))
				break
			}
		}
	}
}

// The shortest and the longest that windows are; the clock goes forward and back, and the longest month has 31 days.
var windowHours = map[limit.Window]int64{limit.Hour: 1, limit.Day: 25, limit.Week: 7*24 + 1, limit.Month: 31*24 + 1}

// windowsIn is how many of one calendar window a longer one can touch, at most; 0 where it is not known.
func windowsIn(short, long limit.Window) int64 {
	switch {
	case short == long:
		return 1
	case short == limit.Session || long == limit.Session || short > long:
		return 0
	case short == limit.Hour:
		return windowHours[long] + 1
	case short == limit.Day:
		return map[limit.Window]int64{limit.Week: 7, limit.Month: 31}[long]
	}
	return 6 // weeks that a month touches
}

// reachedFirst reports whether l keeps what m counts at or below m's bound, always.
func reachedFirst(l, m *policy.Limit) bool {
	a, b := l.Spec, m.Spec
	zone := func(s *limit.Spec) string {
		if s.Zone == nil {
			return "UTC"
		}
		return s.Zone.String()
	}
	switch {
	case a.Kind == limit.Rate && b.Kind == limit.Rate:
		// Both as events over time: as slow in the long run, and no more at once.
		return perDay(a) <= perDay(b) && burst(a) <= burst(b)
	case a.Kind == limit.Rate && b.Kind == limit.Calls && b.Window != limit.Session:
		return float64(burst(a))+perDay(a)*float64(windowHours[b.Window])/24 <= float64(b.Count)
	case a.Kind != b.Kind || a.Kind == limit.Rate:
		return false
	}
	n := windowsIn(a.Window, b.Window)
	if b.Window != limit.Session && a.Window > b.Window {
		n = 1 // what a day allows, an hour of it cannot exceed
	}
	if n == 0 || a.Window != b.Window && zone(a) != zone(b) {
		return false
	}
	if a.Window == b.Window && zone(a) != zone(b) {
		return false
	}
	if a.Kind == limit.Calls {
		return a.Count <= b.Count/n
	}
	return a.Cap <= b.Cap/n
}

func perDay(s *limit.Spec) float64 { return float64(s.Count) * float64(24*time.Hour) / float64(s.Per) }

func burst(s *limit.Spec) int64 {
	if s.Burst > 0 {
		return s.Burst
	}
	return s.Count
}
