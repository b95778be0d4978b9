package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/bundle"
	"github.com/aegisctl/aegis/decide"
	"github.com/aegisctl/aegis/policy"
	"github.com/aegisctl/aegis/serve"
	"github.com/aegisctl/aegis/serve/admin"
	"github.com/aegisctl/aegis/serve/authzen"
	"github.com/aegisctl/aegis/serve/native"
	"github.com/aegisctl/aegis/sign"
)

// serveFlags are the flags of serve.
type serveFlags struct {
	bundles   []string
	keys      []string
	insecure  bool
	minSerial int64
	listen    string
	admin     string
	mode      string
	tenant    string
	auth      string
	tokenFile string
	engine    string
	capture   string
	notice    time.Duration
	grace     time.Duration
}

func (a *app) serveCmd() *cobra.Command {
	var in serveFlags
	c := &cobra.Command{
		Use:   "serve --bundle b.tar.gz --key k.pub",
		Short: "Decide live calls",
		Long: `Serve is the enforcement server. It needs no other service. It loads bundles that a key given with --key has signed, and
answers calls on POST /v1/decide until it is told to end (SIGTERM, Ctrl-C), when it drains.

On loopback it makes a token, writes it to a file that only this user can read, and asks for it.`,
		Example: "  aegisctl serve --bundle b.tar.gz --key k.pub --mode shadow",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.serve(c.Context(), in)
		},
	}
	f := c.Flags()
	f.StringArrayVar(&in.bundles, "bundle", nil, "bundle, or policy directory with --insecure-unsigned; repeat it for other tenants")
	f.StringArrayVar(&in.keys, "key", nil, "public key that bundles must be signed with; repeat it while keys are rotated")
	f.BoolVar(&in.insecure, "insecure-unsigned", false, "take bundles and policies without a signature")
	f.Int64Var(&in.minSerial, "min-serial", 0, "lowest serial to accept")
	f.StringVar(&in.listen, "listen", "127.0.0.1:8181", "where calls come in: host:port, or unix:/path")
	f.StringVar(&in.admin, "admin-listen", "127.0.0.1:8182", "where /healthz, /readyz and /v1/status are")
	f.StringVar(&in.mode, "mode", "enforce", "enforce, or shadow: nothing is blocked")
	f.StringVar(&in.tenant, "tenant", "", "the one tenant believed; a call of another is denied")
	f.StringVar(&in.auth, "auth", "token", "token: ask for the server's token; none: believe everybody (loopback and Unix sockets only, with --tenant)")
	f.StringVar(&in.tokenFile, "token-file", "", "file for the server's token (default: in the user's state directory)")
	f.StringVar(&in.engine, "engine", "native", "native, opa, or both (fails on a difference)")
	f.StringVar(&in.capture, "capture", "", "directory for captured traffic, which aegisctl simulate reads")
	f.DurationVar(&in.notice, "drain-notice", 0, "how long to still take calls after /readyz says no")
	f.DurationVar(&in.grace, "drain-grace", 10*time.Second, "how long to wait for calls under way")
	return c
}

func (a *app) serve(ctx context.Context, in serveFlags) (err error) {
	mode, ok := map[string]aegis.Mode{"enforce": aegis.Enforce, "shadow": aegis.Shadow}[in.mode]
	if !ok {
		return fmt.Errorf("--mode %q: use enforce or shadow", in.mode)
	}
	sources, err := in.load(ctx)
	if err != nil {
		return err
	}
	opt := serve.Options{Mode: mode, Tenant: in.tenant, Engine: decide.EngineKind(in.engine), Log: a.log}
	if in.capture != "" {
		if !isDir(in.capture) {
			return fmt.Errorf("--capture %s is no directory", in.capture)
		}
		c := serve.NewCapture(serve.CaptureOptions{Dir: in.capture, Log: a.log})
		defer func() {
			if e := c.Close(); e != nil && err == nil {
				err = fmt.Errorf("--capture: %w", e)
			}
		}()
		opt.Observers = append(opt.Observers, c)
	}
	svc := serve.New(opt)
	defer svc.Close()
	if err := svc.Install(sources); err != nil {
		return err
	}
	data, err := serve.Listen(in.listen)
	if err != nil {
		return fmt.Errorf("--listen %s: %w", in.listen, err)
	}
	defer data.Close()
	ops, err := serve.Listen(in.admin)
	if err != nil {
		return fmt.Errorf("--admin-listen %s: %w", in.admin, err)
	}
	defer ops.Close()
	auth, how, err := in.authenticator(data)
	if err != nil {
		return err
	}
	var srv serve.Server
	calls, operators := http.NewServeMux(), http.NewServeMux()
	web := &serve.Web{Auth: auth}
	native.New(svc, web).Register(calls)
	authzen.New(svc, web).Register(calls)
	admin.New(svc, func() error {
		if srv.Draining() {
			return errors.New("the server is draining")
		}
		return nil
	}).Register(operators)
	srv.HTTP("data", data, calls)
	srv.HTTP("admin", ops, operators)
	a.announce(svc, data, ops, how)
	return srv.Run(ctx, in.notice, in.grace)
}

