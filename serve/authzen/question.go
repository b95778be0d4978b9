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
}

// read reads the members of an evaluation over defaults. others are members that may stand beside them.
func read(q question, v aegis.Value, others []string) (question, error) {
	if v.Kind() != aegis.Object {
		return q, fault(v, "an evaluation must be an object")
	}
	for m := v.First(); m.Kind() != aegis.Absent; m = v.After(m) {
		into := map[string]*aegis.Value{"subject": &q.subject, "resource": &q.resource, "action": &q.action, "context": &q.context}[m.Key()]
		switch {
		case into == nil && slices.Contains(others, m.Key()):
		case into == nil:
			return q, fault(m, fmt.Sprintf("unknown member %.40q of an evaluation; its members are subject, resource, action, context", m.Key()))
		case m.Kind() != aegis.Object:
			return q, fault(m, m.Key()+" must be an object")
		default:
			*into = m
		}
	}
	return q, nil
}

func fault(v aegis.Value, msg string) error { return &aegis.SyntaxError{Offset: v.Offset(), Msg: msg} }

// call makes the call that is asked about.
func (q *question) call() (*aegis.Call, error) {
	c := new(aegis.Call)
	props, err := entity("subject", "agent", q.subject, &c.Agent)
	if err != nil {
		return nil, err
	}
	tenant := props.Get("tenant")
	if tenant.Kind() != aegis.String || !aegis.ValidName(tenant.Str()) {
		return nil, fault(q.subject, "subject.properties.tenant must be the tenant's name")
	}
	c.Tenant = tenant.Str()
	if _, err := entity("resource", "tool", q.resource, &c.Tool); err != nil {
		return nil, err
	}
	if err := q.act(c); err != nil {
		return nil, err
	}
	return c, q.surroundings(c)
}

// entity reads a subject or a resource: its type, its id, and its properties, of which unknown ones describe and decide
// nothing.
func entity(what, kind string, v aegis.Value, id *string) (props aegis.Value, err error) {
	if v.Kind() == aegis.Absent {
		return props, &aegis.SyntaxError{Msg: what + " is missing"}
	}
	for m := v.First(); m.Kind() != aegis.Absent; m = v.After(m) {
		switch m.Key() {
		case "type":
			if m.Str() != kind {
				return props, fault(m, fmt.Sprintf("%s.type must be %q", what, kind))
			}
		case "id":
			if m.Kind() != aegis.String || !aegis.ValidName(m.Str()) {
				return props, fault(m, what+".id must be 1 to 128 printable ASCII characters without space")
			}
			*id = m.Str()
		case "properties":
			if m.Kind() != aegis.Object {
				return props, fault(m, what+".properties must be an object")
			}
			props = m
		default:
			return props, fault(m, fmt.Sprintf("unknown member %.40q of the %s; its members are type, id, properties", m.Key(), what))
		}
	}
	if *id == "" || v.Get("type").Kind() == aegis.Absent {
		return props, fault(v, what+" needs type and id")
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
				return fault(m, "action.name must be printable ASCII without space, or empty where the tool has no actions")
			}
			c.Action, named = m.Str(), true
		case "properties":
			if m.Kind() != aegis.Object {
				return fault(m, "action.properties must be an object")
			}
			for p := m.First(); p.Kind() != aegis.Absent; p = m.After(p) {
				if p.Key() != "args" || p.Kind() != aegis.Object {
					return fault(p, "action.properties may hold args, an object, and nothing else")
				}
				c.Args = p
			}
		default:
			return fault(m, fmt.Sprintf("unknown member %.40q of the action; its members are name, properties", m.Key()))
		}
	}
	if !named {
		return fault(v, "action needs a name")
	}
	return nil
}

// surroundings reads the context. A member that is not known could have been meant to matter: it is refused.
func (q *question) surroundings(c *aegis.Call) error {
	v := q.context
	for m := v.First(); m.Kind() != aegis.Absent; m = v.After(m) {
		if m.Key() != "obligations_supported" {
			if err := c.SetMember(m); err != nil {
				return err
			}
			continue
		}
		if m.Kind() != aegis.List {
			return fault(m, "context.obligations_supported must be a list of names")
		}
		for e := m.First(); e.Kind() != aegis.Absent; e = m.After(e) {
			if e.Kind() != aegis.String {
				return fault(e, "context.obligations_supported must be a list of names")
			}
			q.sanitizes = q.sanitizes || e.Str() == "sanitize"
		}
	}
	return nil
}

// maxEvaluations is how many evaluations one request may hold.
const maxEvaluations = 1000

// evaluations answers several questions, one after the other, so that each counts for the next.
func (d *Door) evaluations(w http.ResponseWriter, r *http.Request, who serve.Principal, body []byte) {
	echoID(w, r)
	doc, err := aegis.Parse(body)
	if err != nil {
		d.refuse(w, r, who, err)
		return
	}
	root := doc.Root()
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
		err = fault(list, fmt.Sprintf("evaluations must be a list of at most %d", maxEvaluations))
	}
	// All are read before one is decided: a request that is refused has changed nothing.
	var calls []*aegis.Call
	var questions []question
	for e := list.First(); err == nil && e.Kind() != aegis.Absent; e = list.After(e) {
		var q question
		var c *aegis.Call
		if q, err = read(defaults, e, nil); err == nil {
			if c, err = q.call(); err == nil {
				calls, questions = append(calls, c), append(questions, q)
			}
		}
	}
	if err != nil {
		d.refuse(w, r, who, err)
		return
	}
	out := []answer{}
	for i, c := range calls {
		a := answerOf(d.service.Decide(r.Context(), request(who, c, questions[i])))
		if out = append(out, a); stop != nil && a.Decision == *stop {
			break
		}
	}
	serve.WriteJSON(w, http.StatusOK, map[string]any{"evaluations": out})
}

// semantic reads which decision ends a series; nil: none does.
func semantic(v aegis.Value) (*bool, error) {
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
	return nil, fault(s, "options.evaluations_semantic must be one of "+strings.Join([]string{"execute_all", "deny_on_first_deny", "permit_on_first_permit"}, ", "))
}
