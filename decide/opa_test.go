package decide

import (
	"testing"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// benchPolicy has what a policy for payments usually has.
const benchPolicy = `agent: finance-agent
tenant: acme
callers: [user, planner-agent]
max_chain_depth: 3
limits: [{calls: 200/session}]
allowed_tools:
  - name: stripe-payments
    actions: [create_payment, create_payout]
    conditions:
      max_amount: 5000
      args:
        amount: {type: number, decimals: 2}
        currency: {in: [USD, EUR]}
        recipient: {matches: 'acct_[a-z0-9]{10}'}
        memo: {optional: true, max_length: 200}
      other_args: deny
      require: [amount > 0, '!chain.exists(c, c == "intern-agent")']
      deny_if: amount > 50000
      approval_needed_if: amount > 5000 && currency == "USD"
  - {name: stripe-payments, actions: ["get_*"], effect: read}
  - {name: mail, actions: [send], conditions: {args: {to: {domains: [example.com]}}}}
`

func benchSet(b testing.TB) *policy.Set {
	s, err := policy.LoadText("bench.yaml", benchPolicy)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// benchCalls are calls that the policy allows, holds, denies and does not grant.
var benchCalls = map[string]string{
	"allow":      `{"amount":4999.99,"currency":"EUR","recipient":"acct_1f3a9c2e77","memo":"invoice 7"}`,
	"approval":   `{"amount":6000,"currency":"USD","recipient":"acct_1f3a9c2e77","memo":"invoice 7"}`,
	"deny":       `{"amount":60000,"currency":"GBP","recipient":"x","memo":"invoice 7","extra":1}`,
	"error":      `{"amount":"5000","currency":null}`,
	"notgranted": `{}`,
}

func benchCall(b testing.TB, name string) *aegis.Call {
	doc, err := aegis.Parse([]byte(benchCalls[name]))
	if err != nil {
		b.Fatal(err)
	}
	c := &aegis.Call{Tenant: "acme", Agent: "finance-agent", Tool: "stripe-payments", Action: "create_payment",
		Args: doc.Root(), Chain: []string{"planner-agent"}, Time: 1_700_000_000_000_000, HasTime: true}
	if name == "notgranted" {
		c.Tool = "ledger"
	}
	return c
}

// BenchmarkOPA is the baseline that the native engine is measured against.
func BenchmarkOPA(b *testing.B) {
	o, err := NewOPA(benchSet(b))
	if err != nil {
		b.Fatal(err)
	}
	for name := range benchCalls {
		b.Run(name, func(b *testing.B) {
			c, f := benchCall(b, name), &Facts{}
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := o.Evaluate(c, f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
