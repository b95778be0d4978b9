package policy

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestUnderPattern(t *testing.T) {
	p, err := UnderPattern([]string{"/srv/agent-data/", "/tmp/a.b/"})
	re := compiled(t, p, err)
	expectMatches(t, re, true, "/srv/agent-data/report.csv", "/srv/agent-data/out/r.csv", "/srv/agent-data/a..b/c...d",
		"/srv/agent-data/...",
		"/srv/agent-data/..x/.y", "/srv/agent-data/my file?#.txt", "/srv/agent-data/sub/")
	expectMatches(t, re, false, "/srv/agent-data/../../etc/passwd", "/srv/agent-data/%2e%2e/%2e%2e/etc/passwd",
		"/srv/agent-data/..%2f..%2fetc/passwd",
		"/srv/agent-data-evil/x", "/srv/agent-data/./x", "//srv/agent-data/x", "/srv/agent-data/a\x00.csv",
		`/srv/agent-data/..\..\x`,
		"srv/agent-data/x", "file:///srv/agent-data/x", "/srv/agent-data/．．/x", "/SRV/agent-data/x",
		"/srv/agent-data/out/../x",
		"/srv/agent-data/", "/srv/agent-data", "/srv/agent-data//x", "/srv/agent-data/x//", "/srv/agent-data/..",
		"/srv/agent-data/.",
		"/srv/agent-data/x\n", "/tmp/axb/c", "/srv/agent-data/x/..", "/srv/agent-data/é", "/srv/agent-data/./", "")
	for prefix, want := range map[string]string{"srv/": "absolute", "/srv": "write /srv/", "/a/../b/": "canonical",
		"/a//":   "canonical",
		"/a%20/": "canonical", "/é/": "canonical"} {
		if _, err := UnderPattern([]string{prefix}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", prefix, err, want)
		}
	}
	if _, err := UnderPattern(nil); err == nil {
		t.Error("an empty list of directories loads")
	}
	if p, err := UnderPattern([]string{"/"}); err != nil || !regexp.MustCompile(p).MatchString("/x") {
		t.Errorf("the root: %v", err)
	}
}

// refUnder judges a path by rule S8 with the standard library's notion of a clean path.
func refUnder(s string, prefixes ...string) bool {
	for _, r := range s {
		if r < ' ' || r >= 0x7f || r == '%' || r == '\\' {
			return false
		}
	}
	clean := strings.TrimSuffix(s, "/")
	return strings.HasPrefix(s, "/") && path.Clean(clean) == clean && slices.ContainsFunc(prefixes,
		func(p string) bool {
			return strings.HasPrefix(s, p) && len(clean) >= len(p)
		})
}

