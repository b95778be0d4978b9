package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/decide"
	"github.com/aegisctl/aegis/serve"
	"github.com/aegisctl/aegis/serve/admin"
	"github.com/aegisctl/aegis/serve/authzen"
	"github.com/aegisctl/aegis/serve/native"
	"github.com/aegisctl/aegis/serve/openapi"
)

func (a *app) serveCmd() *cobra.Command {
	in := defaultServeConfig()
	var file string
	var show bool
	c := &cobra.Command{
		Use:   "serve --bundle b.tar.gz --key k.pub",
		Short: "Decide live calls",
		Long: `Serve is the enforcement server. It needs no other service. It loads bundles that a key given with --key has signed, and
answers calls on POST /v1/decide until it is told to end (SIGTERM, Ctrl-C), when it drains. It looks for new policies every
--reload-every and on SIGHUP; what is not verified leaves the policies in force as they are.

Every flag is also a variable (--max-body is AEGIS_MAX_BODY) and a key of the file given with --config. A flag goes before the
variable, the variable before the file. --print-config shows what is in effect, as such a file.

On loopback it makes a token, writes it to a file that only this user can read, and asks for it.`,
		Example: "  aegisctl serve --bundle b.tar.gz --key k.pub --mode shadow\n  aegisctl serve --config serve.yaml --print-config",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			from, err := in.fill(c.Flags(), file, os.LookupEnv)
			if err != nil {
				return err
			}
			if err := a.logAt(in.logLevel, in.telemetry.logFormat); err != nil {
				return err
			}
			if err := in.check(); err != nil {
				return err
			}
			if show {
				return in.print(a.out, from)
			}
			return a.serve(c.Context(), &in)
		},
	}
	in.bind(c.Flags())
	c.Flags().StringVar(&file, "config", "", "YAML file of options; also AEGIS_CONFIG")
	c.Flags().BoolVar(&show, "print-config", false, "print the options in effect, each with what it means, and end")
	return c
}

// check judges options that need no look at the machine.
func (c *serveConfig) check() error {
	most := byteSize(aegis.GreatestBody)
	switch {
	case c.mode != "enforce" && c.mode != "shadow":
		return fmt.Errorf("--mode %q: use enforce or shadow", c.mode)
	case c.auth != "token" && c.auth != "none" && c.auth != "mtls":
		return fmt.Errorf("--auth %q: use token, mtls or none", c.auth)
	case c.auth != "token" && c.tenant == "":
		return fmt.Errorf("--auth %s needs --tenant, the one tenant to believe", c.auth)
	case c.auth == "mtls" && c.tls.ClientCA == "":
		return errors.New("--auth mtls needs --tls-client-ca, the authorities of client certificates")
	case c.onStale != "deny" && c.onStale != "keep":
		return fmt.Errorf("--on-stale %q: use deny or keep", c.onStale)
	case c.maxBody < 1<<10 || c.maxBody > most:
		return fmt.Errorf("--max-body %s: use 1KiB to %s", &c.maxBody, &most)
	case c.maxConns < 1 || c.maxCalls < 1:
		return errors.New("--max-connections and --max-in-flight must be 1 or more")
	case c.minSerial < 0:
		return fmt.Errorf("--min-serial %d is below 0", c.minSerial)
	case c.reload < 0 || c.maxAge < 0 || c.notice < 0 || c.grace < 0:
		return errors.New("a span of time is negative")
	}
	for _, files := range []struct {
		prefix string
		serve.TLSFiles
	}{{"", c.tls}, {"admin-", c.adminTLS}, {"grpc-", c.grpcTLS}} {
		if f := files.TLSFiles; f != (serve.TLSFiles{}) && (f.Cert == "" || f.Key == "") {
			return fmt.Errorf("TLS needs both --%stls-cert and --%stls-key", files.prefix, files.prefix)
		}
	}
	return nil
}

func (a *app) serve(ctx context.Context, in *serveConfig) (err error) {
	mode := aegis.Enforce
	if in.mode == "shadow" {
		mode = aegis.Shadow
	}
	opt := serve.Options{Mode: mode, Tenant: in.tenant, Engine: decide.EngineKind(in.engine), KeepStale: in.onStale == "keep",
		MaxBody: int(in.maxBody), Log: a.log}
	var captured *serve.Capture
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
		captured, opt.Observers = c, append(opt.Observers, c)
	}
	tell, err := in.telemetry.open(ctx, a)
	if err != nil {
		return err
	}
	defer tell.close(in.grace)
	opt.Observers = append(opt.Observers, tell.observers()...)
	svc := serve.New(opt)
	defer svc.Close()
	state, err := in.openState()
	if err != nil {
		return err
	}
	defer state.Close()
	keeper, err := a.keeper(in, state, svc, tell.watch)
	if err != nil {
		return err
	}
	doors, err := in.open(a.log)
	if err != nil {
		return err
	}
	defer doors.close()
	var srv serve.Server
	web := &serve.Web{Auth: doors.auth, Hosts: in.hosts, MaxBody: int(in.maxBody), Slots: serve.NewSlots(in.maxCalls)}
	operators := http.NewServeMux()
	operators.Handle("GET /metrics", tell.metricsOf(svc, captured))
	admin.New(svc, keeper.Status, func() error {
		switch {
		case srv.Draining():
			return errors.New("the server is draining")
		case len(svc.Units()) == 0:
			return errors.New("no policies are loaded yet")
		}
		return nil
	}).Register(operators)
	srv.HTTP(serve.Operators, doors.admin, web.Guard(operators))
	srv.Start() // so that it can be seen that the server lives and is not ready
	if err := keeper.Begin(ctx); err != nil {
		return err
	}
	calls := http.NewServeMux()
	native.New(svc, web).Register(calls)
	authzen.New(svc, web).Register(calls)
	openapi.Register(calls, web)
	srv.HTTP("data", doors.data, calls)
	if doors.grpc != nil {
		door, err := in.envoyDoor(ctx, svc, web.Slots, a.log)
		if err != nil {
			return err
		}
		srv.Add("grpc", doors.grpc, door.Serve, door.Stop)
	}
	defer a.follow(ctx, keeper)() // before anybody hears that the server is there: an unheard SIGHUP would end it
	a.announce(svc, in, doors)
	return srv.Run(ctx, in.notice, in.grace)
}
