package lint

import (
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// proseWords name arguments that hold free text, which nobody counts by.
var proseWords = []string{"note", "notes", "memo", "text", "message", "body", "comment", "description", "reason", "subject", "content", "title", "summary"}

var budgetBy = &Rule{
	ID:       "AEG035",
	Name:     "budget-by",
	Severity: aegis.SeverityWarning,
	Summary:  "a budget or rate for each value of an argument that may have any value",
	Doc: `avoid: limits: [{budget: 20000/day of amount, by: currency}] where nothing limits currency
prefer: args: {currency: {in: [USD, EUR]}} beside it
why: by keeps a ledger for each value. The agent writes the value, so with an argument that is free it opens a new
ledger whenever one is used up. Calls in a window by an argument (once for each order) are left alone.`,
	check: checkBudgetBy,
}

func checkBudgetBy(p *pass) {
	for _, u := range p.units {
		for _, l := range u.limits {
			p.freeLedger(u, l, slices.DeleteFunc(slices.Clone(u.entries), func(e *policy.Entry) bool {
				return l.Kind != policy.LimitSum || !namesInConstraint(e, l.Arg)
			}))
		}
		for _, e := range u.entries {
			for _, l := range e.Limits {
				p.freeLedger(u, l, []*policy.Entry{e})
			}
		}
	}
}

// freeLedger reports a limit whose by is free in one of the entries that it covers.
func (p *pass) freeLedger(u *unit, l *policy.Limit, covered []*policy.Entry) {
	if len(covered) == 0 {
		return
	}
	for _, by := range l.By {
		if l.Kind == policy.LimitCalls && !hasWord(by[len(by)-1], proseWords) {
			continue // once for each order
		}
		free := slices.IndexFunc(covered, func(e *policy.Entry) bool { return !p.held(u, e, by) })
		if free < 0 {
			continue
		}
		name := strings.Join(by, ".")
		where := ""
		if pos := covered[free].Pos; l.Agent {
			where = " (" + line(pos, p.pos(l.Rule)) + ")"
		}
		p.reportAt(p.word(p.word(p.pos(l.Rule), "by"), name), l.Rule, "add args: {"+name+": {in: […]}}", "nothing limits the values of %s%s: each new one opens a ledger of its own", name, where)
	}
}

// held reports whether some rule bounds the values of an argument: a list, a pattern, a type with few values, or an
// expression that reads it.
func (p *pass) held(u *unit, e *policy.Entry, arg []string) bool {
	return slices.ContainsFunc(p.around(u, e), func(x *policy.Entry) bool {
		return slices.ContainsFunc(constraintsOf(x), func(c *policy.Constraint) bool {
			return slices.Equal(c.Path, arg) && (c.Type == aegis.Bool || slices.ContainsFunc(c.Checks, func(ch *policy.Check) bool {
				return ch.Op == policy.CheckIn || ch.Op == policy.CheckPattern || ch.Op == policy.CheckMax
			}))
		}) || slices.ContainsFunc(conditionsOf(x), func(c condition) bool {
			return c.use == forRequire && slices.ContainsFunc(c.Expr.ArgPaths(), func(a []string) bool { return slices.Equal(a, arg) })
		})
	})
}
