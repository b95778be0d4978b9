package route

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// DraftOptions say what an OpenAPI document leaves open.
type DraftOptions struct {
	Tool   string // the tool of all calls; "": made of the document's title
	Server string // URL of the server; "": the document's first
	Tenant string // of the file of routes; "": not stated
}

// Draft is a file of routes.
type Draft struct {
	YAML    []byte
	Routes  int // operations that became routes
	Skipped int // operations that did not; the file says why
}

// FromOpenAPI drafts routes from an OpenAPI 3.0 or 3.1 document, in JSON or YAML: an operation becomes a route to the action
// that its operationId names. The draft loads. References out of the document are not followed.
func FromOpenAPI(text []byte, opt DraftOptions) (*Draft, error) {
	s, err := readSpec(text)
	if err != nil {
		return nil, err
	}
	d := &drafter{spec: s, opt: opt}
	title := s.root.Get("info").Get("title").Str()
	if d.tool = opt.Tool; d.tool == "" {
		d.tool = strings.Trim(notInName.ReplaceAllString(strings.ToLower(title), "-"), "-._/:")
	}
	if !aegis.ValidPolicyName(d.tool) {
		return nil, fmt.Errorf("the tool %.60q is no name: give one", d.tool)
	}
	if opt.Tenant != "" && !aegis.ValidPolicyName(opt.Tenant) {
		return nil, fmt.Errorf("the tenant %.60q is no name", opt.Tenant)
	}
	paths := s.root.Get("paths")
	for p := paths.First(); p.Kind() != aegis.Absent; p = paths.After(p) {
		d.path(p.Key(), s.follow(p))
	}
	if len(d.drafts) == 0 {
		return nil, errors.New("the document has no operations")
	}
	return d.finish(title)
}

type drafter struct {
	*spec
	opt    DraftOptions
	tool   string
	drafts []*drafted
}

// drafted is one operation.
type drafted struct {
	name  string   // GET /path
	text  string   // of its route, indented; "" where there is none
	notes []string // what the route does not do, or why there is none
}

func (d *drafted) note(format string, args ...any) {
	note := fmt.Sprintf(format, args...)
	if !slices.Contains(d.notes, note) {
		d.notes = append(d.notes, note)
	}
}

var (
	notInName  = regexp.MustCompile(`[^A-Za-z0-9._/:-]+`)
	methodKeys = []string{"get", "put", "post", "delete", "options", "head", "patch"}
)

func (d *drafter) path(path string, item aegis.Value) {
	for m := item.First(); m.Kind() != aegis.Absent; m = item.After(m) {
		if !slices.Contains(methodKeys, m.Key()) || m.Kind() != aegis.Object {
			continue
		}
		x := &drafted{name: strings.ToUpper(m.Key()) + " " + path}
		d.drafts = append(d.drafts, x)
		if id := m.Get("operationId").Str(); id == "" {
			x.note("it has no operationId")
		} else if server, err := d.server(m, item); err != nil {
			x.note("%v", err)
		} else {
			d.operation(x, strings.ToUpper(m.Key()), server+path, id, item, m)
		}
		if x.text == "" {
			continue
		}
		// The loader has the last word.
		var errs policy.Errors
		if _, err := policy.LoadText("draft", "routes:\n"+x.text); errors.As(err, &errs) {
			x.text = ""
			x.note("%s", errs[0].Msg)
		}
	}
}

