package telemetry_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/serve"
	"github.com/aegisctl/aegis/serve/telemetry"
)

// TestOCSF holds events of every outcome and mode to the excerpt of the schema.
func TestOCSF(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile("testdata/ocsf-1.5.0-api_activity.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	place := t.TempDir() + "/ocsf"
	events, done := outputs(t, "ocsf="+place)
	for _, mode := range []aegis.Mode{aegis.Enforce, aegis.Shadow} {
		s := service(t, serve.Options{Mode: mode, Observers: []serve.Observer{events}}, payments)
		ctx := serve.WithTrace(context.Background(), parent, "")
		for _, c := range [][2]string{{"pay", `{"amount":5}`}, {"pay", `{"amount":5000}`}, {"refund", `{"amount":5000}`}, {"mail", `{"to":"ann@example.com"}`}, {"ledger-x", `{}`}, {"x", `{}`}} {
			r := request(t, "acme", "finance-agent", c[0], c[1])
			r.Call.Session = "s1"
			s.Decide(ctx, r)
		}
		s.Decide(context.Background(), &serve.Request{Bad: io.ErrUnexpectedEOF, Door: "native"})
	}
	done()
	text, err := os.ReadFile(place)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) != 14 {
		t.Fatalf("%d events", len(lines))
	}
	what := ""
	for _, l := range lines {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(l))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%s: %v", l, err)
		}
		o := v.(map[string]any)
		what += strings.Join([]string{o["action_id"].(json.Number).String(), o["disposition_id"].(json.Number).String(), o["severity_id"].(json.Number).String(), ""}, " ") + "|"
	}
	// Allowed, delayed, blocked, modified; and in shadow the same, observed.
	const enforced, shadow = "1 1 1 |2 14 2 |2 2 3 |4 11 1 |1 1 1 |2 2 3 |2 2 3 |", "1 1 1 |3 15 2 |3 15 2 |4 11 1 |1 1 1 |3 15 2 |"
	if !strings.HasPrefix(what, enforced+shadow) {
		t.Errorf("action, disposition and severity:\n%s, want\n%s", what, enforced+shadow)
	}
}

// TestSyslog sends events to servers over UDP, TCP and TLS, and reads them as their frames say.
func TestSyslog(t *testing.T) {
	config, ca := certificate(t)
	for _, scheme := range []string{"udp", "tcp", "tls"} {
		for _, kind := range []string{"syslog", "cef", "ocsf", "jsonl"} {
			got := make(chan string, 100)
			addr := syslogServer(t, scheme, config, got)
			o, err := telemetry.NewOutput(telemetry.OutputOptions{Spec: kind + "=" + scheme + "://" + addr, Version: "v1", CA: ca})
			if err != nil {
				t.Fatal(err)
			}
			s := service(t, serve.Options{Observers: []serve.Observer{telemetry.Events{o}}}, payments)
			const n = 3
			for range n {
				s.Decide(context.Background(), request(t, "acme", "a\nb]\"", "pay", `{"amount":5}`))
			}
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			if err := o.Close(ctx); err != nil {
				t.Fatal(err)
			}
			cancel()
			for range n {
				select {
				case m := <-got:
					if !strings.HasPrefix(m, "<108>1 20") || strings.ContainsAny(m, "\n\r") || !strings.Contains(m, " aegisctl ") || !strings.Contains(m, " decision ") {
						t.Errorf("%s over %s: %q", kind, scheme, m)
					}
					if want := map[string]string{"syslog": `agent="a\\u000ab\]\""`, "cef": `suser=a\\u000ab]"`, "ocsf": `"app_name":"a\nb]\""`, "jsonl": `"agent":"a\nb]\""`}[kind]; !strings.Contains(m, want) {
						t.Errorf("%s over %s: no %s in %q", kind, scheme, want, m)
					}
				case <-time.After(10 * time.Second):
					t.Fatalf("%s over %s: nothing came", kind, scheme)
				}
			}
			if written, failed, dropped := o.Counts(); written != n || failed != 0 || dropped != 0 {
				t.Errorf("%s over %s: written %d, failed %d, dropped %d", kind, scheme, written, failed, dropped)
			}
		}
	}
}

