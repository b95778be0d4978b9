package telemetry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// sink is where lines and messages go. It is used by one goroutine.
type sink interface {
	write(ctx context.Context, p []byte) error
	fresh() bool // nothing was ever written there
	close() error
}

// openSink opens a place.
func openSink(place string, opt OutputOptions) (sink, error) {
	scheme, rest, network := strings.Cut(place, "://")
	switch {
	case place == "-":
		if opt.Stdout == nil {
			return nil, errors.New("events: there is no standard output")
		}
		return stream{opt.Stdout}, nil
	case !network:
		f, err := os.OpenFile(place, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, fmt.Errorf("events: %w", err)
		}
		return file{f}, nil
	}
	u, err := url.Parse(place)
	if err != nil || u.Hostname() == "" || u.Port() == "" || u.Host != rest {
		return nil, fmt.Errorf("events: %s://host:port is what names a server, not %q", scheme, place)
	}
	r := &remoteSink{scheme: scheme, addr: u.Host}
	switch scheme {
	case "udp", "tcp":
	case "tls":
		r.tls = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: u.Hostname()}
		if opt.CA != nil {
			r.tls.RootCAs = x509.NewCertPool()
			if !r.tls.RootCAs.AppendCertsFromPEM(opt.CA) {
				return nil, errors.New("events: the file of authorities holds no certificate in PEM")
			}
		}
	default:
		return nil, fmt.Errorf("events: %q: use udp, tcp or tls", scheme)
	}
	return r, nil
}

// stream is standard output.
type stream struct {
	w interface{ Write([]byte) (int, error) }
}

func (s stream) write(_ context.Context, p []byte) error { _, err := s.w.Write(p); return err }
func (stream) fresh() bool                               { return true }
func (stream) close() error                              { return nil }

// file is appended to, line by line: several processes may share it.
type file struct{ *os.File }

func (f file) write(_ context.Context, p []byte) error { _, err := f.Write(p); return err }
func (f file) close() error                            { return f.Close() }
func (f file) fresh() bool {
	st, err := f.Stat()
	return err == nil && st.Size() == 0
}

// remoteSink is a syslog server. Over TCP and TLS messages are framed by counting (RFC 6587, RFC 5425); a datagram is one
// message (RFC 5426).
type remoteSink struct {
	scheme, addr string
	tls          *tls.Config
	conn         net.Conn
	retry        time.Time // not before: a server that is away is not dialled for every event
}

// Bounds of a syslog server that is slow or away.
const (
	dialWithin  = 3 * time.Second
	writeWithin = 5 * time.Second
	retryAfter  = 2 * time.Second
)

var errAway = errors.New("the server is away; it is tried again shortly")

func (r *remoteSink) write(ctx context.Context, p []byte) error {
	if r.conn == nil {
		if time.Now().Before(r.retry) {
			return errAway
		}
		if err := r.dial(ctx); err != nil {
			r.retry = time.Now().Add(retryAfter)
			return err
		}
	}
	if r.scheme != "udp" {
		p = append([]byte(strconv.Itoa(len(p))+" "), p...)
	}
	r.conn.SetWriteDeadline(time.Now().Add(writeWithin))
	if _, err := r.conn.Write(p); err != nil {
		r.conn.Close()
		r.conn = nil
		return err
	}
	return nil
}

func (r *remoteSink) dial(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, dialWithin)
	defer cancel()
	var err error
	if r.tls != nil {
		r.conn, err = (&tls.Dialer{Config: r.tls}).DialContext(ctx, "tcp", r.addr)
	} else {
		r.conn, err = (&net.Dialer{}).DialContext(ctx, r.scheme, r.addr)
	}
	if err != nil {
		r.conn = nil // an interface that holds a nil pointer is not nil
	}
	return err
}

func (r *remoteSink) fresh() bool { return false }

func (r *remoteSink) close() error {
	if r.conn == nil {
		return nil
	}
	return r.conn.Close()
}

// procid is the process in syslog messages.
var procid = strconv.Itoa(os.Getpid())

// hostname returns the name of this machine as syslog has it: printable ASCII without spaces, or "-".
func hostname() string {
	h, err := os.Hostname()
	if err != nil || h == "" || len(h) > 255 {
		return "-"
	}
	for _, c := range []byte(h) {
		if c <= ' ' || c > '~' {
			return "-"
		}
	}
	return h
}
