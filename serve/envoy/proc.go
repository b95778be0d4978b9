package envoy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	filter "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	proc "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
	"github.com/aegisctl/aegis/route"
	"github.com/aegisctl/aegis/serve"
)

// Process answers Envoy's ext_proc filter, in one stream for each request.
func (d *Door) Process(stream grpc.BidiStreamingServer[proc.ProcessingRequest, proc.ProcessingResponse]) error {
	x := &exchange{door: d}
	for {
		in, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF) && x.answer == nil:
			return status.Error(codes.Aborted, "the stream ended before the decision")
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		out, err := x.next(stream.Context(), in)
		if err != nil {
			return err
		}
		if err := stream.Send(out); err != nil {
			return err
		}
		if out.GetImmediateResponse() != nil {
			return nil
		}
	}
}

// exchange is one request and the tool's answer to it.
type exchange struct {
	door     *Door
	asked    *asked // until the decision
	buffered bool   // Envoy sends the whole body of the request
	answer   *serve.Answer
	result   result
}

// errOrder is what Envoy hears of a message that is out of place.
var errOrder = status.Error(codes.FailedPrecondition, "the message is out of place: request headers must be sent first, once, and then the whole body")

// next answers one message.
func (x *exchange) next(ctx context.Context, in *proc.ProcessingRequest) (*proc.ProcessingResponse, error) {
	if in.GetObservabilityMode() {
		return nil, status.Error(codes.FailedPrecondition, "in observability mode Envoy does not wait for the decision")
	}
	switch m := in.Request.(type) {
	case *proc.ProcessingRequest_RequestHeaders:
		return x.head(ctx, in, m.RequestHeaders)
	case *proc.ProcessingRequest_RequestBody:
		return x.body(ctx, m.RequestBody)
	case *proc.ProcessingRequest_RequestTrailers:
		if x.answer != nil {
			return &proc.ProcessingResponse{Response: &proc.ProcessingResponse_RequestTrailers{RequestTrailers: &proc.TrailersResponse{}}}, nil
		}
	case *proc.ProcessingRequest_ResponseHeaders:
		return x.resultHead(m.ResponseHeaders), nil
	case *proc.ProcessingRequest_ResponseBody:
		return x.resultBody(m.ResponseBody), nil
	case *proc.ProcessingRequest_ResponseTrailers:
		return &proc.ProcessingResponse{Response: &proc.ProcessingResponse_ResponseTrailers{ResponseTrailers: &proc.TrailersResponse{}}}, nil
	}
	return nil, errOrder
}

// head takes the headers of the request. One without a body is decided at once.
func (x *exchange) head(ctx context.Context, in *proc.ProcessingRequest, h *proc.HttpHeaders) (*proc.ProcessingResponse, error) {
	if x.asked != nil || x.answer != nil {
		return nil, errOrder
	}
	a := &asked{principal: principalOf(in)}
	a.req.Door, a.req.Header = policy.ExtProc, appendFields(nil, h.GetHeaders())
	for name, to := range map[string]*string{":method": &a.req.Method, ":scheme": &a.req.Scheme, ":authority": &a.req.Host, ":path": &a.req.Path} {
		v, _, err := only(a.req.Header, name)
		if err != nil {
			return nil, status.Error(codes.InvalidArgument, err.Error())
		}
		*to = v
	}
	a.said = readSaid(ctx, nil)
	modes := in.GetProtocolConfig()
	x.buffered = modes.GetRequestBodyMode() == filter.ProcessingMode_BUFFERED
	a.results = modes.GetResponseBodyMode() == filter.ProcessingMode_BUFFERED
	x.asked = a
	if !h.GetEndOfStream() && x.buffered {
		return &proc.ProcessingResponse{Response: &proc.ProcessingResponse_RequestHeaders{RequestHeaders: &proc.HeadersResponse{
			Response: &proc.CommonResponse{}}}}, nil
	}
	common, refused, err := x.decide(ctx, nil, h.GetEndOfStream())
	if common == nil {
		return refused, err
	}
	return &proc.ProcessingResponse{Response: &proc.ProcessingResponse_RequestHeaders{RequestHeaders: &proc.HeadersResponse{Response: common}}}, nil
}

