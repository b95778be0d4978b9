package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aegisctl/aegis/capture"
)

// statsRows is how many entries of a list the text form shows.
const statsRows = 12

func (a *app) printStats(st *capture.Stats) error {
	if a.format == "json" {
		enc := json.NewEncoder(a.out)
		enc.SetIndent("", "  ")
		return enc.Encode(st)
	}
	var b strings.Builder
	for _, f := range st.Files {
		fmt.Fprintf(&b, "%s: %d rows, %d bytes\n", f.Path, f.Rows, f.Bytes)
		for _, s := range f.Assumed {
			fmt.Fprintf(&b, "  assumed: %s\n", s)
		}
		for _, s := range f.Ignored {
			fmt.Fprintf(&b, "  ignored: column %s\n", printable(s))
		}
	}
	fmt.Fprintf(&b, "calls     %d\nsessions  %d\n", st.Rows, st.Sessions)
	if st.Timed > 0 {
		fmt.Fprintf(&b, "times     %s to %s (%d calls)\n", stamp(st.FirstTime), stamp(st.LastTime), st.Timed)
	}
	fmt.Fprintf(&b, "args      %d to %d bytes, median %d\n", st.ArgsMin, st.ArgsMax, st.ArgsMedian)
	for _, l := range []struct {
		name   string
		counts []capture.Count
	}{{"rejected", st.Rejected}, {"coverage", st.Coverage}, {"agents", st.Agents}, {"tools", st.Tools}, {"nulls", st.Nulls}} {
		if len(l.counts) == 0 {
			continue
		}
		fmt.Fprintf(&b, "%s\n", l.name)
		for _, c := range l.counts[:min(statsRows, len(l.counts))] {
			fmt.Fprintf(&b, "  %10d  %s\n", c.Rows, printable(c.Key))
		}
		if n := len(l.counts) - statsRows; n > 0 {
			fmt.Fprintf(&b, "  and %d more (--format json lists all)\n", n)
		}
	}
	if len(st.Labels) > 0 {
		fmt.Fprintln(&b, "labels")
		for _, l := range st.Labels {
			fmt.Fprintf(&b, "  %10d  %s (%d values)\n", l.Rows, printable(l.Key), l.Distinct)
		}
	}
	_, err := io.WriteString(a.out, b.String())
	return err
}

func stamp(micros int64) string { return time.UnixMicro(micros).UTC().Format(time.RFC3339) }
