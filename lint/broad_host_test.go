package lint

import "testing"

func TestBroadHost(t *testing.T) {
	checkRule(t, "AEG020", []example{
		{"a top-level domain", pay(`args: {url: {hosts: ["*.com"]}}`), []string{"every name below com pass"}},
		{"two of them", pay(`args: {url: {hosts: ["*.co.uk", "*.org", a.example.com]}}`), []string{"below org, co.uk"}},
		{"other people's sites", pay(`args: {url: {hosts: ["*.github.io"]}}`), []string{"github.io"}},
		{"with paths", pay(`args: {url: {hosts: ["*.io"], paths: [/hooks]}}`), []string{"below io"}},
		{"with a port", pay(`args: {url: {hosts: ["*.io:8443"]}}`), []string{"below io"}},
		{"with http and bare", pay(`args: {url: {hosts: ["*.io"], schemes: [http], bare: http}}`), []string{"below io"}},
		{"of elements", pay(`args: {urls: {each: {hosts: ["*.io"]}}}`), []string{"below io"}},
		{"below a domain of one's own", pay(`args: {url: {hosts: ["*.example.com", "*.docs.example.io"]}}`), nil},
		{"a name", pay(`args: {url: {hosts: [aegis-lint.com]}}`), nil},
		{"any host", pay(`args: {url: {schemes: [https]}}`), nil},
		{"no URL", pay(`args: {url: {matches: '.*[.]com'}}`), nil},
	})
}
