package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/decide"
)

func (a *app) explainCmd() *cobra.Command {
	var callPath, policyPath, tenant, engine string
	var all bool
	var web webCall
	c := &cobra.Command{
		Use:   "explain --call FILE",
		Short: "Decide one call and say why",
		Long: `Explain decides one call envelope and prints the decision, every rule that was considered with what it read, and the
smallest change of arguments that would give another outcome: the fewest arguments, then the nearest values, of those
that the rules name. Every change that is shown was put through the gate.

The envelope is {"tenant", "agent", "tool", "args"} and optional action, chain, session, region, effect, time, approval,
dry_run. The call is judged alone: its session has no earlier calls and its limits are unspent. Nothing is changed.
A malformed call is rejected: exit 2. Every other decision: exit 0. --format json prints the decision object as every
door answers it; --all adds "considered" and "flips" to it.

With --http the file is an HTTP/1.1 request as text, which the routes of the policies turn into the call; --agent and
--tenant say who sends it. A request that no route matches is denied.`,
		Example: "  aegisctl explain --call call.json --policy policies/ --tenant acme --format json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := a.formats("text", "json"); err != nil {
				return err
			}
			if (callPath == "") == (web.path == "") {
				return errors.New("explain needs a call: --call call.json, or --call - for stdin; or a request: --http request.http")
			}
			set, err := loadPolicy(policyPath, "")
			if err != nil {
				return err
			}
			gate, err := decide.NewGate(set, decide.Options{Engine: decide.EngineKind(engine), Tenant: tenant, Held: decide.Refused})
			if err != nil {
				return err
			}
			if web.path != "" {
				return a.explainHTTP(gate, &web, tenant, all)
			}
			text, err := a.readCall(callPath)
			if err != nil {
				return err
			}
			return a.explain(gate, text, all)
		},
	}
	f := c.Flags()
	f.StringVar(&callPath, "call", "", "the call envelope; - is stdin")
	f.StringVar(&policyPath, "policy", "", "policy file or directory (default ./policies)")
	f.StringVar(&tenant, "tenant", "", "the one tenant believed; a call of another is denied")
	f.StringVar(&engine, "engine", "native", "native, opa, or both (fails on a difference)")
	web.flags(f)
	f.BoolVar(&all, "all", false, "with --format json: the rules considered and the smallest changes as well")
	return c
}

// readCall reads a call. Reading stops one byte past the bound, so that the decoder can say that it is too large.
func (a *app) readCall(path string) ([]byte, error) {
	in := a.in
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	return io.ReadAll(io.LimitReader(in, aegis.MaxBody+1))
}

func (a *app) explain(gate *decide.Gate, text []byte, all bool) error {
	call, bad := aegis.DecodeCall(text)
	if bad != nil {
		var s decide.Scratch
		d := decision(gate, &aegis.Call{}, gate.Malformed(&s))
		d.Reasons[0].Message = "the call is malformed: " + bad.Error()
		if err := a.printExplanation(&explanation{Decision: d}, all); err != nil {
			return err
		}
		return &exitError{exitInput, nil}
	}
	return a.explainCall(gate, call, all, nil)
}

// explainCall decides a call; mapped is the request that it was, or nil.
func (a *app) explainCall(gate *decide.Gate, call *aegis.Call, all bool, mapped *mappedRequest) error {
	var s decide.Scratch
	if !call.HasTime {
		call.Time, call.HasTime = time.Now().UnixMicro(), true
	}
	plan := gate.Engine.Plan(call.Tenant, call.Agent, call.Tool, call.Action)
	v, err := gate.Decide(&s, plan, call, gate.Session(call.Tenant, call.Session))
	if err != nil {
		return simulateError(err)
	}
	x := &explanation{Decision: decision(gate, call, v), Considered: gate.Engine.Consider(call, v), HTTP: mapped}
	if v.Outcome == aegis.Sanitize {
		mapped.rewrite(v.Args)
	}
	outcome := v.Outcome
	if a.format == "text" || all {
		if x.Flips, err = gate.Flips(call); err != nil {
			return simulateError(err)
		}
	}
	if err := a.printExplanation(x, all); err != nil {
		return err
	}
	if outcome == aegis.Reject {
		return &exitError{exitInput, nil}
	}
	return nil
}

// decision makes the decision object of a verdict.
func decision(gate *decide.Gate, call *aegis.Call, v *decide.Verdict) *aegis.Decision {
	d := &aegis.Decision{Decision: v.Outcome.String(), Mode: aegis.Enforce.String(), Enforced: true, Schema: 1,
		PolicyVersion: gate.Engine.Set().Version, EstimatedCost: aegis.USD(v.Cost)}
	d.Reasons, d.Errors = gate.Engine.Explain(call, v)
	if v.Outcome == aegis.Sanitize {
		args := aegis.RawJSON(v.Args.Text())
		d.Args = &args
	}
	return d
}

