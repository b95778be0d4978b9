package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aegisctl/aegis/serve"
)

// running is a server process.
type running struct {
	t           *testing.T
	cmd         *exec.Cmd
	data, admin string // URLs, or unix:/path
	curl        string // the command that it printed
	token       string
	state       string
	mu          sync.Mutex
	said        strings.Builder // on stderr
	ended       chan error
}

// aegisctlBinary makes this test binary stand in for aegisctl, as it does in the scripts.
func aegisctlBinary(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "aegisctl")
	if err := os.Symlink(self, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// aegisctl runs a command to its end.
func aegisctl(t *testing.T, bin string, args ...string) {
	t.Helper()
	cmd := exec.Command(bin, args...)
	cmd.Env = append(os.Environ(), "COSIGN_PASSWORD=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
}

// startServe starts a server and waits until it says how to call it.
func startServe(t *testing.T, bin string, args ...string) *running {
	t.Helper()
	s := &running{t: t, state: t.TempDir(), ended: make(chan error, 1)}
	s.cmd = exec.Command(bin, append([]string{"serve", "--state", s.state, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--reload-every", "0"}, args...)...)
	pipe, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.cmd.Process.Kill() })
	ready := make(chan struct{})
	go func() {
		lines := bufio.NewScanner(pipe)
		for lines.Scan() {
			s.hear(lines.Text(), ready)
		}
		s.ended <- s.cmd.Wait()
	}()
	select {
	case <-ready:
	case err := <-s.ended:
		t.Fatalf("the server ended: %v\n%s", err, s.stderr())
	}
	if text, err := os.ReadFile(filepath.Join(s.state, "token")); err == nil {
		s.token = strings.TrimSpace(string(text))
	}
	return s
}

func (s *running) hear(line string, ready chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said.WriteString(line + "\n")
	fields := strings.Fields(line)
	switch {
	case strings.HasPrefix(line, "  calls"):
		s.data = strings.TrimSuffix(fields[1], ",")
	case strings.HasPrefix(line, "  operators"):
		s.admin = fields[1]
	case strings.HasPrefix(line, "  curl"):
		s.curl = strings.TrimSpace(line)
		close(ready)
	}
}

func (s *running) stderr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said.String()
}

func (s *running) signal(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// get asks the operators' door; 0 is no answer.
func (s *running) get(path string) (int, string) {
	res, err := http.Get(s.admin + path)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(body)
}

// until waits for a condition, and gives up after a minute.
func until(t *testing.T, what func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !what(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("what was waited for did not come")
		}
	}
}

// ask sends a call and returns the policy version that decided it.
func (s *running) ask(c *http.Client) (string, error) {
	req, err := http.NewRequest(http.MethodPost, s.data+"/v1/decide", strings.NewReader(`{"tenant":"acme","agent":"a","tool":"pay","args":{"amount":1}}`))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+s.token)
	res, err := c.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var d struct {
		Decision      string
		PolicyVersion string `json:"policy_version"`
	}
	if err := json.NewDecoder(res.Body).Decode(&d); err != nil || res.StatusCode != 200 || d.Decision != "allow" {
		return "", fmt.Errorf("%d %+v %v", res.StatusCode, d, err)
	}
	return d.PolicyVersion, nil
}

// bundles makes a key and signed bundles of rising serials; each holds another policy.
func bundles(t *testing.T, bin string, n int) (key string, paths []string) {
	t.Helper()
	dir := t.TempDir()
	key = filepath.Join(dir, "k")
	aegisctl(t, bin, "keygen", "-o", key)
	for i := range n {
		p, b := filepath.Join(dir, fmt.Sprint(i, ".yaml")), filepath.Join(dir, fmt.Sprint(i, ".tar.gz"))
		if err := os.WriteFile(p, fmt.Appendf(nil, "tenant: acme\nagent: a\nallowed_tools: [{name: pay, conditions: {max_amount: %d}}]\n", 10+i), 0o600); err != nil {
			t.Fatal(err)
		}
		aegisctl(t, bin, "compile", p, "-o", b, "--serial", fmt.Sprint(i+1))
		aegisctl(t, bin, "sign", b, "--key", key+".key")
		paths = append(paths, b)
	}
	return key + ".pub", paths
}

// put replaces a file at once.
func put(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := writeFile(to, data); err != nil {
		t.Fatal(err)
	}
}

// TestServeReload: a process under load takes new bundles one after the other, and bad ones between them, and fails no call.
func TestServeReload(t *testing.T) {
	bin := aegisctlBinary(t)
	key, paths := bundles(t, bin, 12)
	live := filepath.Join(t.TempDir(), "live.tar.gz")
	put(t, paths[0], live)
	s := startServe(t, bin, "--bundle", live, "--key", key)
	var stop atomic.Bool
	var calls atomic.Int64
	var seen sync.Map
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			c := &http.Client{Transport: &http.Transport{}}
			for i := 0; !stop.Load(); i++ {
				version, err := s.ask(c)
				if err != nil {
					t.Error(err)
					return
				}
				seen.Store(version, true)
				calls.Add(1)
				if i%50 == 0 {
					c.CloseIdleConnections() // new connections meet reloads, too
				}
			}
		})
	}
	serial := func() (n int64, code string) {
		var st struct {
			InForce []struct{ Serial int64 } `json:"in_force"`
			Sources []struct{ Code string }
		}
		_, body := s.get("/v1/status")
		if json.Unmarshal([]byte(body), &st) != nil || len(st.InForce) == 0 {
			return 0, ""
		}
		return st.InForce[0].Serial, st.Sources[0].Code
	}
	for i := 1; i < len(paths); i++ {
		put(t, paths[i], live)
		s.signal(syscall.SIGHUP)
		until(t, func() bool { n, _ := serial(); return n == int64(i+1) || t.Failed() })
		put(t, paths[i-1], live) // a rollback
		s.signal(syscall.SIGHUP)
		until(t, func() bool { _, code := serial(); return code == "rolled_back" || t.Failed() })
		until(t, func() bool { return calls.Load() > int64(i)*300 || t.Failed() })
	}
	stop.Store(true)
	wait.Wait()
	versions := 0
	seen.Range(func(any, any) bool { versions++; return true })
	if versions != len(paths) || calls.Load() < 3000 {
		t.Errorf("%d versions in %d calls, want %d", versions, calls.Load(), len(paths))
	}
	s.signal(syscall.SIGTERM)
	if err := <-s.ended; err != nil {
		t.Errorf("%v\n%s", err, s.stderr())
	}
	if !strings.Contains(s.stderr(), "code=rolled_back") || strings.Contains(s.stderr(), s.token) {
		t.Errorf("the log:\n%s", s.stderr())
	}
}

