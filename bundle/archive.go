// Package bundle reads and writes policy bundles: archives that any OPA loads and from which aegisctl makes its rule tree
// again.
//
// It promises that an archive it has read means one thing to every reader: one name, one content; no links, no
// directories, no headers that only some understand; nothing before, between or behind the members. It reads within
// bounds and never writes to disk. What it writes depends on the members alone, byte for byte.
package bundle

import (
	"cmp"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// Bounds of an archive, in bytes unless said otherwise.
const (
	MaxPacked  = 32 << 20  // of the archive as it lies on disk
	MaxMember  = 64 << 20  // of one member
	MaxContent = 128 << 20 // of all members together
	MaxMembers = 10_000    // how many members
	MaxPath    = 255       // of a member's name
)

// Names of members that mean something.
const (
	ManifestPath   = ".manifest"
	SignaturesPath = ".signatures.json"
	DataPath       = "data.json"
	WasmPath       = "policy.wasm"
)

// File is one member of an archive.
type File struct {
	Path string // canonical: slashes, no leading slash, no dots
	Data []byte
}

// Archive is the content of a bundle: its members, sorted by path, each path once.
type Archive struct {
	Files []File
}

// Get returns the content of a member, and whether there is one.
func (a *Archive) Get(path string) (data []byte, ok bool) {
	i, ok := a.find(path)
	if !ok {
		return nil, false
	}
	return a.Files[i].Data, true
}

func (a *Archive) find(path string) (int, bool) {
	return slices.BinarySearchFunc(a.Files, path, func(f File, p string) int { return cmp.Compare(f.Path, p) })
}

// Put adds a member, or replaces the content of the one that has its path.
func (a *Archive) Put(path string, data []byte) {
	i, ok := a.find(path)
	if ok {
		a.Files[i].Data = data
		return
	}
	a.Files = slices.Insert(a.Files, i, File{path, data})
}

// Remove takes a member out, if there is one.
func (a *Archive) Remove(path string) {
	if i, ok := a.find(path); ok {
		a.Files = slices.Delete(a.Files, i, i+1)
	}
}

// check refuses names that some reader could take for another name, and sets of names of which some reader would see
// only a part.
func (a *Archive) check() error {
	if len(a.Files) > MaxMembers {
		return faultf(TooLarge, "the archive holds more than %d members", MaxMembers)
	}
	folded := map[string]string{}
	total := 0
	for _, f := range a.Files {
		if err := checkPath(f.Path); err != nil {
			return err
		}
		if err := oneMember(folded, f.Path); err != nil {
			return err
		}
		if len(f.Data) > MaxMember {
			return faultf(TooLarge, "member %s is larger than %d bytes", f.Path, MaxMember)
		}
		if total += len(f.Data); total > MaxContent {
			return faultf(TooLarge, "the members hold more than %d bytes together", MaxContent)
		}
	}
	for _, f := range a.Files {
		for dir := path.Dir(f.Path); dir != "."; dir = path.Dir(dir) {
			if other, ok := folded[strings.ToLower(dir)]; ok {
				return faultf(Duplicate, "member %q is a file, and a directory of %q", other, f.Path)
			}
		}
	}
	return nil
}

// oneMember refuses a name that is there already, or differs from one that is in case only.
func oneMember(folded map[string]string, name string) error {
	low := strings.ToLower(name)
	switch first, ok := folded[low]; {
	case !ok:
		folded[low] = name
		return nil
	case first == name:
		return faultf(Duplicate, "member %q stands twice in the archive", name)
	default:
		return faultf(Duplicate, "members %q and %q differ in case only", first, name)
	}
}

// checkPath refuses names that are not canonical, and those that OPA takes for something else than their place says.
func checkPath(name string) error {
	clean := path.Clean(name)
	switch {
	case name == "":
		return faultf(Unsafe, "a member has no name")
	case len(name) > MaxPath:
		return faultf(Unsafe, "a member's name is longer than %d bytes", MaxPath)
	case strings.Contains(name, "\x00"):
		return faultf(Unsafe, "member %q: a NUL stands in the name", name)
	case strings.Contains(name, `\`):
		return faultf(Unsafe, "member %q: a backslash stands in the name", name)
	case strings.HasPrefix(name, "/"):
		return faultf(Unsafe, "member %q: the path is absolute", name)
	case slices.Contains(strings.Split(name, "/"), ".."):
		return faultf(Unsafe, "member %q: the path leads out of the archive (..)", name)
	case clean != name || name == ".":
		return faultf(Unsafe, "member %q: the path is not canonical", name)
	}
	for _, r := range name {
		if r <= ' ' || r > '~' || strings.ContainsRune(`:*?"<>|%`, r) {
			return faultf(Unsafe, "member %q: %q stands in the name", name, r)
		}
	}
	return checkRole(name)
}

// checkRole refuses names to which OPA gives a meaning that our bundles have no use for: a second manifest, delta
// bundles, plans, and data files that would be merged into data.json.
func checkRole(name string) error {
	base := strings.ToLower(path.Base(name))
	switch {
	case name == ManifestPath || name == SignaturesPath || name == DataPath || name == WasmPath:
		return nil
	case strings.HasSuffix(base, ".manifest") || strings.HasSuffix(base, ".manifest.pb"):
		return fmt.Errorf("member %q: OPA would read it as a second manifest", name)
	case strings.HasSuffix(base, "signatures.json") && base != name:
		return fmt.Errorf("member %q: OPA would read it as a second list of signatures", name)
	case base == "patch.json":
		return fmt.Errorf("member %q: delta bundles are refused", name)
	case base == "plan.json" || base == "plan.pb":
		return fmt.Errorf("member %q: a plan has no place in a policy bundle", name)
	case base == "data.yaml" || base == "data.yml" || base == DataPath && strings.Contains(name, "/"):
		return fmt.Errorf("member %q: OPA would merge it with %s: data stands there only", name, DataPath)
	case strings.HasSuffix(base, ".wasm"):
		return fmt.Errorf("member %q: the one compiled module is %s", name, WasmPath)
	}
	return nil
}

// bounded fails with err once more than n bytes have been read. (io.LimitReader would end silently.)
type bounded struct {
	r   io.Reader
	n   int64
	err error
}

func (b *bounded) Read(p []byte) (int, error) {
	if int64(len(p)) > b.n+1 {
		p = p[:b.n+1]
	}
	n, err := b.r.Read(p)
	if b.n -= int64(n); b.n < 0 {
		return 0, b.err
	}
	return n, err
}
