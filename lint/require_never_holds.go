package lint

import (
	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var requireNeverHolds = &Rule{
	ID:       "AEG019",
	Name:     "require-never-holds",
	Severity: aegis.SeverityWarning,
	Summary:  "what is required cannot hold together with the constraints",
	Doc: `avoid: max_amount: 5000 with require: [amount > 10000]
prefer: bounds that overlap
why: constraints and requirements must all hold, those of an action together with those of its entry. Where no value
satisfies them, every call is denied. Intervals and lists decide; what they cannot decide is not reported. A bound
that an approval lifts does not count.`,
	check: checkRequireNeverHolds,
}

func checkRequireNeverHolds(p *pass) {
	p.entries(func(u *unit, e *policy.Entry) {
		if e.Conditions == nil {
			return
		}
		w := p.factsOf(u, e)
		var claims []claim
		for _, x := range lineage(e) {
			if !w.bind(p, x.Conditions) {
				return // AEG003
			}
			if x != e && x.Conditions != nil {
				for _, c := range x.Conditions.Require {
					claims = append(claims, claim{c.Expr, true})
				}
			}
		}
		branches := maxBranches // for all of them together, so that a long list costs no more than a short one
		if !w.search(claims, &branches) {
			return // said of the entry
		}
		for _, c := range e.Conditions.Require {
			if _, constant := constantOf(c.Expr); constant {
				continue // AEG018
			}
			claims = append(claims, claim{c.Expr, true})
			if w.search(claims, &branches) {
				continue
			}
			why := w.because(claim{c.Expr, true})
			p.reportAt(c.Pos, c.Rule, "make the bounds overlap, or remove one", "%s can never hold here%s", p.key(c.Rule), why)
			return
		}
	})
}
