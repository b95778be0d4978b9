package envoy

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc/metadata"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/route"
	"github.com/aegisctl/aegis/serve"
)

// Who says who calls, from what Envoy established. Headers of the client count for nothing, but for a token, which proves
// itself.
type Who struct {
	// Tenant is the tenant of agents for which Envoy's configuration names none.
	Tenant string

	// Principals are the agents behind the principals of client certificates that Envoy verified. Where there are any, a request
	// whose principal is not among them is denied, if no token says who calls.
	Principals map[string]Agent

	// Token verifies the header x-aegis-token. Where it is nil, a request that carries one is denied.
	Token func(ctx context.Context, token string) (serve.Principal, error)
}

// Agent is an agent of a tenant.
type Agent struct{ Tenant, Agent string }

// ParsePrincipal reads PRINCIPAL=TENANT/AGENT. The principal is a URI, a DNS name or a subject, as Envoy writes it.
func ParsePrincipal(s string) (principal string, a Agent, err error) {
	i := strings.LastIndexByte(s, '=')
	tenant, agent, ok := strings.Cut(s[i+1:], "/")
	if i <= 0 || !ok || !aegis.ValidName(tenant) || !aegis.ValidName(agent) {
		return "", a, fmt.Errorf("%q: write PRINCIPAL=TENANT/AGENT, such as spiffe://example.org/billing=acme/billing-agent", s)
	}
	return s[:i], Agent{tenant, agent}, nil
}

// What Envoy's configuration may say of the requests of a route: in context_extensions of ext_authz, or as initial_metadata
// of the gRPC service. A client can write neither.
const (
	sayTenant        = "aegis-tenant"
	sayAgent         = "aegis-agent"
	sayRegion        = "aegis-region"
	saySessionHeader = "aegis-session-header" // the name of a header that holds the session, as the client declares it
)

// said is what Envoy's configuration says.
type said struct {
	tenant, agent, region, sessionHeader string

	bad error // why it cannot be used
}

func readSaid(ctx context.Context, extensions map[string]string) (s said) {
	md, _ := metadata.FromIncomingContext(ctx)
	for _, x := range [...]struct {
		key string
		to  *string
	}{{sayTenant, &s.tenant}, {sayAgent, &s.agent}, {sayRegion, &s.region}, {saySessionHeader, &s.sessionHeader}} {
		key, to := x.key, x.to
		v := md[key] // in lower case, as gRPC has them
		if len(v) > 1 {
			s.bad = fmt.Errorf("the proxy sends %s twice", key)
		}
		if len(v) == 1 {
			*to = v[0]
		}
		if x, ok := extensions[key]; ok {
			*to = x
		}
		if *to != "" && !aegis.ValidName(*to) {
			s.bad = fmt.Errorf("what Envoy sends as %s is no name", key)
		}
	}
	s.sessionHeader = strings.ToLower(s.sessionHeader)
	return s
}

// Headers of ours.
const (
	ours           = "x-aegis-"
	tokenHeader    = "x-aegis-token"
	approvalHeader = "x-aegis-approval"
)

// only returns the value of a header that may stand once.
func only(fields []route.Field, name string) (value string, found bool, err error) {
	for i := range fields {
		if f := &fields[i]; len(f.Name) == len(name) && strings.EqualFold(f.Name, name) {
			if found {
				return "", true, fmt.Errorf("the header %s stands twice", name)
			}
			value, found = f.Value, true
		}
	}
	return value, found, nil
}

// establish returns who calls. The principal is of the client's certificate, "" where Envoy saw none. Even where that is an
// error, what it returns may be recorded.
func (w *Who) establish(ctx context.Context, a *asked) (p serve.Principal, err error) {
	s := &a.said
	if s.bad != nil {
		return serve.Principal{Name: "envoy", Verified: true}, s.bad
	}
	p = serve.Principal{Name: "envoy", Verified: true, Tenant: s.tenant, Agent: s.agent, Region: s.region}
	if p.Tenant == "" {
		p.Tenant = w.Tenant
	}
	token, has, err := only(a.req.Header, tokenHeader)
	if err != nil {
		return p, err
	}
	switch {
	case has && w.Token == nil:
		return p, errors.New("the request carries x-aegis-token, and this server takes no tokens")
	case has:
		t, err := w.Token(ctx, token)
		if err != nil {
			return p, err
		}
		if s.tenant != "" && s.tenant != t.Tenant || s.agent != "" && s.agent != t.Agent {
			return p, errors.New("the token is not of the agent that Envoy's configuration names")
		}
		return t, nil // its session and region alone count
	case len(w.Principals) > 0:
		known, ok := w.Principals[a.principal]
		if !ok || a.principal == "" {
			return p, errors.New("the client shows no certificate of a principal that is configured")
		}
		if s.tenant != "" && s.tenant != known.Tenant || s.agent != "" && s.agent != known.Agent {
			return p, errors.New("the principal is not of the agent that Envoy's configuration names")
		}
		p.Name, p.Tenant, p.Agent = a.principal, known.Tenant, known.Agent
	}
	if p.Tenant == "" || p.Agent == "" {
		return p, errors.New("nothing says which agent calls: neither a token, nor a configured principal, nor Envoy's configuration")
	}
	if s.sessionHeader != "" {
		v, has, err := only(a.req.Header, s.sessionHeader)
		if err != nil {
			return p, err
		}
		if has && !aegis.ValidSession(v) {
			return p, fmt.Errorf("the header %s is no session: 1 to 512 bytes of text without control characters", s.sessionHeader)
		}
		p.Session = v
	}
	return p, nil
}
