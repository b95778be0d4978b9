package simulate

import (
	_ "embed"
	"fmt"
	"html/template"
	"strings"

	"github.com/aegisctl/aegis"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{"num": number}).Parse(pageText))

// share is one segment of a bar.
type share struct {
	Name, Percent string
	Count         int64
	Width         string // in percent
}

type rateCard struct {
	Title, Class, Percent, Interval string
	Count                           int64
	Left, Width                     string
}

type htmlRow struct {
	Key                                  string
	Calls, Deny, Hold, Sanitize, Unknown int64
	Shares                               []share
}

type htmlTable struct {
	Title, Name string
	Of, More    int
	Open        bool
	Rows        []htmlRow
}

// HTML renders the report as one self-contained page: no script, no network, light and dark, readable on a phone.
func (r *Report) HTML() (string, error) {
	var tables []htmlTable
	if len(r.Unknown) > 0 {
		tables = append(tables, tableOf("Why calls are unknown", "lacking", r.Unknown, true))
	}
	for _, g := range r.Groups() {
		tables = append(tables, tableOf(g.Title, g.Name, g.Rows, g.Name == "tool"))
	}
	if len(r.Labels) > 0 {
		tables = append(tables, tableOf("By label "+r.LabelKey, r.LabelKey, r.LabelRows(), true))
	}
	perDay := "none"
	if r.WouldHold.Count > 0 {
		perDay = "?"
		if r.Rollout.Days > 0 {
			perDay = fmt.Sprintf("%.1f a day", r.Rollout.ApprovalsPerDay)
		}
	}
	data := struct {
		*Report
		Headline, Basis, PerDay, Approvals string
		Shares                             []share
		Rates                              []rateCard
		Tables                             []htmlTable
		Change                             *htmlChanges
	}{r, r.Headline(), r.basis(), perDay, r.approvals(), shares(r.Decisions),
		[]rateCard{card("would block", "deny", r.WouldBlock), card("would hold", "approval_needed", r.WouldHold)}, tables, r.Changes.html()}
	var b strings.Builder
	if err := page.Execute(&b, data); err != nil {
		return "", fmt.Errorf("rendering the page: %w", err)
	}
	return b.String(), nil
}

func card(title, class string, r Rate) rateCard {
	return rateCard{title, class, percent(r.Rate), interval(r), r.Count, width(r.CI95[0]), width(r.CI95[1] - r.CI95[0])}
}

func width(x float64) string { return fmt.Sprintf("%.3f", 100*x) }

func shares(c Counts) []share {
	var out []share
	total := c.Total()
	for _, o := range contractOrder {
		if n := c[o]; n > 0 {
			x := float64(n) / float64(total)
			out = append(out, share{o.String(), percent(x), n, width(x)})
		}
	}
	return out
}

// htmlRows is how many rows of a table the page shows.
const htmlRows = 200

func tableOf(title, name string, rows []Row, open bool) htmlTable {
	t := htmlTable{Title: title, Name: name, Of: len(rows), Open: open, More: max(0, len(rows)-htmlRows)}
	for _, r := range rows[:min(len(rows), htmlRows)] {
		t.Rows = append(t.Rows, htmlRow{visible(r.Key), r.Total(), r.Blocked(), r.Counts.Held(), r.Counts[aegis.Sanitize],
			r.Counts[aegis.Unknown], shares(r.Counts)})
	}
	return t
}
