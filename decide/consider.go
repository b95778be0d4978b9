package decide

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// Reading is one thing that a rule read.
type Reading struct {
	Name  string `json:"name"`  // an argument as args.NAME, or a fact of the call
	Value string `json:"value"` // as JSON text, escaped and cut for people; "missing" where it is not there
}

// Results of a considered rule: whether what it states is true of the call.
const (
	ResultTrue       = "true"
	ResultFalse      = "false"
	ResultError      = "error"
	ResultNotReached = "not_reached" // nothing was asked of it: the call was refused before, or has no such argument
)

// Considered is one rule that concerns a call, what it read and what came of it.
type Considered struct {
	Rule   string    `json:"rule"`
	Source string    `json:"source,omitempty"` // file:line:column
	Line   string    `json:"line,omitempty"`   // the line as the policy writes it
	Says   string    `json:"says,omitempty"`   // the rule's own value
	Reads  []Reading `json:"reads"`
	Result string    `json:"result"`
	Effect string    `json:"effect,omitempty"` // the outcome that the rule calls for; none where it has nothing to say
	Code   string    `json:"code,omitempty"`   // why
	Note   string    `json:"note,omitempty"`
}

// Consider lists every rule that concerns a call with what it read and what came of it, in the order of the sources. The
// verdict is the one on the call, and still in its Scratch.
func (e *Engine) Consider(c *aegis.Call, v *Verdict) []Considered {
	out := []Considered{}
	p := e.Plan(c.Tenant, c.Agent, c.Tool, c.Action)
	stopped := slices.ContainsFunc(v.Hits, func(h aegis.Hit) bool {
		return h.Code == aegis.TenantMismatch || h.Code == aegis.Malformed
	})
	ids := e.rulesOf(p, c)
	slices.SortStableFunc(ids, func(a, b policy.RuleID) int { return comparePos(e.set.Rules[a].Pos, e.set.Rules[b].Pos) })
	for _, id := range slices.Compact(ids) {
		rule := e.set.Rules[id]
		x := Considered{Rule: rule.ID, Source: rule.Pos.String(), Line: e.lineOf(rule.Pos), Says: e.Says(id), Reads: e.readings(c, id)}
		if stopped {
			x.Result, x.Note = ResultNotReached, "the call was refused before any rule"
		} else {
			e.result(&x, id, p, c, v)
		}
		out = append(out, x)
	}
	return out
}

func comparePos(a, b policy.Pos) int {
	if n := strings.Compare(a.File, b.File); n != 0 {
		return n
	}
	if a.Line != b.Line {
		return a.Line - b.Line
	}
	return a.Col - b.Col
}

// lineOf returns a line of a source, without the space round it.
func (e *Engine) lineOf(at policy.Pos) string {
	for _, s := range e.set.Sources {
		if s.Name == at.File && at.Line > 0 {
			lines := strings.SplitN(string(s.Text), "\n", at.Line+1)
			if len(lines) >= at.Line {
				return strings.TrimSpace(lines[at.Line-1])
			}
		}
	}
	return ""
}

// rulesOf lists the rules of everything that matches the call's names.
func (e *Engine) rulesOf(p *Plan, c *aegis.Call) []policy.RuleID {
	var ids []policy.RuleID
	add := func(rules ...policy.RuleID) {
		for _, r := range rules {
			if r > 0 {
				ids = append(ids, r)
			}
		}
	}
	scope := func(s *policy.Scope) { add(s.CallersRule, s.DepthRule, s.RegionsRule, s.UntilRule) }
	for _, g := range e.set.Guardrails {
		if g.Matches(c.Tenant, c.Agent) {
			scope(&g.Scope)
		}
	}
	if p.Policy != nil {
		scope(&p.Policy.Scope)
		add(p.Policy.Grant)
		for _, k := range p.Policy.Custom {
			add(k.Rule)
		}
	}
	for _, n := range p.Entries {
		scope(&n.Scope)
		if k := n.Conditions; k != nil {
			add(k.OtherArgs)
			addConstraints(k.Args, add)
			for _, x := range slices.Concat(k.Require, k.DenyIf, k.ApprovalIf) {
				add(x.Rule)
			}
		}
	}
	for _, z := range p.Sanitizers {
		add(z.Rule)
	}
	for _, l := range p.Limits {
		add(l.Rule)
	}
	for _, k := range p.costs {
		add(k.rule)
	}
	return ids
}

func addConstraints(cs []*policy.Constraint, add func(...policy.RuleID)) {
	for _, c := range cs {
		for _, k := range c.Checks {
			add(k.Rule)
		}
		add(c.OtherArgs)
		if c.Each != nil {
			addConstraints([]*policy.Constraint{c.Each}, add)
		}
		addConstraints(c.Args, add)
	}
}