// hold begins a call and does not end it.
func (s *running) hold() net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(s.data, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	body := `{"tenant":"acme","agent":"a","tool":"pay","args":{"amount":1}}`
	fmt.Fprintf(c, "POST /v1/decide HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", s.token, len(body))
	// The server asks for the body when the handler reads it: the call is under way.
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || !strings.Contains(line, "100") {
		s.t.Fatal(line, err)
	}
	fmt.Fprint(c, body[:10])
	return c
}

// TestServeDrain: first the server says that it is not ready, then it takes no connection, then it answers what is under way,
// and ends well. A second signal ends it at once.
func TestServeDrain(t *testing.T) {
	bin := aegisctlBinary(t)
	key, paths := bundles(t, bin, 1)
	s := startServe(t, bin, "--bundle", paths[0], "--key", key, "--drain-grace", "1m")
	if code, body := s.get("/readyz"); code != 200 {
		t.Fatal(code, body)
	}
	c := s.hold()
	s.signal(syscall.SIGTERM)
	until(t, func() bool { code, _ := s.get("/readyz"); return code == 503 })
	until(t, func() bool {
		n, err := net.Dial("tcp", strings.TrimPrefix(s.data, "http://"))
		if err == nil {
			n.Close()
		}
		return errors.Is(err, syscall.ECONNREFUSED)
	})
	if code, _ := s.get("/healthz"); code != 200 {
		t.Errorf("a server that drains is alive: %d", code)
	}
	fmt.Fprint(c, `{"tenant":"acme","agent":"a","tool":"pay","args":{"amount":1}}`[10:])
	answer, err := io.ReadAll(c)
	if err != nil || !bytes.Contains(answer, []byte("200 OK")) || !bytes.Contains(answer, []byte(`"decision":"allow"`)) {
		t.Errorf("%s %v", answer, err)
	}
	if err := <-s.ended; err != nil {
		t.Errorf("%v\n%s", err, s.stderr())
	}

	s = startServe(t, bin, "--bundle", paths[0], "--key", key, "--drain-grace", "1h")
	defer s.hold().Close()
	s.signal(syscall.SIGTERM)
	until(t, func() bool { code, _ := s.get("/readyz"); return code == 503 })
	s.signal(syscall.SIGTERM)
	if err := <-s.ended; err == nil {
		t.Error("a second signal is a kill, and the server says that all is well")
	}
}

