package lint

import (
	"testing"

	"github.com/aegisctl/aegis/policy"
)

func TestPolicyOf(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"a.yaml": "agent: [\"bill*\", x]\nallowed_tools: []\n",
		"b.yaml": "agent: \"billing-*\"\nallowed_tools: []\n",
		"c.yaml": "agent: billing-eu\nallowed_tools: []\n",
		"d.yaml": "agent: \"b*\"\ntenant: acme\nallowed_tools: []\n",
	})
	set, err := policy.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	p := &pass{set: set}
	for agent, want := range map[string]string{"bill": "bill*", "billing-us": "billing-*", "billing-eu": "billing-eu", "x": "bill*", "y": ""} {
		got := ""
		if x := p.policyOf("default", agent); x != nil {
			got = string(x.Agents[0])
		}
		if got != want {
			t.Errorf("%s: %s, want %s", agent, got, want)
		}
	}
}
