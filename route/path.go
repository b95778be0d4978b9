package route

import (
	"strings"
	"unicode/utf8"

	"github.com/aegisctl/aegis/policy"
)

// path is a request's path, cut into segments that are still percent-encoded, and its query.
type path struct {
	raw     string // without the query
	query   string
	seg     [policy.MaxSegments]string
	n       int
	encoded uint64 // which segments hold percent-encoding
}

// Classes of bytes.
const (
	unreserved = 1 << iota // means itself in every part of a URL, and is never percent-encoded
	inPath                 // may stand in a path as it is
	inQuery                // may stand in a query's names and values as it is
	inForm                 // may stand in a form's
	inHost
	inToken // of header names and media types
)

var class = func() (c [256]uint8) {
	set := func(bits uint8, chars string) {
		for i := 0; i < len(chars); i++ {
			c[chars[i]] |= bits
		}
	}
	const lower, digits = "abcdefghijklmnopqrstuvwxyz", "0123456789"
	upper := strings.ToUpper(lower)
	set(unreserved|inPath|inQuery, lower+upper+digits+"-._~")
	set(inPath, "!$&'()*+,:@=")
	set(inQuery, "!$'()*+,:@/?[]{}|^`=%")
	for i := ' '; i < 256; i++ {
		if i != ';' && i != '&' && i != 0x7f {
			c[i] |= inForm // clients send much of it as it is
		}
	}
	set(inHost, lower+digits+"-.")
	set(inToken, lower+upper+digits+"!#$%&'*+-.^_`|~")
	return c
}()

// parse checks that a path is canonical: there is no other way to write it that a server takes for the same, but for which
// characters other than letters, digits and -._~ are percent-encoded.
func (p *path) parse(target string) error {
	p.raw, p.query, _ = strings.Cut(target, "?")
	p.n, p.encoded = 0, 0
	raw := p.raw
	if raw == "" || raw[0] != '/' {
		return denied("the request has no path that begins with /")
	}
	start := 1
	for i := 1; i <= len(raw); i++ {
		if i < len(raw) && raw[i] != '/' {
			switch c := raw[i]; {
			case class[c]&inPath != 0:
			case c == '%':
				if err := escapeInPath(raw[i:]); err != nil {
					return err
				}
				if p.n < policy.MaxSegments {
					p.encoded |= 1 << p.n
				}
				i += 2
			default:
				return denied("the path holds %q, which servers read in several ways", c)
			}
			continue
		}
		if err := p.add(raw[start:i], i == len(raw)); err != nil {
			return err
		}
		start = i + 1
	}
	if strings.HasSuffix(target, "?") && p.query == "" {
		return denied("the path ends in an empty query")
	}
	return nil
}

func (p *path) add(seg string, last bool) error {
	switch {
	case p.n == policy.MaxSegments:
		return denied("the path has more than %d segments", policy.MaxSegments)
	case seg == "" && !last:
		return denied("the path holds //, which servers read in several ways")
	case seg == "." || seg == "..":
		return denied("the path holds a segment %s, which servers read in several ways", seg)
	}
	if p.encoded&(1<<p.n) != 0 {
		if _, ok := unescape(seg, false); !ok {
			return denied("the path is not valid UTF-8 behind its percent-encoding")
		}
	}
	p.seg[p.n] = seg
	p.n++
	return nil
}

// escapeInPath checks the escape that s begins with.
func escapeInPath(s string) error {
	b, ok := hexByte(s)
	switch {
	case !ok:
		return denied("the path holds a %% that two hexadecimal digits do not follow")
	case class[b]&unreserved != 0:
		return denied("the path writes %q as %s, which is another spelling of the same path", b, s[:3])
	case b < ' ' || b == 0x7f || strings.IndexByte(`/\%;`, b) >= 0:
		return denied("the path holds %s, which servers read in several ways", s[:3])
	}
	return nil
}

// hexByte reads the escape %XX that s begins with.
func hexByte(s string) (byte, bool) {
	if len(s) < 3 || s[0] != '%' {
		return 0, false
	}
	hi, lo := unhex(s[1]), unhex(s[2])
	return hi<<4 | lo, hi < 16 && lo < 16
}

func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 16
}

// unescape undoes percent-encoding once; in a form or query, + is a space. It is false for an escape that is none, and for
// what is not valid UTF-8 or holds a NUL.
func unescape(s string, form bool) (string, bool) {
	if strings.IndexByte(s, '%') < 0 && (!form || strings.IndexByte(s, '+') < 0) {
		return s, utf8.ValidString(s)
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '%':
			var ok bool
			if c, ok = hexByte(s[i:]); !ok || c == 0 {
				return "", false
			}
			i += 2
		case c == '+' && form:
			c = ' '
		}
		out = append(out, c)
	}
	return string(out), utf8.Valid(out)
}

// canonicalHost returns a host in lower case, with its port only where that is not the scheme's own.
func canonicalHost(scheme, host string) (string, error) {
	name, port := host, ""
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		name, port = host[:i], host[i+1:]
		if port == "" || port[0] == '0' || len(port) > 5 || strings.Trim(port, "0123456789") != "" {
			return "", denied("the host %.80q has no port behind its colon", host)
		}
	}
	own := ""
	switch scheme {
	case "https":
		own = "443"
	case "http":
		own = "80"
	case "":
	default:
		return "", denied("the scheme %.20q is neither http nor https", scheme)
	}
	if strings.HasPrefix(name, "[") {
		return strings.ToLower(host), nil // matches an address of a route or nothing
	}
	name = strings.ToLower(name)
	for i := 0; i < len(name); i++ {
		if class[name[i]]&inHost == 0 {
			return "", denied("the host %.80q is no name of letters, digits, hyphens and dots", host)
		}
	}
	switch {
	case name == "":
		return "", denied("the request names no host")
	case strings.HasSuffix(name, "."):
		return "", denied("the host %.80q ends in a dot", host)
	case port == "" || port == own:
		return name, nil
	}
	return name + ":" + port, nil
}
