package suite

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

// WriteText renders the report for people: the cases that failed, or all of them where verbose, then what is not
// covered and which mutants survived.
func (r *Report) WriteText(w io.Writer, verbose bool) error {
	var b strings.Builder
	for _, c := range r.Cases {
		if c.Pass {
			if verbose {
				fmt.Fprintf(&b, "pass %s: %s (%s)\n", plain(c.Source), plain(c.Name), c.Decision)
			}
			continue
		}
		fmt.Fprintf(&b, "FAIL %s: %s\n", plain(c.Source), plain(c.Name))
		for _, f := range c.Failures {
			fmt.Fprintf(&b, "  %s\n    expected %s (%s)\n    got      %s\n", f.What, plain(f.Expected), plain(f.Source), plain(f.Got))
			if f.Rule != "" {
				fmt.Fprintf(&b, "    rule     %s\n", plain(f.Rule))
			}
		}
		for _, s := range c.Reasons {
			fmt.Fprintf(&b, "    because  %s\n", plain(s))
		}
	}
	fmt.Fprintf(&b, "%d cases: %d passed, %d failed\n", len(r.Cases), r.Passed, r.Failed)
	r.Coverage.writeText(&b, verbose)
	if r.Mutation != nil {
		r.Mutation.writeText(&b, verbose)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (c *Coverage) writeText(b *strings.Builder, verbose bool) {
	fmt.Fprintf(b, "coverage: %s of outcomes (%d of %d), %d of %d lines\n", c.Rate, c.Covered, c.Outcomes, c.CoveredLines, c.Lines)
	for _, u := range c.Rules {
		switch {
		case u.Missing != nil:
			fmt.Fprintf(b, "  %s: %s %s\n", plain(u.Source), plain(u.Rule), u.lack())
		case verbose:
			fmt.Fprintf(b, "  %s: %s: %d pass, %d fire, %d error\n", plain(u.Source), plain(u.Rule), u.Pass, u.Fire, u.Error)
		}
	}
}

// lack says what of a rule no case has shown.
func (u *Rule) lack() string {
	if !strings.Contains(u.Rule, "#") {
		return "matches no call"
	}
	if len(u.Missing) == 2 {
		return "is never judged"
	}
	return map[string]string{"pass": "never passes", "fire": "never fires", "error": "is never in error"}[u.Missing[0]]
}

// String writes a share in percent, rounded down, so that only all is 100%.
func (r Rate) String() string {
	s := fmt.Sprintf("%.1f", float64(int(r*1000+1e-9))/10)
	return strings.TrimSuffix(s, ".0") + "%"
}

// plain shows text from files on one line, with nothing that a terminal would act on or an eye would miss.
func plain(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) && r != unicode.ReplacementChar {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "\\u%04x", r)
		}
	}
	return b.String()
}
