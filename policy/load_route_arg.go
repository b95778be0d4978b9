package policy

import (
	"regexp"
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
)

// routeArgFields is what the place of an argument may say, where it is more than that place.
func routeArgFields() []field[*RouteArg] {
	return []field[*RouteArg]{
		{"from", anywhere, anywhere, textShape.described("form.x, path.x, query.x, header.x or body#/pointer"),
			func(r *reader, a *RouteArg, _, n *node) { r.place(a, n) }},
		{"type", anywhere, 0, enumOf(routeTypes...), readRouteType},
		{"scale", anywhere, 0, integers(-maxScale, maxScale).described("multiplies by a power of ten: -2 turns cents into units"),
			func(r *reader, a *RouteArg, _, n *node) {
				a.Scale, _ = r.integer(n, "scale", -maxScale, maxScale)
				if a.Scale != 0 && (a.Type != aegis.Number || a.Integer) {
					r.fail(n.pos, "write type: number", "scale needs a number")
				}
			}},
	}
}

const maxScale = 18

var routeTypes = []string{"string", "number", "integer", "boolean", "list", "object"}

func readRouteType(r *reader, a *RouteArg, _, n *node) {
	w, ok := r.word(n, "type", routeTypes...)
	if !ok {
		return
	}
	a.Type = map[string]aegis.Kind{"string": aegis.String, "number": aegis.Number, "integer": aegis.Number, "boolean": aegis.Bool,
		"list": aegis.List, "object": aegis.Object}[w]
	a.Integer = w == "integer"
	if a.From != FromBody && a.Type > aegis.String {
		r.fail(n.pos, "", "%s is text, and never a %s", a.Where(), w)
	}
}

func readRouteArgs(r *reader, d *Route, k, n *node) {
	switch {
	case n.kind != mapNode:
		r.fail(n.pos, "", "args must be a mapping from arguments to where they come from, not %s", n.what())
		return
	case len(n.keys) > maxRouteArgs:
		r.fail(n.pos, "", "args maps more than %d arguments", maxRouteArgs)
		return
	case d.Body == BodyMCP:
		r.fail(k.pos, "remove args", "with body: mcp the arguments are params.arguments")
		return
	}
	for i, key := range n.keys {
		name, ok := r.text(key, "an argument's name")
		if !ok {
			continue
		}
		a, before := &RouteArg{Pos: key.pos, Name: name}, len(r.errs)
		if v := n.items[i]; v.kind == mapNode {
			readFields(r, v, "the argument "+clip(name), routeArgTable.of(routeArgFields), a)
		} else {
			r.place(a, v)
		}
		if d.Method != "" && len(r.errs) == before {
			r.source(d, a)
			d.Args = append(d.Args, a)
		}
	}
	slices.SortFunc(d.Args, func(a, b *RouteArg) int { return strings.Compare(a.Name, b.Name) })
	r.apart(d)
}

var headerText = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$")

// place reads where an argument comes from.
func (r *reader) place(a *RouteArg, n *node) {
	text, ok := r.text(n, "from")
	if !ok {
		return
	}
	if text == "body#" || strings.HasPrefix(text, "body#/") {
		a.From = FromBody
		for _, step := range strings.Split(text, "/")[1:] {
			if rest := strings.NewReplacer("~0", "", "~1", "").Replace(step); strings.Contains(rest, "~") {
				r.fail(n.pos, "in a pointer ~ is written ~0 and / is written ~1", "from %q is no JSON pointer", clip(text))
				return
			}
			a.Pointer = append(a.Pointer, strings.NewReplacer("~1", "/", "~0", "~").Replace(step))
		}
		if len(a.Pointer) > aegis.MaxDepth {
			r.fail(n.pos, "", "from: the pointer goes deeper than %d", aegis.MaxDepth)
		}
		return
	}
	kind, key, dotted := strings.Cut(text, ".")
	i := slices.Index(sourceNames, kind)
	if i < int(FromForm) || !dotted || key == "" {
		r.fail(n.pos, "write form.x, path.x, query.x, header.x or body#/pointer", "from: %q says no place in a request", clip(text))
		return
	}
	a.From, a.Key = Part(i), key
	if a.From == FromHeader {
		a.Key = strings.ToLower(key)
		if !headerText.MatchString(key) {
			r.fail(n.pos, "", "from: %s is no header's name", quoteASCII(key))
		} else if slices.Contains(secretHeaders, a.Key) || strings.HasPrefix(a.Key, "x-aegis-") || strings.HasPrefix(a.Key, "x-envoy-") {
			r.fail(n.pos, "who calls is known from the token, never from an argument",
				"from: the header %s is no argument: it holds a secret, or belongs to the connection", a.Key)
		}
	}
}

// secretHeaders would carry credentials into audit records and to approvers, or say how a message is framed.
var secretHeaders = []string{"authorization", "proxy-authorization", "cookie", "host", "content-length", "transfer-encoding",
	"content-encoding", "connection"}

// source checks that the route's requests have the place that an argument comes from.
func (r *reader) source(t *Route, a *RouteArg) {
	switch a.From {
	case FromForm:
		if t.Body != BodyForm {
			r.fail(a.Pos, "write body: form", "%s comes from a form, and the route's body is %s", clip(a.Name), t.Body)
		}
	case FromBody:
		if t.Body != BodyJSON {
			r.fail(a.Pos, "write body: json", "%s comes from a JSON body, and the route's body is %s", clip(a.Name), t.Body)
		}
	case FromPath:
		var names []string
		for _, s := range t.Path {
			if s.Param {
				names = append(names, s.Text)
			}
		}
		if !slices.Contains(names, a.Key) {
			r.fail(a.Pos, didYouMean(a.Key, names), "%s comes from path.%s, and the path has no {%s}", clip(a.Name), clip(a.Key), clip(a.Key))
		}
	}
}

// apart checks that no part of a request is two arguments, and that no two arguments have one name.
func (r *reader) apart(t *Route) {
	taken := map[string]string{}
	names := map[string]bool{}
	for _, a := range t.Args {
		names[a.Name] = true
		at := a.Where()
		if first, ok := taken[at]; ok {
			r.fail(a.Pos, "", "%s is mapped twice, to %s and %s", at, clip(first), clip(a.Name))
		}
		taken[at] = a.Name
	}
	for _, a := range t.Args {
		for n := len(a.Pointer) - 1; a.From == FromBody && n >= 0; n-- {
			outer := &RouteArg{From: FromBody, Pointer: a.Pointer[:n]}
			if first, ok := taken[outer.Where()]; ok {
				r.fail(a.Pos, "", "%s lies inside %s, which is the argument %s", a.Where(), outer.Where(), clip(first))
				break
			}
		}
	}
	for _, s := range t.Path {
		if s.Param && names[s.Text] && taken["path."+s.Text] == "" {
			r.fail(t.Pos, "map {"+s.Text+"} to another name: other: path."+s.Text,
				"{%s} and another part of the request are both the argument %s", s.Text, s.Text)
		}
	}
}
