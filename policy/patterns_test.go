package policy

import (
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func compiled(t testing.TB, pattern string, err error) *regexp.Regexp {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return re
}

func expectMatches(t *testing.T, re *regexp.Regexp, want bool, texts ...string) {
	t.Helper()
	for _, s := range texts {
		if re.MatchString(s) != want {
			t.Errorf("%q: got %t, want %t", s, !want, want)
		}
	}
}

// TestURLConfusion holds the pattern against the URLs that hide their host, and those that are plainly allowed.
func TestURLConfusion(t *testing.T) {
	p, err := URLPattern([]string{"api.example.com", "*.docs.example.com"}, nil, nil, "")
	re := compiled(t, p, err)
	expectMatches(t, re, true, "https://api.example.com/v1/items?q=1", "https://a.docs.example.com/x",
		"HTTPS://API.EXAMPLE.COM/v1", "https://api.example.com:443/v1", "https://api.example.com",
		"https://api.example.com?x",
		"https://api.example.com#x", "https://api.example.com/a@b", "https://xn--a.docs.example.com/",
		"https://api.example.com/../%2e%2e//x")
	expectMatches(t, re, false, "https://api.example.com@evil.test/", "https://evil.test#@api.example.com/",
		`https://evil.test\@api.example.com/`, "https://api.example.com.evil.test/", "https://api.example.com./",
		"http://api.example.com/", "//api.example.com/", "https://api.example.com:8443/", "https://127.0.0.1/",
		"https://2130706433/", "https://0x7f.1/", "https://[::ffff:127.0.0.1]/",
		"https://169.254.169.254/latest/meta-data/",
		"https://аpi.example.com/", "https://xn--pi-7kc.example.com/", "https://api。example.com/",
		"https://evildocs.example.com/", "https://a.b.docs.example.com/", "https://evil.test/.docs.example.com",
		"https://api.example.com\t.evil.test/", "https://api.example.com%2eevil.test/", "file:///etc/passwd",
		"javascript:fetch(1)//https://api.example.com/", " https://api.example.com/", "https://api.example.com/ ",
		"https://ⓐpi.example.com/", "https://127.1/", "https://a.docs.example.com.evil.test/", "https://0177.0.0.1/",
		"https:api.example.com/", "https://evil.test?@api.example.com/", `https://api.example.com\.evil.test/`,
		"https://api.example.com:0443/", "https://api.example.com:/", "https://user:pw@api.example.com/",
		"https://.docs.example.com/", "https://-a.docs.example.com/", "https://docs.example.com/",
		"https://a.docſ.example.com/",
		"https://api.example.com/\n", "\nhttps://api.example.com/", "https://api.example.com/é",
		"https://api.example.com/\x00",
		`https://api.example.com/\x`, "httpſ://api.example.com/", "", "https://", "https:///api.example.com")
}

func TestURLAnyHost(t *testing.T) {
	p, err := URLPattern(nil, []string{"https", "http"}, nil, "")
	re := compiled(t, p, err)
	expectMatches(t, re, true, "https://a.io", "http://a.b.example:80/x", "https://xn--e1afmkfd.xn--p1ai/",
		"HTTP://A.IO:80")
	expectMatches(t, re, false, "https://2130706433/", "https://0x7f.1/", "https://127.1/", "https://0177.0.0.1/",
		"https://1.2.3.4/",
		"https://[::1]/", "https://localhost/", "https://a.0x7f/", "https://a.1/", "http://a.io:443/",
		"https://a.io:80/",
		"https://a..io/", "https://a.io./", "ftp://a.io/", "https://a_b.io/", "https://a.b@c.io/", "https://a-.io/")
}

func TestURLHostsWithPortsAndAddresses(t *testing.T) {
	p, err := URLPattern([]string{"localhost:8090", "10.0.0.1", "[2001:db8::a]:8443", "x.org:443", "my_svc"},
		[]string{"http", "https"}, nil, "")
	re := compiled(t, p, err)
	expectMatches(t, re, true, "http://localhost:8090/fhir", "https://10.0.0.1", "http://10.0.0.1:80/",
		"https://[2001:DB8::A]:8443/",
		"https://x.org", "https://x.org:443/", "http://x.org:443/", "http://my_svc/")
	expectMatches(t, re, false, "http://localhost/", "http://localhost:80/", "https://10.0.0.1:80",
		"https://[2001:db8::a]/",
		"https://[2001:db8:0::a]:8443/", "http://x.org/", "https://010.0.0.1/", "https://167772161/")
}

func TestURLPaths(t *testing.T) {
	p, err := URLPattern([]string{"h.io"}, nil, []string{"/hooks", "/v1/x.y"}, "")
	re := compiled(t, p, err)
	expectMatches(t, re, true, "https://h.io/hooks", "https://h.io/hooks/", "https://h.io/hooks/x",
		"https://h.io/hooks/x/y/?q=..%2f//#f",
		"https://h.io/v1/x.y/...", "https://h.io/hooks/a..b/.well-known/..c", "https://h.io/hooks/x;v=1",
		"https://h.io/hooks?x")
	expectMatches(t, re, false, "https://h.io/hooksX", "https://h.io/", "https://h.io", "https://h.io/hooks/../admin",
		"https://h.io/hooks/.",
		"https://h.io/hooks/..", "https://h.io/hooks/./x", "https://h.io//hooks", "https://h.io/hooks//x",
		"https://h.io/hooks/%2e%2e/x",
		"https://h.io/hooks%2fx", "https://h.io/hooks/%00", "https://h.io/hooks/..;/x", "https://h.io/hooks/.;x/y",
		"https://h.io/HOOKS",
		`https://h.io/hooks/\x`, "https://h.io/v1/xzy", "https://h.io/?/hooks", "https://h.io/x/hooks",
		"https://h.io/hooks/a//")
	p, err = URLPattern([]string{"h.io"}, nil, []string{"/"}, "")
	re = compiled(t, p, err)
	expectMatches(t, re, true, "https://h.io", "https://h.io/", "https://h.io/a/b", "https://h.io?x")
	expectMatches(t, re, false, "https://h.io//", "https://h.io/../x")
}

func TestURLBare(t *testing.T) {
	p, err := URLPattern([]string{"www.x.com", "*.y.org"}, nil, nil, "https")
	re := compiled(t, p, err)
	expectMatches(t, re, true, "www.x.com", "www.x.com/a", "https://www.x.com/a", "a.y.org?q", "www.x.com:443/")
	expectMatches(t, re, false, "http://www.x.com/", "://www.x.com", "//www.x.com", "www.x.com@evil.com",
		"www.x.com.evil.com", "x.com",
		"https:www.x.com", "www.x.com:80/")
}

func TestURLPatternRefuses(t *testing.T) {
	for _, c := range []struct {
		hosts, schemes, paths []string
		bare, want            string
	}{
		{[]string{}, nil, nil, "", "hosts is empty"},
		{nil, []string{}, nil, "", "schemes is empty"},
		{nil, nil, []string{}, "", "paths is empty"},
		{[]string{"API.example.com"}, nil, nil, "", "write api.example.com"},
		{[]string{"https://x.com"}, nil, nil, "", "no port"},
		{[]string{"x.com/a"}, nil, nil, "", "path"},
		{[]string{"*"}, nil, nil, "", "every host"},
		{[]string{"a.*.com"}, nil, nil, "", "star"},
		{[]string{"*x.com"}, nil, nil, "", "star"},
		{[]string{"*.*.com"}, nil, nil, "", "star"},
		{[]string{"x.com."}, nil, nil, "", "point"},
		{[]string{"x..com"}, nil, nil, "", "no host name"},
		{[]string{"127.1"}, nil, nil, "", "canonical"},
		{[]string{"0x7f.0.0.1"}, nil, nil, "", "canonical"},
		{[]string{"2130706433"}, nil, nil, "", "canonical"},
		{[]string{"010.0.0.1"}, nil, nil, "", "canonical"},
		{[]string{"*.0.0.1"}, nil, nil, "", "canonical"},
		{[]string{"[0:0::1]"}, nil, nil, "", "canonical"},
		{[]string{"[::ffff:1.2.3.4]"}, nil, nil, "", "canonical"},
		{[]string{"::1"}, nil, nil, "", "brackets"},
		{[]string{"x.com:0443"}, nil, nil, "", "port"},
		{[]string{"x.com:99999"}, nil, nil, "", "port"},
		{[]string{"bücher.de"}, nil, nil, "", "xn--"},
		{[]string{""}, nil, nil, "", "empty"},
		{[]string{"a b"}, nil, nil, "", "characters"},
		{[]string{"u@x.com"}, nil, nil, "", "characters"},
		{nil, []string{"HTTPS"}, nil, "", "no scheme"},
		{nil, []string{"https://"}, nil, "", "no scheme"},
		{nil, nil, []string{"hooks"}, "", "begin with /"},
		{nil, nil, []string{"/hooks/"}, "", "write /hooks,"},
		{nil, nil, []string{"/a/../b"}, "", "canonical"},
		{nil, nil, []string{"/a%20b"}, "", "canonical"},
		{nil, nil, []string{"/a//b"}, "", "canonical"},
		{nil, nil, nil, "http", "not among"},
	} {
		_, err := URLPattern(c.hosts, c.schemes, c.paths, c.bare)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v %v %v %q: %v, want %q", c.hosts, c.schemes, c.paths, c.bare, err, c.want)
		}
	}
}

