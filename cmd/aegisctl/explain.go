package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/decide"
)

func (a *app) explainCmd() *cobra.Command {
	var callPath, policyPath, tenant, engine string
	c := &cobra.Command{
		Use:   "explain --call FILE",
		Short: "Decide one call and say why",
		Long: `Explain decides one call envelope and prints the decision with every rule that had something to say.

The envelope is {"tenant", "agent", "tool", "args"} and optional action, chain, session, region, effect, time, approval,
dry_run. The call is judged alone: its session has no earlier calls and its limits are unspent. Nothing is changed.
A malformed call is rejected: exit 2. Every other decision: exit 0.`,
		Example: "  aegisctl explain --call call.json --policy policies/ --tenant acme --format json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := a.formats("text", "json"); err != nil {
				return err
			}
			if callPath == "" {
				return errors.New("explain needs a call: --call call.json, or --call - for stdin")
			}
			set, err := loadPolicy(policyPath, "")
			if err != nil {
				return err
			}
			gate, err := decide.NewGate(set, decide.Options{Engine: decide.EngineKind(engine), Tenant: tenant, Held: decide.Refused})
			if err != nil {
				return err
			}
			text, err := a.readCall(callPath)
			if err != nil {
				return err
			}
			return a.explain(gate, text)
		},
	}
	f := c.Flags()
	f.StringVar(&callPath, "call", "", "the call envelope; - is stdin")
	f.StringVar(&policyPath, "policy", "", "policy file or directory (default ./policies)")
	f.StringVar(&tenant, "tenant", "", "the one tenant believed; a call of another is denied")
	f.StringVar(&engine, "engine", "native", "native, opa, or both (fails on a difference)")
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

func (a *app) explain(gate *decide.Gate, text []byte) error {
	var s decide.Scratch
	call, bad := aegis.DecodeCall(text)
	if bad != nil {
		d := decision(gate, &aegis.Call{}, gate.Malformed(&s))
		d.Reasons[0].Message = "the call is malformed: " + bad.Error()
		if err := a.printDecision(d); err != nil {
			return err
		}
		return &exitError{exitInput, nil}
	}
	if !call.HasTime {
		call.Time, call.HasTime = time.Now().UnixMicro(), true
	}
	plan := gate.Engine.Plan(call.Tenant, call.Agent, call.Tool, call.Action)
	v, err := gate.Decide(&s, plan, call, gate.Session(call.Tenant, call.Session))
	if err != nil {
		return simulateError(err)
	}
	if err := a.printDecision(decision(gate, call, v)); err != nil {
		return err
	}
	if v.Outcome == aegis.Reject {
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

func (a *app) printDecision(d *aegis.Decision) error {
	if a.format == "json" {
		enc := json.NewEncoder(a.out)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(d)
	}
	var b strings.Builder
	fmt.Fprintln(&b, d.Decision)
	for _, part := range []struct {
		title   string
		reasons []aegis.Reason
	}{{"", d.Reasons}, {"error: ", d.Errors}} {
		for _, r := range part.reasons {
			fmt.Fprintf(&b, "  %s%s (%s)\n", part.title, r.Message, r.Code)
			if r.Rule != "" {
				fmt.Fprintf(&b, "    rule %s", r.Rule)
				if r.Source != "" {
					fmt.Fprintf(&b, " at %s", r.Source)
				}
				b.WriteByte('\n')
			}
		}
	}
	if d.Args != nil {
		fmt.Fprintf(&b, "  forwarded arguments: %s\n", *d.Args)
	}
	_, err := io.WriteString(a.out, b.String())
	return err
}
