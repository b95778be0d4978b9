package compile

import (
	"context"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	opabundle "github.com/open-policy-agent/opa/v1/bundle"
	opa "github.com/open-policy-agent/opa/v1/compile"

	"github.com/aegisctl/aegis/bundle"
)

// entrypoint is the rule that a compiled module answers for.
const entrypoint = "aegis/decision"

// impure are the functions whose results depend on more than their arguments. Generated rules use none of them, and a
// module that a runtime would have to lend the network, the clock, its environment or randomness is not built.
var impure = []string{"http.send", "net.lookup_ip_addr", "opa.runtime", "rand.intn", "uuid.rfc4122", "time.now_ns",
	"trace", "print", "internal.print", "rego.parse_module", "io.jwt.decode_verify"}

// capabilities is what a compiled module may use of OPA.
func capabilities() *ast.Capabilities {
	c := ast.CapabilitiesForThisVersion()
	kept := c.Builtins[:0:0]
	for _, b := range c.Builtins {
		pure := !b.Nondeterministic
		for _, name := range impure {
			pure = pure && b.Name != name
		}
		if pure {
			kept = append(kept, b)
		}
	}
	c.Builtins, c.AllowNet = kept, []string{}
	return c
}

// toWasm compiles modules to WebAssembly.
func toWasm(ctx context.Context, modules []bundle.File) ([]byte, error) {
	b := &opabundle.Bundle{Data: map[string]any{}}
	b.SetRegoVersion(ast.RegoV1)
	b.Manifest.Init()
	for _, m := range modules {
		parsed, err := ast.ParseModuleWithOpts(m.Path, string(m.Data), ast.ParserOptions{RegoVersion: ast.RegoV1})
		if err != nil {
			return nil, fmt.Errorf("compiling to wasm: %w", err)
		}
		b.Modules = append(b.Modules, opabundle.ModuleFile{URL: m.Path, Path: m.Path, Raw: m.Data, Parsed: parsed})
	}
	c := opa.New().WithTarget(opa.TargetWasm).WithBundle(b).WithCapabilities(capabilities()).
		WithEntrypoints(entrypoint).WithRegoVersion(ast.RegoV1)
	if err := c.Build(ctx); err != nil {
		return nil, fmt.Errorf("compiling to wasm: %w", err)
	}
	return c.Bundle().WasmModules[0].Raw, nil
}
