package policy

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// The strings that are more than strings (URLs, e-mail addresses, paths, commands) are each judged by one RE2 pattern,
// which both evaluators use: there is no second parser that could read a text in another way. All of them describe
// ASCII only and spell both cases out ([aA]), since RE2's (?i) folds the Kelvin sign into k and the long s into s.

// maxPattern is the greatest length of a pattern that is made from lists. It bounds the time and memory that loading
// takes; about ten thousand hosts fit.
const maxPattern = 1 << 20

// Parts of host names. A label may not begin or end with a hyphen.
const (
	label     = `[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?`
	topLabel  = `(?:[a-zA-Z]{2,}|[xX][nN]--[a-zA-Z0-9-]*[a-zA-Z0-9])` // never a number, so the host is no IP address
	wordLabel = `[a-zA-Z](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?`
	octet     = `(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])`
)

// Parts of URLs. What follows the authority is printable ASCII without backslash; a constrained path also has neither
// percent-encoding nor a segment that is . or .. (with or without parameters after a semicolon, which some servers
// strip before they resolve dots).
const (
	urlRest  = `(?:[/?#][!-\[\]-~]*)?`
	urlQuery = `(?:[?#][!-\[\]-~]*)?`

	segChar    = `[!-"$&-.0->@-\[\]-~]`             // printable, not # % / ? \
	segNoDot   = `[!-"$&-\-0->@-\[\]-~]`            // nor .
	segNoSemi  = `[!-"$&-.0-:<->@-\[\]-~]`          // nor ;
	segNeither = `[!-"$&-\-0-:<->@-\[\]-~]`         // nor either of them
	segment    = `(?:` + segNoDot + segChar + `*` + // anything that does not begin with a dot
		`|\.` + segNeither + segChar + `*` + // .x
		`|\.\.` + segNoSemi + segChar + `*)` // ..x
)

