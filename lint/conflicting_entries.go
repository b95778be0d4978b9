package lint

import (
	"slices"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var conflictingEntries = &Rule{
	ID:       "AEG006",
	Name:     "conflicting-entries",
	Severity: aegis.SeverityWarning,
	Summary:  "two entries for the same calls constrain one argument differently",
	Doc: `avoid: two entries for stripe-payments/create_payment, one with max_amount: 5000, one with max_amount: 999999
prefer: one entry; or an entry for all payments, and a second for some actions that says less
why: every entry that matches a call applies, in any order. Entries narrow each other and are no alternatives, so the
looser of two ceilings has no effect, and two lists let through only what stands in both.
Left alone: an entry for fewer calls that is stricter, an action within its entry, and a rule on trial in shadow.`,
	check: checkConflictingEntries,
}

func checkConflictingEntries(p *pass) {
	for _, u := range p.units {
		if u.guardrail != nil {
			continue // a floor below a floor is what guardrails are for
		}
		for _, e := range u.entries {
			for _, other := range u.beside(e) {
				if !kin(e, other) && comparePos(other.Pos, e.Pos) < 0 { // each pair once
					p.comparePair(u, e, other)
				}
			}
		}
	}
}

// comparePair compares what two entries say of the same arguments.
func (p *pass) comparePair(u *unit, a, b *policy.Entry) {
	if shadowed(a) != shadowed(b) {
		return
	}
	general, special := a, b
	ranked := true
	switch inA, inB := within(b, a), within(a, b); {
	case inA && inB:
		// For the same calls: what a fragment says is the common part, and the policy's own entry may narrow it.
		if ownA, ownB := a.Pos.File == u.policy.Pos.File, b.Pos.File == u.policy.Pos.File; ownA && !ownB {
			general, special = b, a
		} else if ownA == ownB {
			ranked = false
		}
	case inB:
		general, special = b, a
	case !inA:
		ranked = false
	}
	for _, c := range constraintsOf(special) {
		for _, d := range constraintsOf(general) {
			if slices.Equal(c.Path, d.Path) {
				p.compareConstraints(c, d, ranked)
			}
		}
	}
}

// compareConstraints reports the checks that differ. Where ranked, the checks of special may be stricter.
func (p *pass) compareConstraints(special, general *policy.Constraint, ranked bool) {
	for _, c := range special.Checks {
		for _, d := range general.Checks {
			if c.Op != d.Op || c.Op == policy.CheckPattern && c.Code != d.Code {
				continue
			}
			problem := differ(c, d, ranked)
			if problem == "" {
				continue
			}
			here, there := c, d
			if !ranked && comparePos(p.pos(c.Rule), p.pos(d.Rule)) < 0 {
				here, there = d, c // of equals the later one is the surprise
			}
			p.report(here.Rule, "entries narrow each other and are no alternatives: write one entry, or tell their actions apart",
				"%s differs from %s, which applies to the same calls (%s): %s", p.wording(here), p.wording(there),
				line(p.pos(there.Rule), p.pos(here.Rule)), problem)
		}
	}
}

// differ says what becomes of two checks of one kind, or "" where that is no surprise.
func differ(special, general *policy.Check, ranked bool) string {
	switch special.Op {
	case policy.CheckMax, policy.CheckMin:
		order := special.Num.Cmp(general.Num)
		if special.Op == policy.CheckMin {
			order = -order
		}
		if order == 0 || ranked && order < 0 {
			return ""
		}
		return "the stricter one holds"
	case policy.CheckIn:
		var both []string
		for _, l := range special.List {
			if slices.ContainsFunc(general.List, l.Equal) {
				both = append(both, literalText(l))
			}
		}
		switch {
		case len(both) == 0:
			return "no value is in both lists"
		case len(both) == len(special.List) && (ranked || len(both) == len(general.List)):
			return ""
		}
		return "only " + listed(both) + " is in both"
	case policy.CheckPattern:
		// Two patterns of matches: may be meant to hold together; two lists of places are meant as one list.
		if special.Code == aegis.PatternMismatch || special.Pattern == general.Pattern || ranked {
			return ""
		}
		return "only what both let through passes"
	}
	return ""
}

func literalText(l policy.Literal) string {
	switch l.Kind {
	case aegis.String:
		return l.Str
	case aegis.Number:
		return l.Num.Text()
	}
	return map[bool]string{true: "true", false: "false"}[l.Bool]
}
