package decide

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// OPA evaluates calls by the Rego that policy.Rego makes of a set, on embedded OPA: what a stock OPA says of the
// compiled bundle. It is slower than Engine, and safe for use by several goroutines.
type OPA struct {
	set     *policy.Set
	query   rego.PreparedEvalQuery
	rules   map[ast.String]policy.RuleID
	codes   map[ast.String]aegis.Code
	input   *inputs
	customs *customs // nil: no policy has Rego of its own
	tenants map[string][]*policy.Policy
}

// NewOPA compiles a set's Rego.
func NewOPA(s *policy.Set) (*OPA, error) { return newOPA(s, policy.Rego(s)) }

// newOPA is NewOPA for given modules.
func newOPA(s *policy.Set, modules []policy.Module) (*OPA, error) {
	o := &OPA{set: s, rules: make(map[ast.String]policy.RuleID, len(s.Rules)), codes: map[ast.String]aegis.Code{},
		input: newInputs(s), tenants: map[string][]*policy.Policy{}}
	for i, r := range s.Rules {
		if _, twice := o.rules[ast.String(r.ID)]; !twice {
			o.rules[ast.String(r.ID)] = policy.RuleID(i)
		}
	}
	for c := range aegis.Codes {
		o.codes[ast.String(aegis.Code(c).String())] = aegis.Code(c)
	}
	options := []func(*rego.Rego){rego.Query("data.aegis.decision"), rego.GenerateJSON(asTerm)}
	for _, m := range modules {
		options = append(options, rego.Module(m.Path, m.Text))
	}
	var err error
	if o.query, err = rego.New(options...).PrepareForEval(context.Background()); err != nil {
		return nil, fmt.Errorf("compiling the generated Rego: %w", err)
	}
	for _, p := range s.Policies {
		o.tenants[p.Tenant] = append(o.tenants[p.Tenant], p)
	}
	if slices.ContainsFunc(s.Policies, func(p *policy.Policy) bool { return len(p.Custom) > 0 }) {
		o.customs, err = newCustoms(s)
	}
	return o, err
}

// asTerm hands a result out as it is: nothing is gained by turning it into maps first.
func asTerm(t *ast.Term, _ *rego.EvalContext) (any, error) { return t, nil }

// uncancelled is the cancellation of an evaluation that runs to its end. Giving OPA one saves a goroutine a call.
type uncancelled struct{}

func (uncancelled) Cancel()         {}
func (uncancelled) Cancelled() bool { return false }

// Evaluate judges one call by the set's rules. Each rule and code is among the hits once, in the order of rule ids.
func (o *OPA) Evaluate(c *aegis.Call, f *Facts) (aegis.Outcome, []aegis.Hit, error) {
	input := o.input.of(c, f)
	rs, err := o.query.Eval(context.Background(), rego.EvalParsedInput(input), rego.EvalExternalCancel(uncancelled{}))
	if err != nil {
		return aegis.Deny, nil, fmt.Errorf("evaluating the generated Rego: %w", err)
	}
	if len(rs) != 1 || len(rs[0].Expressions) != 1 {
		return aegis.Deny, nil, errors.New("the generated Rego has no decision on this call")
	}
	outcome, hits, err := o.decision(rs[0].Expressions[0].Value.(*ast.Term))
	if err != nil || o.customs == nil {
		return outcome, hits, err
	}
	if p := pick(o.tenants[c.Tenant], c.Agent); p != nil && len(p.Custom) > 0 {
		for _, h := range o.customs.hits(slices.Index(o.set.Policies, p), input) {
			hits, outcome = append(hits, h), max(outcome, h.Outcome)
		}
	}
	return outcome, hits, nil
}

// Keys of the decision.
var (
	keyDecision = ast.StringTerm("decision")
	keyReasons  = ast.StringTerm("reasons")
	keyErrors   = ast.StringTerm("errors")
	keyRule     = ast.StringTerm("rule")
	keyCode     = ast.StringTerm("code")
	keyOutcome  = ast.StringTerm("outcome")
)

// decision reads data.aegis.decision.
func (o *OPA) decision(t *ast.Term) (outcome aegis.Outcome, hits []aegis.Hit, err error) {
	d, ok := t.Value.(ast.Object)
	if !ok {
		return aegis.Deny, nil, fmt.Errorf("the generated Rego's decision is %s", t)
	}
	outcome, ok = aegis.ParseOutcome(textOf(d, keyDecision))
	for _, key := range []*ast.Term{keyReasons, keyErrors} {
		list, _ := d.Get(key).Value.(*ast.Array)
		for i := range list.Len() {
			r, _ := list.Elem(i).Value.(ast.Object)
			rule, ok2 := o.rules[ast.String(textOf(r, keyRule))]
			code, ok3 := o.codes[ast.String(textOf(r, keyCode))]
			out, ok4 := aegis.ParseOutcome(textOf(r, keyOutcome))
			ok = ok && ok2 && ok3 && ok4
			hits = append(hits, aegis.Hit{Rule: rule, Code: code, Outcome: out})
		}
	}
	if !ok {
		return aegis.Deny, nil, fmt.Errorf("the generated Rego's decision is %s", t)
	}
	return outcome, hits, nil
}

// textOf returns a member that is a string, else "".
func textOf(o ast.Object, key *ast.Term) string {
	if t := o.Get(key); t != nil {
		s, _ := t.Value.(ast.String)
		return string(s)
	}
	return ""
}
