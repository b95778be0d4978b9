package suite

import (
	"testing"

	"github.com/aegisctl/aegis/decide"
)

// TestExamples holds the tests of the example policies to what they are: they pass on both evaluators, cover every
// outcome, and notice (nearly) every change. What survives says the same as the policy, in a way that is not told here:
// an order for a patient whose record was not read is denied whatever its patient_id looks like.
func TestExamples(t *testing.T) {
	for name, survivors := range map[string]int{"payments": 0, "phi": 1, "saas-budgets": 0, "deploys": 0, "multi-tenant": 0, "agentdojo": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rep, err := Run(t.Context(), []string{"../../examples/" + name + "/policies"}, Options{Engine: decide.Both, Mutate: true})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range failures(rep) {
				t.Error(f)
			}
			for _, r := range rep.Coverage.Rules {
				if r.Missing != nil {
					t.Errorf("%s: %s %s", r.Source, r.Rule, r.lack())
				}
			}
			if rep.Mutation == nil || len(rep.Mutation.Survivors) != survivors {
				t.Errorf("survivors: %+v", rep.Mutation)
			} else {
				t.Logf("%d cases, %d outcomes, %d mutants, score %s, %d equivalent", len(rep.Cases), rep.Coverage.Outcomes, rep.Mutation.Mutants,
					rep.Mutation.Score, rep.Mutation.Equivalent)
			}
		})
	}
}