// result says what came of a rule that was reached.
func (e *Engine) result(x *Considered, id policy.RuleID, p *Plan, c *aegis.Call, v *Verdict) {
	about := e.about[id]
	x.Result = ResultTrue
	if k := about.condition; k != nil && !isRequirement(p, id) {
		x.Result = ResultFalse
	}
	if about.sanitizer != nil || e.isCustom(id) {
		x.Result = ResultFalse
	}
	for _, h := range v.Hits {
		if h.Rule != id {
			continue
		}
		x.Code, x.Effect = h.Code.String(), h.Outcome.String()
		switch {
		case h.Code.IsError():
			x.Result, x.Note = ResultError, e.message(c, h)
			return
		case h.Code == aegis.DenyIf, h.Code == aegis.ApprovalIf, h.Code == aegis.Sanitized, h.Code == aegis.SanitizeFailed,
			h.Code == aegis.CustomDeny, h.Code == aegis.CustomApproval:
			x.Result = ResultTrue
		default:
			x.Result = ResultFalse
		}
		return
	}
	k := about.check
	switch {
	case k == nil:
	case !walk(c.Args, about.path).Given() && !e.elementwise(p, about.path):
		x.Result, x.Note = ResultNotReached, "the argument is optional, and not given"
	case k.Op == policy.CheckMax || k.Op == policy.CheckMin:
		n, ok := walk(c.Args, about.path).Num()
		if d := n.Cmp(k.Num); ok && (k.Op == policy.CheckMax && d > 0 || k.Op == policy.CheckMin && d < 0) {
			x.Result, x.Note = ResultFalse, "lifted to an approval by approval_needed_if"
		}
	}
}

// elementwise reports that a list stands on the way to a path, so that walking it finds nothing.
func (e *Engine) elementwise(p *Plan, path []string) bool {
	for _, n := range p.Entries {
		if n.Conditions != nil && slices.ContainsFunc(n.Conditions.Args, func(c *policy.Constraint) bool {
			return within(path, c.Path) && hasEach(c)
		}) {
			return true
		}
	}
	return false
}

func hasEach(c *policy.Constraint) bool { return c.Each != nil || slices.ContainsFunc(c.Args, hasEach) }

func isRequirement(p *Plan, id policy.RuleID) bool {
	return slices.ContainsFunc(p.Entries, func(n *policy.Entry) bool {
		return n.Conditions != nil && slices.ContainsFunc(n.Conditions.Require, func(c *policy.Condition) bool { return c.Rule == id })
	})
}

// readings lists what a rule reads with the values of the call.
func (e *Engine) readings(c *aegis.Call, id policy.RuleID) []Reading {
	x, out := e.about[id], []Reading{}
	add := func(name, value string) {
		if r := (Reading{name, value}); !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	for _, path := range e.Arguments(id) {
		add(argName(path), shown(walk(c.Args, path)))
	}
	if s := x.scope; s != nil {
		switch id {
		case s.CallersRule:
			add("caller", text(caller(c)))
		case s.DepthRule:
			add("chain", fmt.Sprintf("%d callers", len(c.Chain)))
		case s.RegionsRule:
			add("region", text(c.Region))
		case s.UntilRule:
			add("time", timeText(c))
		}
	}
	if x.condition != nil {
		facts(x.condition.Expr, c, add)
	}
	if x.cost != nil && x.cost.Expr != nil {
		facts(x.cost.Expr, c, add)
	}
	if x.otherNames {
		var names []string
		v := walk(c.Args, x.path)
		for m := v.First(); v.Kind() == aegis.Object && m.Kind() != aegis.Absent && len(names) < 20; m = v.After(m) {
			names = append(names, text(m.Key()))
		}
		add(argName(x.path), "the names "+strings.Join(names, ", "))
	}
	if e.isGrant(id) {
		add("tool", text(c.Tool))
		add("action", text(c.Action))
	}
	return out
}

func argName(path []string) string { return pathText(append([]string{"args"}, path...)) }

// text shows a fact of the call; there is none where it is empty.
func text(s string) string {
	if s == "" {
		return "none"
	}
	var d aegis.Doc
	if d.Parse(aegis.AppendQuoted(nil, s), aegis.MaxBody) != nil {
		return "none"
	}
	return shown(d.Root())
}

func caller(c *aegis.Call) string {
	if n := len(c.Chain); n > 0 {
		return c.Chain[n-1]
	}
	return "user"
}

func timeText(c *aegis.Call) string {
	if !c.HasTime {
		return "none"
	}
	return c.When().Format(time.RFC3339Nano)
}

func (e *Engine) isGrant(id policy.RuleID) bool {
	return slices.ContainsFunc(e.set.Policies, func(p *policy.Policy) bool { return p.Grant == id })
}

// facts adds what an expression reads beside arguments. The call is judged alone, so that its session has no past.
func facts(x *policy.Expr, c *aegis.Call, add func(name, value string)) {
	x.Walk(func(n *policy.Expr) {
		switch n.Op {
		case policy.OpPath:
			switch n.Root {
			case policy.RootChain:
				add("chain", fmt.Sprintf("%q", c.Chain))
			case policy.RootClaims:
				add(pathText(append([]string{"claims"}, n.Fields...)), shown(walk(c.Claims, n.Fields)))
			case policy.RootTool:
				add("tool", text(c.Tool))
			case policy.RootAction:
				add("action", text(c.Action))
			case policy.RootAgent:
				add("agent", text(c.Agent))
			case policy.RootTenant:
				add("tenant", text(c.Tenant))
			case policy.RootRegion:
				add("region", text(c.Region))
			}
		case policy.OpUnix, policy.OpHour, policy.OpWeekday:
			add("time", timeText(c))
		case policy.OpCount, policy.OpSeen, policy.OpSum, policy.OpValues, policy.OpTainted:
			past := "no earlier calls"
			if c.Session == "" {
				past = "none"
			}
			add("session", past)
		}
	})
}
