// Package native is the server's own HTTP door: POST /v1/decide takes a call envelope and answers the decision object,
// POST /v1/outcome takes what became of the call.
//
// It promises to answer 200 to every decision, whatever it says, 400 to what is no call (with a decision object that says
// reject), and problem+json to what it cannot take for a request at all.
package native

import (
	"errors"
	"net/http"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/serve"
)

// Door serves the native endpoints.
type Door struct {
	service *serve.Service
	web     *serve.Web
}

// New makes the door of a service. web guards what reaches it.
func New(s *serve.Service, web *serve.Web) *Door { return &Door{s, web} }

// Register adds the door's endpoints.
func (d *Door) Register(mux *http.ServeMux) {
	mux.Handle("POST /v1/decide", d.web.JSON(d.decide))
	mux.Handle("POST /v1/outcome", d.web.JSON(d.outcome))
}

func (d *Door) decide(w http.ResponseWriter, r *http.Request, who serve.Principal, body []byte) {
	req := &serve.Request{Who: who, Door: "native", Rewrites: true}
	req.Call, req.Bad = aegis.DecodeCallWithin(body, d.web.Limit())
	if c := req.Call; c != nil && c.DryRun && !who.May("aegis:dry-run") {
		req.Deny, req.Why = aegis.TokenInvalid, "a dry run needs the scope aegis:dry-run"
	}
	a := d.service.Decide(r.Context(), req)
	w.Header().Set("Aegis-Decision-Id", a.ID)
	status := http.StatusOK
	if a.Outcome == aegis.Reject {
		status = http.StatusBadRequest
	}
	serve.WriteJSON(w, status, a.Decision)
}

// outcome reads {"decision_id", "outcome": "ok" | "failed", optional "cost"}, the cost in US dollars.
func (d *Door) outcome(w http.ResponseWriter, _ *http.Request, who serve.Principal, body []byte) {
	o, err := readOutcome(body)
	if err != nil {
		serve.Problem(w, http.StatusBadRequest, "malformed", err.Error())
		return
	}
	tenant := ""
	if who.Verified {
		if tenant = who.Tenant; tenant == "" {
			serve.Problem(w, http.StatusNotFound, "unknown_decision", serve.ErrUnknownDecision.Error())
			return
		}
	}
	switch err := d.service.Outcome(o.id, tenant, o.failed, o.cost); {
	case errors.Is(err, serve.ErrUnknownDecision):
		serve.Problem(w, http.StatusNotFound, "unknown_decision", err.Error())
	case err != nil:
		serve.Problem(w, http.StatusInternalServerError, "internal", "the outcome could not be recorded")
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

type outcome struct {
	id     string
	failed bool
	cost   *int64 // in millionths of a US dollar
}

func readOutcome(body []byte) (o outcome, err error) {
	doc, err := aegis.Parse(body)
	if err != nil {
		return o, err
	}
	root := doc.Root()
	if root.Kind() != aegis.Object {
		return o, errors.New("the body is not a JSON object")
	}
	said := false
	for m := root.First(); m.Kind() != aegis.Absent; m = root.After(m) {
		switch key := m.Key(); {
		case key == "decision_id" && m.Kind() == aegis.String:
			o.id = m.Str()
		case key == "outcome" && (m.Str() == "ok" || m.Str() == "failed"):
			o.failed, said = m.Str() == "failed", true
		case key == "cost":
			n, ok := m.Num()
			micro, exact := n.Micro()
			if !ok || !exact || micro < 0 {
				return o, errors.New(`"cost" must be US dollars, 0 or more, with at most six decimals`)
			}
			o.cost = &micro
		default:
			return o, errors.New(`the members are "decision_id" (text), "outcome" ("ok" or "failed") and optional "cost" (US dollars)`)
		}
	}
	if o.id == "" || !said {
		return o, errors.New(`"decision_id" and "outcome" are needed`)
	}
	return o, nil
}
