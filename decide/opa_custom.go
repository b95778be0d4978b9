package decide

import (
	"context"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// customs runs policies' own Rego. Both engines use it, so that on such rules they cannot differ.
type customs struct {
	modules map[int][]customModule // by policy
}

type customModule struct {
	rule  policy.RuleID
	query rego.PreparedEvalQuery
}

// newCustoms compiles the policies' own Rego, each module apart from every other.
func newCustoms(s *policy.Set) (*customs, error) {
	ms, err := s.CustomRego()
	if err != nil {
		return nil, err
	}
	c := &customs{map[int][]customModule{}}
	for _, m := range ms {
		q, err := rego.New(
			rego.Query(fmt.Sprintf(`said := {name: count(set) | some name in ["approval_needed", "deny"]; set := %s[name]}`, m.Package)),
			rego.Module(m.Path, m.Text),
			rego.Capabilities(policy.CustomCapabilities()),
			rego.StrictBuiltinErrors(true),
		).PrepareForEval(context.Background())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Rules[m.Rule].ID, err)
		}
		c.modules[m.Policy] = append(c.modules[m.Policy], customModule{m.Rule, q})
	}
	return c, nil
}

// Eval runs one module on an input: whether its sets deny and approval_needed have elements. The context bounds the
// time it takes.
func (m *customModule) Eval(ctx context.Context, input ast.Value) (deny, approval bool, err error) {
	rs, err := m.query.Eval(ctx, rego.EvalParsedInput(input))
	if err != nil {
		return false, false, err
	}
	if len(rs) != 1 {
		return false, false, fmt.Errorf("%d results", len(rs))
	}
	said, _ := rs[0].Bindings["said"].(map[string]any)
	some := func(set string) bool { return said[set] != nil && fmt.Sprint(said[set]) != "0" }
	return some("deny"), some("approval_needed"), nil
}

// hits returns what a policy's own Rego says of an input.
func (c *customs) hits(policyIndex int, input ast.Value) []aegis.Hit {
	return c.hitsWithin(context.Background(), policyIndex, input)
}

// hitsWithin is hits within the time that the context gives. Where Rego fails or takes longer, that denies.
func (c *customs) hitsWithin(ctx context.Context, policyIndex int, input ast.Value) []aegis.Hit {
	var hits []aegis.Hit
	for _, m := range c.modules[policyIndex] {
		deny, approval, err := m.Eval(ctx, input)
		switch {
		case err != nil:
			hits = append(hits, aegis.Hit{Rule: m.rule, Code: aegis.CustomError, Outcome: aegis.Deny})
			continue
		case deny:
			hits = append(hits, aegis.Hit{Rule: m.rule, Code: aegis.CustomDeny, Outcome: aegis.Deny})
		}
		if approval {
			hits = append(hits, aegis.Hit{Rule: m.rule, Code: aegis.CustomApproval, Outcome: aegis.ApprovalNeeded})
		}
	}
	return hits
}
