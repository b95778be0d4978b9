package suite

import (
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
)

// cite writes hits as "code rule at file:line:column", sorted.
func (g *gates) cite(hits []aegis.Hit) []string {
	out := []string{}
	for _, h := range hits {
		rule := g.set.Rules[h.Rule]
		s := h.Code.String()
		if rule.ID != "" {
			s += " " + rule.ID
		}
		if at := place(rule.Pos); at != "" {
			s += " at " + at
		}
		out = append(out, s)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// brief writes hits as "code key", sorted.
func (g *gates) brief(hits []aegis.Hit) []string {
	out := []string{}
	for _, h := range hits {
		out = append(out, strings.TrimSpace(h.Code.String()+" "+key(g.set.Rules[h.Rule].ID)))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// where returns the place of the first rule among hits that has one, strongest outcome first.
func (g *gates) where(hits []aegis.Hit) string {
	at, strongest := "", aegis.Allow
	for _, h := range hits {
		p := place(g.set.Rules[h.Rule].Pos)
		if p != "" && (at == "" || h.Outcome > strongest || h.Outcome == strongest && p < at) {
			at, strongest = p, h.Outcome
		}
	}
	return at
}
