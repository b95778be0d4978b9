package serve

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/aegisctl/aegis"
)

// Web guards the HTTP doors: who calls, from where, with what kind of body. Every HTTP door reads its requests through it.
type Web struct {
	Auth    Authenticator
	Hosts   []string // names under which the server may be called, beside loopback addresses; a browser tricked into calling another is refused
	MaxBody int      // bytes; 0: aegis.MaxBody
	NotJSON int      // status of requests whose content type is another; 0: 415
	Slots   *Slots   // nil: no limit on the calls under way
}

// Limit returns how many bytes a body may have.
func (web *Web) Limit() int {
	if web.MaxBody == 0 {
		return aegis.MaxBody
	}
	return web.MaxBody
}

// Authenticator establishes who calls. The error says, to the caller, why not.
type Authenticator interface {
	Authenticate(*http.Request) (Principal, error)
}

// JSON makes a handler of one that takes a JSON body.
func (web *Web) JSON(h func(http.ResponseWriter, *http.Request, Principal, []byte)) http.Handler {
	return web.Guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, err := web.Auth.Authenticate(r)
		if err != nil {
			w.Header().Set("WWW-Authenticate", `Bearer realm="aegis"`)
			Problem(w, http.StatusUnauthorized, "token_invalid", err.Error())
			return
		}
		if !isJSON(r.Header.Values("Content-Type")) {
			Problem(w, cmp.Or(web.NotJSON, http.StatusUnsupportedMediaType), "unsupported_media_type", "the body must be sent as application/json")
			return
		}
		if e := r.Header.Values("Content-Encoding"); len(e) > 1 || len(e) == 1 && e[0] != "identity" {
			Problem(w, http.StatusUnsupportedMediaType, "unsupported_encoding", "the body must not be compressed")
			return
		}
		// The slot is taken before the body is read, because bodies are memory, and after the caller is known.
		if !web.Slots.Take() {
			w.Header().Set("Retry-After", "1")
			Problem(w, http.StatusServiceUnavailable, "busy", "too many calls are under way; this one was not looked at")
			return
		}
		defer web.Slots.Give()
		body, err := web.body(r)
		switch {
		case errors.Is(err, errTooLarge):
			Problem(w, http.StatusRequestEntityTooLarge, "too_large", err.Error())
		case err != nil:
			Problem(w, http.StatusBadRequest, "body", "the body could not be read whole")
		default:
			if parent := r.Header.Get("traceparent"); parent != "" {
				// RFC 9110 lets lists be sent as several lines.
				r = r.WithContext(WithTrace(r.Context(), parent, strings.Join(r.Header.Values("tracestate"), ",")))
			}
			h(w, r, who, body)
		}
	}))
}

// isJSON reports whether a header says, once, that the body is JSON.
func isJSON(values []string) bool {
	if len(values) != 1 {
		return false
	}
	if values[0] == "application/json" {
		return true
	}
	kind, _, err := mime.ParseMediaType(values[0])
	return err == nil && kind == "application/json"
}

// Guard refuses what a web page could have made a browser send, before h sees it.
func (web *Web) Guard(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := web.admit(r); err != nil {
			Problem(w, http.StatusForbidden, "forbidden", err.Error())
			return
		}
		h.ServeHTTP(w, r)
	})
}

// Open makes a handler of one that tells everybody the same: nobody need say who he is.
func (web *Web) Open(h http.HandlerFunc) http.Handler { return web.Guard(h) }

// admit refuses requests that a web page could have made a browser send.
func (web *Web) admit(r *http.Request) error {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if !web.knows(host) {
		return errors.New("the server is not called " + quoteShort(host) + ": name it with --host")
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		u, err := url.Parse(origin)
		if err != nil || u.Host != r.Host {
			return errors.New("requests from other origins are refused")
		}
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return errors.New("requests from other sites are refused")
	}
	return nil
}

func (web *Web) knows(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
	if host == "localhost" {
		return true
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		return true
	}
	for _, h := range web.Hosts {
		if strings.EqualFold(h, host) {
			return true
		}
	}
	return false
}

var errTooLarge = errors.New("the body is larger than this door takes")

func (web *Web) body(r *http.Request) ([]byte, error) {
	most := web.Limit()
	if r.ContentLength > int64(most) {
		return nil, errTooLarge
	}
	buf := make([]byte, 0, max(512, r.ContentLength))
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if len(buf) > most {
			return nil, errTooLarge
		}
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// May reports whether a principal has a scope. One whose identity is declared, not verified, has them all: it holds the
// server's own token, or nobody asked for one.
func (p *Principal) May(scope string) bool {
	if !p.Verified {
		return true
	}
	for _, s := range p.Scopes {
		if s == scope {
			return true
		}
	}
	return false
}

// WriteJSON answers with a value as JSON.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	b, err := marshal(v)
	if err != nil {
		Problem(w, http.StatusInternalServerError, "internal", "the answer could not be written")
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(b)
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Problem answers with problem details (RFC 9457).
func Problem(w http.ResponseWriter, status int, code, detail string) {
	b, _ := json.Marshal(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Code   string `json:"code"`
		Detail string `json:"detail"`
	}{"about:blank", http.StatusText(status), status, code, detail})
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(b)
}

func quoteShort(s string) string {
	b, _ := json.Marshal(s[:min(len(s), 60)])
	return string(b)
}

// NoAuth believes everybody: for loopback and Unix sockets, where the operator said so.
type NoAuth struct{}

// Authenticate returns a principal that is what it declares.
func (NoAuth) Authenticate(*http.Request) (Principal, error) {
	return Principal{Name: "anybody"}, nil
}

// Certificate takes whoever the listener let in: it asked for a client certificate and verified it. Such a client is
// believed like one that holds the server's token, because a certificate says who connects and not for which agent.
type Certificate struct{}

// Authenticate refuses connections on which no certificate was verified.
func (Certificate) Authenticate(r *http.Request) (Principal, error) {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return Principal{}, errors.New("the connection shows no client certificate")
	}
	return Principal{Name: "certificate " + r.TLS.VerifiedChains[0][0].Subject.String()}, nil
}

// Secret asks for one bearer token, which whoever may read a file of this machine has.
type Secret struct{ sum [32]byte }

// NewSecret makes an authenticator of a token.
func NewSecret(token string) Secret { return Secret{sha256.Sum256([]byte(token))} }

// Authenticate compares in a time that does not depend on the token.
func (s Secret) Authenticate(r *http.Request) (Principal, error) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return Principal{}, errors.New("send the server's token: Authorization: Bearer TOKEN")
	}
	token, ok := strings.CutPrefix(values[0], "Bearer ")
	sum := sha256.Sum256([]byte(token))
	if !ok || subtle.ConstantTimeCompare(sum[:], s.sum[:]) != 1 {
		return Principal{}, errors.New("the token is not this server's")
	}
	return Principal{Name: "the server's token"}, nil
}