// TestServeBusy: beyond --max-in-flight a call is told to come again, and is not decided.
func TestServeBusy(t *testing.T) {
	bin := aegisctlBinary(t)
	key, paths := bundles(t, bin, 1)
	s := startServe(t, bin, "--bundle", paths[0], "--key", key, "--max-in-flight", "1")
	c := s.hold()
	if _, err := s.ask(http.DefaultClient); err == nil || !strings.HasPrefix(err.Error(), "503") {
		t.Errorf("%v", err)
	}
	c.Close()
	until(t, func() bool { _, err := s.ask(http.DefaultClient); return err == nil })
}

// TestServeUnix: on a Unix socket, and the printed command works when it is pasted.
func TestServeUnix(t *testing.T) {
	bin := aegisctlBinary(t)
	key, paths := bundles(t, bin, 1)
	socket := filepath.Join(t.TempDir(), "s")
	s := startServe(t, bin, "--bundle", paths[0], "--key", key, "--listen", "unix:"+socket, "--auth", "none", "--tenant", "acme")
	if st, err := os.Stat(socket); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", st.Mode(), err)
	}
	pasted(t, s)
	c := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	s.data = "http://localhost"
	if _, err := s.ask(c); err != nil {
		t.Error(err)
	}
	pasted(t, startServe(t, bin, "--bundle", paths[0], "--key", key))
}

// pasted runs the command that a server printed.
func pasted(t *testing.T, s *running) {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("curl is missing")
		}
		t.Log("SKIPPED: curl is missing, so the printed command is not tried")
		return
	}
	out, err := exec.Command("sh", "-c", s.curl+" --silent --show-error").CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"mode":"dry-run"`) {
		t.Errorf("%s\n%v %s", s.curl, err, out)
	}
}

// TestServeOperators: what a web page makes a browser send does not reach the operators' door either.
func TestServeOperators(t *testing.T) {
	bin := aegisctlBinary(t)
	key, paths := bundles(t, bin, 1)
	s := startServe(t, bin, "--bundle", paths[0], "--key", key, "--host", "aegis.internal")
	for _, c := range []struct {
		host, header, value string
		want                int
	}{
		{"", "", "", 200}, {"localhost", "", "", 200}, {"aegis.internal", "", "", 200}, {"evil.example", "", "", 403},
		{"", "Origin", "https://evil.example", 403}, {"", "Sec-Fetch-Site", "cross-site", 403},
	} {
		for _, path := range []string{"/healthz", "/readyz", "/v1/status", "/metrics"} {
			req, err := http.NewRequest(http.MethodGet, s.admin+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Host = c.host
			if c.header != "" {
				req.Header.Set(c.header, c.value)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if res.StatusCode != c.want || strings.Contains(string(body), s.token) {
				t.Errorf("%s of %+v: %d, want %d", path, c, res.StatusCode, c.want)
			}
		}
	}
	if code, _ := s.get("/v1/decide"); code != 404 {
		t.Errorf("calls are taken on the operators' listener: %d", code)
	}
}

// TestServeLargeBodies: --max-body is the bound of a call, up and down, on the way through the decoder and the sanitizer.
func TestServeLargeBodies(t *testing.T) {
	bin := aegisctlBinary(t)
	policy := filepath.Join(t.TempDir(), "p.yaml")
	if err := os.WriteFile(policy, []byte("tenant: acme\nagent: a\nallowed_tools: [{name: mail, sanitize: [{redact: [email]}]}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		limit      string
		size, want int
	}{{"16MiB", 15 << 20, 200}, {"4MiB", 5 << 20, 413}, {"1MiB", 900 << 10, 200}, {"4KiB", 5 << 10, 413}} {
		s := startServe(t, bin, "--bundle", policy, "--insecure-unsigned", "--max-body", c.limit)
		body := `{"tenant":"acme","agent":"a","tool":"mail","args":{"to":"ann@example.com","text":"` + strings.Repeat("x ", c.size/2) + `"}}`
		req, err := http.NewRequest(http.MethodPost, s.data+"/v1/decide", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+s.token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != c.want || c.want == 200 && !bytes.Contains(answer[:200], []byte(`"decision":"sanitize"`)) {
			t.Errorf("%s, %d bytes: %d %.300s", c.limit, c.size, res.StatusCode, answer)
		}
	}
}

// TestServeOwnRego: a tenant's own Rego is refused beside other tenants.
func TestServeOwnRego(t *testing.T) {
	set, err := loadPolicy("testdata/ownrego", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := ownRego([]serve.Source{{Set: set}}); err == nil || !strings.Contains(err.Error(), "--allow-custom-rego") {
		t.Errorf("%v", err)
	}
	set.Policies = set.Policies[:1]
	if err := ownRego([]serve.Source{{Set: set}}); err != nil {
		t.Errorf("alone: %v", err)
	}
}
