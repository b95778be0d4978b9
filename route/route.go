// Package route turns HTTP requests into calls, by the routes of a policy set.
//
// It promises that a request becomes a call only if exactly one route is meant, by any spelling of the request that a server
// may accept: hosts and paths that can be written in two ways, names that stand twice, bodies that were seen in part or
// encoded, and headers that contradict the request are refused, never repaired. Numbers stay exact decimals. What was mapped
// is what is forwarded: nothing of the query, the form or the body is left out of the arguments.
package route

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// Request is an HTTP request as a door received it. Nothing in it is decoded, folded or joined.
type Request struct {
	Method string
	Scheme string // http, https, or "" where it is not known
	Host   string // the authority, with a port where it had one
	Path   string // as received, with its query
	Header []Field
	Body   []byte

	// BodyComplete says that the door has seen the end of the request, and Body is all of its body. A door that cannot know
	// leaves it false, and the request is denied.
	BodyComplete bool

	Door policy.Door // the kind of door that asks; AnyDoor where routes need not name it
}

// Field is one header field. A name that was received twice stands twice.
type Field struct{ Name, Value string }

// Refusal says why a request is no call. It is the error of Find and Match.
type Refusal struct {
	Code    aegis.Code
	Outcome aegis.Outcome // Deny, or Reject for a body that is malformed
	Status  int           // of HTTP: 400, 403 or 413
	Msg     string        // what is wrong, in lower case
}

func (e *Refusal) Error() string { return e.Msg }

// denied refuses a request whose form leaves open what a server would make of it.
func denied(format string, args ...any) error {
	return &Refusal{aegis.Malformed, aegis.Deny, http.StatusForbidden, fmt.Sprintf(format, args...)}
}

// rejected refuses a body or parameters that are malformed.
func rejected(format string, args ...any) error {
	return &Refusal{aegis.Malformed, aegis.Reject, http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// unmatched refuses a request that no route turns into a call: nothing grants it.
func unmatched(format string, args ...any) error {
	return &Refusal{aegis.ToolNotGranted, aegis.Deny, http.StatusForbidden, fmt.Sprintf(format, args...)}
}

func wrongType(code aegis.Code, format string, args ...any) error {
	return &Refusal{code, aegis.Deny, http.StatusForbidden, fmt.Sprintf(format, args...)}
}

// Table finds the route of a request among those of one tenant. It is safe for several goroutines.
type Table struct {
	MaxBody int // bytes; aegis.MaxBody unless it is set before the first use

	trees map[origin][]*tree // by the number of segments
}

// origin is what routes are looked up by first.
type origin struct{ method, host string }

// tree holds the routes of one method, host and number of segments, a level for each segment.
type tree struct {
	text  map[string]*tree
	fold  map[string]bool // the texts in lower case
	param *tree
	route *compiled
}

// compiled is a route, prepared for mapping.
type compiled struct {
	*policy.Route
	params  []int // which segments are parameters
	by      map[part]*policy.RouteArg
	header  []*policy.RouteArg
	pointer []*policy.RouteArg
	body    *pointers // of the arguments that come from the body; nil: none does
}

// part names one parameter of a request.
type part struct {
	from policy.Part
	key  string
}

// New makes the table of a tenant's routes.
func New(set *policy.Set, tenant string) *Table {
	t := &Table{MaxBody: aegis.MaxBody, trees: map[origin][]*tree{}}
	for _, file := range set.Routes {
		for _, r := range file.Routes {
			if r.Tenant == tenant {
				t.add(compile(r))
			}
		}
	}
	return t
}

func compile(r *policy.Route) *compiled {
	c := &compiled{Route: r, by: map[part]*policy.RouteArg{}}
	for i, s := range r.Path {
		if s.Param {
			c.params = append(c.params, i)
		}
	}
	for _, a := range r.Args {
		switch a.From {
		case policy.FromBody:
			c.pointer = append(c.pointer, a)
			if c.body == nil {
				c.body = &pointers{}
			}
			c.body.add(a)
		case policy.FromHeader:
			c.header = append(c.header, a)
		default:
			c.by[part{a.From, a.Key}] = a
		}
	}
	return c
}

func (t *Table) add(c *compiled) {
	at := origin{c.Method, c.Host}
	trees := t.trees[at]
	for len(trees) <= len(c.Path) {
		trees = append(trees, nil)
	}
	t.trees[at] = trees
	if trees[len(c.Path)] == nil {
		trees[len(c.Path)] = &tree{}
	}
	n := trees[len(c.Path)]
	for _, s := range c.Path {
		switch {
		case s.Param && n.param == nil:
			n.param = &tree{}
		case !s.Param && n.text == nil:
			n.text, n.fold = map[string]*tree{}, map[string]bool{}
			fallthrough
		case !s.Param && n.text[s.Text] == nil:
			n.text[s.Text], n.fold[strings.ToLower(s.Text)] = &tree{}, true
		}
		if s.Param {
			n = n.param
		} else {
			n = n.text[s.Text]
		}
	}
	n.route = c
}

// Find returns the route of a request by its method, host and path alone, for doors that must know what to read of it. The
// error is a *Refusal.
func (t *Table) Find(req *Request) (*policy.Route, error) {
	var p path
	c, err := t.find(req, &p)
	if err != nil {
		return nil, err
	}
	return c.Route, nil
}

func (t *Table) find(req *Request, p *path) (*compiled, error) {
	host, err := canonicalHost(req.Scheme, req.Host)
	if err != nil {
		return nil, err
	}
	if err := p.parse(req.Path); err != nil {
		return nil, err
	}
	trees := t.trees[origin{req.Method, host}]
	if p.n >= len(trees) || trees[p.n] == nil {
		return nil, unmatched("no route matches %.20q requests to %.80q with such a path", req.Method, host)
	}
	c, err := trees[p.n].find(p, 0, nil)
	switch {
	case err != nil:
		return nil, err
	case c == nil:
		return nil, unmatched("no route matches %s %s%.200q", req.Method, host, p.raw)
	case c.Door != policy.AnyDoor && req.Door != policy.AnyDoor && c.Door != req.Door:
		return nil, unmatched("requests of the route %s go through %s, not through %s: the proxy is not configured as the routes say",
			c.Match(), c.Door, req.Door)
	}
	return c, nil
}

// find goes down the tree. Where a text and a parameter both fit, the text comes first, so that of all routes that match
// the first is the narrowest, if one of them is narrower than all others. The route found so far is best, or nil.
func (t *tree) find(p *path, i int, best *compiled) (*compiled, error) {
	if i == p.n {
		if best != nil && t.route != nil && !best.Narrower(t.route.Route) {
			return nil, unmatched("the request fits two routes, and neither is the narrower: %s and %s", best.Match(), t.route.Match())
		}
		if best == nil {
			best = t.route
		}
		return best, nil
	}
	seg := p.seg[i]
	var err error
	if next := t.text[seg]; next != nil {
		if best, err = next.find(p, i+1, best); err != nil {
			return nil, err
		}
	} else if len(t.fold) > 0 {
		text := seg
		if p.encoded&(1<<i) != 0 {
			text, _ = unescape(seg, false)
		}
		if t.fold[strings.ToLower(text)] {
			return nil, unmatched("the path can be read in two ways: %.80q spells a text of a route otherwise", seg)
		}
	}
	if t.param != nil && seg != "" {
		return t.param.find(p, i+1, best)
	}
	return best, nil
}
