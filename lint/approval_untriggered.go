package lint

import (
	"slices"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var approvalUntriggered = &Rule{
	ID:       "AEG011",
	Name:     "approval-untriggered",
	Severity: aegis.SeverityWarning,
	Summary:  "an approval block that nothing ever asks for",
	Doc: `avoid: approval: {approvers: ["group:leads"]} on an entry without approval_needed_if
prefer: approval_needed_if: amount > 5000 in its conditions, or else: approval on a constraint
why: approval says who is asked, not when. What asks is approval_needed_if, else: approval, or a policy's own Rego;
without any of them the calls are simply allowed. Nor is a further approval needed whose when no call can meet that
the other rules let through: when: amount > 80000 under deny_if: amount > 50000.`,
	check: checkApprovalUntriggered,
}

func checkApprovalUntriggered(p *pass) {
	p.entries(func(u *unit, e *policy.Entry) {
		if len(e.Approval) == 0 || u.guardrail != nil || len(u.policy.Custom) > 0 {
			return
		}
		with := append(u.beside(e), e)
		for _, other := range p.units {
			if other.guardrail != nil && boundsPolicy(other.guardrail, u.policy) {
				with = append(with, other.entriesFor(e)...)
			}
		}
		if !slices.ContainsFunc(with, asks) {
			p.reportAt(e.Approval[0].Pos, e.Approval[0].Rule, "add approval_needed_if to its conditions",
				"nothing asks for this approval: the calls are allowed without it")
			return
		}
		p.tiersOutOfReach(u, e)
	})
}

// tiersOutOfReach reports approvals whose when never holds of a call that is not denied. Where it never holds of any
// call AEG018 says so, and where all calls are denied AEG052.
func (p *pass) tiersOutOfReach(u *unit, e *policy.Entry) {
	if !slices.ContainsFunc(e.Approval, func(t *policy.Tier) bool { return len(t.When) > 0 }) {
		return
	}
	w, branches, bs := p.factsOf(u, e), maxBranches, p.barriersAround(u, e)
	for _, t := range e.Approval {
		var claims []claim
		for _, c := range t.When {
			claims = append(claims, claim{c.Expr, true})
		}
		if len(claims) == 0 || slices.ContainsFunc(t.When, func(c *policy.Condition) bool { return writtenWithNames(condition{Condition: c}) }) ||
			w.past(bs, &branches, claims...) || !w.past(nil, &branches, claims...) || !w.past(bs, &branches) {
			continue
		}
		by := "the rules that apply with it deny"
		for _, b := range bs {
			if !w.past([]barrier{b}, &branches, claims...) {
				by = p.key(b.rule) + " (" + line(b.pos, t.Pos) + ") denies"
				break
			}
		}
		p.reportAt(t.When[0].Pos, t.When[0].Rule, "correct it, or remove the approval", "this approval is never needed: %s every call for which when holds", by)
	}
}

// asks reports whether some rule of the entry can ask for an approval.
func asks(e *policy.Entry) bool {
	return e.Conditions != nil && len(e.Conditions.ApprovalIf) > 0 ||
		slices.ContainsFunc(constraintsOf(e), func(c *policy.Constraint) bool { return c.Approval })
}
