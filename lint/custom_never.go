package lint

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

var customNever = &Rule{
	ID:       "AEG042",
	Name:     "custom-never",
	Severity: aegis.SeverityWarning,
	Summary:  "a policy's own Rego that can never say anything",
	Doc: `avoid: deny contains "x" if data.blocked[input.tool]; input.arguments.amount > 5; a module without deny
prefer: input.args.amount > 5; lists in the module itself
why: what a module asks of data other than itself is undefined, and so is a part of input that does not exist. A rule
that reads what is undefined never holds, and raises no error. Input has tenant, agent, tool, action, chain, args,
region, session, claims and facts.`,
	check: checkCustomNever,
}

// customInput are the keys of the input of a policy's own Rego.
var customInput = []string{"tenant", "agent", "tool", "action", "chain", "args", "region", "session", "claims", "facts"}

func checkCustomNever(p *pass) {
	for _, u := range p.units {
		if u.policy == nil {
			continue
		}
		for _, c := range u.policy.Custom {
			file := fileBeside(p.pos(c.Rule).File, c.File)
			m, err := ast.ParseModuleWithOpts(file, c.Source, ast.ParserOptions{RegoVersion: ast.RegoV1})
			if err == nil && m != nil {
				p.customModule(u, c, m)
			}
		}
	}
}

func (p *pass) customModule(u *unit, c *policy.Custom, m *ast.Module) {
	says := false
	for _, r := range m.Rules {
		name := r.Head.Ref()[0].String()
		says = says || name == "deny" || name == "approval_needed"
		ast.WalkRefs(r, func(ref ast.Ref) bool {
			p.customRef(c, ref)
			return false
		})
		ast.WalkExprs(r.Body, func(e *ast.Expr) bool {
			p.customNames(u, c, e)
			return false
		})
	}
	if !says {
		p.report(c.Rule, "write deny contains message if { … }", "%s defines neither deny nor approval_needed: it says nothing", c.File)
	}
}

func (p *pass) at(loc *ast.Location) policy.Pos {
	return policy.Pos{File: loc.File, Line: loc.Row, Col: max(loc.Col, 1)}
}

// customRef reports a reference that is undefined whatever the call is.
func (p *pass) customRef(c *policy.Custom, ref ast.Ref) {
	if len(ref) < 2 || ref[0].Location == nil {
		return
	}
	key, ok := ref[1].Value.(ast.String)
	switch root := ref[0].Value.String(); {
	case root == "data" && !strings.HasPrefix(ref.String(), "data.aegis.custom"):
		p.reportAt(p.at(ref[0].Location), c.Rule, "write the data into the module", "%s is undefined here: a module reads nothing of data but itself", ref)
	case root == "input" && ok && !slices.Contains(customInput, string(key)):
		p.reportAt(p.at(ref[0].Location), c.Rule, didYouMean(string(key), customInput, "arguments are input.args"),
			"%s is undefined: input has no %s", ref, string(key))
	}
}

// customNames reports a comparison of the tool or the action with one that the policy does not grant.
func (p *pass) customNames(u *unit, c *policy.Custom, e *ast.Expr) {
	if !e.IsCall() || len(e.Operands()) != 2 || e.Negated || e.Operator().String() != "equal" && e.Operator().String() != "eq" {
		return
	}
	a, b := e.Operand(0), e.Operand(1)
	if _, text := a.Value.(ast.String); text {
		a, b = b, a
	}
	name, text := b.Value.(ast.String)
	what := a.Value.String()
	if !text || what != "input.tool" && what != "input.action" || e.Location == nil {
		return
	}
	granted := slices.ContainsFunc(u.entries, func(x *policy.Entry) bool {
		if what == "input.tool" {
			return policy.MatchAny(x.Tools, string(name))
		}
		return x.Actions == nil || policy.MatchAny(x.Actions, string(name))
	})
	if !granted {
		p.reportAt(p.at(e.Location), c.Rule, "name what the policy grants; all else is denied anyway", "the policy grants no call whose %s is %s",
			strings.TrimPrefix(what, "input."), string(name))
	}
}