// explanation is the decision object, and what explain has to say beside it.
type explanation struct {
	*aegis.Decision
	Considered []decide.Considered `json:"considered"`
	Flips      *decide.Flips       `json:"flips"`
	HTTP       *mappedRequest      `json:"http,omitempty"`
}

func (a *app) printExplanation(x *explanation, all bool) error {
	if a.format == "json" {
		enc := json.NewEncoder(a.out)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		if all {
			return enc.Encode(x)
		}
		return enc.Encode(x.Decision)
	}
	var b strings.Builder
	x.HTTP.write(&b)
	writeDecision(&b, x.Decision)
	writeConsidered(&b, x.Considered)
	writeFlips(&b, x.Flips)
	_, err := io.WriteString(a.out, b.String())
	return err
}

func writeDecision(b *strings.Builder, d *aegis.Decision) {
	fmt.Fprintln(b, d.Decision)
	for _, part := range []struct {
		title   string
		reasons []aegis.Reason
	}{{"", d.Reasons}, {"error: ", d.Errors}} {
		for _, r := range part.reasons {
			fmt.Fprintf(b, "  %s%s (%s)\n", part.title, harmless(r.Message), r.Code)
			if r.Rule != "" {
				fmt.Fprintf(b, "    rule %s", harmless(r.Rule))
				if r.Source != "" {
					fmt.Fprintf(b, " at %s", harmless(r.Source))
				}
				b.WriteByte('\n')
			}
		}
	}
	if d.Args != nil {
		fmt.Fprintf(b, "  forwarded arguments: %s\n", harmless(string(*d.Args)))
	}
}

// writeConsidered lists the rules by what they had to say: those that call for something first.
func writeConsidered(b *strings.Builder, rules []decide.Considered) {
	if len(rules) == 0 {
		return
	}
	fmt.Fprintf(b, "\nrules considered: %d\n", len(rules))
	for _, r := range rules {
		result := strings.ReplaceAll(r.Result, "_", " ")
		if r.Effect != "" {
			result += ": " + r.Effect
		}
		fmt.Fprintf(b, "  %s\n    %s", harmless(r.Rule), result)
		if r.Code != "" {
			fmt.Fprintf(b, " (%s)", r.Code)
		}
		if r.Note != "" {
			fmt.Fprintf(b, "; %s", harmless(r.Note))
		}
		b.WriteByte('\n')
		if r.Source != "" {
			fmt.Fprintf(b, "    %s", harmless(r.Source))
			if r.Line != "" {
				fmt.Fprintf(b, "  | %s", harmless(r.Line))
			}
			b.WriteByte('\n')
		}
		for _, x := range r.Reads {
			fmt.Fprintf(b, "    %s = %s\n", harmless(x.Name), harmless(x.Value))
		}
	}
}

// orOneOf says what an argument becomes, and what would do as well.
func orOneOf(c decide.ArgChange) string {
	if len(c.OneOf) < 2 {
		return c.To
	}
	s := "one of " + strings.Join(c.OneOf, ", ")
	if c.More {
		s += ", …"
	}
	return s
}

var flipWords = map[string]string{"allow": "allowed", "sanitize": "sanitized and let through", "approval_needed": "held for an approval",
	"deny": "denied", "reject": "rejected"}

func writeFlips(b *strings.Builder, f *decide.Flips) {
	if f == nil || len(f.Found)+len(f.None) == 0 {
		return
	}
	b.WriteString("\nthe smallest change of arguments\n")
	for _, x := range f.Found {
		var parts []string
		for _, c := range x.Changes {
			switch "missing" {
			case c.To:
				parts = append(parts, "remove "+c.Path)
			case c.From:
				parts = append(parts, "add "+c.Path+" "+orOneOf(c))
			default:
				parts = append(parts, c.Path+" "+c.From+" → "+orOneOf(c))
			}
		}
		fmt.Fprintf(b, "  %s: would be %s\n", harmless(strings.Join(parts, ", ")), flipWords[x.Decision])
	}
	if len(f.None) == 2 && f.None[0].Why == f.None[1].Why {
		fmt.Fprintf(b, "  none: %s\n", harmless(f.None[0].Why))
		return
	}
	for _, x := range f.None {
		fmt.Fprintf(b, "  none for it to be %s: %s\n", flipWords[x.Decision], harmless(x.Why))
	}
}

// harmless replaces what a terminal would act on instead of showing: control characters, and those that turn the
// direction of text.
func harmless(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return '·'
		}
		return r
	}, s)
}
