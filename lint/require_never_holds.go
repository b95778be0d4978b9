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
	p.entries(func(_ *unit, e *policy.Entry) {
		if e.Conditions == nil {
			return
		}
		w := world{}
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

// bind narrows the world by the constraints of a block that nothing lifts. It is false where nothing is left.
func (w world) bind(p *pass, c *policy.Conditions) bool {
	if c == nil {
		return true
	}
	for _, k := range c.Args {
		if k.Approval || len(k.Checks) == 0 {
			continue
		}
		key := pathKey(k.Path)
		d := domain{}
		if w[key] != nil {
			d = *w[key]
		}
		for _, ch := range k.Checks {
			if (ch.Op == policy.CheckMax || ch.Op == policy.CheckMin) && lifted(c, k) {
				continue
			}
			d.add(ch, p.wording(ch))
		}
		if d.empty() != "" {
			return false
		}
		w[key] = &d
	}
	return true
}

// lifted reports whether an approval of the same block reads the constraint's argument.
func lifted(c *policy.Conditions, k *policy.Constraint) bool {
	for _, a := range c.ApprovalIf {
		for _, path := range a.Expr.ArgPaths() {
			if pathKey(path) == pathKey(k.Path) {
				return true
			}
		}
	}
	return false
}

// because says why a claim that is one comparison cannot hold, and nothing for any other.
func (w world) because(c claim) string {
	for c.e.Op == policy.OpNot {
		c = claim{c.e.Sub[0], !c.want}
	}
	key, narrow, ok := narrowing(c)
	if !ok {
		return ""
	}
	if why := w.with(key, narrow)[key].empty(); why != "" {
		return ": " + why
	}
	return ""
}
