package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/aegisctl/aegis/serve"
	"github.com/aegisctl/aegis/serve/envoy"
)

// envoyOptions are those of the doors for Envoy.
func envoyOptions() []option {
	return append(append([]option{
		{groupDoors, "grpc-listen", "where Envoy asks (ext_authz, ext_proc): unix:/path, or host:port with mTLS; default: no doors for Envoy", func(c *serveConfig) any { return &c.grpc }},
	}, tlsOptions("grpc-", "Envoy", func(c *serveConfig) *serve.TLSFiles { return &c.grpcTLS })...),
		option{groupDoors, "grpc-plaintext", "let Envoy ask on a loopback address without mTLS: any program of this machine can then say that it is Envoy", func(c *serveConfig) any { return &c.grpcPlain }},
		option{groupDoors, "envoy-principal", "PRINCIPAL=TENANT/AGENT: the agent behind a client certificate that Envoy verified; repeat it for more", func(c *serveConfig) any { return &c.principals }})
}

// listenGRPC opens the listener for Envoy, nil where none is asked for. Whoever can reach it is believed to be Envoy.
func (in *serveConfig) listenGRPC(log *slog.Logger) (net.Listener, error) {
	if in.grpc == "" {
		if len(in.principals) > 0 || in.grpcPlain || in.grpcTLS != (serve.TLSFiles{}) {
			return nil, errors.New("options for Envoy need --grpc-listen")
		}
		return nil, nil
	}
	l, err := in.listener("grpc-listen", in.grpc, in.grpcTLS, log)
	if err != nil {
		return nil, err
	}
	switch _, unix := l.Addr().(*net.UnixAddr); {
	case unix, in.grpcTLS.ClientCA != "":
		return l, nil
	case !serve.Local(l):
		err = fmt.Errorf("--grpc-listen %s can be reached from other machines, which needs mTLS: --grpc-tls-cert, --grpc-tls-key and --grpc-tls-client-ca", l.Addr())
	case !in.grpcPlain:
		err = fmt.Errorf("--grpc-listen %s can be reached by every program of this machine: use unix:/path or mTLS, or say --grpc-plaintext", l.Addr())
	default:
		return l, nil
	}
	l.Close()
	return nil, err
}

// envoyDoor makes the doors for Envoy.
func (in *serveConfig) envoyDoor(ctx context.Context, svc *serve.Service, slots *serve.Slots, log *slog.Logger) (*envoy.Door, error) {
	who := envoy.Who{Tenant: in.tenant, Principals: map[string]envoy.Agent{}}
	for _, text := range in.principals {
		name, agent, err := envoy.ParsePrincipal(text)
		if err != nil {
			return nil, fmt.Errorf("--envoy-principal %w", err)
		}
		if _, twice := who.Principals[name]; twice {
			return nil, fmt.Errorf("--envoy-principal names %q twice", name)
		}
		who.Principals[name] = agent
	}
	d := envoy.New(svc, envoy.Options{Who: who, MaxBody: int(in.maxBody), Slots: slots, Log: log})
	context.AfterFunc(ctx, d.Drain)
	return d, nil
}
