package route

import (
	"net/http"
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// Matched is a request that a route turned into a call. It holds on to the request, which must not change while the Matched
// is in use. It can be matched into again, and then reuses its memory.
type Matched struct {
	Route *policy.Route
	Call  aegis.Call // Tenant, Tool, Action, Args and Effect are set; who calls, the door knows

	table *Table
	c     *compiled
	req   *Request
	path  path
	head  head
	body  aegis.Doc
	args  aegis.Doc
	given []argument
	names []string    // of the top-level members of a JSON body, while it is mapped
	text  []byte      // of args
	whole aegis.Value // the part of the body that is the arguments as it stands; absent where they were put together
}

// argument is one argument and the part of the request that it is.
type argument struct {
	name string
	from policy.Part
	key  string           // of the parameter or header
	as   *policy.RouteArg // how it is mapped; nil: under its own name, as it comes

	text       string      // of all but the body
	start, end int         // of a form's value, in the body
	value      aegis.Value // of the body
	rest       bool        // the value is an object, of which parts are arguments of their own
	at         *pointers   // those parts
}

// Where returns what part of the request the argument is: "form.amount", "body#/amount". It is "" for no argument.
func (m *Matched) Where(name string) string {
	for i := range m.given {
		if a := &m.given[i]; a.name == name {
			return a.where()
		}
	}
	if m.whole.Get(name).Kind() == aegis.Absent {
		return ""
	}
	at := policy.RouteArg{From: policy.FromBody, Pointer: []string{name}}
	if m.Route.Body == policy.BodyMCP {
		at.Pointer = []string{"params", "arguments", name}
	}
	return at.Where()
}

func (a *argument) where() string {
	if a.as != nil {
		return a.as.Where()
	}
	at := policy.RouteArg{From: a.from, Key: a.key, Pointer: []string{a.name}}
	return at.Where()
}

// Match turns a request into a call, or says in a *Refusal why it is none.
func (t *Table) Match(req *Request, m *Matched) error {
	c, err := t.find(req, &m.path)
	if err != nil {
		return err
	}
	m.table, m.c, m.Route, m.req = t, c, c.Route, req
	if err := m.head.read(req); err != nil {
		return err
	}
	switch {
	case !req.BodyComplete:
		return denied("the request was not seen to its end")
	case len(req.Body) > t.MaxBody:
		return &Refusal{aegis.Malformed, aegis.Reject, http.StatusRequestEntityTooLarge, "the body is larger than this door reads"}
	case c.Body == policy.BodyNone && len(req.Body) > 0:
		return denied("the request has a body, and the route %s takes none", c.Match())
	case len(req.Body) > 0 || c.Body != policy.BodyForm:
		if err := m.head.fits(c.Body); err != nil {
			return err
		}
	}
	return m.take()
}

// take reads the arguments.
func (m *Matched) take() error {
	m.Call = aegis.Call{Tenant: m.c.Tenant, Tool: m.c.Tool, Action: m.c.Action, Effect: m.c.Effect}
	m.given, m.names, m.whole = m.given[:0], m.names[:0], aegis.Value{}
	if m.c.Body == policy.BodyMCP {
		return m.mcp()
	}
	if err := m.parameters(); err != nil {
		return err
	}
	switch m.c.Body {
	case policy.BodyForm:
		if err := m.form(policy.FromForm, string(m.req.Body)); err != nil {
			return err
		}
	case policy.BodyJSON:
		if err := m.json(); err != nil {
			return err
		}
	}
	if m.whole.Kind() == aegis.Object {
		m.Call.Args = m.whole
		return nil
	}
	if err := m.distinct(); err != nil {
		return err
	}
	return m.build()
}

// maxQuery bounds the parameters of a query: each of them is compared with every name of the body.
const maxQuery = 256

// parameters takes those of the path and the query, and the headers that are mapped.
func (m *Matched) parameters() error {
	for _, i := range m.c.params {
		key := m.c.Path[i].Text
		text, _ := unescape(m.path.seg[i], false) // path.parse has seen that it is valid
		m.give(argument{from: policy.FromPath, key: key, text: text})
	}
	for _, a := range m.c.header {
		found := false
		for i := range m.req.Header {
			f := &m.req.Header[i]
			if len(f.Name) != len(a.Key) || lower(f.Name) != a.Key {
				continue
			}
			if found {
				return rejected("the header %s stands twice", a.Key)
			}
			found = true
			m.given = append(m.given, argument{name: a.Name, from: policy.FromHeader, key: a.Key, as: a, text: strings.Trim(f.Value, " \t")})
		}
	}
	n := len(m.given)
	if err := m.form(policy.FromQuery, m.path.query); err != nil {
		return err
	}
	if len(m.given)-n > maxQuery {
		return rejected("the query has more than %d parameters", maxQuery)
	}
	return nil
}

// give adds an argument under the name that the route or, for lack of that, the parameter gives it.
func (m *Matched) give(a argument) {
	if a.name = a.key; len(m.c.by) > 0 {
		if a.as = m.c.by[part{a.from, a.key}]; a.as != nil {
			a.name = a.as.Name
		}
	}
	m.given = append(m.given, a)
}

// form takes the parameters of a query or a form.
func (m *Matched) form(from policy.Part, raw string) error {
	at := 0
	for raw != "" {
		pair := raw
		if i := strings.IndexByte(raw, '&'); i >= 0 {
			pair, raw = raw[:i], raw[i+1:]
			if raw == "" {
				return rejected("the %s ends in &", from)
			}
		} else {
			raw = ""
		}
		key, value, _ := strings.Cut(pair, "=")
		a, err := readPair(from, key, value)
		if err != nil {
			return err
		}
		a.start, a.end = at+len(pair)-len(value), at+len(pair)
		at += len(pair) + 1
		m.give(a)
		if last := &m.given[len(m.given)-1]; last.as == nil {
			if err := m.odd(last); err != nil {
				return err
			}
		}
		if len(m.given) > aegis.MaxMembers {
			return rejected("the %s has more than %d parameters", from, aegis.MaxMembers)
		}
	}
	return nil
}

func readPair(from policy.Part, rawKey, rawValue string) (argument, error) {
	may := uint8(inQuery)
	if from == policy.FromForm {
		may = inForm
	}
	for _, s := range [...]string{rawKey, rawValue} {
		for i := 0; i < len(s); i++ {
			if c := s[i]; class[c]&may == 0 {
				return argument{}, rejected("the %s holds %q, which servers read in several ways", from, c)
			}
		}
	}
	key, ok := unescape(rawKey, true)
	value, ok2 := unescape(rawValue, true)
	if !ok || !ok2 {
		return argument{}, rejected("the %s has percent-encoding that is none, or is not valid UTF-8", from)
	}
	if key == "" {
		return argument{}, rejected("the %s has a parameter without a name", from)
	}
	for i := 0; i < len(key); i++ {
		if key[i] < ' ' || key[i] == 0x7f {
			return argument{}, rejected("the %s has a parameter with a control character in its name", from)
		}
	}
	return argument{from: from, key: key, text: value}, nil
}

// odd refuses parameters that no route maps and that a server may take for one that a route does.
func (m *Matched) odd(a *argument) error {
	if strings.EqualFold(a.key, "_method") {
		return denied("the parameter %s asks the server to take the request for another one", a.key)
	}
	for _, x := range m.c.Args {
		if x.From == a.from && strings.EqualFold(x.Key, a.key) {
			return rejected("the parameter %.60q differs from %s in case only", a.key, x.Where())
		}
	}
	return m.taken(a.key, a.from)
}

// taken refuses a part of the request that is not mapped and has the name of an argument that is. Where the mapped part is
// missing, a rule would else judge the one, and the server look for the other.
func (m *Matched) taken(name string, from policy.Part) error {
	for _, x := range m.c.Args {
		if strings.EqualFold(x.Name, name) {
			return rejected("the %s gives %.60q, and the argument of that name is %s", from, name, x.Where())
		}
	}
	return nil
}

// distinct sorts the arguments, and refuses names that stand twice, in one part of the request or in two.
func (m *Matched) distinct() error {
	if err := m.apart(); err != nil {
		return err
	}
	slices.SortFunc(m.given, func(a, b argument) int { return strings.Compare(a.name, b.name) })
	for i := 1; i < len(m.given); i++ {
		a, b := &m.given[i-1], &m.given[i]
		switch {
		case a.name != b.name:
		case a.from == b.from && a.key == b.key && a.as == b.as:
			return rejected("the parameter %s.%.60s stands twice", a.from, a.key)
		default:
			return rejected("the argument %.60q is both %.60s and %.60s", a.name, a.where(), b.where())
		}
	}
	return nil
}

// apart refuses a parameter of the query that has the name of a field or member of the body: many servers merge the two.
func (m *Matched) apart() error {
	for i := range m.given {
		q := &m.given[i]
		if q.from != policy.FromQuery {
			continue
		}
		for j := range m.given {
			if f := &m.given[j]; f.from == policy.FromForm && strings.EqualFold(f.key, q.key) {
				return rejected("the parameter %.60q stands in the query and in the form", q.key)
			}
		}
		for _, name := range m.names {
			if strings.EqualFold(name, q.key) {
				return rejected("the parameter %.60q stands in the query and in the body", q.key)
			}
		}
	}
	return nil
}

// build writes the arguments as one object, sorted by name, and parses it.
func (m *Matched) build() error {
	b := append(m.text[:0], '{')
	for i := range m.given {
		a := &m.given[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = append(aegis.AppendQuoted(b, a.name), ':')
		var err error
		if b, err = a.append(b); err != nil {
			return err
		}
	}
	m.text = append(b, '}')
	if err := m.args.Parse(m.text, len(m.text)); err != nil {
		return rejected("the arguments are no strict JSON: %v", err)
	}
	m.Call.Args = m.args.Root()
	return nil
}

// append writes the argument's value in the type that the route gives it.
func (a *argument) append(dst []byte) ([]byte, error) {
	switch {
	case a.rest:
		dst, _ = a.at.appendRest(dst, a.value)
		return dst, nil
	case a.from == policy.FromBody:
		return a.appendJSON(dst)
	case a.as == nil || a.as.Type == aegis.Absent || a.as.Type == aegis.String:
		return aegis.AppendQuoted(dst, a.text), nil
	case a.as.Type == aegis.Bool:
		if a.text != "true" && a.text != "false" {
			return dst, wrongType(aegis.ArgumentType, "%s is %.60q, and not true or false", a.where(), a.text)
		}
		return append(dst, a.text...), nil
	}
	if !plainDecimal(a.text) {
		return dst, wrongType(aegis.ArgumentType, "%s is %.60q, which is no plain decimal number", a.where(), a.text)
	}
	return a.appendNumber(dst, []byte(a.text))
}

// appendNumber writes a number, checked and scaled.
func (a *argument) appendNumber(dst, lit []byte) ([]byte, error) {
	from := len(dst)
	dst, ok := appendScaled(dst, lit, a.as.Scale)
	if !ok {
		return dst, wrongType(aegis.NumberOutOfRange, "%s is %.70s, which is out of range", a.where(), lit)
	}
	if a.as.Integer && slices.Contains(dst[from:], '.') {
		return dst, wrongType(aegis.ArgumentType, "%s is %.70s, which is no integer", a.where(), lit)
	}
	return dst, nil
}
