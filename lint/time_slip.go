package lint

import (
	"slices"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var timeSlip = &Rule{
	ID:       "AEG041",
	Name:     "time-slip",
	Severity: aegis.SeverityWarning,
	Summary:  "an hour, weekday or time is compared with what it never is",
	Doc: `avoid: n > 5 && time.hour("UTC") == 24; time.weekday("UTC") in [6, 7]; time.unix > 1767225600000
prefer: time.hour("UTC") == 0; time.weekday("UTC") in [6, 0], where 0 is Sunday; time.unix > 1767225600
why: hours go from 0 to 23, weekdays from 0 (Sunday) to 6 (Saturday), and time.unix counts seconds. A comparison with
anything else is always true or always false, whenever the call comes.`,
	check: checkTimeSlip,
}

// clockRanges are what the functions of time return.
var clockRanges = map[policy.Op]struct {
	name     string
	min, max int64
	is       string
}{
	policy.OpHour:    {"time.hour", 0, 23, "hours go from 0 to 23"},
	policy.OpWeekday: {"time.weekday", 0, 6, "weekdays go from 0 (Sunday) to 6 (Saturday)"},
	policy.OpUnix:    {"time.unix", 1_000_000_000, 20_000_000_000, "time.unix counts seconds since 1970"}, // 2001 to 2603
}

func checkTimeSlip(p *pass) {
	p.conditions(func(c condition) {
		c.Expr.Walk(func(x *policy.Expr) {
			clock := slices.IndexFunc(x.Sub, func(s *policy.Expr) bool { _, is := clockRanges[s.Op]; return is })
			if clock < 0 {
				return
			}
			r := clockRanges[x.Sub[clock].Op]
			inside := func(l policy.Literal) bool {
				return l.Kind != aegis.Number || l.Num.IsInt() && l.Num.Cmp(aegis.Int(r.min)) >= 0 && l.Num.Cmp(aegis.Int(r.max)) <= 0
			}
			for _, s := range x.Sub {
				out := slices.IndexFunc(s.List, func(l policy.Literal) bool { return !inside(l) })
				if s.Op == policy.OpList && out >= 0 {
					p.reportAt(c.Pos, c.Rule, r.is, "%s is never %s", r.name, literalText(s.List[out]))
				}
			}
			left, op, lit, ok := comparisonWith(x)
			if !ok || left != x.Sub[clock] || x == c.Expr && left.Op != policy.OpUnix || // AEG018
				inside(lit) || bounding(op, lit, r.min, r.max) {
				return
			}
			p.reportAt(c.Pos, c.Rule, r.is, "%s is the same at any time", x)
		})
	})
}

// bounding reports whether a comparison with a number just outside a range still says something.
func bounding(op policy.Op, lit policy.Literal, min, max int64) bool {
	lo, hi := lit.Num.Cmp(aegis.Int(min)), lit.Num.Cmp(aegis.Int(max))
	return lo > 0 && hi < 0 && op != policy.OpEq && op != policy.OpNe // between two hours
}
