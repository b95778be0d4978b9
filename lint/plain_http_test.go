package lint

import "testing"

func TestPlainHttp(t *testing.T) {
	checkRule(t, "AEG090", []example{
		{"http only", pay(`args: {url: {hosts: [a.example.com], schemes: [http]}}`), []string{"without encryption"}},
		{"wss", pay(`args: {url: {hosts: [a.example.com], schemes: [wss]}}`), nil},
	})
}
