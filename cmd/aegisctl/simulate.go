package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/decide"
	"github.com/aegisctl/aegis/lint"
	"github.com/aegisctl/aegis/simulate"
)

// gates are the limits on a report that fail a build.
type gates struct {
	block, hold     string
	denied, allowed string // changes against the baseline
	unknown         bool
}

const simulateLong = `Simulate replays captured tool calls (Parquet files, or globs of them) in event time through the decision engine and
reports what the policy would block, whom it would make wait, and which tools are safe to enforce.

--policy takes a file, a directory or a bundle; without it, policies/ beside the traffic is used, else ./policies.
Rates are over the calls that can be decided; their 95% intervals are clustered by session.

--baseline OLD judges the same calls by another policy as well, and reports what the new one changes: newly denied
(blocked now; was let through or held), newly allowed (let through now; was blocked or held) and newly held calls, by
the rules that decided, each with its smallest example. Examples show the arguments that those rules read, personal
data replaced; --no-examples leaves them out.`

func (a *app) simulateCmd() *cobra.Command {
	var opt simulate.Options
	var gate gates
	var policyPath, baseline, mode, engine, held, output, sarif string
	var noExamples bool
	c := &cobra.Command{
		Use:   "simulate TRAFFIC…",
		Short: "Show what a policy would do to captured traffic",
		Long:  simulateLong,
		Example: "  aegisctl simulate traffic.parquet\n  aegisctl simulate 'day-*.parquet' --policy new/ --label class --format markdown\n" +
			"  aegisctl simulate traffic.parquet --max-would-block 0.5% --fail-on-unknown",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("simulate needs traffic: aegisctl simulate traffic.parquet")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if err := a.formats("text", "json", "markdown", "html", "sarif"); err != nil {
				return err
			}
			if opt.Traffic, err = expand(args); err != nil {
				return err
			}
			for flag, path := range map[string]string{"--decisions": opt.Decisions, "-o": output, "--sarif": sarif} {
				if err := notInput(flag, path, opt.Traffic); err != nil {
					return err
				}
			}
			opt.Engine, opt.Held = decide.EngineKind(engine), decide.Held(held)
			if err := simulateFlags(&opt, mode); err != nil {
				return err
			}
			if err := gate.check(); err != nil {
				return err
			}
			if baseline == "" && (gate.denied != "" || gate.allowed != "" || a.format == "sarif" || sarif != "") {
				return errors.New("--max-newly-denied, --max-newly-allowed and SARIF compare two policies: name the old one with --baseline")
			}
			opt.Examples = !noExamples
			return a.simulate(cmd.Context(), opt, policyPath, baseline, output, sarif, gate)
		},
	}
	f := c.Flags()
	f.StringVar(&policyPath, "policy", "", "policy file, directory or bundle")
	f.StringVar(&baseline, "baseline", "", "compare with this policy: what does the new one change?")
	f.StringVar(&sarif, "sarif", "", "write what changes to this file as SARIF as well, on the lines that caused it")
	f.BoolVar(&noExamples, "no-examples", false, "show no calls as examples of what changes")
	f.StringVar(&engine, "engine", "native", "native, opa, or both (fails on the first difference)")
	f.StringVar(&mode, "mode", "enforce", "enforce: as if every rule were enforced; shadow: as a shadow server would see it")
	f.StringVar(&held, "held", "granted", "what becomes of held calls: granted at once, or refused")
	f.StringVar(&opt.Tenant, "tenant", "", "the one tenant believed; calls of others are denied")
	f.StringVar(&opt.Label, "label", "", "count by the values of this label")
	f.StringSliceVar(&opt.GroupBy, "group-by", nil, "further groups: tenant, region, session, or a label's name")
	f.StringVar(&opt.Decisions, "decisions", "", "write one row for each call to this Parquet file")
	f.StringVarP(&output, "output", "o", "", "write the report to this file instead of stdout")
	f.StringVar(&gate.block, "max-would-block", "", "fail (exit 1) above this rate, like 0.5%")
	f.StringVar(&gate.hold, "max-would-hold", "", "fail (exit 1) above this rate, like 2%")
	f.StringVar(&gate.denied, "max-newly-denied", "", "fail (exit 1) above this many newly denied calls, or this share, like 0 or 0.1%")
	f.StringVar(&gate.allowed, "max-newly-allowed", "", "fail (exit 1) above this many newly allowed calls, or this share")
	f.BoolVar(&gate.unknown, "fail-on-unknown", false, "fail (exit 1) when a call cannot be decided")
	return c
}

