package route

import (
	"strings"
	"testing"
)

func TestParseRequest(t *testing.T) {
	r, err := ParseRequest([]byte("# x\r\n\r\nPOST HTTPS://H.test:8/a?b=://c HTTP/1.1\r\nX: 1 \r\nX:2\r\n\r\nbody\r\n\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	if r.Method != "POST" || r.Scheme != "https" || r.Host != "H.test:8" || r.Path != "/a?b=://c" || string(r.Body) != "body\r\n" || !r.BodyComplete ||
		len(r.Header) != 2 || r.Header[0] != (Field{"X", "1"}) || r.Header[1] != (Field{"X", "2"}) {
		t.Errorf("%+v, body %q", r, r.Body)
	}
	r, err = ParseRequest([]byte("GET /://x\nhost: h\ncontent-length: 3\n\nab\n"))
	if err != nil || r.Scheme != "" || r.Host != "h" || r.Path != "/://x" || string(r.Body) != "ab\n" {
		t.Errorf("%+v, %v", r, err)
	}
	for text, words := range map[string]string{
		"":                                       "holds no HTTP request",
		"# only\n\n":                             "holds no HTTP request",
		"GET":                                    "no request line",
		"GET /a b c":                             "no request line",
		"GET /a FTP/1":                           "no request line",
		"GET https://h.test":                     "has no path",
		"GET /a\nhost h\n\n":                     "no header field",
		"GET /a\nTransfer-Encoding: chunked\n\n": "not in chunks",
	} {
		if r, err := ParseRequest([]byte(text)); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%q: %+v, %v, want %q", text, r, err, words)
		}
	}
}
