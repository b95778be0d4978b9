package lint

import (
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var undecided = &Rule{
	ID:       "AEG055",
	Name:     "undecided",
	Severity: aegis.SeverityInfo,
	Summary:  "a condition of which lint cannot tell whether it can be true and false (only with --undecided)",
	Doc: `avoid: taking the silence of lint for a proof, where deny_if: quantity * price > 20000 is beyond it
prefer: a unit test on each side of the condition; or bounds on one argument each
why: the rules that reason keep silent where they cannot decide: on products, sums of arguments, parts of URLs and
addresses, elements of lists, and several comparisons of arguments with each other. This lists the conditions that have
such terms and of which nothing else is known.`,
	OptIn: true,
	check: checkUndecided,
}

func checkUndecided(p *pass) {
	p.conditions(func(c condition) {
		if _, constant := constantOf(c.Expr); constant {
			return
		}
		why := obstacles(c.Expr)
		w, bs := p.factsOf(c.unit, c.entry), p.barriersAround(c.unit, c.entry)
		for _, want := range []bool{true, false} {
			branches := maxBranches
			if !w.past(nil, &branches, claim{c.Expr, want}) {
				return // AEG018
			}
			if !w.past(without(bs, c.Rule), &branches, claim{c.Expr, want}) {
				return // decided beside the other rules
			}
			if branches < 0 && len(why) == 0 {
				why = []string{"more alternatives than are followed"}
			}
		}
		if len(why) > 0 {
			p.reportAt(c.Pos, c.Rule, "test it with a call on each side", "not decided whether %s can be true and false here: %s", p.key(c.Rule), strings.Join(why, ", "))
		}
	})
}

// without returns the barriers but those of a rule.
func without(bs []barrier, rule policy.RuleID) []barrier {
	var out []barrier
	for _, b := range bs {
		if b.rule != rule {
			out = append(out, b)
		}
	}
	return out
}

// obstacles returns the terms of an expression that domains cannot express, each as it is written. What reads the
// session, the time or claims alone is none: it may be anything.
func obstacles(e *policy.Expr) []string {
	var out []string
	said := map[string]bool{}
	relations := 0
	add := func(text string) {
		if !said[text] {
			said[text] = true
			out = append(out, text)
		}
	}
	e.Walk(func(x *policy.Expr) {
		switch x.Op {
		case policy.OpMul:
			add(x.String() + " is a product")
		case policy.OpAdd, policy.OpSub:
			if x.Sub[0].Op != policy.OpLiteral && x.Sub[1].Op != policy.OpLiteral {
				add(x.String() + " has several arguments")
			}
		case policy.OpHost, policy.OpDomain, policy.OpLinks, policy.OpInCIDR:
			if len(x.ArgPaths()) > 0 {
				add(x.String() + " is a part of a text")
			}
		case policy.OpExists, policy.OpAll:
			add(x.String() + " is about elements of a list")
		case policy.OpIn:
			if isArg(x.Sub[1]) {
				add(x.String() + " is about elements of a list")
			}
		}
		if isRelation(x) && len(x.Sub[0].ArgPaths()) > 0 && len(x.Sub[1].ArgPaths()) > 0 {
			relations++
		}
	})
	if relations > 1 {
		add("it compares arguments with each other more than once")
	}
	return out
}
