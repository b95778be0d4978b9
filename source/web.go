package source

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aegisctl/aegis/bundle"
)

// Bounds of fetching.
const (
	fetchWithin  = 45 * time.Second
	maxRedirects = 5
	maxToken     = 16 << 10 // bytes of a file with a token
)

// newClient makes a client that follows few redirects, never from https to http, and takes no token along to another host.
func newClient(o *Options) *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.CA}
	t.DisableCompression = true // a bundle is verified as it is, and is compressed already
	t.MaxResponseHeaderBytes = 64 << 10
	t.ResponseHeaderTimeout = fetchWithin
	return &http.Client{Transport: t, Timeout: fetchWithin, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		first := via[0].URL
		switch {
		case len(via) > maxRedirects:
			return fmt.Errorf("more than %d redirects", maxRedirects)
		case first.Scheme == "https" && r.URL.Scheme != "https":
			return errors.New("it redirects from https to " + r.URL.Scheme)
		case r.URL.Host != first.Host:
			r.Header.Del("Authorization")
		}
		return nil
	}}
}

// loopback reports whether an address names this machine, where nobody stands between.
func loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// web is a bundle behind HTTP(S).
type web struct {
	url    *url.URL
	client *http.Client
	token  string // file; "": none
}

func newWeb(u *url.URL, o *Options) (place, error) {
	w := &web{url: u, client: newClient(o), token: o.Tokens[u.Host]}
	if u.Scheme == "http" && !loopback(u.Host) {
		switch {
		case w.token != "":
			return nil, fmt.Errorf("%s: a token is not sent over plain http", withoutQuery(u))
		case o.Unsigned:
			return nil, fmt.Errorf("%s: what comes over plain http must be signed", withoutQuery(u))
		}
	}
	return w, nil
}

func (w *web) name() string { return withoutQuery(w.url) }

func (w *web) fetch(ctx context.Context, tag string) ([]item, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url.String(), nil)
	if err != nil {
		return nil, "", errors.New("the address of the bundle makes no request")
	}
	if tag != "" {
		req.Header.Set("If-None-Match", tag)
	}
	if w.token != "" {
		token, err := readToken(w.token)
		if err != nil {
			return nil, "", err
		}
		if user, password, basic := strings.Cut(token, ":"); basic {
			req.SetBasicAuth(user, password)
		} else {
			req.Header.Set("Authorization", "Bearer "+token)
		}
	}
	res, err := w.client.Do(req)
	if err != nil {
		return nil, "", hideURL(err)
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusNotModified && tag != "":
		return nil, "", errUnchanged
	case res.StatusCode != http.StatusOK:
		return nil, "", fmt.Errorf("it answered %d %s", res.StatusCode, http.StatusText(res.StatusCode))
	case res.Header.Get("Content-Encoding") != "":
		return nil, "", errors.New("it sends the bundle in a content encoding that nobody asked for")
	case res.ContentLength > bundle.MaxPacked:
		return nil, "", fmt.Errorf("it sends %d bytes, and a bundle has at most %d", res.ContentLength, bundle.MaxPacked)
	}
	archive, err := io.ReadAll(io.LimitReader(res.Body, bundle.MaxPacked+1))
	if err != nil {
		return nil, "", fmt.Errorf("the bundle could not be read whole: %w", err)
	}
	if len(archive) > bundle.MaxPacked {
		return nil, "", fmt.Errorf("it sends more than %d bytes", bundle.MaxPacked)
	}
	c := packed(archive, nil)
	return []item{{w.name(), func() (*payload, error) { return c, nil }}}, res.Header.Get("ETag"), nil
}

// hideURL takes the address out of an error, because its query may be a signature.
func hideURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// readToken reads a file with a token. It is read each time, because tokens are replaced.
func readToken(path string) (string, error) {
	text, err := readWithin(path, maxToken)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(text))
	if token == "" || len(text) > maxToken || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("%s holds no token: one line of printable ASCII without space", path)
	}
	if st, err := os.Stat(path); err == nil && st.Mode().Perm()&0o007 != 0 {
		return "", fmt.Errorf("%s can be read by everybody: chmod o-rwx it", path)
	}
	return token, nil
}
