package lint

import "testing"

func TestOpenOnURL(t *testing.T) {
	checkRule(t, "AEG016", []example{
		{"hosts", agent(`{name: web, effect: read, on_failure: open, conditions: {args: {page: {hosts: [example.com]}}}}`), []string{"lets any page through"}},
		{"by name", agent(`{name: web, effect: read, on_failure: open, conditions: {deny_if: 'target_url.contains("x")'}}`), []string{"target_url"}},
		{"host()", agent(`{name: web, effect: read, on_failure: open, conditions: {require: ['host(page) == "example.com"']}}`), []string{"page"}},
		{"an action", agent(`{name: web, actions: [{name: get, effect: read, on_failure: open}], conditions: {args: {url: {hosts: [example.com]}}}}`),
			[]string{"url"}},
		{"an action of it", agent(`{name: web, effect: read, on_failure: open, actions: [{name: get, conditions: {args: {url: {hosts: [example.com]}}}}]}`),
			[]string{"url"}},
		{"an action that is closed", agent(`{name: web, effect: read, on_failure: open, actions: [get_help, {name: get, on_failure: closed, conditions: {args: {url: {hosts: [example.com]}}}}]}`), nil},
		{"closed", agent(`{name: web, effect: read, on_failure: closed, conditions: {args: {url: {hosts: [example.com]}}}}`), nil},
		{"no URL", agent(`{name: db, effect: read, on_failure: open, conditions: {args: {table: {in: [a]}}}}`), nil},
	})
}
