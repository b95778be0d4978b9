package simulate

import (
	"fmt"
	"html"
	"strings"

	"github.com/aegisctl/aegis"
)

// Markdown renders the report for a pull-request comment, within its bound. A comparison comes first.
func (r *Report) Markdown() string {
	var all sections
	if r.Changes != nil {
		r.Changes.markdown(&all)
	}
	var b strings.Builder
	title := "Aegis simulation"
	if r.Changes != nil {
		b.WriteByte('\n')
		title = "This policy by itself"
	}
	fmt.Fprintf(&b, "### %s\n\n%s\n\n", title, escapeMarkdown(r.Headline()))
	fmt.Fprintf(&b, "| decision | calls | share |\n| --- | ---: | ---: |\n")
	for _, o := range contractOrder {
		if n := r.Decisions[o]; n > 0 {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", o, number(n), percent(float64(n)/float64(r.Calls)))
		}
	}
	fmt.Fprintf(&b, "\n<sub>%s</sub>\n", escapeMarkdown(r.basis()))
	for _, a := range r.Assumed {
		fmt.Fprintf(&b, "\n> assumed: %s\n", escapeMarkdown(a))
	}
	if r.RejectedRows > 0 {
		fmt.Fprintf(&b, "\n> %s rows are no calls and were left out\n", number(r.RejectedRows))
	}
	all.add(b.String())
	if len(r.Unknown) > 0 {
		all.add(markdownTable("Why calls are unknown", "lacking", r.Unknown, false))
	}
	for _, g := range r.Groups() {
		all.add(markdownTable(g.Title, g.Name, g.Rows, g.Name != "tool" || r.Changes != nil))
	}
	if len(r.Labels) > 0 {
		all.add(markdownTable("By label "+r.LabelKey, r.LabelKey, r.LabelRows(), false))
	}
	all.add(r.markdownRollout())
	return all.String()
}

func (r *Report) markdownRollout() string {
	var b strings.Builder
	b.WriteString("\n#### Rollout\n\n")
	for _, t := range r.Rollout.EnforceNow[:min(len(r.Rollout.EnforceNow), markdownRows)] {
		fmt.Fprintf(&b, "- **enforce now** %s (%s calls): %s\n", code(t.Tool), number(t.Calls), escapeMarkdown(t.Why))
	}
	for _, t := range r.Rollout.KeepInShadow[:min(len(r.Rollout.KeepInShadow), markdownRows)] {
		fmt.Fprintf(&b, "- keep in shadow %s (%s calls): %s\n", code(t.Tool), number(t.Calls), escapeMarkdown(t.Why))
	}
	if n := max(0, len(r.Rollout.EnforceNow)-markdownRows) + max(0, len(r.Rollout.KeepInShadow)-markdownRows); n > 0 {
		fmt.Fprintf(&b, "- %d more tools are in the JSON report\n", n)
	}
	fmt.Fprintf(&b, "- %s\n", escapeMarkdown(r.approvals()))
	return b.String()
}

// markdownRows is how many rows of a table a comment shows.
const markdownRows = 15

func markdownTable(title, name string, rows []Row, folded bool) string {
	var b strings.Builder
	if folded {
		fmt.Fprintf(&b, "\n<details><summary>%s (%d)</summary>\n\n", html.EscapeString(title), len(rows))
	} else {
		fmt.Fprintf(&b, "\n#### %s\n\n", escapeMarkdown(title))
	}
	fmt.Fprintf(&b, "| %s | calls | deny | hold | sanitize | unknown | blocked |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n",
		escapeMarkdown(name))
	for _, r := range rows[:min(len(rows), markdownRows)] {
		share := 0.0
		if k := r.Known(); k > 0 {
			share = float64(r.Blocked()) / float64(k)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", code(clip(r.Key, markdownKey)), number(r.Total()), number(r.Blocked()),
			number(r.Counts.Held()), number(r.Counts[aegis.Sanitize]), number(r.Counts[aegis.Unknown]), percent(share))
	}
	if n := len(rows) - markdownRows; n > 0 {
		fmt.Fprintf(&b, "\n%d more are in the JSON report.\n", n)
	}
	if folded {
		b.WriteString("\n</details>\n")
	}
	return b.String()
}

// code writes text that may come from an attacker (tool names, labels) so that it stays text: no markup, no mention,
// no cell border, no line break.
func code(s string) string { return codeLine(strings.ReplaceAll(s, "|", "·")) }

// codeLine is code outside of a table.
func codeLine(s string) string {
	s = strings.ReplaceAll(visible(s), "`", "·")
	if s == "" {
		return "(none)"
	}
	return "`" + s + "`"
}

var markdownEscaper = strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "<", "&lt;", ">", "&gt;", "|", `\|`,
	"[", `\[`, "]", `\]`, "\n", " ", "@", "@\u200b")

func escapeMarkdown(s string) string { return markdownEscaper.Replace(s) }
