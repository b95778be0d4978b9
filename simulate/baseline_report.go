package simulate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/decide"
	"github.com/aegisctl/aegis/policy"
)

// Changes is how the decisions differ from those of the baseline policy on the same traffic, each policy with limits,
// histories and taints of its own. Kind defines the kinds. Rates are over the calls that both policies can decide, and
// their intervals are clustered by session.
type Changes struct {
	BaselineVersion   string            `json:"baseline_version"`
	Baseline          string            `json:"-"`          // where it came from
	Comparable        int64             `json:"comparable"` // calls that both can decide
	Changed           int64             `json:"changed"`    // calls of any kind but Same
	NewlyDenied       Rate              `json:"newly_denied"`
	NewlyAllowed      Rate              `json:"newly_allowed"`
	NewlyHeld         Rate              `json:"newly_held"`
	NewlyUnknown      int64             `json:"newly_unknown"`
	NoLongerUnknown   int64             `json:"no_longer_unknown"`
	NewlySanitized    int64             `json:"newly_sanitized"`
	NoLongerSanitized int64             `json:"no_longer_sanitized"`
	WouldBlock        Difference        `json:"would_block"`
	Matrix            map[string]Counts `json:"matrix"` // by the baseline's decision: the policy's
	ByTool            []ChangeRow       `json:"by_tool"`
	Groups            []ChangeGroup     `json:"groups"`
	Examples          []Example         `json:"examples"`
}

// Difference is a share under the policy minus that under the baseline, with its 95% interval.
type Difference struct {
	Difference float64    `json:"difference"`
	CI95       [2]float64 `json:"ci95"`
}

// ChangeRow is one tool's changes.
type ChangeRow struct {
	Key               string `json:"key"`
	Calls             int64  `json:"calls"`
	NewlyDenied       int64  `json:"newly_denied"`
	NewlyAllowed      int64  `json:"newly_allowed"`
	NewlyHeld         int64  `json:"newly_held"`
	NewlyUnknown      int64  `json:"newly_unknown"`
	NoLongerUnknown   int64  `json:"no_longer_unknown"`
	NewlySanitized    int64  `json:"newly_sanitized"`
	NoLongerSanitized int64  `json:"no_longer_sanitized"`
}

// ChangeGroup is the calls that changed alike: the same decisions for the same reasons.
type ChangeGroup struct {
	Change Kind   `json:"change"`
	Calls  int64  `json:"calls"`
	Old    Side   `json:"old"`
	New    Side   `json:"new"`
	Source string `json:"source,omitempty"` // the line to look at: file:line:column
	Cause  string `json:"cause,omitempty"`  // id of the rule or entry there
}

// Side is what one policy says of a group's calls.
type Side struct {
	Decision string        `json:"decision"`
	Reasons  []ChangeCause `json:"reasons"`        // that decided
	More     bool          `json:"more,omitempty"` // and others, which may differ within the group
	Grant    string        `json:"grant,omitempty"`
}

// ChangeCause is one reason of a side.
type ChangeCause struct {
	Code   aegis.Code `json:"code"`
	Rule   string     `json:"rule"`
	Says   string     `json:"says,omitempty"` // the rule as the policy writes it
	Source string     `json:"source,omitempty"`
}

// report turns what was counted into the report's changes.
func (b *baseline) report(r *run) (*Changes, error) {
	if b == nil {
		return nil, nil
	}
	t := b.total
	c := &Changes{BaselineVersion: b.set.Version, Matrix: map[string]Counts{}, ByTool: []ChangeRow{}, Groups: []ChangeGroup{},
		Examples: []Example{}}
	for from, row := range t.matrix {
		c.Matrix[aegis.Outcome(from).String()] = row
		if aegis.Outcome(from) != aegis.Unknown {
			c.Comparable += row.Known()
		}
	}
	var all kindCounts
	tools := map[string]*kindCounts{}
	for k, n := range t.combos {
		tool := made(tools, aegis.EscapeName(k.tool))
		for i := range n {
			all[i] += n[i]
			tool[i] += n[i]
			c.Changed += n[i]
		}
	}
	b.rates(c, &all)
	c.NewlyUnknown, c.NoLongerUnknown = all[NewlyUnknown], all[NoLongerUnknown]
	c.NewlySanitized, c.NoLongerSanitized = all[NewlySanitized], all[NoLongerSanitized]
	for tool, n := range tools {
		c.ByTool = append(c.ByTool, changeRow(tool, n))
	}
	slices.SortFunc(c.ByTool, func(x, y ChangeRow) int {
		return cmp.Or(cmp.Compare(y.Calls, x.Calls), strings.Compare(x.Key, y.Key))
	})
	return c, b.groups(r, c)
}

