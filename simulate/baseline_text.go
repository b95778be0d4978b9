package simulate

import (
	"fmt"
	"strings"

	"github.com/aegisctl/aegis"
)

// Headline is the comparison in one sentence, for someone who reads nothing else.
func (c *Changes) Headline() string {
	if c.Changed == 0 {
		return "Against the baseline, this policy changes the decision on no call of this traffic."
	}
	s := fmt.Sprintf("Against the baseline, this policy newly denies %s of %s calls (%s, 95%% interval %s), newly allows %s (%s) and newly holds %s (%s).",
		number(c.NewlyDenied.Count), number(c.Comparable), percent(c.NewlyDenied.Rate), interval(c.NewlyDenied),
		number(c.NewlyAllowed.Count), percent(c.NewlyAllowed.Rate), number(c.NewlyHeld.Count), percent(c.NewlyHeld.Rate))
	if c.NewlyUnknown > 0 {
		s += fmt.Sprintf(" %s more cannot be decided, because the capture lacks what a rule now needs.", number(c.NewlyUnknown))
	}
	return s
}

// kindRow is one line of the table of kinds.
type kindRow struct {
	Kind, Name, Meaning string
	Count               int64
	Share, Interval     string
}

// kindTable returns the three kinds that are judged, always, and those of the others that occur.
func (c *Changes) kindTable() []kindRow {
	var rows []kindRow
	for _, x := range []struct {
		kind    Kind
		meaning string
		rate    Rate
	}{{NewlyDenied, "blocked now; was let through or held", c.NewlyDenied},
		{NewlyAllowed, "let through now; was blocked or held", c.NewlyAllowed},
		{NewlyHeld, "held now; was let through or blocked", c.NewlyHeld}} {
		rows = append(rows, kindRow{x.kind.String(), x.kind.words(), x.meaning, x.rate.Count, percent(x.rate.Rate), interval(x.rate)})
	}
	for _, x := range []struct {
		kind    Kind
		meaning string
		n       int64
	}{{NewlyUnknown, "cannot be decided now; could be before", c.NewlyUnknown},
		{NoLongerUnknown, "can be decided now; could not be before", c.NoLongerUnknown},
		{NewlySanitized, "sanitized now; was allowed as it stood", c.NewlySanitized},
		{NoLongerSanitized, "allowed as it stands now; was sanitized", c.NoLongerSanitized}} {
		if x.n > 0 {
			rows = append(rows, kindRow{x.kind.String(), x.kind.words(), x.meaning, x.n, "", ""})
		}
	}
	return rows
}

// words returns the kind as people read it.
func (k Kind) words() string { return strings.ReplaceAll(k.String(), "_", " ") }

// blockShift says how the share of blocked calls moves.
func (c *Changes) blockShift() string {
	d := c.WouldBlock
	return fmt.Sprintf("the blocked share moves by %s points (95%% interval %s to %s)", points(d.Difference), points(d.CI95[0]), points(d.CI95[1]))
}

// points writes a difference of shares in percentage points.
func points(x float64) string {
	s := fmt.Sprintf("%+.2f", 100*x)
	if s == "+0.00" || s == "-0.00" {
		if x == 0 {
			return "0"
		}
		return fmt.Sprintf("%+.2g", 100*x)
	}
	return s
}

// matrixOutcomes returns the outcomes that some call has under either policy, in the contract's order.
func (c *Changes) matrixOutcomes() []aegis.Outcome {
	var out []aegis.Outcome
	for _, o := range contractOrder {
		n := c.Matrix[o.String()].Total()
		for _, row := range c.Matrix {
			n += row[o]
		}
		if n > 0 {
			out = append(out, o)
		}
	}
	return out
}

// side says in one line what a policy decided and why.
func (s *Side) line() string {
	var parts []string
	for _, r := range s.Reasons {
		part := r.Rule + " " + r.Code.String()
		if r.Rule == "" {
			part = r.Code.String()
		}
		if r.Says != "" {
			part += ": " + r.Says
		}
		parts = append(parts, part)
	}
	if s.More {
		parts = append(parts, "and others")
	}
	if s.Grant != "" {
		parts = append(parts, "granted by "+s.Grant)
	}
	if len(parts) == 0 {
		return s.Decision
	}
	return s.Decision + ": " + strings.Join(parts, "; ")
}

