package policy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"

	"github.com/aegisctl/aegis"
)

// customPackage is the package that a policy's own Rego declares.
const customPackage = "data.aegis.custom"

// customSets are the sets that a policy's own Rego may fill, and customSays what an element of each means.
var (
	customSets = []string{"approval_needed", "deny"}
	customSays = map[string]struct {
		code    aegis.Code
		outcome aegis.Outcome
	}{"approval_needed": {aegis.CustomApproval, aegis.ApprovalNeeded}, "deny": {aegis.CustomDeny, aegis.Deny}}
)

// customBuiltins are the functions that a policy's own Rego may call: those whose result depends on nothing but their
// arguments. What is not named here (the network, the clock, the environment, randomness, traces, and whatever a later
// OPA brings) is refused: a simulation must repeat.
const customBuiltins = `
	eq equal neq lt lte gt gte assign internal.member_2 internal.member_3 internal.template_string
	plus minus mul div rem round ceil floor abs numbers.range numbers.range_step and or intersection union
	bits.and bits.lsh bits.negate bits.or bits.rsh bits.xor
	count sum product max min sort array.concat array.flatten array.reverse array.slice
	concat contains endswith startswith format_int indexof indexof_n lower upper replace split sprintf
	strings.any_prefix_match strings.any_suffix_match strings.count strings.render_template strings.replace_n
	strings.reverse substring trim trim_left trim_prefix trim_right trim_space trim_suffix
	regex.find_all_string_submatch_n regex.find_n regex.is_valid regex.match regex.replace regex.split glob.match
	glob.quote_meta to_number is_array is_boolean is_null is_number is_object is_set is_string type_name
	object.filter object.get object.keys object.remove object.subset object.union object.union_n walk
	json.filter json.is_valid json.marshal json.patch json.remove json.unmarshal
	base64.decode base64.encode base64.is_valid base64url.decode base64url.encode hex.decode hex.encode
	urlquery.decode urlquery.encode crypto.sha256 units.parse units.parse_bytes semver.compare semver.is_valid
	time.parse_duration_ns time.parse_rfc3339_ns`

// CustomCapabilities returns what a policy's own Rego may use of OPA. Callers must not change it.
var CustomCapabilities = sync.OnceValue(func() *ast.Capabilities {
	allowed := strings.Fields(customBuiltins)
	c := ast.CapabilitiesForThisVersion()
	c.Builtins = slices.DeleteFunc(c.Builtins, func(b *ast.Builtin) bool { return !slices.Contains(allowed, b.Name) })
	c.AllowNet = []string{}
	return c
})

// CheckCustom reads one module of a policy's own Rego: package aegis.custom, which fills the sets deny and
// approval_needed, with the functions and rules that these use. The error is OPA's ast.Errors, or begins with
// file:line:column.
func CheckCustom(file, source string) error {
	m, err := parseCustom(file, source)
	if err != nil {
		return err
	}
	c := ast.NewCompiler().WithCapabilities(CustomCapabilities())
	if c.Compile(map[string]*ast.Module{file: m}); c.Failed() {
		return c.Errors
	}
	return nil
}

// parseCustom reads a module and checks what it defines.
func parseCustom(file, source string) (*ast.Module, error) {
	m, err := ast.ParseModuleWithOpts(file, source, ast.ParserOptions{RegoVersion: ast.RegoV1})
	if err != nil {
		return nil, err
	}
	if m == nil {
		return nil, fmt.Errorf("%s:1:1: the module is empty", file)
	}
	if got := m.Package.Path.String(); got != customPackage {
		return nil, customError(m.Package.Location, "the package must be aegis.custom, not %s", strings.TrimPrefix(got, "data."))
	}
	for _, i := range m.Imports {
		switch root := i.Path.String(); {
		case root == "rego.v1", strings.HasPrefix(root, "future.keywords"), strings.HasPrefix(root, "input"):
		default:
			return nil, customError(i.Location, "only rego.v1 and parts of input can be imported")
		}
	}
	used := customUses(m)
	for _, r := range m.Rules {
		name := r.Head.Ref()[0].String()
		known := slices.Contains(customSets, name)
		switch {
		case known && (r.Head.RuleKind() != ast.MultiValue || len(r.Head.Ref()) != 1 || r.Default):
			return nil, customError(r.Location, "%s must be a set: write %s contains message if { ... }", name, name)
		case !known && !used[name]:
			return nil, customError(r.Location, "a module defines the sets deny and approval_needed and what they use; "+
				"nothing uses %s", name)
		}
	}
	return m, nil
}

