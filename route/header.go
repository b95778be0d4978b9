package route

import (
	"strconv"
	"strings"

	"github.com/aegisctl/aegis/policy"
)

// maxFields bounds the header fields of one request; proxies stop at far fewer.
const maxFields = 1000

// head is what the header says of how the rest is to be read.
type head struct {
	mediaType string // of the body, in lower case; "" where none is stated
	mcpMethod string
	mcpName   string
	hasMethod bool
	hasName   bool
	digest    string // the header that fixes the body's bytes; "" where none does
}

// read checks all fields: what contradicts the request, or says that more follows, is refused.
func (h *head) read(req *Request) error {
	*h = head{}
	if len(req.Header) > maxFields {
		return denied("the request has more than %d header fields", maxFields)
	}
	var seen uint32
	for i := range req.Header {
		f := &req.Header[i]
		if err := checkField(f); err != nil {
			return err
		}
		k, known := watched[lower(f.Name)]
		if !known {
			continue
		}
		if seen&(1<<k) != 0 && k != digestField && k != hostField {
			return denied("the header %s stands twice", lower(f.Name))
		}
		seen |= 1 << k
		if err := h.field(req, k, f); err != nil {
			return err
		}
	}
	if seen&(1<<contentLength) != 0 && seen&(1<<transferEncoding) != 0 {
		return denied("the request has both content-length and transfer-encoding")
	}
	return nil
}

// The fields that are looked at.
const (
	contentType = iota
	contentEncoding
	contentLength
	transferEncoding
	hostField
	methodOverride
	pathOverride
	upgrade
	partialBody
	mcpMethod
	mcpName
	digestField
)

var watched = map[string]uint8{"content-type": contentType, "content-encoding": contentEncoding, "content-length": contentLength,
	"transfer-encoding": transferEncoding, "host": hostField, ":authority": hostField, "upgrade": upgrade,
	"x-http-method-override": methodOverride, "x-http-method": methodOverride, "x-method-override": methodOverride,
	"x-original-url": pathOverride, "x-rewrite-url": pathOverride, "x-envoy-auth-partial-body": partialBody,
	"mcp-method": mcpMethod, "mcp-name": mcpName, "content-digest": digestField, "repr-digest": digestField, "digest": digestField,
	"content-md5": digestField, "signature": digestField, "x-amz-content-sha256": digestField}

func (h *head) field(req *Request, k uint8, f *Field) error {
	v := strings.Trim(f.Value, " \t")
	switch k {
	case contentType:
		var ok bool
		if h.mediaType, ok = mediaType(v); !ok {
			return denied("the content-type %.80q is no media type with text in UTF-8", v)
		}
	case contentEncoding:
		if !strings.EqualFold(v, "identity") {
			return denied("the content-encoding is %.40q: only identity can be judged", v)
		}
	case contentLength:
		if n, err := strconv.ParseUint(v, 10, 62); err != nil || v[0] == '+' || n != uint64(len(req.Body)) {
			return denied("the content-length is %.40q, and the body that was seen has %d bytes", v, len(req.Body))
		}
	case transferEncoding:
		if !strings.EqualFold(v, "chunked") {
			return denied("the transfer-encoding is %.40q: only chunked can be judged", v)
		}
	case hostField:
		if v != req.Host {
			return denied("the header %s is %.80q, and the request goes to %.80q", lower(f.Name), v, req.Host)
		}
	case methodOverride, pathOverride:
		return denied("the header %s asks the server to take the request for another one", lower(f.Name))
	case upgrade:
		return denied("the request asks to upgrade its connection, on which nothing could be judged")
	case partialBody:
		if v != "false" {
			return denied("the proxy passed on a part of the body")
		}
	case mcpMethod:
		h.mcpMethod, h.hasMethod = v, true
	case mcpName:
		h.mcpName, h.hasName = v, true
	case digestField:
		h.digest = lower(f.Name)
	}
	return nil
}

// checkField refuses names that are no tokens, and values that are not UTF-8 or hold control characters.
func checkField(f *Field) error {
	name := strings.TrimPrefix(f.Name, ":") // of HTTP/2, as proxies pass them on
	for i := 0; i < len(name); i++ {
		if class[name[i]]&inToken == 0 {
			return denied("the name of a header, %.60q, is none", f.Name)
		}
	}
	if name == "" {
		return denied("a header has no name")
	}
	ascii := true
	for i := 0; i < len(f.Value); i++ {
		c := f.Value[i]
		if c < ' ' && c != '\t' || c == 0x7f {
			return denied("the header %s holds a control character", lower(f.Name))
		}
		ascii = ascii && c < 0x80
	}
	if !ascii && strings.ToValidUTF8(f.Value, "") != f.Value {
		return denied("the header %s is not valid UTF-8", lower(f.Name))
	}
	return nil
}

// lower returns the name in lower case. Most names are already.
func lower(s string) string {
	for i := 0; i < len(s); i++ {
		if 'A' <= s[i] && s[i] <= 'Z' {
			return strings.ToLower(s)
		}
	}
	return s
}

// mediaType returns the type/subtype of a content-type in lower case. A charset other than UTF-8 makes it false, and so does
// a list of types, which a proxy makes of a field that stood twice.
func mediaType(v string) (string, bool) {
	kind, params, more := strings.Cut(v, ";")
	kind = strings.TrimRight(kind, " \t")
	main, sub, ok := strings.Cut(kind, "/")
	if !ok || !token(main) || !token(sub) {
		return "", false
	}
	for more {
		var p string
		p, params, more = strings.Cut(params, ";")
		name, value, ok := strings.Cut(strings.Trim(p, " \t"), "=")
		if n := len(value); n > 2 && value[0] == '"' && value[n-1] == '"' {
			value = value[1 : n-1]
		}
		if !ok || !token(name) || !token(strings.ReplaceAll(value, "/", "")) || strings.EqualFold(name, "charset") && !strings.EqualFold(value, "utf-8") {
			return "", false
		}
	}
	return lower(kind), true
}

func token(s string) bool {
	for i := 0; i < len(s); i++ {
		if class[s[i]]&inToken == 0 {
			return false
		}
	}
	return s != ""
}

// fits checks the media type against the body of the route.
func (h *head) fits(body policy.Body) error {
	want := ""
	switch body {
	case policy.BodyJSON:
		if h.mediaType == "application/json" || strings.HasSuffix(h.mediaType, "+json") {
			return nil
		}
		want = "application/json"
	case policy.BodyMCP:
		want = "application/json"
	case policy.BodyForm:
		want = "application/x-www-form-urlencoded"
	default:
		return nil
	}
	if h.mediaType != want {
		return denied("the content-type is %.60q, and the route's bodies are %s", h.mediaType, want)
	}
	return nil
}
