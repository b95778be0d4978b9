package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"github.com/aegisctl/aegis/serve"
	"github.com/aegisctl/aegis/sign"
	"github.com/aegisctl/aegis/source"
)

// keeper makes what keeps a service's policies as their sources are. Nothing is served of one that is not verified, unless
// that was asked for.
func (a *app) keeper(in *serveConfig, state *source.State, svc *serve.Service, watch func(source.Event)) (*source.Keeper, error) {
	if len(in.bundles) == 0 {
		return nil, errors.New("serve needs policies: --bundle b.tar.gz --key k.pub")
	}
	if len(in.keys) == 0 && !in.insecure {
		return nil, errors.New("serve needs the key that bundles are signed with: --key k.pub (or --insecure-unsigned)")
	}
	if len(in.keys) > 0 && in.insecure {
		return nil, errors.New("--key and --insecure-unsigned contradict each other: bundles are verified, or they are not")
	}
	o := source.Options{Places: in.bundles, Unsigned: in.insecure, MinSerial: in.minSerial, Tenant: in.tenant, MaxAge: in.maxAge,
		Every: in.reload, State: state, Tokens: map[string]string{}, Watch: watch, Log: a.log}
	for _, t := range in.tokens {
		host, file, ok := strings.Cut(t, "=")
		if !ok || host == "" || file == "" {
			return nil, fmt.Errorf("--source-token %q: write HOST=FILE", t)
		}
		o.Tokens[host] = file
	}
	if in.sourceCA != "" {
		text, err := os.ReadFile(in.sourceCA)
		if err != nil {
			return nil, fmt.Errorf("--source-ca: %w", err)
		}
		o.CA = x509.NewCertPool()
		if !o.CA.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("--source-ca %s holds no certificate", in.sourceCA)
		}
	}
	o.Keys = func(ctx context.Context) (trusted, revoked []*sign.PublicKey, err error) {
		if trusted, err = publicKeys(ctx, in.keys); err == nil {
			revoked, err = publicKeys(ctx, in.revoked)
		}
		return trusted, revoked, err
	}
	o.Install = func(all []*source.Loaded, last func() error) error {
		var out []serve.Source
		for _, l := range all {
			out = append(out, serve.Source{Name: l.Name, Set: l.Set, Serial: l.Serial, Signed: l.Signed, FreshUntil: l.FreshUntil})
		}
		if !in.custom {
			if err := ownRego(out); err != nil {
				return err
			}
		}
		return svc.InstallIf(out, last)
	}
	return source.New(o)
}

// ownRego refuses tenants' own Rego beside other tenants: it takes their time, and nobody of them agreed to it.
func ownRego(sources []serve.Source) error {
	tenants, by := map[string]bool{}, ""
	for _, s := range sources {
		for _, p := range s.Set.Policies {
			tenants[p.Tenant] = true
			if len(p.Custom) > 0 {
				by = p.ID
			}
		}
	}
	if by != "" && len(tenants) > 1 {
		return fmt.Errorf("%s has Rego of its own, and there are %d tenants: say --allow-custom-rego, or serve that tenant alone", by, len(tenants))
	}
	return nil
}

// follow looks for new policies from time to time, and at once on SIGHUP. The function that it returns ends that.
func (a *app) follow(ctx context.Context, k *source.Keeper) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	hangup, now := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(hangup, syscall.SIGHUP)
	var wait sync.WaitGroup
	wait.Go(func() { k.Run(ctx, now) })
	wait.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangup:
				select {
				case now <- struct{}{}:
				case <-ctx.Done():
				}
			}
		}
	})
	return func() {
		signal.Stop(hangup)
		cancel()
		wait.Wait()
	}
}
