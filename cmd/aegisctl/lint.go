package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/lint"
	"github.com/aegisctl/aegis/policy"
)

// lintRun is one call of lint: its flags, bound to the room's options where they are the room's.
type lintRun struct {
	opt       lint.Options
	inputs    lintInputs
	fix, diff bool
	rules     bool
	today     string
	output    string
}

func (a *app) lintCmd() *cobra.Command {
	var r lintRun
	c := &cobra.Command{
		Use:   "lint PATH…",
		Short: "Find mistakes in policies",
		Long: `Lint loads policies and reports mistakes with their place and remedy. It prints nothing where there is nothing to say.
Errors and warnings exit 1; infos exit 0.

A comment silences a finding on its line, or alone on the line above it, and says why:

    max_amount: -1   # aegis:ignore AEG002 switched off by ops, SEC-412`,
		Example: "  aegisctl lint policies/\n  aegisctl lint policies/ --format sarif -o lint.sarif\n  aegisctl lint policies/ --schema stripe-payments=tools.json --traffic traffic.parquet\n  aegisctl lint policies/ --fix --diff",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 && !r.rules {
				return errors.New("lint needs policies: aegisctl lint policies/")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.formats(lint.Formats...); err != nil {
				return err
			}
			if err := r.check(); err != nil {
				return err
			}
			if r.rules {
				return a.listRules()
			}
			return a.lint(cmd.Context(), r, args)
		},
	}
	f := c.Flags()
	f.StringSliceVar(&r.opt.Enable, "enable", nil, "run these rules only, by id or name")
	f.StringSliceVar(&r.opt.Disable, "disable", nil, "do not run these rules, by id or name")
	f.BoolVar(&r.opt.Undecided, "undecided", false, "also list, as infos, the conditions that lint cannot decide")
	f.BoolVar(&r.fix, "fix", false, "remove what can be removed safely, and report the rest")
	f.BoolVar(&r.diff, "diff", false, "with --fix: show what would be removed, and write nothing")
	f.BoolVar(&r.rules, "rules", false, "list the rules")
	f.StringVar(&r.today, "today", "", "the day that until is compared with, like 2026-12-31 (default: today)")
	r.inputs.flags(f)
	f.StringVarP(&r.output, "output", "o", "", "write the findings to this file instead of stdout")
	return c
}

// check looks at the flags.
func (r *lintRun) check() error {
	unknown, hints := lint.Unknown(append(append([]string(nil), r.opt.Enable...), r.opt.Disable...))
	if len(unknown) > 0 {
		return fmt.Errorf("no rule is called %s: %s", unknown[0], hints[0])
	}
	if r.diff && !r.fix {
		return errors.New("--diff shows what --fix would do: add --fix")
	}
	r.opt.Now = time.Now()
	if r.today != "" {
		day, err := time.Parse(time.DateOnly, r.today)
		if err != nil {
			return fmt.Errorf("--today %q: write a day like 2026-12-31", r.today)
		}
		r.opt.Now = day
	}
	return nil
}

// lint loads and lints. A source that does not load is a finding; one that cannot be read is an error.
func (a *app) lint(ctx context.Context, r lintRun, paths []string) error {
	for _, path := range paths {
		if _, err := os.Stat(path); err != nil {
			return err
		}
	}
	var findings []aegis.Finding
	set, err := policy.Load(paths...)
	var several policy.Errors
	var one *policy.Error
	switch {
	case errors.As(err, &several) || errors.As(err, &one):
		findings = lint.FromLoadError(err)
	case err != nil:
		return err
	default:
		if r.fix {
			if set, err = a.fix(r, set, paths); err != nil || r.diff {
				return err
			}
		}
		if err := r.inputs.fill(ctx, a, set, &r.opt); err != nil {
			return err
		}
		findings = lint.Run(set, r.opt)
	}
	return a.reportFindings(findings, r.output)
}

// reportFindings prints findings and fails where one of them does.
func (a *app) reportFindings(fs []aegis.Finding, output string) error {
	var b bytes.Buffer
	if err := lint.Write(&b, a.format, fs); err != nil {
		return err
	}
	if output != "" {
		if err := writeFile(output, b.Bytes()); err != nil {
			return err
		}
	} else if _, err := a.out.Write(b.Bytes()); err != nil {
		return err
	}
	for _, f := range fs {
		if f.Severity.Fails() {
			return failed(nil)
		}
	}
	return nil
}

// fix removes what can be removed, says so, and loads the policies again.
func (a *app) fix(r lintRun, set *policy.Set, paths []string) (*policy.Set, error) {
	files, err := lint.Fix(set, paths, r.opt)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if r.diff {
			if _, err := fmt.Fprint(a.out, f.Diff()); err != nil {
				return nil, err
			}
			continue
		}
		now, err := os.ReadFile(f.File)
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(now, f.Before) {
			return nil, fmt.Errorf("%s was changed while it was linted; run lint again", f.File)
		}
		if err := rewriteFile(f.File, f.After); err != nil {
			return nil, err
		}
		for _, e := range f.Edits {
			a.note("fixed %s", e)
		}
	}
	if len(files) == 0 || r.diff {
		return set, nil
	}
	return policy.Load(paths...)
}

// rewriteFile replaces a file whole, with the permissions that it had. A link stays a link.
func rewriteFile(path string, data []byte) error {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(target)
	if err != nil {
		return err
	}
	if err := writeFile(target, data); err != nil {
		return err
	}
	return os.Chmod(target, info.Mode().Perm())
}

// listRules prints the rules as a table, or as JSON.
func (a *app) listRules() error {
	if a.format == "json" {
		return lint.WriteRules(a.out)
	}
	for _, r := range lint.Rules() {
		notes := []string{}
		if r.Fixable {
			notes = append(notes, "fixable")
		}
		if r.NeedsSchema {
			notes = append(notes, "needs --schema")
		}
		if r.OptIn {
			notes = append(notes, "opt-in")
		}
		if r.NeedsTraffic {
			notes = append(notes, "needs --traffic")
		}
		about := r.Summary
		if len(notes) > 0 {
			about += " (" + strings.Join(notes, ", ") + ")"
		}
		if _, err := fmt.Fprintf(a.out, "%s  %-26s %-8s %s\n", r.ID, r.Name, r.Severity, about); err != nil {
			return err
		}
	}
	return nil
}
