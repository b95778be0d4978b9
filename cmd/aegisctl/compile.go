package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/aegisctl/aegis/bundle"
	"github.com/aegisctl/aegis/compile"
	"github.com/aegisctl/aegis/policy"
)

func (a *app) compileCmd() *cobra.Command {
	var output, target, tenant, params, expires string
	opt := compile.Options{}
	c := &cobra.Command{
		Use:   "compile PATH… -o b.tar.gz",
		Short: "Make a bundle of policies that OPA runs and aegisctl loads",
		Long: `Compile makes one archive of policy files and directories: the rules as Rego, the policies themselves, routes, schemas, and
a source map from rules to lines. The same files give the same bytes on any machine. Any OPA from 1.0 on runs it:

  opa eval -b b.tar.gz -i call.json data.aegis.decision

--serial numbers releases; a server refuses a bundle whose serial is below one it has seen, so let it grow with each release.
A bundle is unsigned until aegisctl sign has signed it.`,
		Example: "  aegisctl compile policies/ -o b.tar.gz --serial 42\n" +
			"  aegisctl compile policies/ -o acme.tar.gz --tenant acme --params production.yaml --expires 2027-01-31",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("compile needs policies: aegisctl compile policies/ -o b.tar.gz")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) (err error) {
			if err := a.formats("text", "json"); err != nil {
				return err
			}
			if output == "" {
				return errors.New("compile needs an output: -o b.tar.gz")
			}
			if slices.Contains([]string{".yaml", ".yml", ".json", ".rego", ".txt"}, strings.ToLower(filepath.Ext(output))) {
				return fmt.Errorf("-o %s: that is the name of a source; call the bundle something like b.tar.gz", output)
			}
			if opt.Serial < 1 || opt.Serial > bundle.MaxSerial {
				return fmt.Errorf("--serial %d: use a number from 1 on", opt.Serial)
			}
			if opt.Expires, err = expiry(expires); err != nil {
				return err
			}
			opt.Target = compile.Target(target)
			load := policy.LoadOptions{Tenant: tenant, Portable: true}
			if params != "" {
				if load.Params, err = policy.LoadParams(params); err != nil {
					return err
				}
			}
			return a.compile(args, load, opt, output)
		},
	}
	f := c.Flags()
	f.StringVarP(&output, "output", "o", "", "the bundle to write")
	f.StringVar(&target, "target", string(compile.Rego), "rego, or wasm: the rules as a WebAssembly module, beside the Rego")
	f.StringVar(&tenant, "tenant", "", "keep this tenant's policies and what bounds them")
	f.StringVar(&params, "params", "", "a file of values that replace those of the policies' params")
	f.Int64Var(&opt.Serial, "serial", 1, "number of the release; must grow with each")
	f.StringVar(&expires, "expires", "", "last day (2027-01-31, UTC) or moment (RFC 3339) on which the bundle is accepted")
	return c
}

// expiry reads a day, which counts as a whole, or a moment.
func expiry(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day.AddDate(0, 0, 1), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.Nanosecond() != 0 {
		return time.Time{}, fmt.Errorf("--expires %q: use a day such as 2027-01-31 or a moment such as 2027-01-31T12:00:00Z", text)
	}
	return t, nil
}

// compiled is what compile says of the bundle it wrote.
type compiled struct {
	Output        string   `json:"output"`
	PolicyVersion string   `json:"policy_version"`
	Serial        int64    `json:"serial"`
	Target        string   `json:"target"`
	Tenants       []string `json:"tenants"`
	Expires       string   `json:"expires,omitempty"`
	Policies      int      `json:"policies"`
	Rules         int      `json:"rules"`
	Bytes         int      `json:"bytes"`
}

func (a *app) compile(paths []string, load policy.LoadOptions, opt compile.Options, output string) error {
	set, err := load.Load(paths...)
	if err != nil {
		return err
	}
	archive, err := compile.Build(set, opt)
	if err != nil {
		return err
	}
	packed, err := archive.Bytes()
	if err != nil {
		return err
	}
	m, err := archive.Manifest()
	if err != nil {
		return internal(err)
	}
	if err := writeFile(output, packed); err != nil {
		return err
	}
	x := compiled{output, m.Metadata.PolicyVersion, m.Metadata.Serial, m.Metadata.Target, m.Metadata.Tenants, m.Metadata.Expires,
		len(set.Policies) + len(set.Guardrails), len(set.Rules) - 1, len(packed)}
	if a.format == "json" {
		enc := json.NewEncoder(a.out)
		enc.SetIndent("", "  ")
		return enc.Encode(x)
	}
	until := ""
	if x.Expires != "" {
		until = ", expires " + x.Expires
	}
	_, err = fmt.Fprintf(a.out, "%s\n%s: %d bytes, %d policies, %d rules, tenants %s, serial %d, target %s%s\n", x.PolicyVersion,
		x.Output, x.Bytes, x.Policies, x.Rules, strings.Join(x.Tenants, " "), x.Serial, x.Target, until)
	return err
}
