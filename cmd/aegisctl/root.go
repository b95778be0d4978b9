package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/aegisctl/aegis/serve/telemetry"
)

// Exit codes (DESIGN §8).
const (
	exitFine     = 0
	exitFailed   = 1 // the check failed: findings, a gate exceeded, a difference
	exitInput    = 2 // usage, or unreadable or invalid input
	exitInternal = 3
)

// exitError carries an exit code. Its text, if any, is printed to stderr.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func failed(err error) error   { return &exitError{exitFailed, err} }
func internal(err error) error { return &exitError{exitInternal, err} }

// app is what every verb needs: the streams and the global flags.
type app struct {
	in       io.Reader
	out, err io.Writer
	format   string
	quiet    bool
	noColor  bool
	logLevel string
	log      *slog.Logger
}

// execute runs one command line.
func execute(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) (code int) {
	a := &app{in: in, out: out, err: errOut}
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintf(errOut, "aegisctl: internal error: %v\nplease report this, with the command line and:\n%s", r, debug.Stack())
			code = exitInternal
		}
	}()
	root := a.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitFine
	}
	code = exitInput
	var exit *exitError
	if errors.As(err, &exit) {
		code = exit.code
	}
	if errors.Is(err, context.Canceled) {
		err, code = errors.New("interrupted; nothing was written"), exitInput
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(errOut, "aegisctl: "+forPeople(text))
	}
	return code
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "aegisctl",
		Short:         "Decide what AI agents may do when they call tools",
		Long:          "aegisctl shows what a policy would do to captured tool calls, checks policies, and explains decisions.",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
		PersistentPreRunE: func(*cobra.Command, []string) error {
			return a.logAt(a.logLevel, "text")
		},
	}
	f := root.PersistentFlags()
	f.StringVar(&a.format, "format", "text", "output format")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "no progress and no notes on stderr")
	f.BoolVar(&a.noColor, "no-color", false, "no colours (also by NO_COLOR)")
	f.StringVar(&a.logLevel, "log-level", "warn", "debug, info, warn or error")
	root.AddCommand(
		a.simulateCmd(),
		a.explainCmd(),
		a.lintCmd(),
		a.testCmd(),
		a.compileCmd(),
		a.keygenCmd(),
		a.signCmd(),
		a.verifyCmd(),
		a.draftCmd(),
		a.initCmd(),
		a.serveCmd(),
		a.captureCmd(),
		a.schemaCmd(),
		a.versionCmd(),
	)
	root.CompletionOptions.HiddenDefaultCmd = true
	return root
}

// forPeople keeps what a terminal would act on out of text for people: names of files and of captured calls are strangers'
// choice. Lines stay lines.
func forPeople(text string) string {
	if !strings.ContainsFunc(text, hostile) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if hostile(r) {
			fmt.Fprintf(&b, "\\u%04x", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func hostile(r rune) bool {
	return r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r))
}

// logAt makes the log, of lines of text or json.
func (a *app) logAt(name, form string) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(name)); err != nil {
		return fmt.Errorf("--log-level %q: use debug, info, warn or error", name)
	}
	log, err := telemetry.NewLogger(a.err, form, level)
	if err != nil {
		return fmt.Errorf("--log-format: %w", err)
	}
	a.log = log
	return nil
}

// formats checks --format against what a verb can write.
func (a *app) formats(legal ...string) error {
	for _, f := range legal {
		if a.format == f {
			return nil
		}
	}
	return fmt.Errorf("--format %q is not one of %s", a.format, strings.Join(legal, ", "))
}

// terminal reports whether w is a terminal.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// color reports whether output may carry colours.
func (a *app) color() bool {
	return !a.noColor && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && terminal(a.out)
}

// note tells people something beside the data.
func (a *app) note(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintln(a.err, forPeople(fmt.Sprintf(format, args...)))
	}
}
