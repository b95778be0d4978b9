package lint

import "testing"

func TestBroadPath(t *testing.T) {
	checkRule(t, "AEG045", []example{
		{"all", pay(`args: {path: {under: /}}`), []string{"every file below / passes"}},
		{"one directory", pay(`args: {path: {under: /srv/data/}}`), nil},
		{"the beginning of a text", pay(`require: ['path.startsWith("/srv/data")']`), []string{"/srv/data/../ leads out of it"}},
		{"of a URL", pay(`require: ['url.startsWith("https://api.example.com/")']`), nil},
	})
}
