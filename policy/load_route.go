package policy

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
)

// routeFields is what a route may say.
func routeFields() []field[*Route] {
	return []field[*Route]{
		{"match", anywhere, anywhere, textLike(`^[A-Z]+ [^ /]+/[^ ]*$`).described("METHOD host/path; {x} is one segment"), readMatch},
		{"effect", anywhere, 0, enumOf("read", "write").described("default: GET and HEAD read, else write"),
			func(r *reader, d *Route, _, n *node) {
				if w, ok := r.word(n, "effect", "read", "write"); ok {
					d.Effect, _ = aegis.ParseEffect(w)
				}
			}},
		{"door", anywhere, 0, enumOf(doorNames[1:]...), func(r *reader, d *Route, _, n *node) {
			w, _ := r.word(n, "door", doorNames[1:]...)
			d.Door = Door(max(0, slices.Index(doorNames, w)))
		}},
		{"body", anywhere, 0, enumOf(bodyNames...).described("default: GET, HEAD, DELETE and OPTIONS none, else json"), readBody},
		{"call", anywhere, anywhere, textShape.described("tool/action, or a tool"), readCall},
		// Last: what may be mapped depends on the match and the body.
		{"args", anywhere, 0, mapOf(oneOf(textShape, defined("route_argument"))), readRouteArgs},
	}
}

// route reads one route; nil where it has no match that could be read.
func (r *reader) route(n *node, tenant string) *Route {
	d := &Route{Pos: n.pos, Tenant: tenant}
	if !readFields(r, n, "the route", routeTable.of(routeFields), d) || d.Method == "" {
		return nil
	}
	return d
}

var (
	methodText = regexp.MustCompile(`^[A-Z]{1,32}$`)
	hostText   = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$`)
	portText   = regexp.MustCompile(`^[1-9][0-9]{0,4}$`)
	paramText  = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$`)
	pieceText  = regexp.MustCompile(`^[A-Za-z0-9._~!$&'()*+,:@=-]*$`)
)

// Bounds of one route.
const (
	MaxSegments  = 64
	maxRouteArgs = 1000
)

func readMatch(r *reader, d *Route, _, n *node) {
	d.Pos = n.pos
	text, ok := r.text(n, "match")
	if !ok {
		return
	}
	method, rest, _ := strings.Cut(text, " ")
	slash := strings.IndexByte(rest, '/')
	if slash < 0 || strings.Contains(rest, " ") {
		r.fail(n.pos, "write METHOD host/path, such as GET api.example.com/v1/things/{id}", "match %q is no method, host and path", clip(text))
		return
	}
	switch {
	case !methodText.MatchString(method):
		r.fail(n.pos, "write it in capitals", "match: %q is no method", clip(method))
		return
	case method == "CONNECT" || method == "TRACE":
		r.fail(n.pos, "", "match: requests with the method %s cannot be judged: they are always denied", method)
		return
	}
	host, path := rest[:slash], rest[slash+1:]
	if !r.routeHost(n, host) {
		return
	}
	if d.Path, ok = r.routePath(n, path); !ok {
		return
	}
	d.Method, d.Host = method, host
	if d.Effect = aegis.Write; method == "GET" || method == "HEAD" {
		d.Effect = aegis.Read
	}
	if d.Body = BodyJSON; slices.Contains([]string{"GET", "HEAD", "DELETE", "OPTIONS"}, method) {
		d.Body = BodyNone
	}
}