// schemePorts are the ports that schemes own: written out or not, they are the same.
var schemePorts = map[string]int{"http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21}

// URLPattern returns the pattern for a URL (rule S7): its scheme is one of schemes (nil: https), its host one of hosts,
// and its path one of paths or below one. There is no userinfo, backslash, space, control or non-ASCII character. The
// port is absent or the scheme's own, unless the host's entry carries one.
//
//   - hosts are names in lower case, exact, or with a leading "*." for exactly one label, or IP addresses in canonical
//     text (IPv6 in brackets). nil stands for every DNS name that ends in an alphabetic label, which no notation of an
//     IP address does.
//   - paths are canonical and match whole segments: /hooks is /hooks, /hooks/ and all below. nil stands for any path.
//   - bare, if not "", is one of the schemes: a text without a scheme is judged as if it began with that one.
//
// The error says which entry is wrong and how to write it.
func URLPattern(hosts, schemes, paths []string, bare string) (string, error) {
	if schemes == nil {
		schemes = []string{"https"}
	}
	if len(schemes) == 0 {
		return "", fmt.Errorf("schemes is empty, so that no URL could pass; leave it out for [https]")
	}
	if hosts != nil && len(hosts) == 0 {
		return "", fmt.Errorf("hosts is empty, so that no URL could pass")
	}
	if bare != "" && !slices.Contains(schemes, bare) {
		return "", fmt.Errorf("bare: %q is not among the schemes %s", bare, strings.Join(schemes, ", "))
	}
	rest, err := pathsPattern(paths)
	if err != nil {
		return "", err
	}
	entries, err := parseHosts(hosts)
	if err != nil {
		return "", err
	}
	var alts []string
	for _, s := range slices.Compact(slices.Sorted(slices.Values(schemes))) {
		if !schemeRE().MatchString(s) {
			return "", fmt.Errorf("%q is no scheme; write it in lower case and without ://, like https", s)
		}
		prefix := foldCase(s) + "://"
		if s == bare {
			prefix = "(?:" + prefix + ")?"
		}
		alts = append(alts, prefix+authority(entries, schemePorts[s]))
	}
	return bounded(`\A(?:` + strings.Join(alts, "|") + `)` + rest + `\z`)
}

var schemeRE = lazyRE(`\A[a-z][a-z0-9+.-]*\z`)

// lazyRE compiles a pattern of this package when it is first needed, to keep start-up short.
func lazyRE(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

// bounded refuses a pattern that has become too long.
func bounded(pattern string) (string, error) {
	if len(pattern) > maxPattern {
		return "", fmt.Errorf("the list is too long for one rule: its pattern has %d bytes, and %d is the most",
			len(pattern), maxPattern)
	}
	return pattern, nil
}

// hostEntry is one entry of hosts.
type hostEntry struct {
	pattern string
	port    int // 0: not stated
}

// authority returns the pattern of host and port under a scheme that owns a port (0: none).
func authority(entries []hostEntry, own int) string {
	ownPort := ""
	if own != 0 {
		ownPort = `(?::` + strconv.Itoa(own) + `)?`
	}
	if entries == nil {
		return `(?:` + label + `\.)+` + topLabel + ownPort
	}
	var plain, all []string
	for _, e := range entries {
		switch e.port {
		case 0:
			plain = append(plain, e.pattern)
		case own:
			all = append(all, e.pattern+ownPort)
		default:
			all = append(all, e.pattern+`:`+strconv.Itoa(e.port))
		}
	}
	if plain != nil {
		all = append(all, `(?:`+strings.Join(plain, "|")+`)`+ownPort)
	}
	return `(?:` + strings.Join(all, "|") + `)`
}

// parseHosts checks the entries of hosts. They come back sorted, so that the order of a list does not matter and
// RE2 can share prefixes.
func parseHosts(hosts []string) ([]hostEntry, error) {
	if hosts == nil {
		return nil, nil
	}
	var entries []hostEntry
	for _, h := range slices.Compact(slices.Sorted(slices.Values(hosts))) {
		e, err := parseHost(h)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

func parseHost(entry string) (hostEntry, error) {
	fail := func(problem string) (hostEntry, error) {
		return hostEntry{}, fmt.Errorf("host %q %s", entry, problem)
	}
	host, port := entry, 0
	if i := strings.LastIndexByte(entry, ':'); i >= 0 && !strings.HasSuffix(entry, "]") {
		n, err := strconv.Atoi(entry[i+1:])
		if err != nil || n < 1 || n > 65535 || strconv.Itoa(n) != entry[i+1:] {
			return fail("ends in no port; write name or name:8443, without scheme and path, and IPv6 in brackets")
		}
		host, port = entry[:i], n
	}
	switch {
	case host == "":
		return fail("is empty")
	case host == "*":
		return fail("is every host; leave hosts out, or name them")
	case strings.ContainsAny(host, "/?#"):
		return fail("has a path; write the name alone and the path under paths")
	case strings.Contains(host, ":") && host[0] != '[':
		return fail("has several colons; write IPv6 addresses in brackets, like [2001:db8::1]")
	case strings.ContainsAny(host, "@\\% \t"):
		return fail("has characters that no host has; write the name alone")
	case strings.ToLower(host) != host:
		return fail("must be in lower case: write " + strings.ToLower(entry))
	case strings.HasPrefix(host, "["):
		a, err := netip.ParseAddr(strings.Trim(host, "[]"))
		if err != nil || !a.Is6() || a.Is4In6() || a.Zone() != "" || "["+a.String()+"]" != host {
			return fail("is not the canonical text of an IPv6 address, like [2001:db8::1]")
		}
		return hostEntry{foldCase(host), port}, nil
	}
	name, wild := strings.CutPrefix(host, "*.")
	if problem := checkHostName(name, wild); problem != "" {
		return fail(problem)
	}
	pattern := foldCase(name)
	if wild {
		pattern = label + `\.` + pattern
	}
	return hostEntry{pattern, port}, nil
}

// checkHostName says what is wrong with a name in hosts or domains.
func checkHostName(name string, wild bool) string {
	for i := range len(name) {
		if name[i] >= 0x80 {
			return "is not ASCII; write the xn-- form of the name"
		}
	}
	switch {
	case strings.Contains(name, "*"):
		return `has a star elsewhere than in a leading "*.", which stands for exactly one label`
	case strings.HasSuffix(name, "."):
		return "ends in a point; drop it"
	case !hostNameRE().MatchString(name) || len(name) > 253:
		return "is no host name; write the name alone, like api.example.com"
	}
	last := name[strings.LastIndexByte(name, '.')+1:]
	if !numericLabelRE().MatchString(last) {
		return ""
	}
	// What ends in a number is an IPv4 address to a resolver, in whatever notation.
	if a, err := netip.ParseAddr(name); err != nil || a.String() != name || wild {
		return "is not the canonical text of an IPv4 address, like 192.0.2.1"
	}
	return ""
}

var (
	hostNameRE     = lazyRE(`\A[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*\z`)
	numericLabelRE = lazyRE(`\A(?:[0-9]+|0x[0-9a-f]*)\z`)
)

// foldCase returns a pattern for exactly s, with ASCII letters in either case.
func foldCase(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if lower := c | 0x20; 'a' <= lower && lower <= 'z' {
			b.WriteString("[" + string(rune(lower)) + string(rune(lower-0x20)) + "]")
		} else {
			b.WriteString(regexp.QuoteMeta(string(rune(c))))
		}
	}
	return b.String()
}

// pathsPattern returns the pattern of what follows the authority.
func pathsPattern(paths []string) (string, error) {
	if paths == nil {
		return urlRest, nil
	}
	if len(paths) == 0 {
		return "", fmt.Errorf("paths is empty, so that no URL could pass; leave it out for any path")
	}
	below := `(?:/` + segment + `)*/?`
	var alts []string
	for _, p := range slices.Compact(slices.Sorted(slices.Values(paths))) {
		switch {
		case p == "/":
			alts = append(alts, below)
			continue
		case !strings.HasPrefix(p, "/"):
			return "", fmt.Errorf("path %q must begin with /", p)
		case strings.HasSuffix(p, "/"):
			return "", fmt.Errorf("path %q ends in /; write %s, which covers it and all below", p, strings.TrimRight(p,
				"/"))
		case !canonicalPathRE().MatchString(p):
			return "", fmt.Errorf("path %q is not canonical; write it without . and .. segments, //, %%, \\, ?, # "+
				"and what is not printable ASCII", p)
		}
		alts = append(alts, regexp.QuoteMeta(p)+`(?:/`+segment+`)*/?`)
	}
	return `(?:` + strings.Join(alts, "|") + `)` + urlQuery, nil
}

var canonicalPathRE = lazyRE(`\A(?:/` + segment + `)+\z`)

// HostPattern returns the pattern of a URL whose host can be told (rule S7, any scheme). Its one group is the host: a
// DNS name, or an IPv4 address in canonical text. A URL with an IPv6 address does not match, nor does one whose host is
// a number in another notation: such hosts have many spellings, and comparing one of them would miss the others. The
// port is absent, 80 or 443.
func HostPattern() string {
	host := `(?:` + label + `\.)*` + wordLabel + `|` + octet + `(?:\.` + octet + `){3}`
	return `\A[a-zA-Z][a-zA-Z0-9+.-]*://(` + host + `)(?::(?:80|443))?` + urlRest + `\z`
}

// Parts of e-mail addresses. The local part is a dot-atom with at most 64 characters besides its dots (RE2 cannot count
// the two together).
const (
	atomChar  = "[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]"
	localPart = atomChar + `(?:\.?` + atomChar + `){0,63}`
)

// AddrPattern returns the pattern of one bare e-mail address, local@domain, in ASCII: no display name, comment, quotes,
// or further addresses. Its one group is the domain.
func AddrPattern() string {
	return `\A` + localPart + `@((?:` + label + `\.)*` + wordLabel + `)\z`
}

// DomainPattern returns the pattern of one bare e-mail address whose domain is one of domains, which are exact names in
// lower case. The error says which entry is wrong.
func DomainPattern(domains []string) (string, error) {
	if len(domains) == 0 {
		return "", fmt.Errorf("domains is empty, so that no address could pass")
	}
	var alts []string
	for _, d := range slices.Compact(slices.Sorted(slices.Values(domains))) {
		problem := checkHostName(d, false)
		switch {
		case strings.Contains(d, "@"):
			problem = "has an @; write the part after it"
		case strings.Contains(d, "*"):
			problem = "has a star; domains are exact, so list each of them"
		case strings.ToLower(d) != d:
			problem = "must be in lower case: write " + strings.ToLower(d)
		case problem == "" && numericLabelRE().MatchString(d[strings.LastIndexByte(d, '.')+1:]):
			problem = "is an IP address, which no address of ours can have"
		}
		if problem != "" {
			return "", fmt.Errorf("domain %q %s", d, problem)
		}
		alts = append(alts, foldCase(d))
	}
	return bounded(`\A` + localPart + `@(?:` + strings.Join(alts, "|") + `)\z`)
}
