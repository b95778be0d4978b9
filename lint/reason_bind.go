package lint

import (
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// factsOf returns what holds of every call that an entry matches, whatever its arguments are.
func (p *pass) factsOf(u *unit, e *policy.Entry) world {
	w := world{}
	p.addFacts(w, u, e)
	return w
}

func (p *pass) addFacts(w world, u *unit, e *policy.Entry) {
	if !p.readsNames() {
		return // so that nothing could contradict them
	}
	w.named(policy.RootTool, "the entry's tool", e.Tools)
	w.named(policy.RootAction, "the entry's action", e.Actions)
	if u.guardrail != nil {
		w.named(policy.RootAgent, "the guardrail's agent", u.guardrail.Agents)
		return
	}
	w.named(policy.RootAgent, "the policy's agent", u.policy.Agents)
	w.named(policy.RootTenant, "the policy's tenant", []policy.Pattern{policy.Pattern(u.policy.Tenant)})
}

// readsNames reports whether any expression of the set reads the names of the call.
func (p *pass) readsNames() bool { return p.names() }

func (p *pass) findReads() bool {
	reads := false
	p.conditions(func(c condition) {
		c.Expr.Walk(func(x *policy.Expr) {
			if x.Op == policy.OpPath {
				switch x.Root {
				case policy.RootTool, policy.RootAction, policy.RootAgent, policy.RootTenant:
					reads = true
				}
			}
		})
	})
	return reads
}

// named says that a name of the call fits one of the patterns. Of several, only a list of plain names is followed.
func (w world) named(root policy.Root, text string, ps []policy.Pattern) {
	if len(ps) == 0 {
		return
	}
	key := termKey(&policy.Expr{Op: policy.OpPath, Root: root})
	if len(ps) == 1 && !ps[0].Exact() {
		if prefix := strings.TrimSuffix(string(ps[0]), "*"); prefix != "" {
			w.narrow(key, func(d *domain) { d.test(textTest(policy.OpStarts, prefix, true, text+" "+string(ps[0]))) })
		}
		return
	}
	var names []policy.Literal
	for _, p := range ps {
		if !p.Exact() {
			return
		}
		names = append(names, policy.Literal{Kind: aegis.String, Str: string(p)})
	}
	w.narrow(key, func(d *domain) { d.among(names, text) })
}

// bind narrows the world by the constraints of a block that nothing lifts: what is left are the calls that they do not
// deny. It is false where an argument is left no value.
func (w world) bind(p *pass, c *policy.Conditions) bool {
	if c == nil {
		return true
	}
	ok := true
	for _, k := range c.Args {
		ok = w.constrain(p, c, k, false, false) && ok
	}
	return ok
}

// constrain narrows the world by a constraint and those of its members. A breach that asks for an approval, or is
// lifted by one, rules nothing out; a missing argument, or one of another kind, is an error all the same.
func (w world) constrain(p *pass, block *policy.Conditions, k *policy.Constraint, optional, asks bool) bool {
	optional, asks = optional || k.Optional, asks || k.Approval
	key, lifted := pathKey(k.Path), lifted(block, k)
	w.narrow(key, func(d *domain) {
		d.given = d.given || !optional && says(k)
		for _, ch := range k.Checks {
			if k.Each != nil && (ch.Op == policy.CheckMaxLength || ch.Op == policy.CheckMinLength) {
				continue // a lone text is one element then, and size() has its length all the same
			}
			bounds := ch.Op == policy.CheckMax || ch.Op == policy.CheckMin
			if breachable := ch.Op != policy.CheckType && ch.Op != policy.CheckInteger; breachable && (asks || bounds && lifted && liftable(block, k, ch)) {
				d.ofKind(ch.Type, p.wording(ch))
				continue
			}
			d.addOf(k, ch, p.wording(ch))
		}
		if len(k.Args) > 0 || k.OtherArgs != policy.NoRule {
			d.ofKind(aegis.Object, strings.Join(k.Path, "."))
		}
	})
	ok := w[key].empty() == ""
	for _, m := range k.Args {
		ok = w.constrain(p, block, m, optional, asks) && ok
	}
	return ok
}

// says reports whether a constraint has a rule of its own or below, so that its argument must be there.
func says(k *policy.Constraint) bool {
	return len(k.Checks) > 0 || k.OtherArgs != policy.NoRule || k.Each != nil && says(k.Each) || slices.ContainsFunc(k.Args, says)
}

// lifted reports whether an approval of the same block reads the constraint's argument.
func lifted(c *policy.Conditions, k *policy.Constraint) bool {
	for _, a := range c.ApprovalIf {
		for _, path := range a.Expr.ArgPaths() {
			if slices.Equal(path, k.Path) {
				return true
			}
		}
	}
	return false
}

// liftable reports whether a breach of a bound can go with an approval that lifts it: over max_amount 5000 with
// amount > 5000, and never below min_amount 1.
func liftable(block *policy.Conditions, k *policy.Constraint, ch *policy.Check) bool {
	w := world{}
	w.narrow(pathKey(k.Path), breachOf(ch, ""))
	branches := maxBranches
	return slices.ContainsFunc(block.ApprovalIf, func(a *policy.Condition) bool {
		return slices.ContainsFunc(a.Expr.ArgPaths(), func(path []string) bool { return slices.Equal(path, k.Path) }) &&
			w.search([]claim{{a.Expr, true}}, &branches)
	})
}

// because says why a claim that is one comparison cannot hold, and nothing for any other.
func (w world) because(c claim) string {
	for c.e.Op == policy.OpNot {
		c = claim{c.e.Sub[0], !c.want}
	}
	if c.e.Op == policy.OpAnd || c.e.Op == policy.OpOr || c.e.Op == policy.OpLiteral {
		return ""
	}
	next, ok := w.assume(c)
	if ok {
		return ""
	}
	for _, r := range readings(c) {
		if d := next[r.key]; d != nil && d.ruledOut() {
			if why := d.empty(); why != "" {
				return ": " + why
			}
		}
	}
	return ""
}

// barrier is a rule that a call must get past, as part of a question to a world.
type barrier struct {
	rule policy.RuleID
	pos  policy.Pos
	bind func(world) bool // false: nothing gets past
	ask  []claim
}

// barriersOf returns what denies a call of an entry and cannot be lifted: its constraints as one block, and each of its
// require and deny_if.
func barriersOf(p *pass, e *policy.Entry) []barrier {
	c := e.Conditions
	if c == nil {
		return nil
	}
	var out []barrier
	for _, k := range c.Args {
		out = append(out, barrier{ruleWithin(k), k.Pos, func(w world) bool { return w.constrain(p, c, k, false, false) }, nil})
	}
	for _, r := range c.Require {
		out = append(out, barrier{r.Rule, r.Pos, nil, []claim{{r.Expr, true}}})
	}
	for _, r := range c.DenyIf {
		out = append(out, barrier{r.Rule, r.Pos, nil, []claim{{r.Expr, false}}})
	}
	return out
}

// ruleWithin returns the first rule of a constraint or of what is in it.
func ruleWithin(k *policy.Constraint) policy.RuleID {
	if len(k.Checks) > 0 {
		return k.Checks[0].Rule
	}
	if k.Each != nil {
		if r := ruleWithin(k.Each); r != policy.NoRule {
			return r
		}
	}
	for _, m := range k.Args {
		if r := ruleWithin(m); r != policy.NoRule {
			return r
		}
	}
	return k.OtherArgs
}

// past reports whether some call can get past all barriers and make the claims hold, with a shared number of branches.
// w is not changed.
func (w world) past(bs []barrier, branches *int, claims ...claim) bool {
	next := world{}
	for k, d := range w {
		next[k] = d
	}
	for _, b := range bs {
		if b.bind != nil {
			b.bind(next)
		}
		claims = append(claims, b.ask...)
	}
	for _, d := range next {
		if d.ruledOut() {
			return false
		}
	}
	return next.search(claims, branches)
}