func customError(at *ast.Location, format string, args ...any) error {
	return fmt.Errorf("%s:%d:%d: %s", at.File, at.Row, at.Col, fmt.Sprintf(format, args...))
}

// customUses returns the names of rules that deny and approval_needed use, directly or by way of other rules.
func customUses(m *ast.Module) map[string]bool {
	used := map[string]bool{"deny": true, "approval_needed": true}
	own := ast.MustParseRef(customPackage)
	for grew := true; grew; {
		before := len(used)
		for _, r := range m.Rules {
			if !used[r.Head.Ref()[0].String()] {
				continue
			}
			ast.WalkVars(r, func(v ast.Var) bool {
				used[string(v)] = true
				return false
			})
			ast.WalkRefs(r, func(ref ast.Ref) bool {
				if ref.HasPrefix(own) && len(ref) > len(own) {
					if name, ok := ref[len(own)].Value.(ast.String); ok {
						used[string(name)] = true
					}
				}
				return false
			})
		}
		grew = len(used) > before
	}
	return used
}

// CustomModule is one module of a policy's own Rego under a package of its own.
type CustomModule struct {
	Module
	Policy  int    // index into Set.Policies
	Rule    RuleID // rego[i]
	Package string // data.aegis.custom.p0123abcd
}

// CustomRego returns the policies' own Rego, each module in a package that no other module has. What a module asks of
// data other than itself is looked for inside its package, and so is undefined: one tenant cannot read another's.
func (s *Set) CustomRego() ([]CustomModule, error) {
	var out []CustomModule
	taken := map[string]bool{}
	for i, p := range s.Policies {
		if len(p.Custom) == 0 {
			continue
		}
		sum := sha256.Sum256([]byte(p.ID))
		digest := hex.EncodeToString(sum[:])
		n := 8
		for n < len(digest) && taken[digest[:n]] {
			n++
		}
		taken[digest[:n]] = true
		for k, c := range p.Custom {
			name := "p" + digest[:n]
			if k > 0 {
				name = fmt.Sprintf("%s_%d", name, k)
			}
			m, err := parseCustom(c.File, c.Source)
			if err != nil {
				return nil, err
			}
			own := customPackage + "." + name
			if err := moveCustom(m, own); err != nil {
				return nil, fmt.Errorf("%s: %w", c.File, err)
			}
			text, err := format.Ast(m)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.File, err)
			}
			out = append(out, CustomModule{Module{"aegis/custom/" + name + ".rego", string(text)}, i, c.Rule, own})
		}
	}
	return out, nil
}

// CustomHits returns the module that makes hits of what the policies' own Rego says, for a bundle. (The gate runs such
// Rego by itself, under a deadline.)
func CustomHits(s *Set, ms []CustomModule) Module {
	g := &regoGen{set: s}
	b := new(bytes.Buffer)
	b.WriteString(regoHead("What policies' own Rego says."))
	for _, m := range ms {
		for _, c := range g.agentCases(s.Policies[m.Policy]) {
			for _, set := range customSets {
				k := customSays[set]
				g.add(b, "hits", m.Rule, k.code, k.outcome, append(slices.Clone(c), "some _ in "+m.Package+"."+set)...)
			}
		}
	}
	return Module{"aegis/custom.rego", b.String()}
}

// moveCustom puts a module into the package own, and with it everything that it reads of data. What it prints is left
// out: a stock OPA would write it to its log.
func moveCustom(m *ast.Module, own string) error {
	ast.WalkExprs(m, func(e *ast.Expr) bool {
		if e.IsCall() && e.Operator().Equal(ast.Print.Ref()) {
			e.Terms = ast.BooleanTerm(true)
		}
		return false
	})
	from, to := ast.MustParseRef(customPackage), ast.MustParseRef(own)
	m.Package.Path = to
	refs, heads := 0, 0
	for _, r := range m.Rules {
		ast.WalkTerms(r, func(t *ast.Term) bool {
			switch v := t.Value.(type) {
			case ast.Ref:
				if !v.HasPrefix(ast.DefaultRootRef) {
					break
				}
				refs++
				if v.HasPrefix(from) {
					t.Value = to.Concat(v[len(from):])
				} else {
					t.Value = to.Append(ast.StringTerm("data")).Concat(v[1:])
				}
			case ast.Var:
				if v.Equal(ast.DefaultRootDocument.Value) {
					heads++
				}
			}
			return false
		})
	}
	if refs != heads {
		return fmt.Errorf("data can be read by its parts only")
	}
	return nil
}
