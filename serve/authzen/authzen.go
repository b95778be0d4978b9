// Package authzen is the door for clients of the OpenID AuthZEN Authorization API 1.0: POST /access/v1/evaluation,
// POST /access/v1/evaluations and GET /.well-known/authzen-configuration.
//
// An agent's tool call is asked about so: the subject is the agent (type "agent", id its name, properties.tenant), the
// resource is the tool (type "tool", id its name), the action's name is the tool's action ("" is none) with the arguments
// in properties.args, and the context holds session, region, chain, effect, time, approval, dry_run and
// obligations_supported. Arguments that are absent are absent, and not an empty object; a tenant that is absent is
// "default", as in policies.
//
// Members that the API does not know are ignored, as it demands, with two exceptions: a name that is a misspelling of one
// that counts is refused, and properties of an action beside args deny, because they may be arguments that nobody judged.
//
// It promises that decision is true only if the call may go ahead as it is, or, where the client says that it fulfils the
// obligation "sanitize", with the arguments that the answer gives it.
package authzen

import (
	"encoding/json"
	"net/http"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/serve"
)

// Door serves the AuthZEN endpoints.
type Door struct {
	service *serve.Service
	web     *serve.Web
}

// New makes the door of a service. web guards what reaches it. To this API any body that is not JSON is a bad request.
func New(s *serve.Service, web *serve.Web) *Door {
	own := *web
	own.NotJSON = http.StatusBadRequest
	return &Door{s, &own}
}

// The endpoints.
const (
	evaluationPath  = "/access/v1/evaluation"
	evaluationsPath = "/access/v1/evaluations"
	metadataPath    = "/.well-known/authzen-configuration"
)

// Register adds the door's endpoints.
func (d *Door) Register(mux *http.ServeMux) {
	mux.Handle("POST "+evaluationPath, echoID(d.web.JSON(d.evaluation)))
	mux.Handle("POST "+evaluationsPath, echoID(d.web.JSON(d.evaluations)))
	mux.Handle("GET "+metadataPath, d.web.Open(d.metadata))
}

// metadata tells where the endpoints are, under the name that the client called.
func (d *Door) metadata(w http.ResponseWriter, r *http.Request) {
	base := "http://" + r.Host
	if r.TLS != nil {
		base = "https://" + r.Host
	}
	serve.WriteJSON(w, http.StatusOK, map[string]string{
		"policy_decision_point":       base,
		"access_evaluation_endpoint":  base + evaluationPath,
		"access_evaluations_endpoint": base + evaluationsPath,
	})
}

// answer is one evaluation's result.
type answer struct {
	Decision bool     `json:"decision"`
	Context  *context `json:"context,omitempty"`
}

// context says why. Aegis is the decision object, the same as from every other door.
type context struct {
	ID          string          `json:"id"`
	Reason      string          `json:"reason,omitempty"` // a reason code, or approval_required
	ReasonUser  string          `json:"reason_user,omitempty"`
	Request     *accessRequest  `json:"access_request,omitempty"`
	Obligations []obligation    `json:"obligations,omitempty"`
	Error       *fault          `json:"error,omitempty"` // of one evaluation of a series that is none
	Aegis       *aegis.Decision `json:"aegis"`
}

// fault is why an evaluation could not be read.
type fault struct {
	Status  int    `json:"status"`
	Message string `json:"message"`
}

// accessRequest is where a held call's approval can be followed.
type accessRequest struct {
	Endpoint  string `json:"endpoint"`
	ExpiresAt string `json:"expires_at"`
}

// obligation is what a client must do before the call goes ahead.
type obligation struct {
	Type string          `json:"type"`
	Args json.RawMessage `json:"args"`
}

func (d *Door) evaluation(w http.ResponseWriter, r *http.Request, who serve.Principal, body []byte) {
	root, err := parse(body, d.web.Limit())
	if err != nil {
		d.refuse(w, r, who, err)
		return
	}
	q, err := read(question{}, root, nil)
	if err != nil {
		d.refuse(w, r, who, err)
		return
	}
	d.reply(w, r, who, q)
}

// reply answers one evaluation.
func (d *Door) reply(w http.ResponseWriter, r *http.Request, who serve.Principal, q question) {
	a := d.decide(r, who, &q)
	w.Header().Set("Aegis-Decision-Id", a.ID)
	if a.Outcome == aegis.Reject {
		serve.Problem(w, http.StatusBadRequest, "malformed", a.Decision.Reasons[0].Message)
		return
	}
	serve.WriteJSON(w, http.StatusOK, answerOf(a))
}

// decide decides what is asked; what is no question is rejected, and recorded as such.
func (d *Door) decide(r *http.Request, who serve.Principal, q *question) *serve.Answer {
	req := &serve.Request{Who: who, Door: "authzen"}
	if c, err := q.call(); err != nil {
		req.Bad = err
	} else {
		if c.Tenant == "" && !who.Verified {
			c.Tenant = "default"
		}
		req.Call, req.Rewrites, req.Deny, req.Why = c, q.sanitizes, q.deny, q.why
		if c.DryRun && !who.May("aegis:dry-run") {
			req.Deny, req.Why = aegis.TokenInvalid, "a dry run needs the scope aegis:dry-run"
		}
	}
	return d.service.Decide(r.Context(), req)
}

// refuse answers what is no request of this API, and has it recorded.
func (d *Door) refuse(w http.ResponseWriter, r *http.Request, who serve.Principal, err error) {
	a := d.service.Decide(r.Context(), &serve.Request{Bad: err, Who: who, Door: "authzen"})
	w.Header().Set("Aegis-Decision-Id", a.ID)
	serve.Problem(w, http.StatusBadRequest, "malformed", err.Error())
}

func answerOf(a *serve.Answer) answer {
	c := &context{ID: a.ID, Aegis: a.Decision}
	out := answer{Decision: a.Passes, Context: c}
	if a.Outcome == aegis.Reject {
		c.Error = &fault{http.StatusBadRequest, a.Decision.Reasons[0].Message}
	}
	for _, rs := range [][]aegis.Reason{a.Decision.Errors, a.Decision.Reasons} {
		if len(rs) > 0 {
			c.Reason, c.ReasonUser = rs[0].Code.String(), rs[0].Message
		}
	}
	if a.Passes && a.Args != nil {
		c.Obligations = []obligation{{"sanitize", a.Args}}
	}
	if !a.Passes && a.Outcome == aegis.ApprovalNeeded {
		c.Reason = "approval_required"
		if p := a.Decision.Approval; p != nil {
			c.Request = &accessRequest{"/v1/approvals/" + p.ID, p.ExpiresAt.UTC().Format("2006-01-02T15:04:05Z")}
		}
	}
	return out
}

// echoID gives a client's request id back with every answer, as the API demands.
func echoID(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id := r.Header.Get("X-Request-Id"); id != "" {
			w.Header().Set("X-Request-Id", id)
		}
		h.ServeHTTP(w, r)
	})
}
