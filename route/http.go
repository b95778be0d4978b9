package route

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// ParseRequest reads a request as HTTP/1.1 writes it: a request line, header fields, an empty line and the body. The
// target may be a whole URL, lines may end without a carriage return, and lines before the request that begin with # are
// comments. Without a content-length, one line end after the body is no part of it. A body in chunks is not read.
func ParseRequest(text []byte) (*Request, error) {
	r := &Request{BodyComplete: true}
	line := ""
	for line == "" || line[0] == '#' {
		if len(text) == 0 {
			return nil, errors.New("the text holds no HTTP request")
		}
		line, text = cutLine(text)
	}
	parts := strings.Split(line, " ")
	if len(parts) < 2 || len(parts) > 3 || len(parts) == 3 && !strings.HasPrefix(parts[2], "HTTP/") {
		return nil, fmt.Errorf("%.80q is no request line: write METHOD target HTTP/1.1", line)
	}
	r.Method, r.Path = parts[0], parts[1]
	if scheme, rest, ok := strings.Cut(r.Path, "://"); ok && !strings.HasPrefix(r.Path, "/") {
		slash := strings.IndexByte(rest, '/')
		if slash < 0 {
			return nil, fmt.Errorf("the target %.80q has no path", r.Path)
		}
		r.Scheme, r.Host, r.Path = strings.ToLower(scheme), rest[:slash], rest[slash:]
	}
	sized := false
	for {
		if line, text = cutLine(text); line == "" {
			break
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("%.80q is no header field: write name: value", line)
		}
		value = strings.Trim(value, " \t")
		switch strings.ToLower(name) {
		case "host":
			if r.Host == "" {
				r.Host = value
			}
		case "content-length":
			sized = true
		case "transfer-encoding":
			return nil, errors.New("the body must be written as it is, not in chunks: remove transfer-encoding")
		}
		r.Header = append(r.Header, Field{name, value})
	}
	if r.Body = text; !sized {
		r.Body = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	}
	return r, nil
}

// cutLine returns the first line without its end, and what follows.
func cutLine(text []byte) (line string, rest []byte) {
	before, after, _ := bytes.Cut(text, []byte("\n"))
	return string(bytes.TrimSuffix(before, []byte("\r"))), after
}
