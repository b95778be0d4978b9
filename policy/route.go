package policy

import (
	"strings"

	"github.com/aegisctl/aegis"
)

// Route turns the HTTP requests that it matches into calls.
type Route struct {
	Pos    Pos // of its match
	Tenant string
	Method string
	Host   string // in lower case; with a port only where it is written
	Path   []Segment
	Tool   string
	Action string       // "" where the call carries none, and for BodyMCP, where the request names it
	Effect aegis.Effect // Read or Write
	Door   Door
	Body   Body
	Args   []*RouteArg // by name; what no one of them maps is an argument under its own name
}

// Match returns the route's match as it is written: "GET api.example.com/v1/things/{id}".
func (r *Route) Match() string { return r.Method + " " + r.Host + pathText(r.Path) }

// Call returns the route's call as it is written: tool/action.
func (r *Route) Call() string {
	s := aegis.EscapeName(r.Tool)
	if r.Action != "" {
		s += "/" + aegis.EscapeName(r.Action)
	}
	return s
}

// Segment is one part of a route's path between two slashes: a text, or a parameter that one segment of any text fills.
type Segment struct {
	Text  string // or the parameter's name; "" only as the last segment, behind a slash that ends the path
	Param bool
}

func pathText(path []Segment) string {
	var b strings.Builder
	for _, s := range path {
		b.WriteByte('/')
		if s.Param {
			b.WriteString("{" + s.Text + "}")
		} else {
			b.WriteString(s.Text)
		}
	}
	return b.String()
}

// Door is the kind of Envoy filter that carries a route's requests.
type Door uint8

// The doors of routes. AnyDoor is the door of a route that names none.
const (
	AnyDoor Door = iota
	ExtAuthz
	ExtProc
)

var doorNames = []string{"", "ext_authz", "ext_proc"}

// String returns the door as routes write it, "" for AnyDoor.
func (d Door) String() string { return doorNames[d] }

// Body is what a route's requests carry.
type Body uint8

// The bodies.
const (
	BodyNone Body = iota
	BodyJSON
	BodyForm
	BodyMCP // JSON-RPC 2.0, as the Model Context Protocol uses it
)

var bodyNames = []string{"none", "json", "form", "mcp"}

// String returns the body as routes write it.
func (b Body) String() string { return bodyNames[b] }

// Part is the part of a request that an argument comes from.
type Part uint8

// The parts of a request.
const (
	FromBody  Part = iota // a JSON pointer into the body
	FromForm              // a field of the form
	FromPath              // a parameter of the path
	FromQuery             // a parameter of the query
	FromHeader
)

var sourceNames = []string{"body", "form", "path", "query", "header"}

// String returns the part as routes write it, without what follows.
func (s Part) String() string { return sourceNames[s] }

// RouteArg says where one argument comes from, and of what type it is.
type RouteArg struct {
	Pos     Pos
	Name    string
	From    Part
	Key     string     // of a form, path, query or header; header names in lower case
	Pointer []string   // into the body, unescaped; empty: all of it
	Type    aegis.Kind // Absent: as it comes, which is text for all but the body
	Integer bool       // only whole numbers; Type is Number
	Scale   int        // the number is multiplied by ten to the power of Scale; Type is Number where it is not 0
}

// Where returns where the argument comes from, as routes write it.
func (a *RouteArg) Where() string {
	if a.From != FromBody {
		return a.From.String() + "." + a.Key
	}
	s := "body#"
	for _, step := range a.Pointer {
		s += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(step)
	}
	return s
}
