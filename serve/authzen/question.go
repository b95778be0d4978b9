package authzen

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/serve"
)

// question is one evaluation as it was asked; its values belong to the request's document.
type question struct {
	subject, resource, action, context aegis.Value
	sanitizes                          bool

	deny aegis.Code // what is asked about is well-formed, and nothing that policies know
	why  string
}

// parse reads a body strictly. Keys that differ in case only are the gate's to judge inside arguments, and refused elsewhere.
func parse(body []byte, limit int) (aegis.Value, error) {
	d := new(aegis.Doc)
	if err := d.Parse(body, min(limit, aegis.GreatestBody)); err != nil {
		return aegis.Value{}, err
	}
	root := d.Root()
	if root.Kind() != aegis.Object {
		return root, bad(root, "the body is not a JSON object")
	}
	inside := len(arguments(root).Variants())
	for list, e := root.Get("evaluations"), root.Get("evaluations").First(); e.Kind() != aegis.Absent; e = list.After(e) {
		inside += len(arguments(e).Variants())
	}
	if inside < len(root.Variants()) {
		return root, d.CaseVariants()
	}
	return root, nil
}

// arguments returns those of an evaluation, if it has any.
func arguments(v aegis.Value) aegis.Value { return v.Get("action").Get("properties").Get("args") }

// read reads the members of an evaluation over defaults. others are members that may stand beside them.
func read(q question, v aegis.Value, others []string) (question, error) {
	if v.Kind() != aegis.Object {
		return q, bad(v, "an evaluation must be an object")
	}
	for m := v.First(); m.Kind() != aegis.Absent; m = v.After(m) {
		into := map[string]*aegis.Value{"subject": &q.subject, "resource": &q.resource, "action": &q.action, "context": &q.context}[m.Key()]
		switch {
		case into == nil && slices.Contains(others, m.Key()):
		case into == nil:
			if err := unknown(m, "the evaluation", append(others, "subject", "resource", "action", "context")); err != nil {
				return q, err
			}
		case m.Kind() != aegis.Object:
			return q, bad(m, m.Key()+" must be an object")
		default:
			*into = m
		}
	}
	return q, nil
}

func bad(v aegis.Value, msg string) error { return &aegis.SyntaxError{Offset: v.Offset(), Msg: msg} }

// unknown judges a member that this door does not know. The API wants it ignored; but one that is a misspelling of a
// member that counts was meant to count.
func unknown(m aegis.Value, where string, known []string) error {
	for _, k := range known {
		if near(plain(m.Key()), plain(k)) {
			return bad(m, fmt.Sprintf("unknown member %.40q of %s: did you mean %q?", m.Key(), where, k))
		}
	}
	return nil
}

// plain is a name without what people spell in several ways.
func plain(s string) string { return strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(s)) }

// near reports whether two names differ by one letter at most, or by two letters that changed places.
func near(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	switch len(b) - len(a) {
	case 0:
		return i == len(a) || a[i+1:] == b[i+1:] || i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
	case 1:
		return a[i:] == b[i+1:]
	}
	return false
}

// call makes the call that is asked about. What is well-formed and no tool call is left to be denied.
func (q *question) call() (*aegis.Call, error) {
	c := new(aegis.Call)
	props, err := q.entity("subject", "agent", q.subject, &c.Agent, aegis.NoPolicy)
	if err != nil {
		return nil, err
	}
	if tenant := props.Get("tenant"); tenant.Kind() != aegis.Absent {
		if tenant.Kind() != aegis.String || !aegis.ValidName(tenant.Str()) {
			return nil, bad(tenant, "subject.properties.tenant must be the tenant's name")
		}
		c.Tenant = tenant.Str()
	}
	if _, err := q.entity("resource", "tool", q.resource, &c.Tool, aegis.ToolNotGranted); err != nil {
		return nil, err
	}
	if err := q.act(c); err != nil {
		return nil, err
	}
	return c, q.surroundings(c)
}

// denies notes the first reason why nothing that policies know is asked about.
func (q *question) denies(code aegis.Code, why string) {
	if q.deny == aegis.NoCode {
		q.deny, q.why = code, why
	}
}

// entity reads a subject or a resource: its type, its id, and its properties, of which unknown ones describe and decide
// nothing. One of another type is nobody's.
func (q *question) entity(what, kind string, v aegis.Value, id *string, other aegis.Code) (props aegis.Value, err error) {
	if v.Kind() == aegis.Absent {
		return props, &aegis.SyntaxError{Msg: what + " is missing"}
	}
	for m := v.First(); m.Kind() != aegis.Absent; m = v.After(m) {
		switch m.Key() {
		case "type":
			if m.Kind() != aegis.String {
				return props, bad(m, what+".type must be text")
			}
			if m.Str() != kind {
				q.denies(other, fmt.Sprintf("%s.type is not %q", what, kind))
			}
		case "id":
			if m.Kind() != aegis.String || !aegis.ValidName(m.Str()) {
				return props, bad(m, what+".id must be 1 to 128 printable ASCII characters without space")
			}
			*id = m.Str()
		case "properties":
			if m.Kind() != aegis.Object {
				return props, bad(m, what+".properties must be an object")
			}
			props = m
		default:
			if err := unknown(m, "the "+what, []string{"type", "id", "properties"}); err != nil {
				return props, err
			}
		}
	}
	if *id == "" || v.Get("type").Kind() == aegis.Absent {
		return props, bad(v, what+" needs type and id")
	}
	return props, nil
}

