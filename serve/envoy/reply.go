package envoy

import (
	"bytes"
	"encoding/json"
	"net/http"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/serve"
)

// retryAfter is how many seconds a caller is asked to wait before it repeats a call that waits for a human.
const retryAfter = "15"

// header makes a header that replaces one of its name. ext_authz reads the value, ext_proc the raw value.
func header(name, value string, raw bool) *core.HeaderValueOption {
	h := &core.HeaderValue{Key: name}
	if raw {
		h.RawValue = []byte(value)
	} else {
		h.Value = value
	}
	return &core.HeaderValueOption{Header: h, AppendAction: core.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD}
}

// tell lists the headers by which the client learns what was decided, whether or not that binds.
func tell(a *serve.Answer, raw bool) []*core.HeaderValueOption {
	out := []*core.HeaderValueOption{header("x-aegis-decision", a.Decision.Decision, raw), header("x-aegis-decision-id", a.ID, raw)}
	if a.Decision.Mode != aegis.Enforce.String() {
		out = append(out, header("x-aegis-mode", a.Decision.Mode, raw))
	}
	return out
}

// refusal is the answer to a call that does not pass: headers and problem details (RFC 9457) with the decision in them.
func refusal(a *serve.Answer, status int, raw bool) ([]*core.HeaderValueOption, []byte) {
	d := a.Decision
	headers := append(tell(a, raw), header("content-type", "application/problem+json", raw), header("cache-control", "no-store", raw))
	if d.Approval != nil {
		headers = append(headers, header("x-aegis-approval", d.Approval.ID, raw))
	}
	if a.Outcome == aegis.ApprovalNeeded {
		headers = append(headers, header("retry-after", retryAfter, raw))
	}
	p := problem{"about:blank", http.StatusText(status), status, d.Decision, "the call is not allowed", d}
	for _, list := range [][]aegis.Reason{d.Errors, d.Reasons} {
		for _, x := range list {
			if a.Outcome == aegis.ApprovalNeeded || !mild[x.Code] {
				p.Code, p.Detail = x.Code.String(), x.Message
				break
			}
		}
	}
	if a.Outcome == aegis.ApprovalNeeded {
		p.Code = "approval_required"
	}
	return headers, p.text()
}

// mild are the codes that do not deny a call by themselves.
var mild = map[aegis.Code]bool{aegis.ApprovalIf: true, aegis.CustomApproval: true, aegis.Sanitized: true}

type problem struct {
	Type     string          `json:"type"`
	Title    string          `json:"title"`
	Status   int             `json:"status"`
	Code     string          `json:"code"`
	Detail   string          `json:"detail"`
	Decision *aegis.Decision `json:"decision,omitempty"`
}

func (p *problem) text() []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(p); err != nil {
		return nil // the status and the headers say it as well
	}
	return b.Bytes()
}
