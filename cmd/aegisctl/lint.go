package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/lint"
	"github.com/aegisctl/aegis/policy"
)

func (a *app) lintCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "lint PATH…",
		Short: "Find mistakes in policies",
		Long: `Lint loads policies and reports mistakes with their place and remedy. It prints nothing where there is nothing to say.
Errors and warnings exit 1; infos exit 0.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("lint needs policies: aegisctl lint policies/")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if err := a.formats("text", "json"); err != nil {
				return err
			}
			findings, err := lintPaths(args)
			if err != nil {
				return err
			}
			if err := a.printFindings(findings); err != nil {
				return err
			}
			for _, f := range findings {
				if f.Severity.Fails() {
					return failed(nil)
				}
			}
			return nil
		},
	}
}

// lintPaths loads and lints. A source that does not load is a finding; one that cannot be read is an error.
func lintPaths(paths []string) ([]aegis.Finding, error) {
	for _, path := range paths {
		if _, err := os.Stat(path); err != nil {
			return nil, err
		}
	}
	set, err := policy.Load(paths...)
	if err == nil {
		return lint.Run(set, lint.Options{}), nil
	}
	var several policy.Errors
	var one *policy.Error
	if errors.As(err, &several) || errors.As(err, &one) {
		return lint.FromLoadError(err), nil
	}
	return nil, err
}

func (a *app) printFindings(fs []aegis.Finding) error {
	if a.format == "json" {
		if fs == nil {
			fs = []aegis.Finding{}
		}
		enc := json.NewEncoder(a.out)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(fs)
	}
	for _, f := range fs {
		if _, err := fmt.Fprintln(a.out, f); err != nil {
			return err
		}
	}
	return nil
}