// simulate runs a simulation whose options have been checked, writes its report and judges it.
func (a *app) simulate(ctx context.Context, opt simulate.Options, policyPath, baseline, output, sarif string, gate gates) error {
	set, err := loadPolicy(policyPath, opt.Traffic[0])
	if err != nil {
		return err
	}
	if baseline != "" {
		if opt.Baseline, err = loadPolicy(baseline, ""); err != nil {
			return fmt.Errorf("--baseline %s: %w", baseline, err)
		}
	}
	boundMemory()
	bar := a.progress()
	opt.Progress = bar.update
	rep, err := simulate.Run(ctx, set, opt)
	bar.done()
	if err != nil {
		return simulateError(err)
	}
	if sarif != "" {
		var b bytes.Buffer
		if err := writeSARIF(&b, rep.Changes); err != nil {
			return internal(err)
		}
		if err := writeFile(sarif, b.Bytes()); err != nil {
			return err
		}
	}
	if err := a.report(rep, output); err != nil {
		return err
	}
	return gate.judge(rep)
}

// softLimit is the size near which the garbage collector works harder rather than let the process grow.
const softLimit = 800 << 20

// boundMemory sets the soft limit, unless GOMEMLIMIT says otherwise.
func boundMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(softLimit)
	}
}

func simulateFlags(opt *simulate.Options, mode string) error {
	switch opt.Engine {
	case decide.Native, decide.OnOPA, decide.Both:
	default:
		return fmt.Errorf("--engine %q is not one of native, opa, both", opt.Engine)
	}
	switch opt.Held {
	case decide.Granted, decide.Refused:
	default:
		return fmt.Errorf("--held %q is not one of granted, refused", opt.Held)
	}
	switch mode {
	case "enforce":
	case "shadow":
		opt.Mode = aegis.Shadow
	default:
		return fmt.Errorf("--mode %q is not one of enforce, shadow", mode)
	}
	if opt.Tenant != "" && !aegis.ValidName(opt.Tenant) {
		return fmt.Errorf("--tenant %q is no name", opt.Tenant)
	}
	return nil
}

// simulateError sorts an error of Run: a difference between the engines is a failed check, the rest is bad input.
func simulateError(err error) error {
	var diff *decide.Difference
	if errors.As(err, &diff) {
		return failed(err)
	}
	return err
}

// expand resolves globs that are no files themselves, so that quoted globs work as they do in a shell.
func expand(args []string) ([]string, error) {
	var files []string
	for _, arg := range args {
		if _, err := os.Stat(arg); err == nil || !strings.ContainsAny(arg, "*?[") {
			files = append(files, arg)
			continue
		}
		matches, err := filepath.Glob(arg)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", arg, err)
		}
		if len(matches) == 0 {
			return nil, fmt.Errorf("%s matches no file", arg)
		}
		files = append(files, matches...)
	}
	return files, nil
}

// report writes the report in the chosen format, to stdout or to a file.
func (a *app) report(rep *simulate.Report, output string) error {
	var b strings.Builder
	var err error
	switch a.format {
	case "json":
		enc := json.NewEncoder(&b)
		enc.SetIndent("", "  ")
		err = enc.Encode(rep)
	case "markdown":
		b.WriteString(rep.Markdown())
	case "sarif":
		err = writeSARIF(&b, rep.Changes)
	case "html":
		var s string
		s, err = rep.HTML()
		b.WriteString(s)
	default:
		err = rep.WriteText(&b, a.color() && output == "")
	}
	if err != nil {
		return internal(err)
	}
	if output != "" {
		return writeFile(output, []byte(b.String()))
	}
	_, err = a.out.Write([]byte(b.String()))
	return err
}

