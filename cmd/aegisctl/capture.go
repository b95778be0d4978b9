package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/capture"
)

func (a *app) captureCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "capture",
		Short: "Work with captured traffic",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.captureImportCmd(), a.captureHeadCmd(), a.captureStatsCmd())
	return c
}

func (a *app) captureImportCmd() *cobra.Command {
	var from, output, tenant string
	var api openAPI
	c := &cobra.Command{
		Use:   "import --from jsonl IN… -o traffic.parquet",
		Short: "Turn other formats into captured traffic",
		Long: `Import reads traffic in another format and writes Parquet that simulate reads.

jsonl: one call a line, plain or gzip; "-" is stdin. Its members are time, session, seq, agent, chain, tool, action, args,
effect, region, tenant, estimated_cost, outcome, coverage, labels, source, model, call_id, parent, recorded_decision,
recorded_policy_version. A line that is no call is counted and listed, and the others are kept; exit 1 then.

With --openapi it reads no traffic: it drafts routes, which turn HTTP requests into calls, from an OpenAPI document.`,
		Example: "  aegisctl capture import --from jsonl calls.jsonl -o traffic.parquet\n" +
			"  aegisctl capture import --openapi api.yaml --tool billing -o policies/routes.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case api.path != "":
				return a.draftRoutes(&api, args, from, tenant, output)
			case len(args) == 0:
				return errors.New("import needs input files: aegisctl capture import --from jsonl calls.jsonl -o traffic.parquet")
			case output == "":
				return errors.New("import needs -o traffic.parquet")
			case from != "jsonl":
				return fmt.Errorf("--from %q is not one of jsonl", from)
			}
			return a.importJSONL(cmd.Context(), args, output, capture.ImportOptions{Tenant: tenant})
		},
	}
	f := c.Flags()
	f.StringVar(&from, "from", "", "format of the input: jsonl")
	f.StringVarP(&output, "output", "o", "", "the Parquet file to write; with --openapi the file of routes (default: stdout)")
	api.flags(f)
	f.StringVar(&tenant, "tenant", "", "the tenant of calls that state none; with --openapi, of the routes")
	return c
}

func (a *app) importJSONL(ctx context.Context, paths []string, output string, opt capture.ImportOptions) (err error) {
	if err := notInput("-o", output, paths); err != nil {
		return err
	}
	w, err := capture.Create(output)
	if err != nil {
		return err
	}
	defer w.Abort()
	bad := int64(0)
	for _, path := range paths {
		st, err := a.importFile(ctx, path, w, opt)
		if err != nil {
			return err
		}
		bad += st.Rejected
		for _, s := range st.Samples {
			a.note("%s:%d: %s", s.File, s.Line, s.Reason)
		}
		for _, name := range sortedKeys(st.Unknown) {
			a.note("%s: member %q is not known and was left out (%d lines)", path, name, st.Unknown[name])
		}
		if st.RoundedCosts > 0 {
			a.note("%s: %d costs had more than six decimals and were rounded up", path, st.RoundedCosts)
		}
	}
	rows := w.Rows()
	if err := w.Close(); err != nil {
		return err
	}
	a.note("%s: %d calls", output, rows)
	if bad > 0 {
		return failed(fmt.Errorf("%d lines are no calls and were left out", bad))
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (a *app) importFile(ctx context.Context, path string, w *capture.Writer, opt capture.ImportOptions) (capture.ImportStats, error) {
	in := a.in
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return capture.ImportStats{}, err
		}
		defer f.Close()
		in = f
	}
	return capture.ImportJSONL(in, path, func(r *capture.Row) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return w.Write(*r)
	}, opt)
}

func (a *app) captureHeadCmd() *cobra.Command {
	var n int
	c := &cobra.Command{
		Use:   "head TRAFFIC",
		Short: "Print the first calls",
		Args:  oneArg("head needs a file: aegisctl capture head traffic.parquet"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := a.formats("text", "json"); err != nil {
				return err
			}
			rows, err := capture.Head(args[0], n)
			if err != nil {
				return err
			}
			for i := range rows {
				line := textRow(&rows[i])
				if a.format == "json" {
					line = jsonRow(&rows[i])
				}
				if _, err := io.WriteString(a.out, line+"\n"); err != nil {
					return err
				}
			}
			return nil
		},
	}
	c.Flags().IntVarP(&n, "rows", "n", 10, "how many calls")
	return c
}

func oneArg(msg string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return errors.New(msg)
		}
		return nil
	}
}

func textRow(r *capture.Row) string {
	when := "-"
	if r.HasTime {
		when = time.UnixMicro(r.TimeMicros).UTC().Format(time.RFC3339Nano)
	}
	tool := r.Tool
	if r.Action != "" {
		tool += "/" + r.Action
	}
	args := "-"
	if r.Args != nil {
		args = printable(string(r.Args))
	}
	return fmt.Sprintf("%s  %s  %s  %s  %s", when, printable(r.Session), printable(r.Agent), printable(tool), args)
}

// printable keeps control characters of captured text away from the terminal.
func printable(s string) string {
	q := strconv.QuoteToGraphic(s)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}

// jsonRow writes a row with the names of the schema; what is null is left out.
func jsonRow(r *capture.Row) string {
	m := map[string]any{"agent": r.Agent, "tool": r.Tool}
	for k, v := range map[string]string{"tenant": r.Tenant, "session": r.Session, "action": r.Action, "effect": r.Effect,
		"region": r.Region, "outcome": r.Outcome, "coverage": r.Coverage, "recorded_decision": r.RecordedDecision,
		"recorded_policy_version": r.RecordedPolicyVersion} {
		if v != "" {
			m[k] = v
		}
	}
	if r.HasTime {
		m["time"] = time.UnixMicro(r.TimeMicros).UTC().Format(time.RFC3339Nano)
	}
	if r.HasSeq {
		m["seq"] = r.Seq
	}
	if r.HasCost {
		m["estimated_cost"] = aegis.USD(r.CostMicro)
	}
	if r.Chain != nil {
		m["chain"] = r.Chain
	}
	if len(r.Labels) > 0 {
		m["labels"] = r.Labels
	}
	if r.Args != nil {
		m["args"] = string(r.Args)
		if json.Valid(r.Args) {
			m["args"] = json.RawMessage(r.Args)
		}
	}
	b, err := json.Marshal(m)
	if err != nil {
		return fmt.Sprintf("%q", err.Error())
	}
	return string(b)
}

func (a *app) captureStatsCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "stats TRAFFIC…",
		Short: "Say what captured traffic holds",
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("stats needs traffic: aegisctl capture stats traffic.parquet")
			}
			if err := a.formats("text", "json"); err != nil {
				return err
			}
			files, err := expand(args)
			if err != nil {
				return err
			}
			st, err := capture.ComputeStats(files...)
			if err != nil {
				return err
			}
			return a.printStats(st)
		},
	}
}
