package lint

import (
	"strings"
	"testing"

	"github.com/aegisctl/aegis/policy"
)

// Files of schemas among the policies hold for their tenant, in each form, and what was added before goes before them.
func TestSchemaFiles(t *testing.T) {
	const tool = `{name: pay, inputSchema: {type: object, properties: {amount: {type: number}}}}`
	for _, form := range []string{`[` + tool + `]`, `{tools: [` + tool + `]}`, `{bank: [` + tool + `]}`, `{bank: {tools: [` + tool + `]}}`,
		`{servers: {bank: [` + tool + `]}}`} {
		dir := writeFiles(t, map[string]string{"p.yaml": pay(`max_amout: 5`), "q.yaml": "tenant: t\n" + pay(`max_amout: 5`),
			"s.yaml": "schemas: " + form + "\n"})
		set, err := policy.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		opt := Options{Schema: new(Schema), Enable: []string{"AEG061"}}
		if err := opt.Schema.AddFiles(set); err != nil {
			t.Fatal(form, err)
		}
		if found := Run(set, opt); len(found) != 1 || !strings.Contains(found[0].Source, "p.yaml") {
			t.Errorf("%s: %v", form, found)
		}
		first := new(Schema)
		if err := first.Add("bank", []byte(`[{"name": "pay", "inputSchema": {"type": "object", "properties": {"amout": {}}}}]`)); err != nil {
			t.Fatal(err)
		}
		if err := first.AddFiles(set); err != nil {
			t.Fatal(err)
		}
		opt.Schema = first
		if found := Run(set, opt); len(found) > 0 {
			t.Errorf("%s: %v", form, found)
		}
	}
}
