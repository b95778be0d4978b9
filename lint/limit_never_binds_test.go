package lint

import "testing"

func TestLimitNeverBinds(t *testing.T) {
	checkRule(t, "AEG036", []example{
		{"the same window", "limits: [{calls: 10/day}, {calls: 20/day}]\n" + agent(`{name: bank}`), []string{"20/day is never reached: 10/day (line 1) allows less"}},
		{"twice the same", "limits: [{calls: 10/day}, {calls: 10/day}]\n" + agent(`{name: bank}`), []string{"10/day is never reached"}},
		{"of an entry", "limits: [{calls: 10/day}]\n" + agent(`{name: bank, limits: [{calls: 50/day}]}`), []string{"50/day is never reached"}},
		{"an entry's is tighter", "limits: [{calls: 50/day}]\n" + agent(`{name: bank, limits: [{calls: 10/day}]}`), nil},
		{"a rate", "limits: [{rate: 1/m}, {calls: 1600/day}]\n" + agent(`{name: bank}`), []string{"1600/day"}},
		{"a rate that can reach it", "limits: [{rate: 1/s}, {calls: 1500/day}]\n" + agent(`{name: bank}`), nil},
		{"a session", "limits: [{calls: 10/session}, {calls: 20/day}]\n" + agent(`{name: bank}`), nil},
		{"money", "limits: [{budget: $5/day}, {budget: $500/week}]\n" + agent(`{name: bank}`), []string{"$500/week"}},
		{"of one and all", "limits: [{calls: 10/day, by: x}, {calls: 20/day}]\n" + agent(`{name: bank}`), nil},
		{"all and one", "limits: [{calls: 10/day}, {calls: 20/day, by: x}]\n" + agent(`{name: bank}`), []string{"20/day"}},
		{"other zones", "limits: [{calls: 10/hour}, {calls: 1000/day, tz: Europe/Berlin}]\n" + agent(`{name: bank}`), nil},
		{"the tenant's", "limits: [{calls: 10/day}, {calls: 20/day, per: tenant}]\n" + agent(`{name: bank}`), nil},
	})
}
