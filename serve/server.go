package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// Server runs the listeners of a service and ends them in order: first it says that it is not ready, then it takes no new
// connections, then it waits for what is under way.
type Server struct {
	listeners []listening
	draining  atomic.Bool
}

// listening is one server on one listener.
type listening struct {
	name  string
	l     net.Listener
	serve func(net.Listener) error
	stop  func(context.Context) error
}

// Limits of HTTP listeners: a client that is slower than that is cut off.
const (
	headerWithin = 5 * time.Second
	bodyWithin   = 30 * time.Second
	writeWithin  = 2 * time.Minute // from the end of the header, so it covers body and a call that is held
	idleWithin   = 2 * time.Minute
	maxHeader    = 64 << 10
)

// HTTP adds a listener that serves a handler.
func (s *Server) HTTP(name string, l net.Listener, h http.Handler) {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: headerWithin, ReadTimeout: bodyWithin, WriteTimeout: writeWithin, IdleTimeout: idleWithin, MaxHeaderBytes: maxHeader}
	s.Add(name, l, func(l net.Listener) error {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	}, srv.Shutdown)
}

// Add adds any other kind of server. serve returns nil when stop has ended it; stop waits for what is under way.
func (s *Server) Add(name string, l net.Listener, serve func(net.Listener) error, stop func(context.Context) error) {
	s.listeners = append(s.listeners, listening{name, l, serve, stop})
}

// Draining reports whether the server is about to end.
func (s *Server) Draining() bool { return s.draining.Load() }

// Run serves until ctx is cancelled, or until a listener fails. Then it drains: for notice it still takes calls, so that
// load balancers see that it is not ready, and for at most grace it waits for those under way.
func (s *Server) Run(ctx context.Context, notice, grace time.Duration) error {
	failed := make(chan error, len(s.listeners))
	for _, l := range s.listeners {
		go func() {
			if err := l.serve(l.l); err != nil {
				failed <- fmt.Errorf("%s listener: %w", l.name, err)
				return
			}
			failed <- nil
		}()
	}
	var err error
	ended := 0
	select {
	case <-ctx.Done():
		s.draining.Store(true)
		time.Sleep(notice)
	case err = <-failed:
		ended++
		s.draining.Store(true)
	}
	patience, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	for _, l := range s.listeners {
		if e := l.stop(patience); e != nil && err == nil {
			err = fmt.Errorf("%s listener: calls were still under way after %s", l.name, grace)
		}
	}
	for ; ended < len(s.listeners); ended++ {
		if e := <-failed; err == nil {
			err = e
		}
	}
	return err
}

// Listen opens a listener: host:port, or unix:/path for a socket that only this user may use.
func Listen(addr string) (net.Listener, error) {
	path, unix := strings.CutPrefix(addr, "unix:")
	if !unix {
		return net.Listen("tcp", addr)
	}
	if err := removeSocket(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// removeSocket removes what an earlier server left behind, and nothing that is no socket or that somebody still serves.
func removeSocket(path string) error {
	st, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if st.Mode()&os.ModeSocket == 0 {
		return fmt.Errorf("%s is there and is no socket", path)
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		c.Close()
		return fmt.Errorf("%s: another server listens there", path)
	}
	return os.Remove(path)
}

// Local reports whether only this machine can reach a listener.
func Local(l net.Listener) bool {
	switch a := l.Addr().(type) {
	case *net.UnixAddr:
		return true
	case *net.TCPAddr:
		return a.IP.IsLoopback()
	}
	return false
}
