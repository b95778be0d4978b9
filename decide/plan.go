package decide

import (
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// Plan is everything the set says of one tenant, agent, tool and action: resolved once, then used for every such call.
// It is immutable.
type Plan struct {
	Policy     *policy.Policy  // nil: no policy covers the agent
	Entries    []*policy.Entry // that match, parents before their children
	Effect     aegis.Effect    // write unless every entry that grants says read
	OnFailure  policy.Failure  // closed unless every entry that grants says open
	Sanitizers []*Sanitizer    // of arguments
	Results    []*Sanitizer    // of what the tool answers
	Limits     []*LimitUse
	Tiers      []*policy.Tier
	Taints     []string

	// NeedsSession and NeedsOrder say whether a verdict depends on the session's earlier calls, and on any earlier call.
	NeedsSession, NeedsOrder bool

	fixed    []aegis.Hit // what holds whatever the call's arguments are
	scopes   []scope
	blocks   []*block
	costs    []*cost
	tiers    []tier
	customs  []int // policies (here at most one) with Rego of their own
	slots    []aegis.Name
	updates  []update
	modes    []entryMode // of the policy's entries that match
	distinct bool        // keys that differ in case only are permitted where no rule names one
	named    [][]string  // paths of objects of which some rule names a key
}

// FailsOpen reports whether calls that only read may go ahead when the gate itself fails.
func (p *Plan) FailsOpen() bool { return p.OnFailure == policy.FailOpen }

// pick finds the policy of an agent: its exact name, else the longest matching prefix.
func pick(ps []*policy.Policy, agent string) *policy.Policy {
	var best *policy.Policy
	length := -1
	for _, p := range ps {
		for _, a := range p.Agents {
			n := len(a)
			if a.Exact() {
				n = aegis.MaxName + 2 // no prefix is as good as the name itself
			}
			if a.Match(agent) && n > length {
				best, length = p, n
			}
		}
	}
	return best
}

// planner collects the parts of one plan.
type planner struct {
	c            *compiler
	p            *Plan
	tool, action string
}

func (e *Engine) plan(tenant, agent, tool, action string) *Plan {
	b := &planner{c: &compiler{features: e.features}, p: &Plan{}, tool: tool, action: action}
	p := b.p
	p.Policy = pick(e.tenants[tenant], agent)
	for _, g := range e.set.Guardrails {
		if g.Matches(tenant, agent) {
			b.scope(&g.Scope)
			b.entries(g.Entries)
			b.limits(g.Limits, tenant, agent)
		}
	}
	if p.Policy == nil {
		b.fix(policy.NoPolicyRule, aegis.NoPolicy)
	} else {
		b.scope(&p.Policy.Scope)
		b.grants(p.Policy)
		b.entries(p.Policy.Entries)
		b.modes(p.Policy)
		b.limits(p.Policy.Limits, tenant, agent)
		if len(p.Policy.Custom) > 0 {
			p.customs = []int{slices.Index(e.set.Policies, p.Policy)}
		}
	}
	b.effects()
	b.contributions(tenant, agent)
	for _, name := range b.c.slots {
		p.slots = append(p.slots, aegis.NameOf(name))
	}
	p.updates = updates(e.set.Features, tool, action, p.Taints)
	p.NeedsSession = b.c.session
	p.NeedsOrder = p.NeedsSession || len(p.Limits) > 0
	return p
}

func (b *planner) fix(rule policy.RuleID, code aegis.Code) {
	b.p.fixed = append(b.p.fixed, aegis.Hit{Rule: rule, Code: code, Outcome: aegis.Deny})
}

func (b *planner) grants(p *policy.Policy) {
	tool := false
	for _, e := range p.Entries {
		if !policy.MatchAny(e.Tools, b.tool) {
			continue
		}
		tool = true
		if e.Matches(b.tool, b.action) {
			return
		}
	}
	if tool {
		b.fix(p.Grant, aegis.ActionNotGranted)
	} else {
		b.fix(p.Grant, aegis.ToolNotGranted)
	}
}

// entries adds every entry that matches, and its children that do.
func (b *planner) entries(es []*policy.Entry) {
	for _, e := range es {
		if !e.Matches(b.tool, b.action) {
			continue
		}
		family := []*policy.Entry{e}
		for _, k := range e.Children {
			if k.Matches(b.tool, b.action) {
				family = append(family, k)
			}
		}
		names := familyNames(family)
		for _, m := range family {
			b.p.Entries = append(b.p.Entries, m)
			b.scope(&m.Scope)
			if m.Conditions != nil {
				b.p.blocks = append(b.p.blocks, b.c.block(m.Conditions, names))
			}
		}
		b.cost(family)
		for _, k := range family {
			b.p.named = append(b.p.named, namedObjects(k)...)
			if k.Conditions != nil && k.Conditions.OtherArgs != policy.NoRule {
				b.p.named = append(b.p.named, nil)
			}
		}
	}
}

// familyNames lists the arguments that an entry and its matching actions name: together they are one rule.
func familyNames(family []*policy.Entry) map[string]bool {
	names := map[string]bool{}
	for _, e := range family {
		for _, n := range e.Names {
			names[n] = true
		}
	}
	return names
}

// effects settles what several entries say of one call: write beats read, closed beats open.
func (b *planner) effects() {
	p := b.p
	p.Effect, p.OnFailure = aegis.EffectUnset, policy.FailureUnset
	p.distinct = false
	granted := false
	for _, e := range p.Entries {
		if e.Parent == nil && e.Grants {
			effect, failure, distinct := e.Effect, e.OnFailure, e.CaseDistinct
			for _, k := range p.Entries {
				if k.Parent == e {
					effect = orElse(k.Effect, effect)
					failure = orElse(k.OnFailure, failure)
					distinct = distinct || k.CaseDistinct
				}
			}
			if p.Effect == aegis.EffectUnset || effect != aegis.Read {
				p.Effect = orElse(effect, aegis.Write)
			}
			if p.OnFailure == policy.FailureUnset || failure != policy.FailOpen {
				p.OnFailure = orElse(failure, policy.FailClosed)
			}
			p.distinct = distinct && (p.distinct || !granted)
			granted = true
		}
	}
	p.Effect, p.OnFailure = orElse(p.Effect, aegis.Write), orElse(p.OnFailure, policy.FailClosed)
}

// orElse returns v, or d where v is the zero value.
func orElse[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}

// contributions adds what matching entries bring beside conditions.
func (b *planner) contributions(tenant, agent string) {
	p := b.p
	for _, e := range p.Entries {
		for _, s := range e.Sanitize {
			if s.Args {
				p.Sanitizers = append(p.Sanitizers, newSanitizer(s))
			}
			if s.Result {
				p.Results = append(p.Results, newSanitizer(s))
			}
		}
		b.limits(e.Limits, tenant, agent)
		for _, t := range e.Taints {
			if !slices.Contains(p.Taints, t) {
				p.Taints = append(p.Taints, t)
			}
		}
		p.Tiers = append(p.Tiers, e.Approval...)
		for _, t := range e.Approval {
			p.tiers = append(p.tiers, tier{t, b.c.conditions(t.When)})
		}
	}
}

// scope is the part of a policy.Scope that can deny, ready to test.
type scope struct {
	*policy.Scope
}

func (b *planner) scope(s *policy.Scope) {
	if s.CallersRule > 0 || s.DepthRule > 0 || s.RegionsRule > 0 || s.UntilRule > 0 {
		b.p.scopes = append(b.p.scopes, scope{s})
	}
}

func (sc scope) eval(s *Scratch) {
	c := s.call
	if sc.CallersRule > 0 {
		caller := "user"
		if n := len(c.Chain); n > 0 {
			caller = c.Chain[n-1]
		}
		if !slices.Contains(sc.Callers, caller) {
			s.hit(sc.CallersRule, aegis.CallerNotAllowed, aegis.Deny)
		}
	}
	if sc.DepthRule > 0 && len(c.Chain) > sc.MaxDepth {
		s.hit(sc.DepthRule, aegis.ChainTooDeep, aegis.Deny)
	}
	if sc.RegionsRule > 0 && (c.Region == "" || !slices.Contains(sc.Regions, c.Region)) {
		s.hit(sc.RegionsRule, aegis.RegionNotAllowed, aegis.Deny)
	}
	if sc.UntilRule > 0 && (!c.HasTime || c.Time >= sc.Until) {
		s.hit(sc.UntilRule, aegis.ExpiredPolicy, aegis.Deny)
	}
}

// namedObjects lists the objects of the arguments of which an entry's rules name a key, as paths from args.
func namedObjects(e *policy.Entry) [][]string {
	var out [][]string
	add := func(path []string) {
		for i := range path {
			out = append(out, path[:i])
		}
	}
	for _, n := range e.Names {
		add([]string{n})
	}
	var constraint func(*policy.Constraint)
	constraint = func(c *policy.Constraint) {
		add(c.Path)
		if c.OtherArgs != policy.NoRule {
			out = append(out, c.Path)
		}
		if c.Each != nil {
			constraint(c.Each)
		}
		for _, a := range c.Args {
			constraint(a)
		}
	}
	if e.Conditions != nil {
		for _, c := range e.Conditions.Args {
			constraint(c)
		}
		for _, cs := range [][]*policy.Condition{e.Conditions.Require, e.Conditions.DenyIf, e.Conditions.ApprovalIf} {
			for _, c := range cs {
				for _, p := range c.Expr.ArgPaths() {
					add(p)
				}
				c.Expr.Walk(func(x *policy.Expr) {
					// A bound variable's fields are keys below a list; which list is not worth telling apart.
					if x.Op == policy.OpHas && x.Root == policy.RootArgs {
						add(x.Fields)
					}
				})
			}
		}
	}
	for _, s := range e.Sanitize {
		for _, f := range s.Fields {
			if !slices.Contains(f, "*") && !slices.Contains(f, "**") {
				add(f)
			}
		}
	}
	for _, l := range e.Limits {
		add(l.Arg)
		for _, by := range l.By {
			add(by)
		}
	}
	return out
}

// permitsVariants reports whether keys of an object that differ in case only do no harm: the policy permits them, and
// no rule names a key of that object. An object inside a list is taken for named as soon as a rule names the list.
func (p *Plan) permitsVariants(path []string) bool {
	if !p.distinct {
		return false
	}
	for _, n := range p.named {
		if slices.Equal(n, path) || slices.Contains(path, "[]") && strings.HasPrefix(
			strings.Join(path, "\x00")+"\x00", strings.Join(n, "\x00")) && len(n) > 0 {
			return false
		}
	}
	return true
}
