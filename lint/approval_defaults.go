package lint

import (
	"slices"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var approvalDefaults = &Rule{
	ID:       "AEG033",
	Name:     "approval-defaults",
	Severity: aegis.SeverityInfo,
	Summary:  "an entry asks for approval and does not say whose",
	Doc: `avoid: approval_needed_if: amount > 5000 without an approval block, in a policy of several entries
prefer: an approval block on each entry that asks
why: approval stands on an entry and holds for that entry. Where it is left out, any approver of the tenant can grant,
within 15 minutes. A first policy, of one entry, is left alone: it means the defaults.`,
	check: checkApprovalDefaults,
}

func checkApprovalDefaults(p *pass) {
	for _, u := range p.units {
		if u.guardrail != nil {
			continue
		}
		i := slices.IndexFunc(u.entries, func(e *policy.Entry) bool { return len(e.Approval) > 0 })
		for _, e := range u.entries {
			if i < 0 && !grown(u, e) || !asks(e) || slices.ContainsFunc(append(p.around(u, e), e.Children...), func(x *policy.Entry) bool { return len(x.Approval) > 0 }) {
				continue
			}
			pos, rule := e.Pos, policy.NoRule
			if c := e.Conditions.ApprovalIf; len(c) > 0 {
				pos, rule = c[0].Pos, c[0].Rule
			} else if k := slices.IndexFunc(constraintsOf(e), func(c *policy.Constraint) bool { return c.Approval }); k >= 0 {
				pos = constraintsOf(e)[k].Pos
			}
			p.reportAt(pos, rule, `add approval: {approvers: ["group:NAME"]} to the entry`,
				"any approver of the tenant can grant this%s", otherApproval(u, i, pos))
		}
	}
}

// otherApproval says where the policy's first approval block is, if it has one.
func otherApproval(u *unit, entry int, here policy.Pos) string {
	if entry < 0 {
		return ""
	}
	return ": the approval at " + line(u.entries[entry].Approval[0].Pos, here) + " is for other calls"
}
