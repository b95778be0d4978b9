package lint

import (
	"slices"
	"time"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var approvalExpiry = &Rule{
	ID:       "AEG030",
	Name:     "approval-expiry",
	Severity: aegis.SeverityInfo,
	Summary:  "an approval that does not say how long it waits, or waits for days",
	Doc: `avoid: approval: {approvers: ["group:leads"], channel: "slack:#pay"}; expires: 7d
prefer: expires: 15m, or as long as the people who are asked need
why: without expires it is 15 minutes, which may be too short for those who are asked. What waits for days is approved
when nobody remembers why it was asked. Of several approvals of an entry the shortest holds, so one is enough.`,
	check: checkApprovalExpiry,
}

// longWait is the longest wait that is no surprise.
const longWait = 24 * time.Hour

func checkApprovalExpiry(p *pass) {
	p.tiers(func(_ *unit, _ *policy.Entry, tiers []*policy.Tier) {
		stated := slices.DeleteFunc(slices.Clone(tiers), func(t *policy.Tier) bool { return !t.Stated })
		if len(stated) == 0 {
			p.reportAt(tiers[0].Pos, tiers[0].Rule, "add expires: 15m, or what suits those who are asked", "the approval does not say how long it waits: it is %s",
				"15 minutes")
			return
		}
		first := slices.MinFunc(stated, func(a, b *policy.Tier) int { return int(a.Expires/time.Second) - int(b.Expires/time.Second) })
		if first.Expires > longWait {
			p.reportAt(first.Pos, first.Rule, "ask for an answer within a day", "the approval waits for %d hours", int(first.Expires.Hours()))
		}
	})
}

// tiers calls f for every entry that has approvals, with those of its entry where it is an action.
func (p *pass) tiers(f func(*unit, *policy.Entry, []*policy.Tier)) {
	p.entries(func(u *unit, e *policy.Entry) {
		if len(e.Approval) == 0 {
			return
		}
		tiers := slices.Clone(e.Approval)
		if e.Parent != nil {
			tiers = append(tiers, e.Parent.Approval...)
		}
		f(u, e, tiers)
	})
}
