// Package compile makes bundles of policies: archives that any OPA from 1.0 on runs and aegisctl loads.
//
// It promises that the same set and options give the same bytes on any machine, and that Check finds every difference
// between the rules of a bundle and the policies it holds.
package compile

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aegisctl/aegis/bundle"
	"github.com/aegisctl/aegis/policy"
)

// Target is what a bundle's rules are compiled to.
type Target string

// The targets. A bundle for Wasm holds the Rego as well, and does not tell OPA to use the module: an OPA that is built
// without a WebAssembly engine, as `go install` builds it, refuses bundles that ask for one.
const (
	Rego Target = "rego"
	Wasm Target = "wasm"
)

// Options of a bundle.
type Options struct {
	Target  Target    // Rego where empty
	Serial  int64     // of the release, from 1 on; 1 where 0
	Expires time.Time // whole seconds; zero: never
}

// Build makes the bundle of a set that was loaded with Portable positions.
func Build(s *policy.Set, o Options) (*bundle.Archive, error) {
	m := bundle.Metadata{Codegen: policy.Codegen, Target: string(o.Target), Serial: o.Serial}
	if m.Target == "" {
		m.Target = string(Rego)
	}
	if m.Serial == 0 {
		m.Serial = 1
	}
	if !o.Expires.IsZero() {
		m.Expires = o.Expires.UTC().Format(time.RFC3339)
	}
	return build(s, m)
}

func build(s *policy.Set, m bundle.Metadata) (*bundle.Archive, error) {
	if m.Target != string(Rego) && m.Target != string(Wasm) {
		return nil, fmt.Errorf("unknown target %q: rego or wasm", m.Target)
	}
	var modules []bundle.File
	var a *bundle.Archive
	var errs [2]error
	var group sync.WaitGroup
	group.Go(func() { modules, errs[0] = rules(s) })
	group.Go(func() { a, errs[1] = bundle.New(s, m) })
	if group.Wait(); errs[0] != nil || errs[1] != nil {
		return nil, cmp.Or(errs[0], errs[1])
	}
	if m.Target == string(Wasm) {
		module, err := toWasm(context.Background(), modules)
		if err != nil {
			return nil, err
		}
		a.Put(bundle.WasmPath, module)
	}
	for _, x := range modules {
		a.Put(x.Path, x.Data)
	}
	return a, nil
}

// rules returns all the Rego of a set: what is generated, and the policies' own.
func rules(s *policy.Set) ([]bundle.File, error) {
	var modules []bundle.File
	policy.EachModule(s, func(path string, text []byte) {
		modules = append(modules, bundle.File{Path: path, Data: bytes.Clone(text)})
	})
	slices.SortFunc(modules, func(a, b bundle.File) int { return cmp.Compare(a.Path, b.Path) })
	custom, err := s.CustomRego()
	if err != nil {
		return nil, err
	}
	if len(custom) > 0 {
		m := policy.CustomHits(s, custom)
		modules = append(modules, bundle.File{Path: m.Path, Data: []byte(m.Text)})
	}
	for _, c := range custom {
		modules = append(modules, bundle.File{Path: c.Path, Data: []byte(c.Text)})
	}
	return modules, nil
}

// ErrCodegen says that a bundle's rules were made by a generator that this release does not have, so that Check cannot make
// them again.
var ErrCodegen = errors.New("the bundle's rules were made by another generator")

// Check compiles the policies in a bundle again and compares every member, byte for byte, but the signatures. The error
// names the first member that differs; it is ErrCodegen where the generator is not this release's.
func Check(a *bundle.Archive) error {
	m, err := a.Manifest()
	if err != nil {
		return err
	}
	s, err := bundle.Load(a)
	if err != nil {
		return err
	}
	if m.Metadata.Codegen != policy.Codegen {
		return fmt.Errorf("%w (%q; this release has %q)", ErrCodegen, m.Metadata.Codegen, policy.Codegen)
	}
	want, err := build(s, m.Metadata)
	if err != nil {
		return err
	}
	have := slices.DeleteFunc(slices.Clone(a.Files), func(f bundle.File) bool { return f.Path == bundle.SignaturesPath })
	return compare(have, want.Files)
}

// compare names the first difference between two sorted lists of members.
func compare(have, want []bundle.File) error {
	for i := 0; i < len(have) || i < len(want); i++ {
		switch {
		case i == len(want) || i < len(have) && have[i].Path < want[i].Path:
			return fmt.Errorf("member %s does not come of the bundle's policies", have[i].Path)
		case i == len(have) || have[i].Path > want[i].Path:
			return fmt.Errorf("member %s is missing, which comes of the bundle's policies", want[i].Path)
		case !bytes.Equal(have[i].Data, want[i].Data):
			return fmt.Errorf("member %s is not what comes of the bundle's policies%s", have[i].Path,
				line(have[i].Data, want[i].Data))
		}
	}
	return nil
}

// line names the first line in which two texts differ, where they are text.
func line(have, want []byte) string {
	if bytes.IndexByte(have, 0) >= 0 {
		return ""
	}
	n := 1
	for i := range min(len(have), len(want)) {
		if have[i] != want[i] {
			break
		}
		if have[i] == '\n' {
			n++
		}
	}
	return fmt.Sprintf(" (line %d)", n)
}