// syslogServer hands every message on.
func syslogServer(t *testing.T, scheme string, config *tls.Config, got chan<- string) string {
	t.Helper()
	if scheme == "udp" {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		go func() {
			for buf := make([]byte, 65536); ; {
				n, _, err := c.ReadFrom(buf)
				if err != nil {
					return
				}
				got <- string(buf[:n])
			}
		}()
		return c.LocalAddr().String()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if scheme == "tls" {
		l = tls.NewListener(l, config)
	}
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		for {
			var length []byte
			for b := make([]byte, 1); ; length = append(length, b[0]) {
				if _, err := c.Read(b); err != nil {
					return
				}
				if b[0] == ' ' {
					break
				}
			}
			n, err := strconv.Atoi(string(length))
			if err != nil {
				got <- "no frame: " + string(length)
				return
			}
			m := make([]byte, n)
			if _, err := io.ReadFull(c, m); err != nil {
				return
			}
			got <- string(m)
		}
	}()
	return l.Addr().String()
}

func certificate(t *testing.T) (*tls.Config, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// TestStuckOutput: a place that takes nothing delays no decision, what does not fit is counted, and closing ends in time.
func TestStuckOutput(t *testing.T) {
	hold := make(chan struct{})
	w := &stuck{hold: hold}
	o, err := telemetry.NewOutput(telemetry.OutputOptions{Spec: "jsonl=-", Stdout: w})
	if err != nil {
		t.Fatal(err)
	}
	s := service(t, serve.Options{Observers: []serve.Observer{telemetry.Events{o}}}, payments)
	const n = 20_000 // more than the queue holds; with a place that blocks, this would not end if decisions waited
	for range n {
		s.Decide(context.Background(), request(t, "acme", "finance-agent", "ledger-x", `{}`))
	}
	if _, _, dropped := o.Counts(); dropped == 0 {
		t.Error("nothing was dropped")
	}
	close(hold)
	if err := o.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	written, failed, dropped := o.Counts()
	if written+failed+dropped != n || int64(bytes.Count(w.got(), []byte("\n"))) != written {
		t.Errorf("written %d, failed %d, dropped %d of %d", written, failed, dropped, n)
	}
}

type stuck struct {
	hold chan struct{}
	mu   sync.Mutex
	b    bytes.Buffer
}

func (s *stuck) Write(p []byte) (int, error) {
	<-s.hold
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *stuck) got() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Bytes()
}

// TestOutputAway: a server that is away costs events, and is tried again.
func TestOutputAway(t *testing.T) {
	addr := free(t)
	o, err := telemetry.NewOutput(telemetry.OutputOptions{Spec: "cef=tcp://" + addr})
	if err != nil {
		t.Fatal(err)
	}
	s := service(t, serve.Options{Observers: []serve.Observer{telemetry.Events{o}}}, payments)
	s.Decide(context.Background(), request(t, "acme", "finance-agent", "pay", `{"amount":5}`))
	eventually(t, "an event fails", func() bool { _, failed, _ := o.Counts(); return failed == 1 })
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	eventually(t, "an event arrives", func() bool {
		s.Decide(context.Background(), request(t, "acme", "finance-agent", "pay", `{"amount":5}`))
		time.Sleep(100 * time.Millisecond)
		written, _, _ := o.Counts()
		return written > 0
	})
	if err := o.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func TestOutputOptions(t *testing.T) {
	dir := t.TempDir()
	for _, spec := range []string{"", "jsonl", "jsonl=", "xml=-", "jsonl=-", "csv=tcp://127.0.0.1:1", "cef=http://127.0.0.1:1", "cef=tcp://127.0.0.1",
		"cef=tls://ann:pass@127.0.0.1:1", "jsonl=" + dir, "jsonl=" + dir + "/no/such/file"} {
		if o, err := telemetry.NewOutput(telemetry.OutputOptions{Spec: spec}); err == nil {
			t.Errorf("%q is taken: %s", spec, o.Name())
		}
	}
	if _, err := telemetry.NewOutput(telemetry.OutputOptions{Spec: "cef=tls://127.0.0.1:1", CA: []byte("no PEM")}); err == nil {
		t.Error("authorities that are none are taken")
	}
	// A file is for its owner, and keeps what it has: one head, however often it is opened.
	for range 2 {
		_, done := outputs(t, "csv="+dir+"/x.csv")
		done()
	}
	text, err := os.ReadFile(dir + "/x.csv")
	if st, e := os.Stat(dir + "/x.csv"); err != nil || e != nil || st.Mode().Perm() != 0o600 || strings.Count(string(text), "\n") != 1 {
		t.Errorf("%v, %v: %q", err, e, text)
	}
}
