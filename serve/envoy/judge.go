package envoy

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
	"github.com/aegisctl/aegis/route"
	"github.com/aegisctl/aegis/serve"
)

// asked is one HTTP request on its way to a decision.
type asked struct {
	req       route.Request
	said      said
	principal string
	joined    bool  // Envoy joined the values of headers that stood twice
	unclear   error // a door's own reason why the request cannot be judged; nil: none
	results   bool  // the door will see the answer

	matched route.Matched
	body    []byte // that is forwarded; nil: as it came
	status  int    // of the answer, where the call is refused
}

// judge has a request decided. It never fails: what goes wrong denies.
func (d *Door) judge(ctx context.Context, a *asked) *serve.Answer {
	a.body, a.status = nil, http.StatusForbidden
	who, err := d.opt.Who.establish(ctx, a)
	r := &serve.Request{Who: who, Door: a.req.Door.String(), Results: a.results, Settled: a.req.Door == policy.ExtAuthz,
		Rewrites: a.req.Door == policy.ExtProc, Forward: a.forward, In: d.service.Snapshot()}
	if err != nil {
		r.Deny, r.Why = aegis.TokenInvalid, err.Error()
		r.Call = &aegis.Call{Tenant: who.Tenant, Agent: who.Agent}
	} else {
		a.call(r)
	}
	parent, _, err := only(a.req.Header, "traceparent")
	if err == nil {
		state, _, _ := only(a.req.Header, "tracestate")
		ctx = serve.WithTrace(ctx, parent, state)
	}
	answer := d.service.Decide(ctx, r)
	if answer.Outcome == aegis.Reject && a.status == http.StatusForbidden {
		a.status = http.StatusBadRequest
	}
	return answer
}

// call has the routes make a call of the request, or says why it is none.
func (a *asked) call(r *serve.Request) {
	err := a.match(r.In.Routes(r.Who.Tenant))
	var refused *route.Refusal
	switch {
	case errors.As(err, &refused) && refused.Outcome == aegis.Reject:
		a.status = refused.Status
		r.Bad = refused
	case errors.As(err, &refused):
		a.status = refused.Status
		r.Call = &aegis.Call{}
		r.Deny, r.Why = refused.Code, refused.Msg
	case err != nil:
		r.Call = &aegis.Call{}
		r.Deny, r.Why = aegis.Malformed, err.Error()
	default:
		r.Call = &a.matched.Call
		a.approval(r)
	}
}

func (a *asked) match(t *route.Table) error {
	if a.joined {
		if err := a.ambiguous(t); err != nil {
			return err
		}
	}
	// The routes see the request first: what they say of it is more telling.
	if err := t.Match(&a.req, &a.matched); err != nil {
		return err
	}
	return a.unclear
}

// ambiguous refuses mapped headers whose value may be two that Envoy joined.
func (a *asked) ambiguous(t *route.Table) error {
	found, err := t.Find(&a.req)
	if err != nil {
		return nil // Match says it again
	}
	for _, m := range found.Args {
		if m.From != policy.FromHeader {
			continue
		}
		if v, _, _ := only(a.req.Header, m.Key); strings.Contains(v, ",") {
			return errors.New("the header " + m.Key + " may stand twice: Envoy joined its values; configure encode_raw_headers")
		}
	}
	return nil
}

// approval takes the id of an approval that the caller refers to. It proves nothing.
func (a *asked) approval(r *serve.Request) {
	id, has, err := only(a.req.Header, approvalHeader)
	switch {
	case err != nil || has && !aegis.ValidName(id):
		r.Deny, r.Why = aegis.ApprovalInvalid, "x-aegis-approval is not the id of an approval"
	case has:
		r.Call.Approval = id
	}
}

// forward makes the body that is forwarded of rewritten arguments.
func (a *asked) forward(args aegis.Value) (err error) {
	a.body, err = a.matched.Rewrite(args)
	return err
}

// strip lists the headers of a request that the tool must not get: ours, and on writes those by which a client asks Envoy to
// send the request again.
func (a *asked) strip(effect aegis.Effect) (names []string) {
	for i := range a.req.Header {
		name := strings.ToLower(a.req.Header[i].Name)
		if strings.HasPrefix(name, ours) || effect == aegis.Write && retries[name] {
			names = append(names, name)
		}
	}
	return names
}

// retries are the headers that make Envoy repeat a request. maxRetries is set to 0 instead, which holds where a route of Envoy
// has a retry policy, too.
var retries = map[string]bool{"x-envoy-retry-on": true, "x-envoy-retry-grpc-on": true, "x-envoy-retriable-status-codes": true,
	"x-envoy-retriable-header-names": true, "x-envoy-hedge-on-per-try-timeout": true}

const maxRetries = "x-envoy-max-retries"
