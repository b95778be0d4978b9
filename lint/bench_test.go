package lint

import (
	"fmt"
	"testing"

	"github.com/aegisctl/aegis/policy"
)

// BenchmarkThousandPolicies lints 1,000 policies of 20 tools each.
func BenchmarkThousandPolicies(b *testing.B) {
	set := new(policy.Set)
	for i := range 1000 {
		text := fmt.Sprintf("agent: agent-%d\nallowed_tools:\n", i)
		for j := range 20 {
			text += fmt.Sprintf(`  - name: tool-%d
    actions: [create_thing, update_thing]
    conditions:
      max_amount: 5000
      approval_needed_if: amount > 5000
      require: [amount > 0, 'memo.matches("^[a-z]+$")']
      args: {url: {hosts: [api.example.com, "*.docs.example.com"]}, currency: {in: [USD, EUR]}}
    sanitize: [{redact: [email], fields: [memo]}]
    limits: [{budget: 20000/day of amount}]
`, j)
		}
		one, err := policy.LoadText("p.yaml", text)
		if err != nil {
			b.Fatal(err)
		}
		// Sets are joined without their rules' numbers being told apart: for a benchmark all that matters is their number.
		set.Rules = one.Rules
		set.Policies = append(set.Policies, one.Policies...)
	}
	for b.Loop() {
		if found := Run(set, Options{}); len(found) > 0 {
			b.Fatal(found[0])
		}
	}
}
