package lint

import (
	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var approvalWithoutApprovers = &Rule{
	ID:       "AEG012",
	Name:     "approval-without-approvers",
	Severity: aegis.SeverityInfo,
	Summary:  "an approval block that does not say who approves",
	Doc: `avoid: approval: {channel: "slack:#finance"}
prefer: approval: {approvers: ["group:finance-leads"], channel: "slack:#finance"}
why: without approvers, any approver of the tenant will do, whoever sees the channel first.`,
	check: checkApprovalWithoutApprovers,
}

func checkApprovalWithoutApprovers(p *pass) {
	p.entries(func(_ *unit, e *policy.Entry) {
		for _, t := range e.Approval {
			if len(t.Approvers) == 0 {
				p.reportAt(t.Pos, t.Rule, `add approvers: ["group:NAME"]`, "any approver of the tenant can grant this approval")
			}
		}
	})
}
