package lint

import (
	"slices"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var approvalChannel = &Rule{
	ID:       "AEG031",
	Name:     "approval-channel",
	Severity: aegis.SeverityInfo,
	Summary:  "an approval that no channel carries to a person",
	Doc: `avoid: approval: {approvers: ["group:leads"], expires: 15m}
prefer: approval: {approvers: ["group:leads"], channel: "slack:#finance", expires: 15m}
why: without a channel nobody is told: the call waits until somebody happens to look at the list of approvals, and
mostly expires. Of several approvals of an entry one channel is enough.`,
	check: checkApprovalChannel,
}

func checkApprovalChannel(p *pass) {
	p.tiers(func(_ *unit, _ *policy.Entry, tiers []*policy.Tier) {
		if !slices.ContainsFunc(tiers, func(t *policy.Tier) bool { return t.Channel != "" }) {
			p.reportAt(tiers[0].Pos, tiers[0].Rule, `add channel: "slack:#NAME"`, "nobody is told of this approval: it has no channel")
		}
	})
}
