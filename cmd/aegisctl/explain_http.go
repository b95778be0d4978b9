package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/decide"
	"github.com/aegisctl/aegis/route"
)

// webCall is an HTTP request and who sends it, which a server would know from a token.
type webCall struct {
	path, agent, session, region string
	chain                        []string
}

func (w *webCall) flags(f *pflag.FlagSet) {
	f.StringVar(&w.path, "http", "", "an HTTP/1.1 request as text, instead of --call; - is stdin")
	f.StringVar(&w.agent, "agent", "", "with --http: the agent that sends the request")
	f.StringSliceVar(&w.chain, "chain", nil, "with --http: the callers before the agent, outermost first")
	f.StringVar(&w.session, "session", "", "with --http: the session")
	f.StringVar(&w.region, "region", "", "with --http: the region")
}

// call returns the call but for what the request says.
func (w *webCall) call(tenant string) (*aegis.Call, error) {
	c := &aegis.Call{Tenant: tenant, Agent: w.agent, Session: w.session, Region: w.region, Chain: w.chain}
	if tenant == "" {
		c.Tenant = "default"
	}
	switch {
	case w.agent == "":
		return nil, errors.New("explain --http needs --agent: who sends the request")
	case !aegis.ValidName(w.agent), !aegis.ValidName(c.Tenant), w.region != "" && !aegis.ValidName(w.region):
		return nil, errors.New("--agent, --tenant and --region are names: 1 to 128 printable ASCII characters without space")
	case w.session != "" && !aegis.ValidSession(w.session):
		return nil, errors.New("--session is 1 to 512 bytes of text without control characters")
	case len(w.chain) > aegis.MaxChain:
		return nil, fmt.Errorf("--chain has more than %d callers", aegis.MaxChain)
	}
	for _, name := range w.chain {
		if !aegis.ValidName(name) {
			return nil, fmt.Errorf("--chain: %q is no name", name)
		}
	}
	return c, nil
}

// explainHTTP has the routes turn a request into a call, and explains that.
func (a *app) explainHTTP(gate *decide.Gate, w *webCall, tenant string, all bool) error {
	call, err := w.call(tenant)
	if err != nil {
		return err
	}
	text, err := a.readCall(w.path)
	if err != nil {
		return err
	}
	req, err := route.ParseRequest(text)
	if err != nil {
		return err
	}
	m := new(route.Matched)
	err = route.New(gate.Engine.Set(), call.Tenant).Match(req, m)
	var refused *route.Refusal
	if errors.As(err, &refused) {
		return a.printRefusal(gate, refused, all)
	} else if err != nil {
		return internal(err)
	}
	call.Tool, call.Action, call.Args, call.Effect = m.Call.Tool, m.Call.Action, m.Call.Args, m.Call.Effect
	return a.explainCall(gate, call, all, newMappedRequest(m))
}

// printRefusal prints the decision over a request that is no call.
func (a *app) printRefusal(gate *decide.Gate, r *route.Refusal, all bool) error {
	d := decision(gate, &aegis.Call{}, &decide.Verdict{Outcome: r.Outcome})
	d.Reasons = []aegis.Reason{{Code: r.Code, Message: r.Msg}}
	if err := a.printExplanation(&explanation{Decision: d}, all); err != nil {
		return err
	}
	if r.Outcome == aegis.Reject {
		return &exitError{exitInput, nil}
	}
	return nil
}

// mappedRequest is what became of a request, for people.
type mappedRequest struct {
	Route     string      `json:"route"`
	Source    string      `json:"source"`
	Tool      string      `json:"tool"`
	Action    string      `json:"action"`
	Arguments []mappedArg `json:"arguments"`
	Body      string      `json:"rewritten_body,omitempty"`
	NoBody    string      `json:"not_rewritten,omitempty"` // why the body cannot be rewritten

	matched *route.Matched
}

type mappedArg struct {
	Name  string        `json:"name"`
	From  string        `json:"from"`
	Value aegis.RawJSON `json:"value"`
}

func newMappedRequest(m *route.Matched) *mappedRequest {
	x := &mappedRequest{Route: m.Route.Match(), Source: m.Route.Pos.String(), Tool: m.Call.Tool, Action: m.Call.Action,
		Arguments: []mappedArg{}, matched: m}
	for v := m.Call.Args.First(); v.Kind() != aegis.Absent; v = m.Call.Args.After(v) {
		x.Arguments = append(x.Arguments, mappedArg{v.Key(), m.Where(v.Key()), aegis.AppendValue(nil, v)})
	}
	return x
}

// rewrite notes what a door that rewrites bodies would forward.
func (x *mappedRequest) rewrite(args aegis.Value) {
	if x == nil {
		return
	}
	body, err := x.matched.Rewrite(args)
	if err != nil {
		x.NoBody = err.Error()
	} else {
		x.Body = string(body)
	}
}

func (x *mappedRequest) write(w io.Writer) {
	if x == nil {
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s)\nis the call %s", x.Route, x.Source, aegis.EscapeName(x.Tool))
	if x.Action != "" {
		b.WriteString("/" + aegis.EscapeName(x.Action))
	}
	b.WriteByte('\n')
	for _, v := range x.Arguments {
		fmt.Fprintf(&b, "  %s = %s, from %s\n", harmless(v.Name), harmless(string(v.Value)), harmless(v.From))
	}
	if x.Body != "" {
		fmt.Fprintf(&b, "  forwarded body: %s\n", harmless(x.Body))
	}
	if x.NoBody != "" {
		fmt.Fprintf(&b, "  %s: a door denies the call (%s)\n", harmless(x.NoBody), aegis.CannotSanitizeHere)
	}
	b.WriteByte('\n')
	_, _ = io.WriteString(w, b.String()) // w is a strings.Builder
}
