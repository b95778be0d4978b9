package envoy

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"

	proc "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
)

// result is what is known of the tool's answer.
type result struct {
	seen bool  // its headers
	text bool  // it is text, and no JSON
	bad  error // why it cannot be sanitized; nil: it may be
	skip bool  // there is nothing to sanitize
}

// digests are headers of an answer that would contradict a changed body.
var digests = []string{"content-digest", "repr-digest", "digest", "content-md5", "etag", "accept-ranges"}

// resultHead takes the headers of the answer. Where it must be sanitized, the body follows.
func (x *exchange) resultHead(h *proc.HttpHeaders) *proc.ProcessingResponse {
	out := &proc.ProcessingResponse{Response: &proc.ProcessingResponse_ResponseHeaders{ResponseHeaders: &proc.HeadersResponse{}}}
	x.result.seen = true
	if x.answer == nil {
		return out // Envoy itself answers a request that nobody has decided: it went nowhere
	}
	fields := appendFields(nil, h.GetHeaders())
	text, err := value(fields, ":status")
	status, _ := strconv.Atoi(text)
	x.settle(status)
	common := &proc.CommonResponse{HeaderMutation: &proc.HeaderMutation{SetHeaders: tell(x.answer, true)}}
	out.GetResponseHeaders().Response = common
	if x.answer.Results == nil || h.GetEndOfStream() {
		x.result.skip = true
		return out
	}
	if err == nil {
		err = x.result.read(func(name string) (string, error) { return value(fields, name) }, status)
	}
	if x.result.bad = err; err != nil {
		return x.withheld(err)
	}
	common.HeaderMutation.RemoveHeaders = digests
	return out
}

// read judges by its headers whether an answer can be searched.
func (r *result) read(get func(string) (string, error), status int) error {
	encoding, err := get("content-encoding")
	if err != nil {
		return err
	}
	if encoding != "" && !strings.EqualFold(encoding, "identity") {
		return fmt.Errorf("its content-encoding is %.40q", encoding)
	}
	if status == http.StatusPartialContent {
		return errors.New("it is a part of a larger one")
	}
	kind, err := get("content-type")
	if err != nil {
		return err
	}
	media, params, err := mime.ParseMediaType(kind)
	if err != nil {
		return fmt.Errorf("its content-type is %.60q", kind)
	}
	if cs, ok := params["charset"]; ok && !strings.EqualFold(cs, "utf-8") && !strings.EqualFold(cs, "us-ascii") {
		return fmt.Errorf("its charset is %.40q", cs)
	}
	switch {
	case media == "application/json" || strings.HasSuffix(media, "+json"):
	case media == "text/plain" || media == "text/csv" || media == "text/markdown":
		r.text = true
	default:
		return fmt.Errorf("its content-type is %.60q, in which text can be written in ways that are not searched", kind)
	}
	return nil
}

// resultBody sanitizes the body of the answer.
func (x *exchange) resultBody(b *proc.HttpBody) *proc.ProcessingResponse {
	common := &proc.CommonResponse{}
	out := &proc.ProcessingResponse{Response: &proc.ProcessingResponse_ResponseBody{ResponseBody: &proc.BodyResponse{Response: common}}}
	switch {
	case x.answer == nil, x.answer.Results == nil, x.result.skip, len(b.GetBody()) == 0:
		return out
	case !x.result.seen:
		return x.withheld(errors.New("its headers were not sent"))
	}
	text, err := x.redact(b.GetBody())
	if err != nil {
		return x.withheld(err)
	}
	common.BodyMutation = &proc.BodyMutation{Mutation: &proc.BodyMutation_Body{Body: text}}
	common.HeaderMutation = &proc.HeaderMutation{}
	common.HeaderMutation.SetHeaders = append(common.HeaderMutation.SetHeaders, header("content-length", strconv.Itoa(len(text)), true))
	return out
}

func (x *exchange) redact(body []byte) ([]byte, error) {
	if len(body) > x.door.opt.MaxBody {
		return nil, errors.New("it is larger than this door reads")
	}
	if x.result.text {
		return x.answer.Results.Text(body)
	}
	return x.answer.Results.JSON(body, x.door.opt.MaxBody)
}