// server returns the host and the base path of an operation's first server.
func (d *drafter) server(op, item aegis.Value) (string, error) {
	text := d.opt.Server
	for _, v := range []aegis.Value{op, item, d.root} {
		if text == "" {
			text = v.Get("servers").First().Get("url").Str()
		}
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.ContainsAny(text, "{}?#") {
		return "", fmt.Errorf("its server %.80q is no whole URL: give one", text)
	}
	host := strings.ToLower(u.Host)
	host = strings.TrimSuffix(host, map[string]string{"https": ":443", "http": ":80"}[u.Scheme])
	return host + strings.TrimSuffix(u.EscapedPath(), "/"), nil
}

// operation drafts the route of one operation.
func (d *drafter) operation(x *drafted, method, where, id string, item, op aegis.Value) {
	body, schema, ok := d.body(x, op)
	if !ok {
		return
	}
	action := strings.TrimLeft(notInName.ReplaceAllString(id, "_"), "./:-")
	var b strings.Builder
	fmt.Fprintf(&b, "  - match: %s %s\n    call: %s/%s\n", method, where, aegis.EscapeName(d.tool), aegis.EscapeName(action))
	def := policy.BodyJSON
	if slices.Contains([]string{"GET", "HEAD", "DELETE", "OPTIONS"}, method) {
		def = policy.BodyNone
	}
	if body != def {
		fmt.Fprintf(&b, "    body: %s\n", body)
	}
	if args := d.args(x, body, schema, item, op); len(args) > 0 {
		b.WriteString("    args:\n      " + strings.Join(args, "\n      ") + "\n")
	}
	x.text = b.String()
}

// body returns what an operation's requests carry. It is false where no route can read that.
func (d *drafter) body(x *drafted, op aegis.Value) (policy.Body, aegis.Value, bool) {
	request := d.follow(op.Get("requestBody"))
	content := request.Get("content")
	if content.Len() == 0 {
		return policy.BodyNone, aegis.Value{}, true
	}
	var kinds []string
	var json, form aegis.Value
	for c := content.First(); c.Kind() != aegis.Absent; c = content.After(c) {
		kind, ok := mediaType(c.Key())
		switch {
		case ok && (slices.Contains([]string{"application/json", "application/*", "*/*"}, kind) || strings.HasSuffix(kind, "+json")) && json.Kind() == aegis.Absent:
			json = c
		case kind == "application/x-www-form-urlencoded":
			form = c
		case !strings.HasSuffix(kind, "json"):
			kinds = append(kinds, c.Key())
		}
	}
	if json.Kind() != aegis.Absent && form.Kind() != aegis.Absent {
		kinds = append(kinds, "application/x-www-form-urlencoded")
	}
	if json.Kind() == aegis.Absent && form.Kind() == aegis.Absent {
		x.note("its body is %s, which routes do not read", strings.Join(kinds, ", "))
		return 0, json, false
	}
	if len(kinds) > 0 {
		x.note("requests with a body of %s are denied", strings.Join(kinds, ", "))
	}
	if json.Kind() != aegis.Absent {
		if !request.Get("required").Bool() {
			x.note("requests without a body are denied, though the body is optional")
		}
		return policy.BodyJSON, json.Get("schema"), true
	}
	return policy.BodyForm, form.Get("schema"), true
}

// args writes the arguments that need more than their own name: those with a type, and headers.
func (d *drafter) args(x *drafted, body policy.Body, schema, item, op aegis.Value) []string {
	var out []string
	names := map[string]bool{} // of the body
	d.properties(schema, func(name string, p aegis.Value) {
		if names[name] {
			return
		}
		names[name] = true
		if body == policy.BodyForm {
			out = append(out, d.typed(x, name, "form."+name, p, false)...)
		}
	})
	params := map[string]bool{}
	for _, list := range []aegis.Value{op.Get("parameters"), item.Get("parameters")} {
		for p := list.First(); p.Kind() != aegis.Absent; p = list.After(p) {
			p := d.follow(p)
			in, name := p.Get("in").Str(), p.Get("name").Str()
			if params[in+" "+name] {
				continue
			}
			params[in+" "+name] = true
			schema := p.Get("schema")
			if schema.Kind() == aegis.Absent {
				schema = p.Get("content").First().Get("schema")
			}
			switch in {
			case "path":
				as := name
				for names[as] {
					as = "path_" + as
				}
				out = append(out, d.typed(x, as, "path."+name, schema, as != name)...)
			case "query":
				if names[name] {
					x.note("requests that give %s in the query and in the body are denied", name)
				}
				out = append(out, d.typed(x, name, "query."+name, schema, false)...)
			case "header":
				if slices.Contains([]string{"accept", "content-type", "authorization"}, strings.ToLower(name)) {
					continue
				}
				out = append(out, d.typed(x, "header_"+strings.ToLower(name), "header."+strings.ToLower(name), schema, true)...)
			case "":
				x.note("a parameter refers to what is not in the document")
			default:
				x.note("%s in the %s is no argument", name, in)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// typed writes the mapping of one argument; nothing where it is text under its own name, unless it must be written.
func (d *drafter) typed(x *drafted, name, from string, schema aegis.Value, must bool) []string {
	switch t := d.typeOf(schema); t {
	case "integer", "number", "boolean":
		return []string{fmt.Sprintf("%s: {from: %s, type: %s}", yamlText(name), yamlText(from), t)}
	case "array", "object":
		x.note("%s is of type %s: its parts are arguments of their own, or one text; repeated names are denied", from, t)
	}
	if must {
		return []string{yamlText(name) + ": " + yamlText(from)}
	}
	return nil
}

var plainYAML = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_./-]*$`)

func yamlText(s string) string {
	words := []string{"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
	if plainYAML.MatchString(s) && !slices.Contains(words, strings.ToLower(s)) {
		return s
	}
	return string(aegis.AppendQuoted(nil, s))
}

// finish puts the file together. Routes that stand in each other's way are taken out.
func (d *drafter) finish(title string) (*Draft, error) {
	for {
		text, lines := d.render(title)
		_, err := policy.LoadText("draft", string(text))
		if err == nil {
			out := &Draft{YAML: text}
			for _, x := range d.drafts {
				if x.text != "" {
					out.Routes++
				}
			}
			out.Skipped = len(d.drafts) - out.Routes
			return out, nil
		}
		var errs policy.Errors
		errors.As(err, &errs)
		removed := false
		for _, e := range errs {
			if x := lines[e.Pos.Line]; x != nil && x.text != "" {
				x.text, removed = "", true
				x.note("%s", draftPlace.ReplaceAllString(e.Msg, ""))
			}
		}
		if !removed {
			return nil, fmt.Errorf("the draft does not load: %w", err)
		}
	}
}

var draftPlace = regexp.MustCompile(`,? at draft:\d+:\d+`)

// render writes the file, and says which operation's match stands on which line.
func (d *drafter) render(title string) ([]byte, map[int]*drafted) {
	var b bytes.Buffer
	lines := map[int]*drafted{}
	fmt.Fprintf(&b, "# Drafted from the OpenAPI document %s. Look through it: an OpenAPI document says what may be\n"+
		"# sent, not what it means. What a header changes is an argument only where it is mapped; amounts may be cents (scale: -2).\n",
		comment(title))
	if d.opt.Tenant != "" {
		fmt.Fprintf(&b, "tenant: %s\n", yamlText(d.opt.Tenant))
	}
	skipped := []*drafted{}
	b.WriteString("routes:")
	some := false
	for _, x := range d.drafts {
		if x.text == "" {
			skipped = append(skipped, x)
			continue
		}
		b.WriteByte('\n')
		some = true
		for _, n := range x.notes {
			fmt.Fprintf(&b, "  # %s\n", comment(n))
		}
		lines[bytes.Count(b.Bytes(), []byte("\n"))+1] = x
		b.WriteString(strings.TrimSuffix(x.text, "\n"))
	}
	if !some {
		b.WriteString(" []")
	}
	b.WriteByte('\n')
	if len(skipped) > 0 {
		b.WriteString("\n# No route, so that their requests are denied:\n")
	}
	for _, x := range skipped {
		fmt.Fprintf(&b, "#   %s: %s\n", comment(x.name), comment(strings.Join(x.notes, "; ")))
	}
	return b.Bytes(), lines
}

// comment makes a text of the document one line that ends no comment and moves no terminal.
func comment(s string) string {
	const most = 300
	r := []rune(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?")))
	if len(r) > most {
		r = append(r[:most-1], '…')
	}
	return string(r)
}
