package main

import (
	"fmt"
	"strings"
)

// The same rules for all: an agent may pay up to 5000 in two currencies with a reference of a form, and beyond that is denied.

// policies writes the rules for aegisctl: one tool that is called, and others beside it until there are that many rules.
func policies(tenant string, rules int, limits bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "tenant: %s\nagent: finance-agent\n", tenant)
	if limits {
		b.WriteString("limits: [{rate: 1000000/s}, {calls: 1000000000/day}, {budget: 1000000000000/day of amount}]\n")
	}
	b.WriteString("allowed_tools:\n")
	// An entry holds five rules: two bounds, a list, a pattern and a condition.
	for i := range max(rules/5, 1) {
		name := "stripe-payments"
		if i > 0 {
			name = fmt.Sprintf("tool-%d", i)
		}
		fmt.Fprintf(&b, "  - name: %s\n    actions: [create_payment]\n    conditions:\n      max_amount: 5000\n      min_amount: 0.01\n"+
			"      args: {currency: {in: [USD, EUR]}, reference: {matches: 'INV-[0-9]{6}'}}\n      deny_if: amount > 4000 && currency == \"EUR\"\n", name)
	}
	return b.String()
}

// call is the envelope, filled up to a number of bytes.
func call(tenant, amount string, size int) []byte {
	const form = `{"tenant":%q,"agent":"finance-agent","tool":"stripe-payments","action":"create_payment","args":{"amount":%s,"currency":"USD","reference":"INV-123456"%s}}`
	text := fmt.Sprintf(form, tenant, amount, "")
	if fill := size - len(text) - len(`,"memo":""`); fill > 0 {
		text = fmt.Sprintf(form, tenant, amount, fmt.Sprintf(`,"memo":"%s"`, strings.Repeat("x", fill)))
	}
	return []byte(text)
}

// cerbosPolicies are the rules in Cerbos's language.
func cerbosPolicies(rules int) map[string]string {
	out := map[string]string{}
	for i := range max(rules/5, 1) {
		name := "stripe-payments"
		if i > 0 {
			name = fmt.Sprintf("tool-%d", i)
		}
		out[name+".yaml"] = fmt.Sprintf(`apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: %s
  version: default
  rules:
    - actions: [create_payment]
      effect: EFFECT_ALLOW
      roles: [finance-agent]
      condition:
        match:
          all:
            of:
              - expr: R.attr.amount <= 5000.0
              - expr: R.attr.amount >= 0.01
              - expr: R.attr.currency in ["USD", "EUR"]
              - expr: R.attr.reference.matches("^INV-[0-9]{6}$")
              - expr: '!(R.attr.amount > 4000.0 && R.attr.currency == "EUR")'
`, name)
	}
	return out
}

func cerbosCall(amount string, size int) []byte {
	const form = `{"requestId":"1","principal":{"id":"finance-agent","roles":["finance-agent"]},"resources":[{"actions":["create_payment"],` +
		`"resource":{"kind":"stripe-payments","id":"1","attr":{"amount":%s,"currency":"USD","reference":"INV-123456"%s}}}]}`
	fill := ""
	if n := size - len(call("acme", amount, 0)); n > 10 {
		fill = fmt.Sprintf(`,"memo":"%s"`, strings.Repeat("x", n-10))
	}
	return fmt.Appendf(nil, form, amount, fill)
}

// opaInput is the envelope as OPA takes it.
func opaInput(envelope []byte) []byte { return fmt.Appendf(nil, `{"input":%s}`, envelope) }
