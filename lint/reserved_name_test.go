package lint

import "testing"

func TestReservedName(t *testing.T) {
	checkRule(t, "AEG014", []example{
		{"region", pay(`args: {region: {in: [eu]}}, deny_if: region == "us"`), []string{"region by itself is the region the agent runs in, not the argument"}},
		{"twice in one condition", pay(`args: {agent: {in: [x]}}, deny_if: agent == "x" || agent == "y"`), []string{"agent by itself"}},
		{"constrained on the entry", agent(`{name: bank, actions: [{name: pay, conditions: {deny_if: tool == "x"}}], conditions: {args: {tool: {in: [x]}}}}`),
			[]string{"tool by itself"}},
		{"in full", pay(`args: {region: {in: [eu]}}, deny_if: args.region == "us"`), nil},
		{"both are meant", pay(`args: {region: {in: [eu]}}, require: [args.region == region]`), nil},
		{"no such argument", pay(`deny_if: region == "us"`), nil},
	})
}
