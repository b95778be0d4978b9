package decide

import (
	"slices"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/limit"
	"github.com/aegisctl/aegis/policy"
)

// cost is what one matching entry says a call costs.
type cost struct {
	rule  policy.RuleID
	micro int64
	eval  valueFunc // nil: micro
}

// cost adds the costs of an entry and its matching actions: an action's own replaces its entry's.
func (b *planner) cost(family []*policy.Entry) {
	own := false
	for _, k := range family[1:] {
		if k.Cost != nil {
			own = true
			b.p.costs = append(b.p.costs, b.c.cost(k.Cost))
		}
	}
	if k := family[0].Cost; k != nil && !own {
		b.p.costs = append(b.p.costs, b.c.cost(k))
	}
}

func (c *compiler) cost(k *policy.Cost) *cost {
	if k.Expr == nil {
		return &cost{rule: k.Rule, micro: k.Micro}
	}
	return &cost{rule: k.Rule, eval: c.value(k.Expr)}
}

// cost returns the highest cost that an entry states, else what the call reports, else 0.
func (s *Scratch) cost() int64 {
	most, stated := int64(0), false
	for _, k := range s.plan.costs {
		m := k.micro
		if k.eval != nil {
			v := k.eval(s)
			n, ok := v.num.Micro()
			if v.kind != aegis.Number || !ok || n < 0 {
				s.fail(k.rule, aegis.ExpressionError)
				continue
			}
			m = n
		}
		most, stated = max(most, m), true
	}
	if !stated && s.call.HasCost {
		return s.call.Cost
	}
	return most
}

// LimitUse is one limit as it concerns the calls of a plan.
type LimitUse struct {
	*policy.Limit
	base     string // the ledger's key before values of `by`
	optional bool   // a missing argument is not charged
	arg      readFunc
	by       []readFunc
}

// charge is one limit's claim on a call, or why it cannot be stated.
type charge struct {
	limit.Charge
	rule policy.RuleID
}

// limits adds the limits that concern the plan's calls. Those of a policy or guardrail on an argument concern the
// entries that constrain it.
func (b *planner) limits(ls []*policy.Limit, tenant, agent string) {
	for _, l := range ls {
		u := &LimitUse{Limit: l, base: tenant}
		if !l.PerTenant {
			u.base += "\x00" + agent
		}
		if l.Kind == policy.LimitSum {
			if l.Agent {
				constrained := false
				constrained, u.optional = b.constrains(l.Arg)
				if !constrained {
					continue
				}
			}
			u.arg = b.c.read(policy.RootArgs, l.Arg, 0)
		}
		for _, by := range l.By {
			u.by = append(u.by, b.c.read(policy.RootArgs, by, 0))
		}
		b.p.Limits = append(b.p.Limits, u)
	}
}

// constrains reports whether some matching entry constrains an argument, and whether all that do call it optional.
func (b *planner) constrains(path []string) (any, optional bool) {
	optional = true
	var look func(cs []*policy.Constraint)
	look = func(cs []*policy.Constraint) {
		for _, c := range cs {
			if slices.Equal(c.Path, path) {
				any, optional = true, optional && c.Optional
			}
			look(c.Args)
		}
	}
	for _, e := range b.p.Entries {
		if e.Conditions != nil {
			look(e.Conditions.Args)
		}
	}
	return any, any && optional
}

// charge states what the call wants of the limit, or fails where its arguments do not say.
func (u *LimitUse) charge(s *Scratch) {
	amount, code := int64(1), aegis.NoCode
	switch u.Kind {
	case policy.LimitCost:
		if amount = s.verdict.Cost; amount < 0 {
			code = aegis.NumberOutOfRange
		}
	case policy.LimitSum:
		v := u.arg(s)
		if u.optional && s.argsKind() == aegis.Object && !v.Given() {
			return
		}
		amount, code = spend(v)
	}
	if code != aegis.NoCode {
		s.fail(u.Rule, code)
	}
	key, ok := u.key(s)
	if !ok || code != aegis.NoCode {
		return
	}
	s.charges = append(s.charges, charge{limit.Charge{Spec: u.Spec, Key: key, Amount: amount}, u.Rule})
}

// spend reads an amount that is charged: a number that is not negative, within the bounds of arithmetic.
func spend(v aegis.Value) (micro int64, code aegis.Code) {
	switch v.Kind() {
	case aegis.Absent:
		return 0, aegis.ArgumentMissing
	case aegis.Null:
		return 0, aegis.ArgumentNull
	case aegis.Number:
	default:
		return 0, aegis.ArgumentType
	}
	n, ok := v.Num()
	m, ok2 := n.Micro()
	if !ok || !ok2 || m < 0 {
		return 0, aegis.NumberOutOfRange
	}
	return m, aegis.NoCode
}

// key makes the ledger's key. Every part says its own length or kind, so that no two sets of values share a key.
func (u *LimitUse) key(s *Scratch) (string, bool) {
	if len(u.by) == 0 {
		return u.base, true
	}
	b, ok := append(s.keys.buf[:0], u.base...), true
	for _, read := range u.by {
		v := read(s)
		code := aegis.NoCode
		switch v.Kind() {
		case aegis.Absent:
			code = aegis.ArgumentMissing
		case aegis.Null:
			code = aegis.ArgumentNull
		case aegis.List, aegis.Object:
			code = aegis.ArgumentType
		case aegis.Number:
			n, in := v.Num()
			if !in {
				code = aegis.NumberOutOfRange
			}
			b = append(append(b, 0, 'n'), n.Text()...)
		case aegis.Bool:
			b = append(append(b, 0, 'b'), v.Text()...)
		case aegis.String:
			b = append(b, 0, 's')
			start := len(b)
			b = append(b, aegis.EscapeName(v.Str())...)
			for i := start; i < len(b); i++ {
				if b[i] == 0 {
					b[i] = '#' // NUL separates values; EscapeName has left no # in this one
				}
			}
		}
		if code != aegis.NoCode {
			s.fail(u.Rule, code)
			ok = false
		}
	}
	s.keys.buf = b
	return s.keys.intern(b), ok
}

// keyCache turns keys built of bytes into strings, each made once, and holds the charges built with them.
type keyCache struct {
	buf     []byte
	m       map[string]string
	charges []limit.Charge
	rules   []policy.RuleID
}

func (k *keyCache) intern(b []byte) string {
	if s, ok := k.m[string(b)]; ok {
		return s
	}
	if k.m == nil || len(k.m) > 1<<16 {
		k.m = map[string]string{}
	}
	s := string(b)
	k.m[s] = s
	return s
}
