package main

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/aegisctl/aegis/policy"
	"github.com/aegisctl/aegis/serve"
	"github.com/aegisctl/aegis/source"
)

// doors are the listeners of serve, and who may come in.
type doors struct {
	data, admin net.Listener
	grpc        net.Listener // nil: no doors for Envoy
	auth        serve.Authenticator
	token       string // file of the server's token; "" where none is asked for
}

func (d *doors) close() {
	for _, l := range []net.Listener{d.data, d.admin, d.grpc} {
		if l != nil {
			l.Close()
		}
	}
}

// open opens the listeners, and settles who may call. What would let in others than were meant is refused.
func (in *serveConfig) open(log *slog.Logger) (_ *doors, err error) {
	d := new(doors)
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	if d.data, err = in.listener("listen", in.listen, in.tls, log); err != nil {
		return nil, err
	}
	if d.admin, err = in.listener("admin-listen", in.admin, in.adminTLS, log); err != nil {
		return nil, err
	}
	if !serve.Local(d.admin) && in.adminTLS.ClientCA == "" {
		return nil, fmt.Errorf("--admin-listen %s can be reached from other machines, which needs mTLS: --admin-tls-cert, --admin-tls-key and --admin-tls-client-ca", d.admin.Addr())
	}
	if d.grpc, err = in.listenGRPC(log); err != nil {
		return nil, err
	}
	switch {
	case in.auth == "mtls":
		d.auth = serve.Certificate{}
	case in.auth == "none" && !serve.Local(d.data):
		return nil, fmt.Errorf("--auth none is allowed on loopback and Unix sockets only, and %s is neither", d.data.Addr())
	case in.auth == "none":
		d.auth = serve.NoAuth{}
	case !serve.Local(d.data):
		return nil, fmt.Errorf("the server's token is for loopback and Unix sockets, and %s is neither: use --auth mtls", d.data.Addr())
	default:
		return d, d.makeToken(in)
	}
	return d, nil
}

// listener opens one listener, with its bounds and its transport security.
func (in *serveConfig) listener(flag, addr string, files serve.TLSFiles, log *slog.Logger) (net.Listener, error) {
	var secure *serve.TLS
	if files.Cert != "" {
		var err error
		if secure, err = serve.NewTLS(files, log, "h2", "http/1.1"); err != nil {
			return nil, err
		}
	}
	l, err := serve.Listen(addr)
	if err != nil {
		return nil, fmt.Errorf("--%s %s: %w", flag, addr, err)
	}
	l = serve.Bounded(l, in.maxConns)
	if secure != nil {
		l = tls.NewListener(l, secure.Config())
	}
	return l, nil
}

// makeToken makes the server's token anew. It is never printed.
func (d *doors) makeToken(in *serveConfig) error {
	d.token = in.tokenFile
	if d.token == "" {
		d.token = filepath.Join(in.state, "token")
	}
	var b [32]byte
	rand.Read(b[:]) // it never fails
	token := hex.EncodeToString(b[:])
	if err := writeFileMode(d.token, []byte(token+"\n"), 0o600); err != nil {
		return fmt.Errorf("the server's token: %w", err)
	}
	d.auth = serve.NewSecret(token)
	return nil
}

// openState opens the directory of what must survive, for this server alone.
func (in *serveConfig) openState() (*source.State, error) {
	if in.state == "" {
		dir := os.Getenv("XDG_STATE_HOME")
		if !filepath.IsAbs(dir) {
			home, err := os.UserHomeDir()
			if err != nil {
				return nil, errors.New("there is no home directory for what must survive a restart: name a directory with --state")
			}
			dir = filepath.Join(home, ".local", "state")
		}
		in.state = filepath.Join(dir, "aegisctl")
	}
	in.state, _ = filepath.Abs(in.state) // for what is printed; it fails only where there is no working directory
	s, err := source.OpenState(in.state)
	if err != nil {
		return nil, fmt.Errorf("--state: %w", err)
	}
	return s, nil
}

