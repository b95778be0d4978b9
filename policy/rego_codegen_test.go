package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

// codegens has the digest of what each generator makes of one policy and one guardrail. Whoever changes the text adds a line
// under a new Codegen: a bundle's rules are checked against the generator that it names.
var codegens = map[string]string{
	"3": "8ee75040da587ff32e5d3f57b54c410c86ae0486beb9ffc02c5ce4974e195b68",
}

func TestCodegenNamesTheText(t *testing.T) {
	o := Origin{Policies: []*Source{{Name: "g.yaml", Text: []byte(`
guardrail: floor
tenant: "*"
agents: ["b*"]
regions: [eu-west-1]
tools: [{name: "*", actions: ["delete_*"], conditions: {deny_if: "true"}}]
`)}, {Name: "p.yaml", Text: []byte(`
agent: [a, "b*"]
until: "2026-12-31"
max_chain_depth: 2
limits: [{budget: 5/day of amount, by: key}, {rate: 5/s}]
allowed_tools:
  - name: "t*"
    cost: amount * 2
    actions: [x, {name: "y*", conditions: {min_fee: 3, max_fee: 4, approval_needed_if: fee > 3}}]
    conditions:
      args:
        amount: {type: integer, min: 1, else: approval}
        text: {max_length: 5, min_length: 1, optional: true}
        list: {each: {each: {not_in: [1, 2, 3, 4, 5, 6, 7, 8, 9]}, max_length: 2}, min_length: 1}
        map: {args: {inner: {type: string}}, other_args: deny, optional: true}
      other_args: deny
      deny_if: ['list.exists(x, x.a == "b" || x.c == 1)', 'session.sum("t/x", "amount") + amount > 5 && !has(map.inner)']
      require: ['list.all(x, x in [1, 2])', 'text.lowerAscii().matches("^a") || size(text) == 0', 'time.hour("UTC") < 20',
        'session.tainted("x") || session.seen("t/x")', 'inCIDR(ip, "10.0.0.0/8")', '!(text in list)', 'links(text).all(l, l != host(u))']
`)}}}
	s, err := o.Load()
	if err != nil {
		t.Fatal(err)
	}
	s.Version = "sha256:0" // another matter
	h := sha256.New()
	for _, m := range Rego(s) {
		for _, part := range []string{m.Path, "\x00", m.Text, "\x00"} {
			h.Write([]byte(part))
		}
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != codegens[Codegen] {
		t.Errorf("the generator %q makes other text (%s): give Codegen another name and add the digest here", Codegen, got)
	}
}
