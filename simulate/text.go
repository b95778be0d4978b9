package simulate

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/aegisctl/aegis"
)

// Headline is the report in one sentence, for someone who reads nothing else.
func (r *Report) Headline() string {
	if r.Calls == 0 {
		return "There are no calls in this traffic."
	}
	known := r.Decisions.Known()
	var b strings.Builder
	if u := r.Decisions[aegis.Unknown]; u > 0 {
		fmt.Fprintf(&b, "%s of %s calls (%s) cannot be decided, because the capture lacks what a rule needs. ",
			number(u), number(r.Calls), percent(float64(u)/float64(r.Calls)))
		if known == 0 {
			return strings.TrimSpace(b.String())
		}
		b.WriteString("Of the others, this policy ")
	} else {
		b.WriteString("This policy ")
	}
	fmt.Fprintf(&b, "would block %s of %s calls (%s, 95%% interval %s) and make %s wait for a human (%s).",
		number(r.WouldBlock.Count), number(known), percent(r.WouldBlock.Rate), interval(r.WouldBlock),
		number(r.WouldHold.Count), percent(r.WouldHold.Rate))
	return b.String()
}

func interval(r Rate) string { return percent(r.CI95[0]) + " to " + percent(r.CI95[1]) }

// number writes an integer with thin groups, as people read them.
func number(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// WriteText writes the report for a terminal. Colour is for the caller to forbid.
func (r *Report) WriteText(w io.Writer, color bool) error {
	p := &printer{w: w, color: color}
	if r.Changes != nil {
		p.line(p.bold(r.Changes.Headline()))
	}
	p.line(p.bold(r.Headline()))
	p.line("")
	p.line(r.basis())
	for _, a := range r.Assumed {
		p.line("assumed: " + a)
	}
	if r.RejectedRows > 0 {
		p.line(fmt.Sprintf("%s rows are no calls and were left out:", number(r.RejectedRows)))
		for _, x := range r.Rejected {
			p.line(fmt.Sprintf("  %s row %d: %s", x.File, x.Row, x.Reason))
		}
	}
	p.changes(r.Changes)
	p.decisions(r)
	if len(r.Unknown) > 0 {
		p.table("Why calls are unknown", "lacking", r.Unknown, 10)
	}
	for _, g := range r.Groups() {
		p.table(g.Title, g.Name, g.Rows, 12)
	}
	p.labels(r)
	p.rollout(r)
	return p.err
}

// basis says on what the report rests.
func (r *Report) basis() string {
	s := fmt.Sprintf("%s calls of %s sessions; policy %.19s…; engine %s; ", number(r.Calls), number(r.Sessions),
		r.PolicyVersion, r.Engine)
	if r.Mode == "shadow" {
		s += "as a shadow server would see it"
	} else {
		s += "as if every rule were enforced, held calls " + r.Held
	}
	if r.Reordered {
		s += "; rows were put in order of time and sequence first"
	}
	return s + "."
}

// Group is one table of the report.
type Group struct {
	Name, Title string
	Rows        []Row
}

// Groups returns the report's tables in the order in which they are read. Rules and reasons come after who and what.
func (r *Report) Groups() []Group {
	order := []string{"tool", "action", "agent", "reason", "rule"}
	titles := map[string]string{"tool": "Tools", "action": "Actions", "agent": "Agents", "reason": "Reasons", "rule": "Rules cited"}
	var extra []string
	for k := range r.By {
		if !slices.Contains(order, k) {
			extra = append(extra, k)
		}
	}
	slices.Sort(extra)
	var gs []Group
	for _, k := range append(order, extra...) {
		rows := r.By[k]
		if k == "action" && sameAsTools(rows) {
			continue
		}
		if len(rows) > 0 {
			title := titles[k]
			if title == "" {
				title = "By " + k
			}
			gs = append(gs, Group{k, title, rows})
		}
	}
	return gs
}

// sameAsTools reports that no call carries an action, so that the table would repeat the tools.
func sameAsTools(rows []Row) bool {
	for _, r := range rows {
		if !strings.HasSuffix(r.Key, "/") {
			return false
		}
	}
	return true
}

type printer struct {
	w     io.Writer
	color bool
	err   error
}

func (p *printer) line(s string) {
	if p.err == nil {
		_, p.err = io.WriteString(p.w, s+"\n")
	}
}

func (p *printer) paint(code, s string) string {
	if !p.color {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p *printer) bold(s string) string { return p.paint("1", s) }

// barWidth is the width of a bar in cells.
const barWidth = 30

// bar draws a share with eighths of a cell, so that small shares still show.
func bar(share float64) string {
	eighths := int(share*barWidth*8 + 0.5)
	if share > 0 && eighths == 0 {
		eighths = 1
	}
	s := strings.Repeat("█", eighths/8)
	if r := eighths % 8; r > 0 {
		s += string([]rune("▏▎▍▌▋▊▉")[r-1])
	}
	return s + strings.Repeat(" ", barWidth-utf8.RuneCountInString(s))
}

var outcomeColor = map[aegis.Outcome]string{aegis.Allow: "32", aegis.Deny: "31", aegis.Reject: "31",
	aegis.ApprovalNeeded: "33", aegis.Sanitize: "36", aegis.Unknown: "35"}

func (p *printer) decisions(r *Report) {
	p.line("")
	p.line(p.bold("Decisions"))
	for _, o := range contractOrder {
		n := r.Decisions[o]
		if n == 0 {
			continue
		}
		share := float64(n) / float64(r.Calls)
		p.line(fmt.Sprintf("  %-16s %12s  %6s  %s", o, number(n), percent(share), p.paint(outcomeColor[o], bar(share))))
	}
}

func (p *printer) table(title, name string, rows []Row, most int) {
	p.line("")
	width := len(name)
	shown := rows[:min(len(rows), most)]
	for _, r := range shown {
		width = max(width, min(60, utf8.RuneCountInString(r.Key)))
	}
	p.line(p.bold(title))
	p.line(fmt.Sprintf("  %-*s %10s %10s %10s %10s %10s %8s %8s", width, name, "calls", "deny", "hold", "sanitize", "unknown", "blocked", "held"))
	for _, r := range shown {
		known := float64(max(1, r.Known()))
		p.line(fmt.Sprintf("  %-*s %10s %10s %10s %10s %10s %8s %8s", width, clip(r.Key, 60), number(r.Total()),
			number(r.Blocked()), number(r.Counts.Held()), number(r.Counts[aegis.Sanitize]), number(r.Counts[aegis.Unknown]),
			percent(float64(r.Blocked())/known), percent(float64(r.Counts.Held())/known)))
	}
	if len(rows) > most {
		p.line(fmt.Sprintf("  and %d more (--format json lists all)", len(rows)-most))
	}
}

// visible replaces what a terminal or a browser would act on instead of showing: control characters, and those that
// turn the direction of text.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return '·'
		}
		return r
	}, s)
}