func TestUnderAgainstClean(t *testing.T) {
	p, err := UnderPattern([]string{"/a/b/", "/c/"})
	re := compiled(t, p, err)
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SampledFrom([]string{"", "/a/b/", "/c/", "/a/b"}).Draw(t, "start") +
			pieces(t, 6, "/", ".", "..", "a", "/a/b", " ", "%", `\`, "x.y", "?", "#", "/./", "/../")
		if want := refUnder(s, "/a/b/", "/c/"); re.MatchString(s) != want {
			t.Fatalf("%q: want %t", s, want)
		}
	})
}

func TestCommandsPattern(t *testing.T) {
	p, err := CommandsPattern([]string{"git status", "git diff", "mix test", "ls", "tail"})
	re := compiled(t, p, err)
	expectMatches(t, re, true, "git status", " git  status\t-s ", "git status && git diff --stat",
		"mix test 2>&1 | tail -5", "ls>/dev/null"[:2],
		"ls >/dev/null 2>&1", "ls > /dev/null; git diff", "git diff 'a b' \"c (d) #e\"", "git diff --x=\"a\"'b'c",
		"ls||ls|ls;ls&&ls",
		"git diff 'für $x `y` \\n'", "git diff HEAD^", "ls 2 x", "ls 'a;rm -rf /'", `ls "a && b"`, "ls ''")
	expectMatches(t, re, false, "rm -rf /", "git", "git push", "git statusx", "git status-x", "git status; rm x",
		"git status | rm", "git status & rm",
		"git status &", "git status\nrm x", "git status $(rm)", "git status `rm`", "git status ${x}", "git status $x",
		`git status "$x"`, "git status \"`rm`\"",
		`git status "\$"`, `git status \x`, "git status > x", "git status >> x", "git status < x", "git status 2>x",
		"git status 2>/dev/null",
		"git status &>/dev/null", "git status2>&1", "git status >/dev/nullx", "git status 2>&1x", "git status 2>&12",
		"git status >/dev/null/x",
		"git status >/dev/../etc/x", "(git status)", "{ git status; }", "git status # x", "git status !x",
		"git diff HEAD~1", "ls *", "ls ?", "ls [a]", "ls {a,b}",
		"A=b git status", "git status &&", "&& git status", "git status ;; ls", "git status |& ls", "git status 'x",
		`git status "x`, "'git' status",
		`git "status"`, `git stat"us"`, "git status\"x\"", "git status'x'", "", " ", "git status \x00",
		"git status 'a\nb'", "git\u00a0status",
		"git status \u00a0", "ls é", ">/dev/null ls", "! ls", "git status <<< x", "git status <(x)", "ls\r",
		"ls 'a\u2028b'")
	for prefix, want := range map[string]string{"": "no word", "A=b git": "assignment", "git 'x'": "no plain word",
		"git *": "no plain word", "$x": "no plain word"} {
		if _, err := CommandsPattern([]string{prefix}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", prefix, err, want)
		}
	}
	if _, err := CommandsPattern(nil); err == nil {
		t.Error("an empty list of commands loads")
	}
}

// refCommands judges a command line with a tokenizer: the words of each simple command, quoted ones marked.
func refCommands(s string, prefixes []string) bool {
	var words []string
	commandOK := func() bool {
		defer func() { words = nil }()
		return slices.ContainsFunc(prefixes, func(p string) bool {
			want := strings.Fields(p)
			return len(words) >= len(want) && slices.Equal(words[:len(want)], want)
		})
	}
	for i := 0; i < len(s); {
		rest := s[i:]
		afterBlank := i > 0 && (s[i-1] == ' ' || s[i-1] == '\t')
		switch {
		case rest[0] == ' ' || rest[0] == '\t':
			i++
			continue
		case strings.HasPrefix(rest, "&&"), strings.HasPrefix(rest, "||"), rest[0] == '|', rest[0] == ';':
			i++
			if rest[0] == '&' || strings.HasPrefix(rest, "||") {
				i++
			}
			// Something must follow an operator; an empty command fits no prefix.
			if !commandOK() {
				return false
			}
			continue
		}
		n, w := refWord(rest)
		if n == 0 || i > 0 && !afterBlank && len(words) > 0 {
			return false
		}
		words, i = append(words, w), i+n
	}
	return commandOK()
}

var refRedirect = regexp.MustCompile(`^(?:2>&1|>[ \t]*/dev/null)(?:[ \t;|&]|$)`)

// refWord returns the length of the word or redirect at the start of s, and the word; a quoted word or a redirect comes
// with a mark, so that it equals no word of a prefix. 0 is no word.
func refWord(s string) (int, string) {
	if m := refRedirect.FindString(s); m != "" {
		n := strings.Index(s, "1") + 1
		if s[0] == '>' {
			n = strings.Index(s, "null") + 4
		}
		return n, "\x00redirect"
	}
	i, mark := 0, ""
	for i < len(s) && !strings.ContainsRune(" \t;|&", rune(s[i])) {
		if s[i] == '\'' || s[i] == '"' {
			end := strings.IndexByte(s[i+1:], s[i])
			if end < 0 {
				return 0, ""
			}
			for _, r := range s[i+1 : i+1+end] {
				if r < ' ' || 0x7f <= r && r < 0xa0 || r == 0x2028 || r == 0x2029 || s[i] == '"' &&
					strings.ContainsRune("$`\\", r) {
					return 0, ""
				}
			}
			i, mark = i+end+2, "\x00quoted"
			continue
		}
		c := s[i]
		if !('a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("_./:,+@%=^-", c) >= 0) {
			return 0, ""
		}
		i++
	}
	return i, s[:i] + mark
}

