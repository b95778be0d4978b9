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
	options := []func(*rego.Rego){rego.Query("outcome := data.aegis.outcome; hits := data.aegis.hits"), rego.GenerateJSON(asTerm)}
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

// Evaluate judges one call by the set's rules. Each rule and code is among the hits once.
func (o *OPA) Evaluate(c *aegis.Call, f *Facts) (aegis.Outcome, []aegis.Hit, error) {
	input := o.input.of(c, f)
	rs, err := o.query.Eval(context.Background(), rego.EvalParsedInput(input), rego.EvalExternalCancel(uncancelled{}))
	if err != nil {
		return aegis.Deny, nil, fmt.Errorf("evaluating the generated Rego: %w", err)
	}
	if len(rs) != 1 {
		return aegis.Deny, nil, errors.New("the generated Rego has no decision on this call")
	}
	outcome, hits, err := o.read(rs[0].Bindings)
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

// read takes the outcome and the hits from a result.
func (o *OPA) read(result rego.Vars) (outcome aegis.Outcome, hits []aegis.Hit, err error) {
	said, ok := result["outcome"].(*ast.Term)
	list, ok2 := result["hits"].(*ast.Term)
	if !ok || !ok2 {
		return aegis.Deny, nil, fmt.Errorf("the generated Rego says %v", result)
	}
	text, ok := said.Value.(ast.String)
	set, ok2 := list.Value.(ast.Set)
	if outcome, ok3 := aegis.ParseOutcome(string(text)); ok && ok2 && ok3 {
		hits, err = o.hits(set)
		return outcome, hits, err
	}
	return aegis.Deny, nil, fmt.Errorf("the generated Rego says %v", result)
}

// hits reads a set of [rule id, code, outcome].
func (o *OPA) hits(set ast.Set) ([]aegis.Hit, error) {
	var hits []aegis.Hit
	err := set.Iter(func(t *ast.Term) error {
		h, ok := t.Value.(*ast.Array)
		if !ok || h.Len() != 3 {
			return fmt.Errorf("the generated Rego reports %v", t)
		}
		id, _ := h.Elem(0).Value.(ast.String)
		name, _ := h.Elem(1).Value.(ast.String)
		said, _ := h.Elem(2).Value.(ast.String)
		rule, ok := o.rules[id]
		code, ok2 := o.codes[name]
		outcome, ok3 := aegis.ParseOutcome(string(said))
		if !ok || !ok2 || !ok3 {
			return fmt.Errorf("the generated Rego reports %v", t)
		}
		hits = append(hits, aegis.Hit{Rule: rule, Code: code, Outcome: outcome})
		return nil
	})
	return hits, err
}
