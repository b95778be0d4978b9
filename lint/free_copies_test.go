package lint

import "testing"

func TestFreeCopies(t *testing.T) {
	checkRule(t, "AEG009", []example{
		{"recipients", pay(`args: {recipients: {each: {domains: [example.com]}}}`), []string{"recipients is limited, and cc and bcc can name anyone"}},
		{"a list of allowed ones", pay(`args: {to_recipients: {each: {in: [a@example.com]}}}`), []string{"to_recipients"}},
		{"to is a list", pay(`args: {to: {each: {domains: [example.com]}}}`), []string{"to is limited"}},
		{"bcc is left", pay(`args: {to: {domains: [example.com]}, cc: {domains: [example.com], optional: true}}`), []string{"to is limited, and bcc can"}},
		{"another action has copies", agent(`{name: mail, actions: [send], conditions: {args: {to: {domains: [example.com]}}}}`,
			`{name: mail, actions: [draft], conditions: {deny_if: has(cc)}}`), nil},
		{"one is only counted", pay(`args: {to: {domains: [example.com]}, cc: {domains: [example.com], optional: true}, bcc: {max_length: 3, optional: true}}`), []string{"to is limited, and bcc can"}},
		{"one address", pay(`args: {to: {domains: [example.com]}}`), nil},
		{"both are named", pay(`args: {recipients: {each: {domains: [example.com]}}}, deny_if: has(cc) || has(bcc)`), nil},
		{"nothing else is allowed", pay(`args: {recipients: {each: {domains: [example.com]}}}, other_args: deny`), nil},
		{"nothing else is allowed, beside it", agent(`{name: mail, actions: [send], conditions: {args: {recipients: {each: {domains: [example.com]}}}}}`,
			`{name: mail, conditions: {other_args: deny}}`), nil},
		{"named in another entry for the calls", agent(`{name: mail, actions: [send], conditions: {args: {recipients: {each: {domains: [example.com]}}}}}`,
			`{name: mail, conditions: {deny_if: has(cc) || has(bcc)}}`), nil},
		{"no limit to whom", pay(`args: {recipients: {type: list, max_length: 5}}`), nil},
		{"a read", agent(`{name: mail, effect: read, conditions: {args: {recipients: {each: {domains: [example.com]}}}}}`), nil},
	})
}
