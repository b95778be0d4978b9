package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/draft"
	"github.com/aegisctl/aegis/lint"
)

// draftFlags are the flags of draft that are not options of the room as they stand.
type draftFlags struct {
	holdout, output, report string
	labels                  []string
}

func (a *app) draftCmd() *cobra.Command {
	var opt draft.Options
	var flags draftFlags
	c := &cobra.Command{
		Use:   "draft TRAFFIC…",
		Short: "Draft a least-privilege policy from captured traffic",
		Long: `Draft writes a policy that grants what captured calls did: tools, actions, callers, and for each argument the narrowest
list, range or form that all calls fit, with a comment that says what was seen and what is granted beyond it.

What stood in arguments is written only where it was seen in several sessions (--min-support), no detector of personal
data and secrets finds anything in it, and it looks like a word of a program. How often the draft would deny a good call
is measured on sessions that are held out (--holdout). A draft is where reading begins: what agents did is not always
what they should do.`,
		Example: "  aegisctl draft traffic.parquet > agent.yaml\n  aegisctl draft 'day-*.parquet' --label class=benign -o policies/ --report draft.json",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("draft needs traffic: aegisctl draft traffic.parquet")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if opt.Traffic, err = expand(args); err != nil {
				return err
			}
			if err := draftOptions(&opt, flags); err != nil {
				return err
			}
			return a.draft(cmd.Context(), opt, flags)
		},
	}
	f := c.Flags()
	f.StringVar(&flags.holdout, "holdout", "20%", "share of the sessions that the false-deny rate is measured on; 0%: it is not measured")
	f.IntVar(&opt.MinSupport, "min-support", draft.DefaultSupport, "sessions in which something must have been seen to be written")
	f.StringSliceVar(&opt.Tenants, "tenant", nil, "draft for this tenant only (may be repeated)")
	f.StringSliceVar(&opt.Agents, "agent", nil, "draft for this agent only (may be repeated)")
	f.StringSliceVar(&opt.Names, "allow-name", nil, "a name of a tool, action, agent, caller or region that is written although it looks personal or random (may be repeated)")
	f.StringArrayVar(&flags.labels, "label", nil, "only calls with this label, like class=benign (may be repeated: another value of a key adds calls, another key narrows)")
	f.StringVarP(&flags.output, "output", "o", "", "write one file for each agent into this directory instead of stdout")
	f.StringVar(&flags.report, "report", "", "write the report as JSON to this file instead of a few lines to stderr")
	return c
}

// draftOptions checks the flags.
func draftOptions(opt *draft.Options, flags draftFlags) error {
	share, err := parseShare(flags.holdout)
	if err != nil || flags.holdout == "" || share > 0.9 {
		return fmt.Errorf("--holdout %q is not between 0%% and 90%%", flags.holdout)
	}
	opt.Holdout = share
	if opt.MinSupport < 1 || opt.MinSupport > draft.MaxSupport {
		return fmt.Errorf("--min-support %d is not between 1 and %d", opt.MinSupport, draft.MaxSupport)
	}
	for flag, names := range map[string][]string{"--tenant": opt.Tenants, "--agent": opt.Agents, "--allow-name": opt.Names} {
		for _, n := range names {
			if !aegis.ValidName(n) {
				return fmt.Errorf("%s %q is no name", flag, n)
			}
		}
	}
	for _, l := range flags.labels {
		key, value, ok := strings.Cut(l, "=")
		if !ok || key == "" {
			return fmt.Errorf("--label %q: write key=value", l)
		}
		if opt.Labels == nil {
			opt.Labels = map[string][]string{}
		}
		opt.Labels[key] = append(opt.Labels[key], value)
	}
	return nil
}

// draft drafts, has lint look at what came out, and writes it.
func (a *app) draft(ctx context.Context, opt draft.Options, flags draftFlags) error {
	boundMemory()
	bar := a.progress()
	opt.Progress = bar.update
	res, err := draft.Run(ctx, opt)
	bar.done()
	var defect *draft.DefectError
	switch {
	case errors.As(err, &defect):
		return internal(err)
	case errors.Is(err, draft.ErrNothing):
		return fmt.Errorf("%s: no call to draft from; capture stats shows what the traffic holds, and --tenant, --agent and --label choose from it",
			strings.Join(opt.Traffic, ", "))
	case err != nil:
		return err
	}
	for _, p := range res.Policies {
		for _, f := range lint.Run(p.Set, lint.Options{}) {
			if f.Severity.Fails() {
				a.note("lint: %s", f)
			}
		}
	}
	if flags.output == "" && len(res.Policies) != 1 {
		return fmt.Errorf("the traffic is of %d agents, and a file holds one policy: name a directory with -o, or choose with --agent and --tenant",
			len(res.Policies))
	}
	if err := a.draftReport(res.Report, flags.report); err != nil {
		return err
	}
	if flags.output != "" {
		return a.writeDrafts(res, flags.output)
	}
	_, err = a.out.Write([]byte(res.Policies[0].Text))
	return err
}

// draftReport writes the report, as JSON where a file is named or --format json asks for it.
func (a *app) draftReport(r *draft.Report, path string) error {
	if path == "" && a.format != "json" {
		if a.quiet {
			return nil
		}
		return r.WriteText(a.err)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return internal(err)
	}
	if path == "" {
		_, err := a.err.Write(b.Bytes())
		return err
	}
	return writeFile(path, b.Bytes())
}

// writeDrafts writes one file for each policy. What is there already is never overwritten.
func (a *app) writeDrafts(res *draft.Result, dir string) error {
	var there []string
	for _, p := range res.Policies {
		if _, err := os.Lstat(filepath.Join(dir, p.File)); err == nil {
			there = append(there, filepath.Join(dir, p.File))
		}
	}
	if len(there) > 0 {
		return fmt.Errorf("nothing was written, because this would overwrite %s", strings.Join(there, ", "))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, p := range res.Policies {
		if err := writeFile(filepath.Join(dir, p.File), []byte(p.Text)); err != nil {
			return err
		}
		a.note("wrote %s", filepath.Join(dir, p.File))
	}
	return nil
}