// announce says where the server listens, in what mode, and how to call it.
func (a *app) announce(svc *serve.Service, data, ops net.Listener, how string) {
	a.note("aegisctl serve: mode %s, calls on %s, operators on %s", svc.Mode(), data.Addr(), ops.Addr())
	for _, u := range svc.Units() {
		a.note("  %s: %s", u.Name, u.Set.Version)
	}
	if _, tcp := data.Addr().(*net.TCPAddr); tcp {
		a.note("  curl %s-H 'Content-Type: application/json' -d '{\"tenant\":…,\"agent\":…,\"tool\":…,\"args\":{}}' http://%s/v1/decide", how, data.Addr())
	}
}

// load reads the sources. Nothing is served of one that is not verified, unless that was asked for.
func (in *serveFlags) load(ctx context.Context) ([]serve.Source, error) {
	if len(in.bundles) == 0 {
		return nil, errors.New("serve needs policies: --bundle b.tar.gz --key k.pub")
	}
	if len(in.keys) == 0 && !in.insecure {
		return nil, errors.New("serve needs the key that bundles are signed with: --key k.pub (or --insecure-unsigned)")
	}
	keys, err := publicKeys(ctx, in.keys)
	if err != nil {
		return nil, err
	}
	var out []serve.Source
	for _, path := range in.bundles {
		src := serve.Source{Name: path}
		if in.insecure && len(keys) == 0 {
			src.Set, err = loadPolicy(path, "")
		} else {
			src.Set, src.Serial, err = verified(path, sign.Options{Keys: keys, MinSerial: in.minSerial})
			src.Signed = true
		}
		if err != nil {
			return nil, err
		}
		out = append(out, src)
	}
	return out, nil
}

// verified reads a bundle once, judges what it read, and loads that.
func verified(path string, o sign.Options) (*policy.Set, int64, error) {
	archive, err := readBundle(path)
	if err != nil {
		return nil, 0, err
	}
	if o.Detached, err = beside("", detachedPath(path, 0)); err != nil {
		return nil, 0, err
	}
	v, err := sign.Verify(archive, o)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", path, err)
	}
	set, err := bundle.Load(v.Bundle)
	return set, v.Serial, err
}

// authenticator settles who may call, and how people say so to curl.
func (in *serveFlags) authenticator(l net.Listener) (serve.Authenticator, string, error) {
	switch {
	case in.auth == "none" && !serve.Local(l):
		return nil, "", fmt.Errorf("--auth none is allowed on loopback and Unix sockets only, and %s is neither", l.Addr())
	case in.auth == "none" && in.tenant == "":
		return nil, "", errors.New("--auth none needs --tenant, the one tenant to believe")
	case in.auth == "none":
		return serve.NoAuth{}, "", nil
	case in.auth != "token":
		return nil, "", fmt.Errorf("--auth %q: use token or none", in.auth)
	case !serve.Local(l):
		return nil, "", fmt.Errorf("the server's token is for loopback and Unix sockets; %s is neither", l.Addr())
	}
	path := in.tokenFile
	if path == "" {
		dir, err := os.UserConfigDir()
		if err != nil {
			return nil, "", fmt.Errorf("no place for the token: %w; name one with --token-file", err)
		}
		path = filepath.Join(dir, "aegisctl", "token")
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, "", err
		}
	}
	var b [32]byte
	rand.Read(b[:]) // it never fails
	token := hex.EncodeToString(b[:])
	if err := writeFileMode(path, []byte(token+"\n"), 0o600); err != nil {
		return nil, "", err
	}
	return serve.NewSecret(token), fmt.Sprintf("-H \"Authorization: Bearer $(cat %s)\" ", path), nil
}