// act reads the action and its arguments.
func (q *question) act(c *aegis.Call) error {
	v, named := q.action, false
	if v.Kind() == aegis.Absent {
		return &aegis.SyntaxError{Msg: "action is missing"}
	}
	for m := v.First(); m.Kind() != aegis.Absent; m = v.After(m) {
		switch m.Key() {
		case "name":
			if m.Kind() != aegis.String || m.Str() != "" && !aegis.ValidName(m.Str()) {
				return bad(m, "action.name must be printable ASCII without space, or empty where the tool has no actions")
			}
			c.Action, named = m.Str(), true
		case "properties":
			if m.Kind() != aegis.Object {
				return bad(m, "action.properties must be an object")
			}
			for p := m.First(); p.Kind() != aegis.Absent; p = m.After(p) {
				if p.Key() != "args" {
					q.denies(aegis.UnnamedArgument, fmt.Sprintf("action.properties holds %.40q: arguments belong in action.properties.args", p.Key()))
					continue
				}
				if p.Kind() != aegis.Object {
					return bad(p, "action.properties.args must be an object")
				}
				c.Args = p
			}
		default:
			if err := unknown(m, "the action", []string{"name", "properties"}); err != nil {
				return err
			}
		}
	}
	if !named {
		return bad(v, "action needs a name")
	}
	return nil
}

// misplaced are members of an evaluation, or of a call, that count for nothing in a context.
var misplaced = []string{"tenant", "agent", "tool", "action", "args", "subject", "resource"}

// surroundings reads the context.
func (q *question) surroundings(c *aegis.Call) error {
	v := q.context
	dry := v.Get("dry_run").Bool()
	for m := v.First(); m.Kind() != aegis.Absent; m = v.After(m) {
		switch key := m.Key(); {
		case key == "obligations_supported":
			if err := q.obligations(m); err != nil {
				return err
			}
		case key == "time" && !dry: // the server's clock counts
		case slices.Contains(members, key):
			if err := c.SetMember(m); err != nil {
				return err
			}
		case slices.Contains(misplaced, key):
			return bad(m, "context."+key+" stands in the wrong place")
		default:
			if err := unknown(m, "the context", append(members, "obligations_supported")); err != nil {
				return err
			}
		}
	}
	return nil
}

// members are what a context may say of a call.
var members = []string{"session", "region", "chain", "effect", "time", "approval", "dry_run"}

func (q *question) obligations(m aegis.Value) error {
	if m.Kind() != aegis.List {
		return bad(m, "context.obligations_supported must be a list of names")
	}
	for e := m.First(); e.Kind() != aegis.Absent; e = m.After(e) {
		if e.Kind() != aegis.String {
			return bad(m, "context.obligations_supported must be a list of names")
		}
		q.sanitizes = q.sanitizes || e.Str() == "sanitize"
	}
	return nil
}

// maxEvaluations is how many evaluations one request may hold.
const maxEvaluations = 1000

// evaluations answers several questions, one after the other, so that each counts for the next. One that is no question is
// denied in its place.
func (d *Door) evaluations(w http.ResponseWriter, r *http.Request, who serve.Principal, body []byte) {
	root, err := parse(body, d.web.Limit())
	if err != nil {
		d.refuse(w, r, who, err)
		return
	}
	defaults, err := read(question{}, root, []string{"evaluations", "options"})
	if err != nil {
		d.refuse(w, r, who, err)
		return
	}
	list := root.Get("evaluations")
	if list.Kind() == aegis.Absent || list.Kind() == aegis.List && list.Len() == 0 {
		d.reply(w, r, who, defaults)
		return
	}
	stop, err := semantic(root.Get("options"))
	if err == nil && (list.Kind() != aegis.List || list.Len() > maxEvaluations) {
		err = bad(list, fmt.Sprintf("evaluations must be a list of at most %d", maxEvaluations))
	}
	if err != nil {
		d.refuse(w, r, who, err)
		return
	}
	out := []answer{}
	for e := list.First(); e.Kind() != aegis.Absent; e = list.After(e) {
		var a *serve.Answer
		if q, err := read(defaults, e, nil); err != nil {
			a = d.service.Decide(r.Context(), &serve.Request{Bad: err, Who: who, Door: "authzen"})
		} else {
			a = d.decide(r, who, &q)
		}
		if out = append(out, answerOf(a)); stop != nil && a.Passes == *stop {
			break
		}
	}
	serve.WriteJSON(w, http.StatusOK, map[string]any{"evaluations": out})
}

// semantic reads which decision ends a series; nil: none does.
func semantic(v aegis.Value) (*bool, error) {
	if v.Kind() != aegis.Absent && v.Kind() != aegis.Object {
		return nil, bad(v, "options must be an object")
	}
	s := v.Get("evaluations_semantic")
	yes, no := true, false
	switch {
	case s.Kind() == aegis.Absent, s.Str() == "execute_all":
		return nil, nil
	case s.Str() == "deny_on_first_deny":
		return &no, nil
	case s.Str() == "permit_on_first_permit":
		return &yes, nil
	}
	return nil, bad(s, "options.evaluations_semantic must be one of "+strings.Join([]string{"execute_all", "deny_on_first_deny", "permit_on_first_permit"}, ", "))
}
