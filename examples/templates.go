// Package examples holds the example packs, and the five of them that `aegisctl init` starts a project from: what people
// begin with is what the tests of this folder hold to its promises.
package examples

import (
	"bytes"
	"embed"
	"io/fs"
	"path"
	"text/template"
)

//go:embed payments/policies phi/policies saas-budgets/policies deploys/policies multi-tenant/policies
//go:embed payments/traffic.parquet phi/traffic.parquet saas-budgets/traffic.parquet deploys/traffic.parquet multi-tenant/traffic.parquet
//go:embed scaffold
var packs embed.FS

// Template is a pack that a project can start from.
type Template struct {
	Name  string // as after --template
	About string // one line
	pack  string
}

// Templates returns the templates.
func Templates() []Template {
	return []Template{
		{"fintech", "payments: small ones flow, large ones and new payees wait for a person, and a day has a ceiling", "payments"},
		{"healthcare", "patient data: reading a record taints the session, and what leaves goes to the hospital only", "phi"},
		{"finops", "spending on SaaS: daily budgets, rates and a list of hosts, under a floor for the organisation", "saas-budgets"},
		{"devops", "deploys: images by digest only; production is tested first, approved by two, and in working hours", "deploys"},
		{"mssp", "several tenants: the same agent with grants and regions of its own in each, under one guardrail", "multi-tenant"},
	}
}

// File is one file of a project. Its path is below the project's directory, with slashes.
type File struct {
	Path string
	Data []byte
}

// scaffold says under which names the files of that folder go. Files that begin with a dot are not embedded.
var scaffold = []struct{ from, to string }{
	{"README.md", "README.md"},
	{"pre-commit-config.yaml", ".pre-commit-config.yaml"},
	{"workflow.yaml", ".github/workflows/policies.yaml"},
}

// Files returns what a project that starts from the template holds: policies with their tests, a README, and the checks
// of a pre-commit hook and of CI; with traffic also captured calls to simulate.
func (t Template) Files(traffic bool) ([]File, error) {
	var out []File
	dir := path.Join(t.pack, "policies")
	err := fs.WalkDir(packs, dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := packs.ReadFile(p)
		data = bytes.ReplaceAll(data, []byte("examples/"+dir), []byte("policies")) // in comments that say how to run it
		out = append(out, File{path.Join("policies", p[len(dir)+1:]), data})
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, s := range scaffold {
		text, err := packs.ReadFile(path.Join("scaffold", s.from))
		if err != nil {
			return nil, err
		}
		tmpl, err := template.New(s.from).Delims("<<", ">>").Parse(string(text))
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		if err := tmpl.Execute(&b, map[string]any{"Template": t, "Traffic": traffic}); err != nil {
			return nil, err
		}
		out = append(out, File{s.to, b.Bytes()})
	}
	if traffic {
		data, err := packs.ReadFile(path.Join(t.pack, "traffic.parquet"))
		if err != nil {
			return nil, err
		}
		out = append(out, File{"traffic.parquet", data})
	}
	return out, nil
}
