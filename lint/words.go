package lint

import (
	"slices"
	"strings"
	"unicode"

	"github.com/aegisctl/aegis/policy"
)

// words splits a name into its words in lower case: to_address, toAddress and to-address are the same two.
func words(name string) []string {
	var out []string
	var word strings.Builder
	flush := func() {
		if word.Len() > 0 {
			out = append(out, strings.ToLower(word.String()))
			word.Reset()
		}
	}
	var last rune
	for _, r := range name {
		switch {
		case strings.ContainsRune("_-.:/ ()", r):
			flush()
			last = r
			continue
		case unicode.IsUpper(r) && unicode.IsLower(last):
			flush()
		}
		word.WriteRune(r)
		last = r
	}
	flush()
	return out
}

// hasWord reports whether one of the words of a name is in the list.
func hasWord(name string, list []string) bool {
	return slices.ContainsFunc(words(name), func(w string) bool { return slices.Contains(list, w) })
}

// Words of names that say what an argument is. They are few on purpose: a rule that guesses must guess right.
var (
	urlWords       = []string{"url", "urls", "uri", "href", "link", "webhook", "callback", "endpoint", "website", "site"}
	hostWords      = []string{"host", "hosts", "hostname", "domain", "origin", "server"}
	mailWords      = []string{"email", "mail", "address", "sender"}
	recipientWords = []string{"to", "recipient", "recipients", "cc", "bcc", "receiver", "receivers"}
	stageWords     = []string{"env", "environment", "environments", "stage", "namespace", "cluster", "branch", "workspace", "tier"}

	// Verbs with which the names of actions that only look begin.
	readVerbs = []string{"get", "list", "read", "search", "find", "describe", "show", "fetch", "query", "lookup", "view",
		"count", "check", "retrieve", "browse", "track", "inspect", "preview", "peek", "stat", "status", "poll", "watch"}
	// Numbers that an action that only looks takes as well: they say how much is shown.
	pageWords = []string{"limit", "page", "pages", "per", "offset", "count", "size", "results", "rows", "items", "top", "k", "n",
		"depth", "days", "hours", "year", "month", "length", "timeout", "start", "end", "range", "lines", "limits", "id"}
)

// reads reports whether the names that fit the pattern look like actions that only look.
func reads(action policy.Pattern) bool {
	w := words(strings.TrimSuffix(string(action), "*"))
	return len(w) > 0 && slices.Contains(readVerbs, w[0])
}

// looksLikeURL reports whether an argument's name says that it is a URL.
func looksLikeURL(arg string) bool { return hasWord(arg, urlWords) }

// looksLikeHost reports whether an argument's name says that it holds a host, in a URL or by itself.
func looksLikeHost(arg string) bool { return looksLikeURL(arg) || hasWord(arg, hostWords) }
