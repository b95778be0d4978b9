package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// server is a process that is measured.
type server struct {
	cmd   *exec.Cmd
	addr  string
	ready time.Duration // from its start to its first healthy answer
	said  *bytes.Buffer
}

// start starts a server, and waits until a URL answers 200.
func start(dir, health, addr, name string, args ...string) (*server, error) {
	s := &server{cmd: exec.Command(name, args...), addr: addr, said: new(bytes.Buffer)}
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = dir, s.said, s.said
	s.cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_STATE_HOME="+dir, "CERBOS_NO_TELEMETRY=1")
	begun := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		s.cmd.Wait()
		close(ended)
	}()
	for range 6000 {
		r, err := http.Get(health)
		if err == nil {
			r.Body.Close()
		}
		if err == nil && r.StatusCode == http.StatusOK {
			s.ready = time.Since(begun)
			return s, nil
		}
		select {
		case <-ended:
			return nil, fmt.Errorf("%s ended: %s", filepath.Base(name), s.said)
		case <-time.After(10 * time.Millisecond):
		}
	}
	s.stop()
	return nil, fmt.Errorf("%s does not get ready: %s", filepath.Base(name), s.said)
}

func (s *server) stop() {
	s.cmd.Process.Signal(os.Interrupt)
	for range 100 {
		if s.cmd.Process.Signal(nil) != nil || s.cmd.ProcessState != nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.cmd.Process.Kill()
}

// memory returns the resident memory in MiB (Linux; else 0).
func (s *server) memory() float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmRSS:" {
			kb, _ := strconv.ParseFloat(f[1], 64)
			return kb / 1024
		}
	}
	return 0
}

// free returns an address that nobody listens on.
func free() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err) // no loopback, no measurement
	}
	defer l.Close()
	return l.Addr().String()
}

// tools are the programs that are measured; an empty one is left out.
type tools struct{ aegisctl, opa, cerbos string }

// bundle compiles policies.
func (t *tools) bundle(dir string, policies map[string]string) (string, error) {
	src := filepath.Join(dir, "policies")
	if err := os.RemoveAll(src); err != nil {
		return "", err
	}
	if err := writeAll(src, policies); err != nil {
		return "", err
	}
	out := filepath.Join(dir, "b.tar.gz")
	if said, err := exec.Command(t.aegisctl, "compile", src, "-o", out).CombinedOutput(); err != nil {
		return "", fmt.Errorf("compile: %w: %s", err, said)
	}
	return out, nil
}

func writeAll(dir string, files map[string]string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// serve starts aegisctl serve. With a token it asks for one, and returns the header to send.
func (t *tools) serve(dir, bundle string, token bool, more ...string) (*server, string, error) {
	addr, admin, file := free(), free(), filepath.Join(dir, "token")
	args := append([]string{"serve", "--bundle", bundle, "--insecure-unsigned", "--listen", addr, "--admin-listen", admin}, more...)
	if token {
		args = append(args, "--token-file", file)
	} else {
		args = append(args, "--auth", "none", "--tenant", "acme")
	}
	s, err := start(dir, "http://"+admin+"/readyz", addr, t.aegisctl, args...)
	if err != nil || !token {
		return s, "", err
	}
	secret, err := os.ReadFile(file)
	if err != nil {
		s.stop()
		return nil, "", err
	}
	return s, "Authorization: Bearer " + strings.TrimSpace(string(secret)) + "\r\n", nil
}

func (t *tools) runOPA(dir, bundle string) (*server, error) {
	addr := free()
	return start(dir, "http://"+addr+"/health?bundles", addr, t.opa, "run", "--server", "--bundle", bundle, "--addr", addr,
		"--log-level", "error", "--disable-telemetry", "--skip-version-check")
}

func (t *tools) runCerbos(dir string, policies map[string]string) (*server, error) {
	addr := free()
	src := filepath.Join(dir, "cerbos")
	if err := writeAll(src, policies); err != nil {
		return nil, err
	}
	conf := fmt.Sprintf("server: {httpListenAddr: %q, grpcListenAddr: %q}\nstorage: {driver: disk, disk: {directory: %q}}\ntelemetry: {disabled: true}\n", addr, free(), src)
	file := filepath.Join(dir, "cerbos.yaml")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return nil, err
	}
	return start(dir, "http://"+addr+"/_cerbos/health", addr, t.cerbos, "server", "--config", file, "--log-level", "error")
}

// says asks a target once and checks that the answer is what its rules say.
func says(t target, want string) error {
	c, err := dial(t.addr)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	var b bytes.Buffer
	status, err := c.do(t.text, &b)
	if err != nil {
		return err
	}
	if status != 200 || !strings.Contains(b.String(), want) {
		return errors.New(t.name + " answers " + strconv.Itoa(status) + " " + b.String() + ", without " + want)
	}
	return nil
}
