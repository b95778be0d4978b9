package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/aegisctl/aegis/decide"
	"github.com/aegisctl/aegis/lint/suite"
)

// testFlags are what `test` is told beside the room's options.
type testFlags struct {
	run, engine, output      string
	verbose                  bool
	minCoverage, minMutation string
}

func (a *app) testCmd() *cobra.Command {
	var opt suite.Options
	var flags testFlags
	c := &cobra.Command{
		Use:   "test PATH…",
		Short: "Run the tests of policies",
		Long: `Test runs the cases of *_test.yaml files on the policies beside them, and says which rules they saw at work and, with
--mutate, which small changes of the policies none of them would notice.

A PATH is a directory that holds policies and tests, a test file, or a policy file. --policy names other policies.
A case that fails, and a score below its minimum, exit 1.`,
		Example: "  aegisctl test policies/ --min-coverage 90%\n  aegisctl test policies/ --mutate --min-mutation 80%\n" +
			"  aegisctl test policies/ --run refund -v\n  aegisctl test policies/ --format lcov -o coverage.info",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("test needs policies with their tests: aegisctl test policies/")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.formats("text", "json", "junit", "github", "lcov"); err != nil {
				return err
			}
			return a.test(cmd.Context(), args, opt, flags)
		},
	}
	f := c.Flags()
	f.StringSliceVar(&opt.Policies, "policy", nil, "policy files or directories, where they are not beside the tests")
	f.StringVar(&flags.run, "run", "", "run the cases whose file/name this regular expression fits")
	f.IntVarP(&opt.Parallel, "jobs", "j", 0, "run at most so many at once (default: one for each processor)")
	f.BoolVarP(&flags.verbose, "verbose", "v", false, "list every case and every rule")
	f.StringVar(&flags.engine, "engine", "native", "native, opa, or both (a difference fails the case)")
	f.StringVar(&flags.minCoverage, "min-coverage", "", "fail (exit 1) below this share of outcomes covered, like 90%")
	f.BoolVar(&opt.Mutate, "mutate", false, "measure the mutation score")
	f.StringVar(&flags.minMutation, "min-mutation", "", "fail (exit 1) below this mutation score, like 80%; implies --mutate")
	f.IntVar(&opt.MutateLimit, "mutate-limit", 0, "try at most so many mutants, spread evenly (default: all)")
	f.StringVarP(&flags.output, "output", "o", "", "write the report to this file instead of stdout")
	return c
}

func (a *app) test(ctx context.Context, paths []string, opt suite.Options, flags testFlags) error {
	coverage, err := percentOf("--min-coverage", flags.minCoverage)
	if err != nil {
		return err
	}
	mutation, err := percentOf("--min-mutation", flags.minMutation)
	if err != nil {
		return err
	}
	opt.Mutate = opt.Mutate || flags.minMutation != ""
	switch opt.Engine = decide.EngineKind(flags.engine); {
	case opt.Engine != decide.Native && opt.Engine != decide.OnOPA && opt.Engine != decide.Both:
		return fmt.Errorf("--engine %q is not one of native, opa, both", flags.engine)
	case opt.Parallel < 0 || opt.MutateLimit < 0:
		return errors.New("--jobs and --mutate-limit are numbers from 0")
	}
	if flags.run != "" {
		if opt.Run, err = regexp.Compile(flags.run); err != nil {
			return fmt.Errorf("--run: %w", err)
		}
	}
	rep, err := suite.Run(ctx, paths, opt)
	if err != nil {
		if p, ok := errors.AsType[*suite.Panic](err); ok {
			return internal(p)
		}
		return err
	}
	if err := a.printTests(rep, flags); err != nil {
		return err
	}
	return judgeTests(rep, coverage, mutation, flags)
}

func (a *app) printTests(rep *suite.Report, flags testFlags) error {
	var b bytes.Buffer
	err := map[string]func(io.Writer) error{
		"text":   func(w io.Writer) error { return rep.WriteText(w, flags.verbose) },
		"json":   rep.WriteJSON,
		"junit":  rep.WriteJUnit,
		"github": rep.WriteGitHub,
		"lcov":   rep.WriteLCOV,
	}[a.format](&b)
	if err != nil {
		return err
	}
	if flags.output != "" {
		return writeFile(flags.output, b.Bytes())
	}
	_, err = a.out.Write(b.Bytes())
	return err
}

// judgeTests turns what failed into the exit code, a line on stderr for each.
func judgeTests(rep *suite.Report, coverage, mutation float64, flags testFlags) error {
	var bad []string
	if rep.Failed > 0 {
		bad = append(bad, fmt.Sprintf("%d of %d cases failed", rep.Failed, len(rep.Cases)))
		if flags.minMutation != "" {
			bad = append(bad, "the mutation score is not measured while cases fail")
		}
	}
	if float64(rep.Coverage.Rate) < coverage {
		bad = append(bad, fmt.Sprintf("coverage %s is below --min-coverage %s", rep.Coverage.Rate, flags.minCoverage))
	}
	if rep.Mutation != nil && float64(rep.Mutation.Score) < mutation {
		bad = append(bad, fmt.Sprintf("mutation score %s is below --min-mutation %s", rep.Mutation.Score, flags.minMutation))
	}
	if bad == nil {
		return nil
	}
	return failed(errors.New(strings.Join(bad, "\naegisctl: ")))
}

// percentOf reads a share such as 90%; "" is none.
func percentOf(flag, s string) (float64, error) {
	if s == "" {
		return 0, nil
	}
	num, percent := strings.CutSuffix(s, "%")
	p, err := strconv.ParseFloat(num, 64)
	if !percent || err != nil || !(p >= 0 && p <= 100) {
		return 0, fmt.Errorf("%s %q: write a share from 0%% to 100%%, like 90%%", flag, s)
	}
	return p/100 - 1e-9, nil // what is written as 57% is met by 0.57
}
