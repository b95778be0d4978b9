package lint

import (
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var moneyWithoutCeiling = &Rule{
	ID:       "AEG029",
	Name:     "money-without-ceiling",
	Severity: aegis.SeverityInfo,
	Summary:  "an amount of money that nothing bounds from above",
	Doc: `avoid: args: {amount: {type: number, min: 0}} on create_payment, and no bound above
prefer: max_amount: 5000; deny_if: amount > 50000; or limits: [{budget: 20000/day of amount}]
why: the rules speak of the amount and leave it open to the top, so one call can move everything. Left alone where a
list, a budget, a guardrail or an approval bounds it (AEG010 is about the last). With --schema, amounts that no rule
names are listed as well.`,
	check: checkMoneyWithoutCeiling,
}

var (
	moneyWords   = []string{"amount", "amounts", "price", "total", "subtotal", "sum", "fee", "payment", "payout", "salary", "bid"}
	movesMoney   = []string{"payment", "payments", "payout", "payouts", "transfer", "refund", "refunds", "withdrawal", "charge"}
	boundedFully = []policy.CheckOp{policy.CheckMax, policy.CheckIn, policy.CheckPattern}
)

func checkMoneyWithoutCeiling(p *pass) {
	p.entries(func(u *unit, e *policy.Entry) {
		if u.guardrail != nil || effect(e) != aegis.Write {
			return
		}
		var said [][]string
		named := false
		for _, m := range mentionsOf(p, e) {
			if !hasWord(m.path[len(m.path)-1], moneyWords) || slices.ContainsFunc(said, func(s []string) bool { return slices.Equal(s, m.path) }) {
				continue
			}
			said, named = append(said, m.path), true
			if !p.boundedAbove(u, e, m.path) && p.isNumber(e, m.path) {
				name := strings.Join(m.path, ".")
				p.reportAt(m.pos, m.about, "add max_"+m.path[len(m.path)-1]+", deny_if or a budget of it", "nothing bounds %s from above", name)
			}
		}
		if !named {
			named = p.unruledMoney(u, e)
		}
		if a := movingAction(e); !named && a != "" && p.withoutRules(u, e) {
			p.reportAt(p.word(e.Pos, a), policy.NoRule, "add max_amount, or whatever argument says how much",
				"%s moves money, and no rule says how much", a)
		}
	})
}

// unruledMoney reports amounts that the tools' schemas show, of which no rule speaks and which the schema itself does not
// bound. It is false where there are none.
func (p *pass) unruledMoney(u *unit, e *policy.Entry) (said bool) {
	s := p.schemaOf(u)
	if s == nil || e.Parent != nil || slices.ContainsFunc(p.around(u, e), closed) {
		return false
	}
	for _, t := range s.toolsOf(e) {
		for _, name := range t.argument(nil).memberNames() {
			path := []string{name}
			if !hasWord(name, moneyWords) || reads(policy.Pattern(t.name)) || p.boundedAbove(u, e, path) || !unboundedNumber(t.argument(path)) {
				continue
			}
			said = true
			p.reportAt(p.word(e.Pos, t.name), policy.NoRule, "add max_"+name+", deny_if or a budget of it", "%s takes %s, and no rule bounds it", t, name)
		}
	}
	return said
}

// unboundedNumber reports whether the schema takes numbers of any size.
func unboundedNumber(a argument) bool {
	return slices.ContainsFunc(a.domains(), func(d *domain) bool { return d.kind == aegis.Number && d.max == nil && d.in == nil })
}

// isNumber reports whether the entry's own rules take the argument for a number.
func (p *pass) isNumber(e *policy.Entry, path []string) bool {
	if slices.ContainsFunc(constraintsOf(e), func(c *policy.Constraint) bool { return slices.Equal(c.Path, path) && c.Type == aegis.Number }) {
		return true
	}
	number := false
	for _, c := range conditionsOf(e) {
		c.Expr.Walk(func(x *policy.Expr) {
			left, _, lit, ok := comparisonWith(x)
			number = number || ok && isArg(left) && slices.Equal(left.Fields, path) && lit.Kind == aegis.Number
		})
	}
	return number
}

// boundedAbove reports whether any rule keeps the argument from being as large as one likes, or may do so.
func (p *pass) boundedAbove(u *unit, e *policy.Entry, path []string) bool {
	for _, l := range p.limitsOver(u, e) {
		if l.Kind == policy.LimitSum && slices.Equal(l.Arg, path) {
			return true
		}
	}
	for _, x := range p.around(u, e) {
		for _, c := range constraintsOf(x) {
			if slices.Equal(c.Path, path) && slices.ContainsFunc(c.Checks, func(ch *policy.Check) bool { return slices.Contains(boundedFully, ch.Op) }) {
				return true
			}
		}
		for _, c := range conditionsOf(x) {
			if c.use != forTier && boundsAbove(c, path) {
				return true
			}
		}
	}
	return false
}

// boundsAbove reports whether a condition bounds the argument from above, or reads it in a way that is not understood.
func boundsAbove(c condition, path []string) bool {
	found := false
	terms(c.Expr, true, func(x *policy.Expr, positive bool) {
		if !slices.ContainsFunc(x.ArgPaths(), func(a []string) bool { return slices.Equal(a, path) }) || x.Op == policy.OpHas {
			return
		}
		left, op, lit, ok := comparisonWith(x)
		if !ok || !isArg(left) || lit.Kind != aegis.Number {
			found = true
			return
		}
		if !c.permits(positive) {
			op = negated[op]
		}
		found = found || op == policy.OpLt || op == policy.OpLe || op == policy.OpEq
	})
	return found
}

// movingAction returns an action of the entry whose name says that it moves money.
func movingAction(e *policy.Entry) string {
	for _, a := range e.Actions {
		if a.Exact() && hasWord(string(a), movesMoney) && !reads(a) {
			return string(a)
		}
	}
	return ""
}

// withoutRules reports whether no rule at all holds of the entry's calls.
func (p *pass) withoutRules(u *unit, e *policy.Entry) bool {
	return len(p.limitsOver(u, e)) == 0 && len(e.Children) == 0 && u.policy != nil && len(u.policy.Custom) == 0 &&
		!slices.ContainsFunc(p.around(u, e), func(x *policy.Entry) bool { return x.Conditions != nil || len(x.Approval) > 0 })
}