// routeHost checks a host as matches write it: there must be one way to write it.
func (r *reader) routeHost(n *node, host string) bool {
	name, port := host, ""
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		name, port = host[:i], host[i+1:]
		if !portText.MatchString(port) {
			r.fail(n.pos, "", "match: %q is no port", clip(port))
			return false
		}
	}
	switch {
	case port == "443" || port == "80":
		r.fail(n.pos, "leave it out: write "+clip(name), "match: the port %s is a scheme's own", port)
	case strings.HasPrefix(name, "["):
		a, err := netip.ParseAddr(strings.Trim(name, "[]"))
		if err == nil && a.Is6() && a.Zone() == "" && name == "["+a.String()+"]" {
			return true
		}
		r.fail(n.pos, "", "match: %s is no IPv6 address in its shortest form", quoteASCII(name))
	case name != strings.ToLower(name):
		r.fail(n.pos, "write "+clip(strings.ToLower(name)), "match: the host %s is not in lower case", quoteASCII(name))
	case len(name) > 253 || !hostText.MatchString(name):
		hint := "a host is letters, digits, hyphens and dots; names in other scripts are written as xn--"
		if strings.Contains(name, "*") {
			hint = "name each host in a route of its own"
		}
		r.fail(n.pos, hint, "match: %s is no host", quoteASCII(name))
	default:
		return true
	}
	return false
}

func (r *reader) routePath(n *node, path string) ([]Segment, bool) {
	parts := strings.Split(path, "/")
	if len(parts) > MaxSegments {
		r.fail(n.pos, "", "match: the path has more than %d segments", MaxSegments)
		return nil, false
	}
	out := make([]Segment, len(parts))
	seen := map[string]bool{}
	bad := func(hint, format string, args ...any) ([]Segment, bool) {
		r.fail(n.pos, hint, "match: "+format, args...)
		return nil, false
	}
	for i, p := range parts {
		inner := strings.TrimSuffix(strings.TrimPrefix(p, "{"), "}")
		switch {
		case len(p) == len(inner)+2 && paramText.MatchString(inner):
			if seen[inner] {
				return bad("", "the path has {%s} twice", inner)
			}
			seen[inner] = true
			out[i] = Segment{Text: inner, Param: true}
		case strings.ContainsAny(p, "{}"):
			return bad("{x} stands for one whole segment, and its name is letters, digits and . _ -", "the segment %s is no parameter", quoteASCII(p))
		case p == "." || p == ".." || p == "" && i < len(parts)-1:
			return bad("", "the path is not canonical: it has a segment %q", p)
		case strings.Contains(p, "?"):
			return bad("parameters of the query are arguments: query.x", "a path has no query")
		case !pieceText.MatchString(p):
			return bad("write it without percent-encoding, ; and \\; what needs them can only be matched by {x}", "the segment %s cannot be matched", quoteASCII(p))
		default:
			out[i] = Segment{Text: p}
		}
	}
	return out, true
}

func readBody(r *reader, d *Route, _, n *node) {
	w, ok := r.word(n, "body", bodyNames...)
	if ok {
		d.Body = Body(slices.Index(bodyNames, w))
	}
}

func readCall(r *reader, d *Route, _, n *node) {
	text, ok := r.text(n, "call")
	if !ok {
		return
	}
	parts := strings.Split(text, "/")
	if len(parts) > 2 {
		r.fail(n.pos, "a / inside a name is written %2F", "call %q is no tool/action", clip(text))
		return
	}
	names := [2]string{}
	for i, p := range parts {
		name, ok := unescapeName(p)
		if !ok {
			r.fail(n.pos, "", "call %q: %% stands only in %%2F, %%23 and %%25", clip(text))
			return
		}
		if !aegis.ValidPolicyName(name) {
			r.fail(n.pos, "a name is at most 128 letters, digits and . _ / : -, and begins with a letter or digit",
				"call: %s is no name", quoteASCII(name))
			return
		}
		names[i] = name
	}
	d.Tool, d.Action = names[0], names[1]
	if d.Body != BodyMCP || d.Method == "" {
		return
	}
	switch {
	case d.Action != "":
		r.fail(n.pos, "write call: "+aegis.EscapeName(d.Tool), "with body: mcp the request names the action")
	case d.Method != "POST":
		r.fail(n.pos, "", "with body: mcp the method is POST")
	case slices.ContainsFunc(d.Path, func(s Segment) bool { return s.Param }):
		r.fail(n.pos, "write a route for each server", "with body: mcp the path has no {x}: the arguments are those of the body")
	}
}