// line says which call it is, and what it carried.
func (e *Example) line() string {
	var b strings.Builder
	b.WriteString(e.Tenant + "/" + e.Agent + " calls " + e.Tool)
	if e.Action != "" {
		b.WriteString("/" + e.Action)
	}
	switch {
	case e.Args == nil:
		b.WriteString(" (the capture holds no arguments)")
	case string(*e.Args) != "{}":
		b.WriteString(" " + string(*e.Args))
		switch {
		case e.OtherArgs == 1:
			b.WriteString(" and 1 other argument")
		case e.OtherArgs > 1:
			fmt.Fprintf(&b, " and %d other arguments", e.OtherArgs)
		}
	}
	if e.Session != "" {
		b.WriteString(", session " + e.Session)
	}
	if e.Seq != nil {
		fmt.Fprintf(&b, ", seq %d", *e.Seq)
	}
	if e.Time != "" {
		b.WriteString(", at " + e.Time)
	}
	return b.String()
}

// examplesByGroup returns each group's example, nil where it has none.
func (c *Changes) examplesByGroup() []*Example {
	out := make([]*Example, len(c.Groups))
	for i := range c.Examples {
		out[c.Examples[i].Group] = &c.Examples[i]
	}
	return out
}

// textGroups is how many groups of changes a terminal is shown.
const textGroups = 20

// textLine is how long a line about a group may be.
const textLine = 400

func (p *printer) changes(c *Changes) {
	if c == nil {
		return
	}
	p.line("")
	p.line(p.bold(fmt.Sprintf("Changes against the baseline %.19s…", c.BaselineVersion)))
	for _, k := range c.kindTable() {
		s := fmt.Sprintf("  %-20s %10s", k.Name, number(k.Count))
		if k.Share != "" {
			s += fmt.Sprintf("  %7s  95%% interval %s", k.Share, k.Interval)
		}
		p.line(s + "  (" + k.Meaning + ")")
	}
	p.line("  " + c.blockShift())
	if c.Changed == 0 {
		return
	}
	p.matrix(c)
	p.line("")
	p.line(p.bold("What changed, and why"))
	examples := c.examplesByGroup()
	for i := range c.Groups[:min(len(c.Groups), textGroups)] {
		g := &c.Groups[i]
		p.line(fmt.Sprintf("  %s: %s calls", p.paint(kindColor[g.Change], g.Change.words()), number(g.Calls)))
		p.line("    was  " + clip(g.Old.line(), textLine))
		p.line("    now  " + clip(g.New.line(), textLine))
		if g.Source != "" {
			p.line("    see  " + clip(g.Source, textLine))
		}
		if e := examples[i]; e != nil {
			p.line("    e.g. " + clip(e.line(), textLine))
		}
	}
	if n := len(c.Groups) - textGroups; n > 0 {
		p.line(fmt.Sprintf("  and %d more groups (--format json lists all)", n))
	}
}

var kindColor = [kinds]string{NewlyDenied: "31", NewlyAllowed: "32", NewlyHeld: "33", NewlyUnknown: "35", NoLongerUnknown: "35",
	NewlySanitized: "36", NoLongerSanitized: "36"}

// matrix prints the decisions of both policies against each other.
func (p *printer) matrix(c *Changes) {
	outcomes := c.matrixOutcomes()
	p.line("")
	p.line(p.bold("Decisions: baseline down, this policy across"))
	s := fmt.Sprintf("  %-16s", "")
	for _, o := range outcomes {
		s += fmt.Sprintf(" %16s", o)
	}
	p.line(s)
	for _, from := range outcomes {
		s := fmt.Sprintf("  %-16s", from)
		for _, to := range outcomes {
			cell := "·"
			if n := c.Matrix[from.String()][to]; n > 0 {
				cell = number(n)
			}
			s += fmt.Sprintf(" %16s", cell)
		}
		p.line(s)
	}
}