// clip shortens a key in the middle, where names differ least.
func clip(s string, n int) string {
	r := []rune(visible(s))
	if len(r) <= n {
		return string(r)
	}
	return string(r[:n/2]) + "…" + string(r[len(r)-(n-n/2-1):])
}

func (p *printer) labels(r *Report) {
	if len(r.Labels) > 0 {
		p.table("By label "+r.LabelKey, r.LabelKey, r.LabelRows(), 20)
	}
}

// LabelRows returns the groups of --label, most calls first.
func (r *Report) LabelRows() []Row {
	var rows []Row
	for _, row := range r.Labels {
		rows = append(rows, row)
	}
	sortRows(rows)
	return rows
}

func (p *printer) rollout(r *Report) {
	p.line("")
	p.line(p.bold("Rollout"))
	for _, part := range []struct {
		title string
		tools []ToolPlan
	}{{"enforce now", r.Rollout.EnforceNow}, {"keep in shadow", r.Rollout.KeepInShadow}} {
		p.line(fmt.Sprintf("  %s: %d tools", part.title, len(part.tools)))
		for _, t := range part.tools {
			p.line(fmt.Sprintf("    %-40s %10s calls  %s", clip(t.Tool, 40), number(t.Calls), t.Why))
		}
	}
	p.line("  " + r.approvals())
	if n := len(r.UnusedRules); n > 0 {
		p.line(fmt.Sprintf("  %d rules were cited by no call, %d entries matched none (--format json lists them)", n, len(r.UnusedEntries)))
	}
}

// approvals says how often people would be asked.
func (r *Report) approvals() string {
	if r.WouldHold.Count == 0 {
		return "nobody would be asked for an approval"
	}
	if r.Rollout.Days == 0 {
		perSession := float64(r.WouldHold.Count) / float64(max(1, r.Sessions))
		return fmt.Sprintf("approvals a day: unknown, the traffic has no times (%s in all, %.2g for each session)",
			number(r.WouldHold.Count), perSession)
	}
	return fmt.Sprintf("approvals a day: %.1f (%s in %.1f days)", r.Rollout.ApprovalsPerDay, number(r.WouldHold.Count), r.Rollout.Days)
}