func (g *gates) check() error {
	for flag, v := range map[string]string{"--max-would-block": g.block, "--max-would-hold": g.hold} {
		if _, err := parseShare(v); err != nil {
			return fmt.Errorf("%s: %w", flag, err)
		}
	}
	for flag, v := range map[string]string{"--max-newly-denied": g.denied, "--max-newly-allowed": g.allowed} {
		if _, _, err := parseMost(v); err != nil {
			return fmt.Errorf("%s: %w", flag, err)
		}
	}
	return nil
}

// parseMost reads a number of calls ("0", "25") or a share ("0.1%"); "" is no limit.
func parseMost(s string) (calls int64, share float64, err error) {
	switch {
	case s == "":
		return math.MaxInt64, 2, nil
	case strings.HasSuffix(s, "%"):
		share, err = parseShare(s)
		return math.MaxInt64, share, err
	}
	calls, err = strconv.ParseInt(s, 10, 64)
	if err != nil || calls < 0 {
		return 0, 0, fmt.Errorf("%q is neither a number of calls nor a share (write 25 or 0.1%%)", s)
	}
	return calls, 2, nil
}

// parseShare reads "0.5%" or "0.005"; "" is no limit.
func parseShare(s string) (float64, error) {
	if s == "" {
		return 2, nil
	}
	num, scale := strings.TrimSuffix(s, "%"), 1.0
	if num != s {
		scale = 100
	}
	x, err := strconv.ParseFloat(num, 64)
	if err != nil || !(x >= 0 && x <= scale) {
		return 0, fmt.Errorf("%q is no share between 0%% and 100%% (write 0.5%% or 0.005)", s)
	}
	return x / scale, nil
}

// judge compares the report with the gates: one line for each that is exceeded.
func (g *gates) judge(rep *simulate.Report) error {
	var over []string
	for _, x := range []struct {
		flag, limit string
		rate        simulate.Rate
	}{{"--max-would-block", g.block, rep.WouldBlock}, {"--max-would-hold", g.hold, rep.WouldHold}} {
		most, _ := parseShare(x.limit)
		if x.rate.Rate > most {
			over = append(over, fmt.Sprintf("gate exceeded: %s %s: %d calls, %.4g%%", x.flag, x.limit, x.rate.Count, 100*x.rate.Rate))
		}
	}
	over = append(over, g.judgeChanges(rep.Changes)...)
	if n := rep.Decisions[aegis.Unknown]; g.unknown && n > 0 {
		over = append(over, fmt.Sprintf("gate exceeded: --fail-on-unknown: %d calls cannot be decided", n))
	}
	if len(over) == 0 {
		return nil
	}
	return failed(errors.New(strings.Join(over, "\naegisctl: ")))
}

// judgeChanges does the same for what differs from the baseline.
func (g *gates) judgeChanges(c *simulate.Changes) (over []string) {
	if c == nil {
		return nil
	}
	for _, x := range []struct {
		flag, limit string
		rate        simulate.Rate
	}{{"--max-newly-denied", g.denied, c.NewlyDenied}, {"--max-newly-allowed", g.allowed, c.NewlyAllowed}} {
		if calls, share, _ := parseMost(x.limit); x.rate.Count > calls || x.rate.Rate > share {
			over = append(over, fmt.Sprintf("gate exceeded: %s %s: %d calls, %.4g%%", x.flag, x.limit, x.rate.Count, 100*x.rate.Rate))
		}
	}
	return over
}

// changeRules describe the findings of a comparison to code scanning.
var changeRules = []lint.Rule{
	{ID: simulate.FindingNewlyDenied, Name: "newly-denied", Severity: aegis.SeverityWarning,
		Summary: "the policy blocks calls that the baseline lets through or holds"},
	{ID: simulate.FindingNewlyAllowed, Name: "newly-allowed", Severity: aegis.SeverityWarning,
		Summary: "the policy lets calls through that the baseline blocks or holds"},
	{ID: simulate.FindingNewlyHeld, Name: "newly-held", Severity: aegis.SeverityInfo,
		Summary: "the policy holds calls for an approval that the baseline lets through or blocks"},
}

// writeSARIF writes what differs from the baseline, on the lines that caused it.
func writeSARIF(w io.Writer, c *simulate.Changes) error {
	return lint.WriteSARIF(w, c.Findings(), changeRules...)
}
