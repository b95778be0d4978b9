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
without any of them the calls are simply allowed.`,
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
		}
	})
}

// asks reports whether some rule of the entry can ask for an approval.
func asks(e *policy.Entry) bool {
	return e.Conditions != nil && len(e.Conditions.ApprovalIf) > 0 ||
		slices.ContainsFunc(constraintsOf(e), func(c *policy.Constraint) bool { return c.Approval })
}