func (b *baseline) rates(c *Changes, all *kindCounts) {
	for _, cell := range b.cells {
		b.sums.add(cell)
	}
	b.cells = nil
	b.sums.merge(&b.total.loose)
	c.NewlyDenied = rate(all[NewlyDenied], c.Comparable, b.sums.denied)
	c.NewlyAllowed = rate(all[NewlyAllowed], c.Comparable, b.sums.allowed)
	c.NewlyHeld = rate(all[NewlyHeld], c.Comparable, b.sums.held)
	if c.Comparable > 0 {
		c.WouldBlock.Difference = float64(b.sums.blocked.Net) / float64(c.Comparable)
	}
	c.WouldBlock.CI95[0], c.WouldBlock.CI95[1] = b.sums.blocked.Diff95()
}

func changeRow(tool string, n *kindCounts) ChangeRow {
	row := ChangeRow{tool, 0, n[NewlyDenied], n[NewlyAllowed], n[NewlyHeld], n[NewlyUnknown], n[NoLongerUnknown],
		n[NewlySanitized], n[NoLongerSanitized]}
	for _, x := range n {
		row.Calls += x
	}
	return row
}

// groups fills Changes.Groups and Examples: by kind, then most calls first.
func (b *baseline) groups(r *run, c *Changes) error {
	type one struct {
		key   groupKey
		of    *changeGroup
		group ChangeGroup
		name  string
	}
	var all []one
	for k, g := range b.total.groups {
		out := ChangeGroup{Change: k.kind, Calls: g.calls, Old: side(b.gate.Engine, k.from, &k.old),
			New: side(r.gate.Engine, k.to, &k.new)}
		if k.grant != nil {
			out.New.Grant = k.grant.ID
		}
		out.Source, out.Cause = b.cause(r.set, &k)
		all = append(all, one{k, g, out, fmt.Sprint(out)})
	}
	slices.SortFunc(all, func(x, y one) int {
		return cmp.Or(int(x.key.kind)-int(y.key.kind), cmp.Compare(y.of.calls, x.of.calls), strings.Compare(x.name, y.name))
	})
	x, err := newExampler()
	if err != nil {
		return err
	}
	for i, g := range all {
		c.Groups = append(c.Groups, g.group)
		if s := g.of.example; s != nil {
			oldEngine, newEngine := b.gate.Engine, r.gate.Engine
			plan := func(e *decide.Engine) *decide.Plan {
				return e.Plan(s.combo.tenant, s.combo.agent, s.combo.tool, s.combo.action)
			}
			e := x.example(s, &g.group, shownArgs(&g.key, oldEngine, newEngine, plan(oldEngine), plan(newEngine)))
			e.Group = i
			c.Examples = append(c.Examples, e)
		}
	}
	return nil
}

func side(e *decide.Engine, o aegis.Outcome, d *decisive) Side {
	s := Side{Decision: o.String(), Reasons: []ChangeCause{}, More: d.more}
	for _, h := range d.hits[:d.n] {
		rule := e.Set().Rules[h.rule]
		s.Reasons = append(s.Reasons, ChangeCause{h.code, rule.ID, e.Says(h.rule), rule.Pos.String()})
	}
	slices.SortFunc(s.Reasons, func(x, y ChangeCause) int {
		return cmp.Or(strings.Compare(x.Rule, y.Rule), strings.Compare(x.Code.String(), y.Code.String()))
	})
	return s
}

// cause names the line that a reviewer should look at. A change to something stronger was caused by the policy's own
// rule, and so was a call's being held. Any other change to something weaker was caused by a rule of the baseline that no longer speaks: where the policy still
// has that rule, by what it says now; else by the new grant; else the baseline's line is all there is.
func (b *baseline) cause(set *policy.Set, k *groupKey) (source, id string) {
	if k.to > k.from || k.to == aegis.ApprovalNeeded {
		if k.new.n == 0 {
			return "", ""
		}
		rule := set.Rules[k.new.hits[0].rule]
		return rule.Pos.String(), rule.ID
	}
	if k.grant != nil {
		return k.grant.Pos.String(), k.grant.ID
	}
	for _, h := range k.old.hits[:k.old.n] {
		id := b.set.Rules[h.rule].ID
		if i := slices.IndexFunc(set.Rules, func(r policy.Rule) bool { return r.ID == id }); i >= 0 && id != "" {
			return set.Rules[i].Pos.String(), id
		}
	}
	if k.old.n == 0 {
		return "", ""
	}
	rule := b.set.Rules[k.old.hits[0].rule]
	return rule.Pos.String(), rule.ID
}