func TestCommandsAgainstTokenizer(t *testing.T) {
	prefixes := []string{"git status", "git", "ls -l"}
	p, err := CommandsPattern(prefixes[:1])
	one := compiled(t, p, err)
	p, err = CommandsPattern(prefixes)
	all := compiled(t, p, err)
	if s := "git status 2>&1 | ls -l 'a b'"; !all.MatchString(s) || !refCommands(s, prefixes) {
		t.Errorf("%q must match", s)
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SampledFrom([]string{"", "git status", "git ", "ls -l "}).Draw(t, "start") + pieces(t, 7, " ", " ",
			"git", "git status", "status", "ls -l",
			"&&", "||", ";", "|", "&", "2>&1", ">/dev/null", " 2>&1 ", " >/dev/null ", ">", "'", `"`, "$", "`", `\`,
			"x", "=", "\n", "*", "#", "'a b'", `"c d"`)
		for re, ps := range map[*regexp.Regexp][]string{one: prefixes[:1], all: prefixes} {
			if want := refCommands(s, ps); re.MatchString(s) != want {
				t.Fatalf("%q, %q: want %t", s, ps, want)
			}
		}
	})
}

func TestWholePattern(t *testing.T) {
	for _, c := range []struct{ re, yes, no string }{
		{`INV-[0-9]{6}`, "INV-123456", "xINV-123456"}, {`a|b`, "b", "ab"}, {`^a$`, "a", "a\n"}, {`(?i)a`, "A", "AA"},
		{`.*`, "x", "x\ny"},
		{`(?s).*`, "x\ny", "\xffz"[:0] + "never"[:0] + "\x00"[:0]}, {`(?m)^a$`, "a", "b\na"}, {`\Qa.b\E`, "a.b", "axb"},
		{``, "", "a"},
	} {
		p, err := WholePattern(c.re)
		re := compiled(t, p, err)
		if !re.MatchString(c.yes) || c.no != "" && re.MatchString(c.no) {
			t.Errorf("%q: wrong on %q or %q", c.re, c.yes, c.no)
		}
	}
	for re, want := range map[string]string{`([a-z`: "no RE2", `((x{100}){100}){100}`: "too large",
		`x{1000}{1000}`: "no RE2", `(?:x{1000}){1000}`: "too large", `\Qa`: `\E`, `a)(b`: "no RE2",
		`(?=a)`: "no RE2", `(a)\1`: "no RE2", strings.Repeat("a", 5000): "bytes", `\`: "no RE2",
		`((a{0,99}){99}b){0,99}`: "too large", `(?:abcdefghij){1000}`: "too large"} {
		if _, err := WholePattern(re); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30q: %v, want %q", re, err, want)
		}
	}
}

func findLinks(text string) []string {
	hosts := []string{}
	for _, m := range linksOnce().FindAllStringSubmatch(text, -1) {
		hosts = append(hosts, strings.Join(m[1:], ""))
	}
	return hosts
}

var linksOnce = lazyRE(LinksPattern())

func TestLinksPattern(t *testing.T) {
	for text, want := range map[string]string{
		"visit www.secure-systems-252.com now":    "www.secure-systems-252.com",
		"visit https://a.io/x, http://B.io.":      "a.io B.io",
		"https://good.com@evil.com/x":             "evil.com",
		"https://good.com:pw@evil.com:8080":       "evil.com",
		`https://good.com\@evil.com`:              "good.com",
		`https:\\evil.com\x`:                      "evil.com",
		"http:///evil.com":                        "evil.com",
		"bit.ly/x and (goo.gl/y)":                 "bit.ly goo.gl",
		"bit.ly/a,goo.gl/b":                       "bit.ly goo.gl",
		"see https://example.com.":                "example.com",
		"[x](https://a.io/)(https://b.io)":        "a.io b.io",
		"<a href=\"https://a.io\">www.b.io</a>":   "a.io www.b.io",
		"https://a.io/r?u=https://b.io/x":         "a.io b.io",
		"https://a.io/docs/b.com/c":               "a.io",
		"mail bob@example.com or v1.2 file.txt":   "",
		"and/or 1.5/2 e.g./i.e.":                  "",
		"https://2130706433/ http://[::1]:80/":    "2130706433 [::1]",
		"HTTPS://EVIL.com WWW.Evil.com":           "EVIL.com WWW.Evil.com",
		"https://еvil.com/ https://bücher.de":     "еvil.com bücher.de",
		"https://%65vil.com":                      "%65vil.com",
		"ftp://x.io javascript://y.io/%0aalert()": "x.io y.io",
		"a\nwww.b.io\nwww.c.io":                   "www.b.io www.c.io",
		"https://https://evil.com":                "https",
		"https://localhost:3000/x":                "localhost",
		"www.a.io:8080/b":                         "www.a.io",
		"https:// no":                             "",
		"":                                        "",
	} {
		if got := strings.Join(findLinks(text), " "); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// TestLinksFindsPlantedURL plants a URL into text and demands that its host is found.
func TestLinksFindsPlantedURL(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := pieces(t, 3, "text ", "see: ", "(", "<", "https://a.io/x ", "www.a.io, ", "bob@a.io ", "\n")
		after := pieces(t, 3, "/x", "/", " ", ".", ")", "?q=1", "#f", ", text", "\n")
		url := rapid.SampledFrom([]string{"https://evil.test", "http://u:p@evil.test", "HTTPS://evil.test:99",
			`https:\\evil.test`}).Draw(t, "url")
		if strings.HasPrefix(after, ".") && len(after) > 1 || strings.Contains(after, "@") {
			after = " " + after // else the text would go on with the host, or the URL be the userinfo of another
		}
		// A letter right before a scheme is part of it, and one right after a host part of that.
		text := before + " " + url + after
		if tail := []rune(after + " ")[0]; !strings.ContainsRune("/ .)?#,\n", tail) {
			text = before + " " + url + " " + after
		}
		for _, m := range linksOnce().FindAllStringSubmatch(text, -1) {
			if len(m) != 4 || (m[1] != "") == (m[2]+m[3] != "") && (m[2] != "") == (m[3] != "") {
				t.Fatalf("%q: not exactly one group in %q", text, m)
			}
		}
		if !slices.Contains(findLinks(text), "evil.test") {
			t.Fatalf("%q: found %q", text, findLinks(text))
		}
	})
}

// TestPatternsOfLongLists shows that lists as long as the bound allows compile and match, and longer ones are refused.
func TestPatternsOfLongLists(t *testing.T) {
	var hosts []string
	for i := range 3000 {
		hosts = append(hosts, fmt.Sprintf("host%d.example.com", i))
	}
	p, err := URLPattern(hosts, nil, nil, "")
	re := compiled(t, p, err)
	expectMatches(t, re, true, "https://host2999.example.com/")
	expectMatches(t, re, false, "https://host3000.example.com/")
	for i := range 30000 {
		hosts = append(hosts, fmt.Sprintf("other%d.example.com", i))
	}
	if _, err := URLPattern(hosts, nil, nil, ""); err == nil {
		t.Error("a list of any length is accepted")
	}
}