// refURL judges a URL by rule S7 with the standard library's parser and plain checks: another way to the same answer.
func refURL(s string, hosts, schemes, paths []string, bare string) bool {
	for _, r := range s {
		if r <= ' ' || r >= 0x7f || r == '\\' {
			return false
		}
	}
	if i := strings.Index(s, "://"); bare != "" && (i < 0 ||
		!regexp.MustCompile(`^[a-zA-Z0-9+-]+$`).MatchString(s[:i])) {
		s = bare + "://" + s
	}
	scheme, after, ok := strings.Cut(s, "://")
	scheme = strings.ToLower(scheme)
	if !ok || !slices.Contains(schemes, scheme) {
		return false
	}
	end := strings.IndexAny(after+"/", "/?#")
	u, err := url.Parse(scheme + "://" + after[:end])
	if err != nil || u.User != nil || strings.ContainsAny(after[:end], "%@") {
		return false
	}
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if strings.Contains(u.Host, "[") {
		host = "[" + host + "]"
	}
	if strings.HasSuffix(u.Host, ":") {
		return false
	}
	return slices.ContainsFunc(hosts, func(h string) bool { return refHost(host, port, scheme, h) }) &&
		refPath(after[end:], paths)
}

func refHost(host, port, scheme, entry string) bool {
	own := map[string]string{"https": "443", "http": "80"}[scheme]
	wantPort := own
	if i := strings.LastIndex(entry, ":"); i > strings.LastIndex(entry, "]") {
		entry, wantPort = entry[:i], entry[i+1:]
	}
	if port != wantPort && (port != "" || wantPort != own) {
		return false
	}
	tail, wild := strings.CutPrefix(entry, "*")
	if !wild {
		return host == entry
	}
	first, found := strings.CutSuffix(host, tail)
	return found && first != "" && !strings.ContainsAny(first, "._[]:!$&'()*+,;=~\"<>^`{|}") && first[0] != '-' &&
		first[len(first)-1] != '-'
}