// body takes the body of the request, and decides.
func (x *exchange) body(ctx context.Context, b *proc.HttpBody) (*proc.ProcessingResponse, error) {
	if x.asked == nil {
		return nil, errOrder
	}
	common, refused, err := x.decide(ctx, b.GetBody(), b.GetEndOfStream())
	if common == nil {
		return refused, err
	}
	return &proc.ProcessingResponse{Response: &proc.ProcessingResponse_RequestBody{RequestBody: &proc.BodyResponse{Response: common}}}, nil
}

// decide answers the request: with what is to be changed of it, or else with a refusal.
func (x *exchange) decide(ctx context.Context, body []byte, whole bool) (*proc.CommonResponse, *proc.ProcessingResponse, error) {
	if !x.door.opt.Slots.Take() {
		return nil, nil, errBusy
	}
	defer x.door.opt.Slots.Give()
	a := x.asked
	x.asked = nil
	a.req.Body, a.req.BodyComplete = body, whole
	x.answer = x.door.judge(ctx, a)
	if !x.answer.Passes {
		headers, text := refusal(x.answer, a.status, true)
		return nil, immediate(a.status, headers, text, x.answer.Decision.Decision), nil
	}
	m := &proc.HeaderMutation{RemoveHeaders: a.strip(x.answer.Effect)}
	if x.answer.Effect == aegis.Write {
		m.SetHeaders = append(m.SetHeaders, header(maxRetries, "0", true))
	}
	if x.answer.Results != nil {
		// What is compressed, or a part, cannot be searched.
		m.SetHeaders = append(m.SetHeaders, header("accept-encoding", "identity", true))
		m.RemoveHeaders = append(m.RemoveHeaders, "range", "if-range")
	}
	common := &proc.CommonResponse{HeaderMutation: m}
	if a.body != nil {
		common.BodyMutation = &proc.BodyMutation{Mutation: &proc.BodyMutation_Body{Body: a.body}}
		m.SetHeaders = append(m.SetHeaders, header("content-length", strconv.Itoa(len(a.body)), true))
	}
	return common, nil, nil
}

// immediate ends the exchange with an answer of ours.
func immediate(code int, headers []*core.HeaderValueOption, body []byte, details string) *proc.ProcessingResponse {
	return &proc.ProcessingResponse{Response: &proc.ProcessingResponse_ImmediateResponse{ImmediateResponse: &proc.ImmediateResponse{
		Status: &typev3.HttpStatus{Code: typev3.StatusCode(code)}, Headers: &proc.HeaderMutation{SetHeaders: headers}, Body: body,
		Details: "aegis_" + details}}}
}

// The attributes in which Envoy sends the names of a client certificate that it verified, in the order in which ext_authz
// takes one of them for the principal.
var peerNames = [...]string{"connection.uri_san_peer_certificate", "connection.dns_san_peer_certificate", "connection.subject_peer_certificate"}

func principalOf(in *proc.ProcessingRequest) string {
	fields := in.GetAttributes()["envoy.filters.http.ext_proc"].GetFields()
	for _, name := range peerNames {
		if v := fields[name].GetStringValue(); v != "" {
			return v
		}
	}
	return ""
}

// withheld answers instead of the tool, whose answer the client must not see. The call was made, so that the status asks
// nobody to repeat it.
func (x *exchange) withheld(why error) *proc.ProcessingResponse {
	const code = http.StatusForbidden
	p := problem{"about:blank", http.StatusText(code), code, aegis.CannotSanitizeHere.String(),
		fmt.Sprintf("the call was made, and its result is withheld because it cannot be sanitized: %v", why), nil}
	headers := append(tell(x.answer, true), header("content-type", "application/problem+json", true), header("cache-control", "no-store", true))
	x.door.opt.Log.Warn("a result was withheld", "decision", x.answer.ID, "error", why)
	return immediate(code, headers, p.text(), "withheld")
}

// settle reports the outcome: a call that the tool refused (4xx) failed. One that it answered with an error of its own (5xx)
// may have had its effect, and counts as done.
func (x *exchange) settle(status int) {
	failed := 400 <= status && status < 500
	if err := x.door.service.Outcome(x.answer.ID, "", failed, nil); err != nil && !errors.Is(err, serve.ErrUnknownDecision) {
		x.door.opt.Log.Error("an outcome could not be recorded", "decision", x.answer.ID, "error", err)
	}
}

// value returns the one value of a header, "" where it is missing.
func value(fields []route.Field, name string) (string, error) {
	v, _, err := only(fields, name)
	return v, err
}
