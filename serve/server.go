package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Server runs the listeners of a service and ends them in order: first it says that it is not ready, then it takes no new
// connections, then it waits for what is under way.
type Server struct {
	listeners []listening
	started   int        // how many of them serve
	failed    chan error // what each that serves ended with
	draining  atomic.Bool
}

// maxListeners bounds the listeners of a server.
const maxListeners = 16

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

// Start begins to serve the listeners that were added and do not serve yet.
func (s *Server) Start() {
	if s.failed == nil {
		s.failed = make(chan error, maxListeners)
	}
	for ; s.started < len(s.listeners); s.started++ {
		l := s.listeners[s.started]
		go func() {
			err := l.serve(l.l)
			if err != nil {
				err = fmt.Errorf("%s listener: %w", l.name, err)
			}
			s.failed <- err
		}()
	}
}

// Run serves until ctx is cancelled, or until a listener fails. Then it drains: for notice it still takes calls, so that
// load balancers see that it is not ready, and for at most grace it waits for those under way.
func (s *Server) Run(ctx context.Context, notice, grace time.Duration) error {
	s.Start()
	var err error
	ended := 0
	select {
	case <-ctx.Done():
		s.draining.Store(true)
		time.Sleep(notice)
	case err = <-s.failed:
		ended++
		s.draining.Store(true)
	}
	patience, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if e := s.stop(patience, grace); err == nil {
		err = e
	}
	for ; ended < len(s.listeners); ended++ {
		if e := <-s.failed; err == nil {
			err = e
		}
	}
	return err
}

// stop ends the listeners, all at once but the operators', which shows until the end that the server is not ready.
func (s *Server) stop(ctx context.Context, grace time.Duration) error {
	errs := make([]error, len(s.listeners))
	for _, last := range []bool{false, true} {
		var wait sync.WaitGroup
		for i, l := range s.listeners {
			if (l.name == Operators) != last {
				continue
			}
			wait.Go(func() {
				if l.stop(ctx) != nil {
					errs[i] = fmt.Errorf("%s listener: calls were still under way after %s", l.name, grace)
				}
			})
		}
		wait.Wait()
	}
	return errors.Join(errs...)
}

// Operators is the name of the listener that ends last.
const Operators = "admin"

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
