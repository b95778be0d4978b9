package lint

import (
	"slices"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var contradictingEntries = &Rule{
	ID:       "AEG051",
	Name:     "contradicting-entries",
	Severity: aegis.SeverityWarning,
	Summary:  "two entries grant the same calls, and together they deny all of them",
	Doc: `avoid: one entry for bank/pay with max_amount: 100, one with require: [amount >= 500]
prefer: one entry that says for which amounts which rules hold
why: every entry that matches a call applies, and each of them must be satisfied; they are no alternatives. Where no
call satisfies both, both grants are void. The same holds of an entry and a guardrail above it. Intervals, lists and
texts decide; what they cannot decide is not reported.`,
	check: checkContradictingEntries,
}

func checkContradictingEntries(p *pass) {
	p.entries(func(u *unit, e *policy.Entry) {
		if u.guardrail != nil || silent(e) {
			return
		}
		for _, x := range u.beside(e) {
			if !kin(e, x) && e.Parent == nil == (x.Parent == nil) && comparePos(x.Pos, e.Pos) < 0 && !silent(x) &&
				shadowed(e) == shadowed(x) && !disjointLists(e, x) && p.exclude(u, e, u, x) {
				p.reportAt(e.Pos, policy.NoRule, "write one entry, or tell their actions apart",
					"no call satisfies both this entry and the one at %s, and both apply to the same calls: all are denied", line(x.Pos, e.Pos))
			}
		}
		for _, g := range p.units {
			if g.guardrail == nil || !boundsAll(g.guardrail, u.policy) {
				continue
			}
			for _, x := range g.entriesFor(e) {
				if within(e, x) && !silent(x) && p.exclude(u, e, g, x) {
					p.reportAt(e.Pos, policy.NoRule, "loosen the entry or the guardrail, or remove the entry",
						"no call satisfies both this entry and guardrail %s (%s): all are denied", g.guardrail.Name, line(x.Pos, e.Pos))
				}
			}
		}
	})
}

// silent reports whether an entry has no conditions of its own that could contradict.
func silent(e *policy.Entry) bool { return e.Conditions == nil }

// exclude reports whether calls can get past each of two entries, and none past both.
func (p *pass) exclude(u *unit, e *policy.Entry, v *unit, x *policy.Entry) bool {
	barriers := func(e *policy.Entry) (bs []barrier) {
		for _, y := range lineage(e) {
			bs = append(bs, barriersOf(p, y)...)
		}
		return bs
	}
	a, b := barriers(e), barriers(x)
	w, branches := p.factsOf(u, e), maxBranches
	p.addFacts(w, v, x)
	return w.past(a, &branches) && w.past(b, &branches) && !w.past(slices.Concat(a, b), &branches)
}

// disjointLists reports whether the two have lists for one argument that share no value, which AEG006 says.
func disjointLists(a, b *policy.Entry) bool {
	for _, c := range constraintsOf(a) {
		for _, d := range constraintsOf(b) {
			if slices.Equal(c.Path, d.Path) && anyPair2(c.Checks, d.Checks, func(x, y *policy.Check) bool {
				return x.Op == policy.CheckIn && y.Op == policy.CheckIn && !anyPair2(x.List, y.List, policy.Literal.Equal)
			}) {
				return true
			}
		}
	}
	return false
}

func anyPair2[T any](as, bs []T, f func(a, b T) bool) bool {
	return slices.ContainsFunc(as, func(a T) bool { return slices.ContainsFunc(bs, func(b T) bool { return f(a, b) }) })
}
