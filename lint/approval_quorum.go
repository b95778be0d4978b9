package lint

import (
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var approvalQuorum = &Rule{
	ID:       "AEG032",
	Name:     "approval-quorum",
	Severity: aegis.SeverityWarning,
	Summary:  "more approvals are needed than there are people who may give one",
	Doc: `avoid: approval: {approvers: ["user:ann"], quorum: 2}
prefer: quorum: 1, or a group, or a second person
why: each person counts once, so the quorum is never met, and every call that is held expires. How many people a group
has is not known here, so an approval that names a group is left alone.`,
	check: checkApprovalQuorum,
}

func checkApprovalQuorum(p *pass) {
	p.entries(func(_ *unit, e *policy.Entry) {
		for _, t := range e.Approval {
			group := slices.ContainsFunc(t.Approvers, func(a string) bool { return strings.HasPrefix(a, "group:") })
			if len(t.Approvers) > 0 && !group && t.Quorum > len(t.Approvers) {
				p.reportAt(t.Pos, t.Rule, "name more approvers or a group, or lower the quorum",
					"the quorum is %d, and %d can approve", t.Quorum, len(t.Approvers))
			}
		}
	})
}