func refPath(rest string, paths []string) bool {
	if paths == nil {
		return true
	}
	p := rest[:strings.IndexAny(rest+"?", "?#")]
	if strings.Contains(p, "%") {
		return false
	}
	segs := strings.Split(strings.TrimPrefix(p, "/"), "/")
	for i, s := range segs {
		name, _, _ := strings.Cut(s, ";")
		if name == "." || name == ".." || s == "" && i < len(segs)-1 {
			return false
		}
	}
	return slices.ContainsFunc(paths, func(q string) bool { return q == "/" || p == q || strings.HasPrefix(p, q+"/") })
}

// pieces draws a text from fragments that matter to a rule, and now and then any character at all.
func pieces(t *rapid.T, n int, fragments ...string) string {
	var b strings.Builder
	for range rapid.IntRange(0, n).Draw(t, "n") {
		if rapid.IntRange(0, 19).Draw(t, "odd") == 0 {
			b.WriteRune(rapid.Rune().Draw(t, "rune"))
			continue
		}
		b.WriteString(rapid.SampledFrom(fragments).Draw(t, "piece"))
	}
	return b.String()
}

func TestURLAgainstParser(t *testing.T) {
	hosts := []string{"a.io", "*.b.io", "1.2.3.4", "[::1]", "c.io:8443", "d.io:443"}
	for _, c := range []struct {
		paths []string
		bare  string
	}{{nil, ""}, {[]string{"/p", "/q/r"}, ""}, {[]string{"/"}, "https"}} {
		schemes := []string{"https", "http"}
		p, err := URLPattern(hosts, schemes, c.paths, c.bare)
		re := compiled(t, p, err)
		if s := "HTTPS://x.B.io:443/q/r/s?t"; !re.MatchString(s) || !refURL(s, hosts, schemes, c.paths, c.bare) {
			t.Errorf("%q must match", s)
		}
		rapid.Check(t, func(t *rapid.T) {
			s := rapid.SampledFrom([]string{"https://", "http://", "HTTPS://", "ftp://", "", "https:", "//",
				"k://"}).Draw(t, "scheme") +
				rapid.SampledFrom(append([]string{"", "x.b.io", "C.io"}, hosts...)).Draw(t, "host") +
				pieces(t, 1, "a.io", "x.b.io", "A.io", "x-.b.io", "1.2.3.4", "[::1]", "c.io", "d.io", "b.io",
					"y.x.b.io", "@", ".", "-", "[::01]") +
				rapid.SampledFrom([]string{"", "", ":443", ":80", ":8443", ":0443", ":", ":443:443"}).Draw(t, "port") +
				pieces(t, 5, "/", "/p", "/q/r", "/s", "..", ".", ";", "%2e", "?", "#", "x", "//", `\`, "@", " ", ":")
			if want := refURL(s, hosts, schemes, c.paths, c.bare); re.MatchString(s) != want {
				t.Fatalf("%q: want %t", s, want)
			}
		})
	}
}

func TestHostPattern(t *testing.T) {
	re := compiled(t, HostPattern(), nil)
	for s, want := range map[string]string{
		"https://API.example.com/x": "API.example.com", "http://localhost": "localhost", "ftp://1.2.3.4/": "1.2.3.4",
		"HTTPS://a.io:443?x": "a.io", "custom+x://a.io": "a.io", "http://a.io:80/": "a.io",
	} {
		if m := re.FindStringSubmatch(s); len(m) != 2 || m[1] != want {
			t.Errorf("%q: %q, want %q", s, m, want)
		}
	}
	expectMatches(t, re, false, "https://a@b.io/", "https://0177.0.0.1/", "https://2130706433/", "https://0x7f.1",
		"https://a.io./",
		"https://[::1]/", "https://a.io:0443/", `https://a.io\@b.io`, "https:a.io", "//a.io", "a.io", "https://ä.io/",
		"https://a.io/ x",
		"https://256.1.1.1/", "https://1.2.3/", "https://a.0x7/", "https://a..io")
	rapid.Check(t, func(t *rapid.T) {
		s := "http://" + pieces(t, 6, "1", "0", "255", "256", ".", "x", "0x7f", "-", "a", ":80", "/")
		m := re.FindStringSubmatch(s)
		if m == nil {
			return
		}
		authority, _, _ := strings.Cut(strings.TrimPrefix(s, "http://"), "/")
		authority, _, _ = strings.Cut(authority, "?")
		authority, _, _ = strings.Cut(authority, "#")
		if u, err := url.Parse("http://" + authority); err != nil || u.Hostname() != m[1] {
			t.Fatalf("%q: pattern says %q", s, m[1])
		}
		last := m[1][strings.LastIndex(m[1], ".")+1:]
		if _, err := strconv.ParseUint(last, 0, 64); err == nil {
			if a, err := netip.ParseAddr(m[1]); err != nil || a.String() != m[1] {
				t.Fatalf("%q is a number in another notation", m[1])
			}
		}
	})
}

// refAddr judges one bare address by plain checks.
func refAddr(s string) (domain string, ok bool) {
	i := strings.LastIndex(s, "@")
	if i < 1 || strings.Count(s, "@") != 1 {
		return "", false
	}
	local, domain := s[:i], s[i+1:]
	atoms := 0
	for part := range strings.SplitSeq(local, ".") {
		if part == "" {
			return "", false
		}
		for _, r := range part {
			if r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),:;<>[\]`, r) {
				return "", false
			}
			atoms++
		}
	}
	return strings.ToLower(domain), atoms <= 64
}

func TestDomainPattern(t *testing.T) {
	p, err := DomainPattern([]string{"example.com", "sk.example.org"})
	re := compiled(t, p, err)
	expectMatches(t, re, true, "bob@example.com", "Bob.O'Neil+x@EXAMPLE.com", "a@sk.example.org", strings.Repeat("a",
		64)+"@example.com")
	expectMatches(t, re, false, "bob@evil.com", "bob@example.com.evil.com", "bob@xexample.com", "Bob <bob@example.com>",
		"a@example.com,b@example.com",
		"a@evil.com@example.com", `"a b"@example.com`, ".a@example.com", "a.@example.com", "a..b@example.com",
		"a@example.com.", "@example.com",
		"a@example.com\n", "a b@example.com", "ä@example.com", "a@ſk.example.org", "a@s\u212a.example.org",
		"a(x)@example.com", "a@[1.2.3.4]",
		strings.Repeat("a", 65)+"@example.com", "a@b@example.com", "mailto:a@example.com ", "a;b@example.com",
		"bob@sub.example.com")
	rapid.Check(t, func(t *rapid.T) {
		s := pieces(t, 6, "a", ".", "@", "example.com", "EXAMPLE.COM", "sk.example.org", "evil.com", "+", "'", ",", "<",
			" ", `"`)
		domain, ok := refAddr(s)
		if want := ok && (domain == "example.com" || domain == "sk.example.org"); re.MatchString(s) != want {
			t.Fatalf("%q: want %t", s, want)
		}
	})
	for d, want := range map[string]string{"Example.com": "lower case", "*.example.com": "star", "@example.com": "@",
		"":             "no host name",
		"example.com.": "point", "1.2.3.4": "IP", "a b": "no host name", "ä.de": "xn--"} {
		if _, err := DomainPattern([]string{d}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", d, err, want)
		}
	}
	if _, err := DomainPattern(nil); err == nil {
		t.Error("an empty list of domains loads")
	}
}

func TestAddrPattern(t *testing.T) {
	re := compiled(t, AddrPattern(), nil)
	if m := re.FindStringSubmatch("a.b@Mail.Example.com"); len(m) != 2 || m[1] != "Mail.Example.com" {
		t.Errorf("got %q", m)
	}
	expectMatches(t, re, true, "root@localhost")
	expectMatches(t, re, false, "a@1.2.3.4", "a@b..c", "a@-b.com", "a@b.com.", "a@", "a", "<a@b.com>",
		"a@b.com, c@d.com")
}
