package lint

import (
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var approvalUnreachable = &Rule{
	ID:       "AEG050",
	Name:     "approval-unreachable",
	Severity: aegis.SeverityWarning,
	Summary:  "every call that would ask for an approval is denied",
	Doc: `avoid: deny_if: amount > 5000 with approval_needed_if: amount > 5000
prefer: deny_if: amount > 50000 with approval_needed_if: amount > 5000
why: deny wins over approval. An approval lifts only a max or min of its own conditions block, on an argument that it
reads; deny_if, require, a list, a bound written elsewhere and a guardrail hold against it. Where they deny every call
that asks, nobody is ever asked. Intervals, lists and texts decide; what they cannot decide is not reported.`,
	check: checkApprovalUnreachable,
}

func checkApprovalUnreachable(p *pass) {
	p.entries(func(u *unit, e *policy.Entry) {
		asks := asksOf(p, e)
		if len(asks) == 0 {
			return
		}
		w, branches := p.factsOf(u, e), maxBranches
		bs := p.barriersAround(u, e)
		for _, a := range asks {
			// Where nothing gets past the barriers at all, or nothing ever asks, other rules say so.
			if a.in(w).past(bs, &branches, a.claims...) || !a.in(w).past(nil, &branches, a.claims...) || !w.past(bs, &branches) {
				continue
			}
			by, hint := "the rules that apply with it", "leave room between what is denied and what asks"
			for _, b := range bs {
				if !a.in(w).past([]barrier{b}, &branches, a.claims...) {
					by = p.key(b.rule) + " (" + line(b.pos, a.pos) + ")"
					break
				}
			}
			p.reportAt(a.pos, a.rule, hint, "nobody is ever asked: %s denies every call for which %s holds", by, a.text)
		}
	})
}

// ask is a rule that asks for an approval, and what holds of the calls for which it does.
type ask struct {
	rule   policy.RuleID
	pos    policy.Pos
	text   string
	claims []claim
	key    string // of the argument that a constraint is about
	narrow func(*domain)
}

func (a ask) in(w world) world {
	if a.narrow == nil {
		return w
	}
	return w.with(a.key, a.narrow)
}

// asksOf returns what can ask for an approval in an entry's own conditions.
func asksOf(p *pass, e *policy.Entry) []ask {
	if e.Conditions == nil {
		return nil
	}
	var out []ask
	for _, c := range e.Conditions.ApprovalIf {
		out = append(out, ask{rule: c.Rule, pos: c.Pos, text: p.key(c.Rule), claims: []claim{{c.Expr, true}}})
	}
	var visit func(k *policy.Constraint, asks bool)
	visit = func(k *policy.Constraint, asks bool) {
		asks = asks || k.Approval
		for _, ch := range k.Checks {
			if breach := breachOf(ch, p.key(ch.Rule)); asks && breach != nil {
				out = append(out, ask{rule: ch.Rule, pos: k.Pos, text: "a breach of " + p.key(ch.Rule), key: pathKey(k.Path), narrow: breach})
			}
		}
		for _, m := range k.Args {
			visit(m, asks)
		}
	}
	for _, k := range e.Conditions.Args {
		visit(k, false)
	}
	return out
}

// breachOf returns what a breach of a check leaves to its argument, or nil where that cannot be said.
func breachOf(ch *policy.Check, text string) func(*domain) {
	var narrow func(*domain)
	switch ch.Op {
	case policy.CheckMax:
		narrow = comparison(policy.OpGt, policy.Literal{Kind: aegis.Number, Num: ch.Num}, text)
	case policy.CheckMin:
		narrow = comparison(policy.OpLt, policy.Literal{Kind: aegis.Number, Num: ch.Num}, text)
	case policy.CheckIn:
		narrow = func(d *domain) { d.not = append(slices.Clone(d.not), ch.List...) }
	case policy.CheckNotIn:
		narrow = func(d *domain) { d.among(ch.List, text) }
	default:
		return nil
	}
	return func(d *domain) {
		d.given = true
		d.ofKind(ch.Type, text)
		narrow(d)
	}
}

// barriersAround returns the barriers of an entry, of what it is an action of, of the entries that apply to all of its
// calls, and of the guardrails that bound them.
func (p *pass) barriersAround(u *unit, e *policy.Entry) []barrier {
	var out []barrier
	for _, x := range lineage(e) {
		out = append(out, barriersOf(p, x)...)
	}
	for _, x := range u.beside(e) {
		if x != e.Parent && within(e, x) {
			out = append(out, barriersOf(p, x)...)
		}
	}
	if u.guardrail != nil {
		return out
	}
	for _, g := range p.units {
		if g.guardrail == nil || !boundsAll(g.guardrail, u.policy) {
			continue
		}
		for _, x := range g.entriesFor(e) {
			if within(e, x) {
				out = append(out, barriersOf(p, x)...)
			}
		}
	}
	return out
}

// boundsAll reports whether a guardrail is about all of a policy's agents.
func boundsAll(g *policy.Guardrail, of *policy.Policy) bool {
	return (g.Tenant == "*" || g.Tenant == of.Tenant) && (g.Agents == nil || !slices.ContainsFunc(of.Agents, func(a policy.Pattern) bool {
		return !slices.ContainsFunc(g.Agents, func(b policy.Pattern) bool { return patternCovers(b, a) })
	}))
}

// names joins the names of arguments for a message.
func names(paths [][]string) string {
	var out []string
	for _, p := range paths {
		out = append(out, strings.Join(p, "."))
	}
	return strings.Join(out, ", ")
}
