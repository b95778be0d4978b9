package envoy

import (
	"context"
	"errors"
	"strings"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
	"github.com/aegisctl/aegis/route"
)

// errBusy is what Envoy hears where too many decisions are under way; its failure mode says what becomes of the request.
var errBusy = status.Error(codes.ResourceExhausted, "too many calls are under way; this one was not looked at")

// Check answers Envoy's ext_authz filter.
func (d *Door) Check(ctx context.Context, in *auth.CheckRequest) (*auth.CheckResponse, error) {
	if !d.opt.Slots.Take() {
		return nil, errBusy
	}
	defer d.opt.Slots.Give()
	a := d.asked.Get().(*asked)
	defer d.asked.Put(a)
	a.check(ctx, in)
	answer := d.judge(ctx, a)
	if !answer.Passes {
		headers, body := refusal(answer, a.status, false)
		denied := &auth.DeniedHttpResponse{Status: &typev3.HttpStatus{Code: typev3.StatusCode(a.status)}, Headers: headers, Body: string(body)}
		return &auth.CheckResponse{Status: &rpc.Status{Code: int32(codes.PermissionDenied)},
			HttpResponse: &auth.CheckResponse_DeniedResponse{DeniedResponse: denied}}, nil
	}
	ok := &auth.OkHttpResponse{HeadersToRemove: a.strip(answer.Effect), ResponseHeadersToAdd: tell(answer, false)}
	if answer.Effect == aegis.Write {
		ok.Headers = []*core.HeaderValueOption{header(maxRetries, "0", false)}
	}
	return &auth.CheckResponse{Status: &rpc.Status{}, HttpResponse: &auth.CheckResponse_OkResponse{OkResponse: ok}}, nil
}

const partialBody = "x-envoy-auth-partial-body"

// check takes over what Envoy says of the request.
func (a *asked) check(ctx context.Context, in *auth.CheckRequest) {
	attrs := in.GetAttributes()
	h := attrs.GetRequest().GetHttp()
	fields := a.req.Header[:0]
	a.req = route.Request{Method: h.GetMethod(), Scheme: h.GetScheme(), Host: h.GetHost(), Path: h.GetPath(), Door: policy.ExtAuthz}
	a.principal, a.results = attrs.GetSource().GetPrincipal(), false
	a.said, a.unclear = readSaid(ctx, attrs.GetContextExtensions()), nil
	a.joined = h.GetHeaderMap() == nil
	fields = appendFields(fields, h.GetHeaderMap())
	for name, value := range h.GetHeaders() {
		fields = append(fields, route.Field{Name: name, Value: value})
	}
	a.req.Header, a.req.Body = fields, h.GetRawBody()
	if text := h.GetBody(); text != "" {
		if len(a.req.Body) > 0 {
			a.unclear = errors.New("the proxy sends two bodies")
		}
		a.req.Body = []byte(text)
	}
	a.req.BodyComplete = a.whole(h.GetSize())
}

// whole reports whether the body is all of the request's. Envoy marks a body that it sends as partial or not; a client may
// write the mark as well, so that it says nothing of a body that is not there. size is of the body that Envoy has read.
func (a *asked) whole(size int64) bool {
	if size >= 0 && size != int64(len(a.req.Body)) {
		return false
	}
	mark, marked, err := only(a.req.Header, partialBody)
	if err != nil {
		return true // the routes say that it stands twice
	}
	if len(a.req.Body) > 0 {
		return marked && mark == "false"
	}
	_, chunked, _ := only(a.req.Header, "transfer-encoding")
	length, has, _ := only(a.req.Header, "content-length")
	return !chunked && (!has || strings.Trim(length, "0") == "")
}

// appendFields takes over headers as they were received.
func appendFields(dst []route.Field, m *core.HeaderMap) []route.Field {
	for _, h := range m.GetHeaders() {
		value := h.GetValue()
		if raw := h.GetRawValue(); len(raw) > 0 {
			value = string(raw)
		}
		dst = append(dst, route.Field{Name: h.GetKey(), Value: value})
	}
	return dst
}
