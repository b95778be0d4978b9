package lint

import (
	"slices"
	"strings"

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
				at := p.firstAgainst(u, e, u, x)
				p.reportAt(at.pos, at.rule, "write one entry, or tell their actions apart",
					"no call satisfies both this entry and the one at %s, and both apply to the same calls: all are denied", line(x.Pos, e.Pos))
			}
		}
		for _, g := range p.units {
			if g.guardrail == nil || !boundsAll(g.guardrail, u.policy) {
				continue
			}
			for _, x := range g.entriesFor(e) {
				if within(e, x) && !silent(x) && p.exclude(u, e, g, x) {
					at := p.firstAgainst(u, e, g, x)
					p.reportAt(at.pos, at.rule, "loosen the entry or the guardrail, or remove the entry",
						"no call satisfies both this entry and guardrail %s (%s): all are denied", g.guardrail.Name, line(x.Pos, e.Pos))
				}
			}
		}
	})
}

// silent reports whether an entry has no conditions of its own that could contradict.
func silent(e *policy.Entry) bool { return e.Conditions == nil }

func (p *pass) barriersWithin(e *policy.Entry) (bs []barrier) {
	for _, y := range lineage(e) {
		bs = append(bs, barriersOf(p, y)...)
	}
	return bs
}

// firstAgainst returns the first barrier of e that leaves nothing together with those of x, as far down as is needed:
// the rule at which to look.
func (p *pass) firstAgainst(u *unit, e *policy.Entry, v *unit, x *policy.Entry) barrier {
	w, branches := p.factsOf(u, e), maxBranches
	p.addFacts(w, v, x)
	own, theirs := p.barriersWithin(e), p.barriersWithin(x)
	for _, b := range own {
		if !w.past(append([]barrier{b}, theirs...), &branches) {
			return b.placed(p)
		}
	}
	for i := range own {
		if !w.past(slices.Concat(own[:i+1], theirs), &branches) {
			return own[i].placed(p)
		}
	}
	return barrier{rule: policy.NoRule, pos: e.Pos}
}

// placed is the barrier at the key that states it: max_amount stands apart from args.amount.
func (b barrier) placed(p *pass) barrier {
	if k := p.key(b.rule); strings.HasPrefix(k, "max_") || strings.HasPrefix(k, "min_") {
		b.pos = p.pos(b.rule)
	}
	return b
}

// exclude reports whether calls can get past each of two entries, and none past both.
func (p *pass) exclude(u *unit, e *policy.Entry, v *unit, x *policy.Entry) bool {
	a, b := p.barriersWithin(e), p.barriersWithin(x)
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
