package simulate

import (
	"fmt"
	"strings"
)

// markdownBytes bounds a report in markdown: a comment on GitHub holds 65,536 characters.
const markdownBytes = 65_000

// sections puts a report together from parts that stand by themselves. A part that no longer fits is left out, and the
// reader is told.
type sections struct {
	b    strings.Builder
	left int
}

// leftOut is room kept for saying that something is missing.
const leftOut = 120

func (s *sections) add(part string) {
	if s.b.Len()+len(part) > markdownBytes-leftOut {
		s.left++
		return
	}
	s.b.WriteString(part)
}

func (s *sections) String() string {
	if s.left == 0 {
		return s.b.String()
	}
	return s.b.String() + fmt.Sprintf("\n> %d parts did not fit into a comment; the JSON report holds them.\n", s.left)
}

// markdownKey is how much of a name or a rule's id a comment shows.
const markdownKey = 160

// markdown adds the comparison: a sentence, the kinds, and the details folded.
func (c *Changes) markdown(s *sections) {
	var b strings.Builder
	fmt.Fprintf(&b, "### Aegis: what this policy changes\n\n%s\n\n", escapeMarkdown(c.Headline()))
	b.WriteString("| change | calls | share | 95% interval | meaning |\n| --- | ---: | ---: | ---: | --- |\n")
	for _, k := range c.kindTable() {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", k.Name, number(k.Count), escapeMarkdown(k.Share), escapeMarkdown(k.Interval), k.Meaning)
	}
	fmt.Fprintf(&b, "\n%s.\n", escapeMarkdown(capital(c.blockShift())))
	s.add(b.String())
	if c.Changed == 0 {
		return
	}
	s.add(c.markdownMatrix())
	for k := NewlyDenied; k < kinds; k++ {
		s.add(c.markdownGroups(k))
	}
	s.add(c.markdownTools())
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func (c *Changes) markdownMatrix() string {
	var b strings.Builder
	outcomes := c.matrixOutcomes()
	b.WriteString("\n<details><summary>Decisions: baseline down, this policy across</summary>\n\n| |")
	for _, o := range outcomes {
		fmt.Fprintf(&b, " %s |", o)
	}
	b.WriteString("\n| --- |" + strings.Repeat(" ---: |", len(outcomes)) + "\n")
	for _, from := range outcomes {
		fmt.Fprintf(&b, "| %s |", from)
		for _, to := range outcomes {
			fmt.Fprintf(&b, " %s |", number(c.Matrix[from.String()][to]))
		}
		b.WriteByte('\n')
	}
	b.WriteString("\n</details>\n")
	return b.String()
}

// markdownGroups lists the groups of one kind, most calls first.
func (c *Changes) markdownGroups(kind Kind) string {
	var b strings.Builder
	examples, n := c.examplesByGroup(), 0
	for i := range c.Groups {
		g := &c.Groups[i]
		if g.Change != kind {
			continue
		}
		if n++; n > markdownRows {
			continue
		}
		fmt.Fprintf(&b, "- %s calls\n  - was %s\n  - now %s\n", number(g.Calls), codeLine(clip(g.Old.line(), 2*markdownKey)),
			codeLine(clip(g.New.line(), 2*markdownKey)))
		if g.Source != "" {
			fmt.Fprintf(&b, "  - see %s\n", codeLine(clip(g.Source, markdownKey)))
		}
		if e := examples[i]; e != nil {
			fmt.Fprintf(&b, "  - e.g. %s\n", codeLine(clip(e.line(), 2*markdownKey)))
		}
	}
	if n == 0 {
		return ""
	}
	if n > markdownRows {
		fmt.Fprintf(&b, "\n%d more are in the JSON report.\n", n-markdownRows)
	}
	open := ""
	if kind == NewlyDenied || kind == NewlyAllowed {
		open = " open"
	}
	return fmt.Sprintf("\n<details%s><summary>%s (%d)</summary>\n\n%s\n</details>\n", open, capital(kind.words()), n, b.String())
}

func (c *Changes) markdownTools() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n<details><summary>Tools with changes (%d)</summary>\n\n", len(c.ByTool))
	b.WriteString("| tool | newly denied | newly allowed | newly held | other changes |\n| --- | ---: | ---: | ---: | ---: |\n")
	for _, r := range c.ByTool[:min(len(c.ByTool), markdownRows)] {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", code(clip(r.Key, markdownKey)), number(r.NewlyDenied), number(r.NewlyAllowed),
			number(r.NewlyHeld), number(r.Calls-r.NewlyDenied-r.NewlyAllowed-r.NewlyHeld))
	}
	if n := len(c.ByTool) - markdownRows; n > 0 {
		fmt.Fprintf(&b, "\n%d more are in the JSON report.\n", n)
	}
	b.WriteString("\n</details>\n")
	return b.String()
}