// announce says where the server listens, in what mode, what is in force, and how to call it.
func (a *app) announce(svc *serve.Service, in *serveConfig, d *doors) {
	auth := map[string]string{"token": "with the token in " + d.token, "none": "from anybody", "mtls": "with a client certificate"}[in.auth]
	only := ""
	if in.tenant != "" {
		only = ", of tenant " + in.tenant + " only"
	}
	a.note("aegisctl serve: mode %s", svc.Mode())
	a.note("  calls      %s, %s%s", address(d.data, in.tls), auth, only)
	a.note("  operators  %s (/healthz, /readyz, /metrics, /v1/status)", address(d.admin, in.adminTLS))
	if d.grpc != nil {
		a.note("  Envoy      %s (ext_authz, ext_proc)", address(d.grpc, in.grpcTLS))
	}
	for _, u := range svc.Units() {
		signed := "UNSIGNED"
		if u.Signed {
			signed = fmt.Sprintf("signed, serial %d", u.Serial)
		}
		a.note("  in force   %s: %s, %s, tenants %s", u.Name, u.Set.Version, signed, some(u.Tenants(), 5))
	}
	a.note("try it (a dry run changes nothing):\n  %s", curl(svc, in, d))
}

func some(names []string, most int) string {
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}

// address is how a listener is called: a URL, or the place of a socket.
func address(l net.Listener, files serve.TLSFiles) string {
	if l.Addr().Network() == "unix" {
		return "unix:" + l.Addr().String()
	}
	scheme := "http://"
	if files.Cert != "" {
		scheme = "https://"
	}
	host := l.Addr().String()
	if a, ok := l.Addr().(*net.TCPAddr); ok && a.IP.IsUnspecified() {
		host = net.JoinHostPort("127.0.0.1", strconv.Itoa(a.Port))
	}
	return scheme + host
}

// curl writes a command that works when it is pasted: about a tool that some policy names, and of no effect.
func curl(svc *serve.Service, in *serveConfig, d *doors) string {
	call := struct {
		Tenant string   `json:"tenant"`
		Agent  string   `json:"agent"`
		Tool   string   `json:"tool"`
		Args   struct{} `json:"args"`
		DryRun bool     `json:"dry_run"`
	}{Tenant: in.tenant, Agent: "AGENT", Tool: "TOOL", DryRun: true}
	for _, u := range svc.Units() {
		for _, p := range u.Set.Policies {
			if call.Tool == "TOOL" && (in.tenant == "" || p.Tenant == in.tenant) && len(p.Agents) > 0 && len(p.Entries) > 0 {
				call.Tenant, call.Agent, call.Tool = p.Tenant, sample(p.Agents), sample(p.Entries[0].Tools)
			}
		}
	}
	body, err := json.Marshal(call)
	if err != nil {
		panic(err) // text always encodes
	}
	url := address(d.data, in.tls)
	parts := []string{"curl"}
	if d.data.Addr().Network() == "unix" {
		parts, url = append(parts, "--unix-socket", shell(d.data.Addr().String())), "http://localhost"
	}
	if in.tls.Cert != "" {
		url = "https" + strings.TrimPrefix(strings.TrimPrefix(url, "https"), "http")
		parts = append(parts, "--cacert", shell(in.tls.Cert))
	}
	if in.tls.ClientCA != "" {
		parts = append(parts, "--cert", "YOUR.crt", "--key", "YOUR.key")
	}
	if d.token != "" {
		parts = append(parts, `-H "Authorization: Bearer $(cat `+shell(d.token)+`)"`)
	}
	return strings.Join(append(parts, "-H 'Content-Type: application/json'", "-d", shell(string(body)), url+"/v1/decide"), " ")
}

// sample is a name that one of the patterns matches.
func sample(patterns []policy.Pattern) string {
	if len(patterns) == 0 {
		return "x"
	}
	return strings.ReplaceAll(string(patterns[0]), "*", "x")
}

// shell quotes a word for a POSIX shell.
func shell(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
