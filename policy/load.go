package policy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// LoadOptions narrows and fills what is loaded. The zero value loads everything as written.
type LoadOptions struct {
	Params map[string]Literal // values that replace those of params, by name, in every policy that declares one
	Text   map[string][]byte  // what stands in for the text of files, by the name that Load opens them by
	Tenant string             // keep this tenant's policies and what bounds them; "" keeps all

	// Portable makes positions name files relative to the directory that holds all of them, with slashes, so that they are the
	// same wherever the files lie. Errors name files as they were given.
	Portable bool
}

// Load reads policy files and directories. A directory is read recursively: *.yaml, *.yml and *.json but *_test.yaml,
// testdata and names that begin with a dot. What a file is, its top key says: agent, guardrail, fragment, routes or
// schemas.
//
// The error is Errors where the sources are at fault, and nothing of them is then loaded.
func Load(paths ...string) (*Set, error) { return LoadOptions{}.Load(paths...) }

// LoadText loads one source from memory; name is for messages, and its ending tells JSON from YAML. Files that the
// source names cannot be reached. The error is Errors.
func LoadText(name, text string) (*Set, error) {
	l := newLoader(LoadOptions{})
	l.parse(&source{name: name, text: []byte(text)})
	return l.finish()
}

// Load is the function Load under these options. A param of o that no policy declares, or of another kind, is an
// error.
func (o LoadOptions) Load(paths ...string) (*Set, error) {
	l := newLoader(o)
	if o.Portable {
		base, err := commonDir(paths)
		if err != nil {
			return nil, err
		}
		l.base = base
	}
	if len(paths) == 0 {
		l.errs = append(l.errs, &Error{Msg: "no policy is named", Hint: "name a file or a directory"})
	}
	seen := map[string]bool{}
	var sources []*source
	for _, p := range paths {
		for _, f := range l.files(p) {
			if clean := filepath.Clean(f); !seen[clean] {
				seen[clean] = true
				if s := l.open(f); s != nil {
					sources = append(sources, s)
				}
			}
		}
	}
	l.parse(sources...)
	s, err := l.finish()
	if err != nil && o.Portable {
		o.Portable = false
		if _, asGiven := o.Load(paths...); asGiven != nil {
			err = asGiven
		}
	}
	return s, err
}

// loader is one load: the files, what they say, and what is wrong with them.
type loader struct {
	opts         LoadOptions
	errs         Errors
	docs         []*document
	fragments    map[string]*document
	units        []*unit
	set          *Set
	overridden   map[string]bool     // params of the options that some policy declares
	used         map[Definition]bool // what files define, and whether something refers to it
	fragmentUsed map[string]bool
	inlined      []inlined // lists that were put in place
	placed       int       // their items, of all documents joined so far

	base   string        // what positions are relative to; "" leaves them as given
	named  *namedFiles   // shared by all parts, like the rest
	items  *atomic.Int64 // that references to lists have put in place
	memory bool          // nothing but named can be reached
}

func newLoader(o LoadOptions) *loader {
	return &loader{opts: o, fragments: map[string]*document{}, overridden: map[string]bool{}, used: map[Definition]bool{},
		fragmentUsed: map[string]bool{}, set: &Set{}, named: &namedFiles{byName: map[string]*source{}}, items: new(atomic.Int64)}
}

// maxCollected bounds the problems that are kept before they are sorted; what comes after them is not shown anyway.
const maxCollected = 20 * MaxErrors

func (l *loader) fail(pos Pos, hint, format string, args ...any) {
	if len(l.errs) >= maxCollected {
		return
	}
	l.errs = append(l.errs, &Error{Pos: pos, Msg: fmt.Sprintf(format, args...), Hint: hint})
}

// failPath reports what is wrong with a path as a whole.
func (l *loader) failPath(path string, err error) {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	l.fail(Pos{}, "", "%s: %v", path, err)
}

// files lists the policy files at a path, sorted.
func (l *loader) files(path string) []string {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		l.failPath(path, err)
		return nil
	case info.Mode().IsRegular():
		return []string{path}
	case !info.IsDir():
		l.fail(Pos{}, "", "%s: not a regular file", path)
		return nil
	}
	var files []string
	err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case p != path && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			if d.IsDir() {
				return fs.SkipDir
			}
		case d.Type()&fs.ModeSymlink != 0:
			// Kubernetes mounts files as links. A linked directory could hold a guardrail, so it is not skipped silently.
			info, err := os.Stat(p)
			if err != nil {
				return err
			}
			if info.IsDir() {
				l.fail(Pos{}, "name it beside "+path, "%s: links to directories are not followed", p)
				return nil
			}
			fallthrough
		case !d.IsDir() && policyFile(d.Name()):
			if policyFile(d.Name()) {
				files = append(files, l.files(p)...)
			}
		}
		return nil
	})
	if err != nil {
		l.failPath(path, err)
	} else if len(files) == 0 {
		l.fail(Pos{}, "policies end in .yaml, .yml or .json", "%s: the directory holds no policy", path)
	}
	return files
}

func policyFile(name string) bool {
	name = strings.ToLower(name)
	stem := strings.TrimSuffix(name, filepath.Ext(name))
	return slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(name)) && !strings.HasSuffix(stem, "_test")
}

// open reads one file, or returns nil.
func (l *loader) open(path string) *source {
	if text, ok := l.opts.Text[path]; ok {
		return &source{name: path, dir: filepath.Dir(path), text: text}
	}
	f, err := os.Open(path)
	if err != nil {
		l.failPath(path, err)
		return nil
	}
	defer f.Close()
	text, err := readAll(f)
	if err != nil {
		l.failPath(path, err)
		return nil
	}
	return &source{name: l.shown(path), dir: filepath.Dir(path), text: text}
}

// topKeys are the keys that say what a file is.
var topKeys = []string{"agent", "guardrail", "fragment", "routes", "schemas"}

// onEvery calls f for every i below n, on every processor.
func onEvery(n int, f func(i int)) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		group.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				f(int(i))
			}
		})
	}
	group.Wait()
}

// identify finds out what a source is. It is false where it cannot be told.
func (l *loader) identify(d *document) bool {
	root := d.root
	if root.kind != mapNode {
		l.fail(root.pos, "a policy begins with agent: NAME", "the file is %s, not a mapping", root.what())
		return false
	}
	for _, k := range topKeys {
		if v := root.get(k); v != nil && d.top == "" {
			d.top, d.name = k, v
		} else if v != nil {
			l.fail(v.pos, "put each into a file of its own", "the file is %s and %s at once", d.top, k)
			return false
		}
	}
	if d.top == "" {
		hint := "a file holds one of the keys " + strings.Join(topKeys, ", ")
		for _, k := range root.keys {
			if n := nearest(k.text, topKeys); n != "" {
				hint = fmt.Sprintf("did you mean %s?", n)
				break
			}
		}
		l.fail(root.pos, hint, "the file does not say what it is")
	}
	return d.top != ""
}

// finish turns what was parsed into a Set.
func (l *loader) finish() (*Set, error) {
	slices.SortStableFunc(l.docs, func(a, b *document) int { return a.pos.compare(b.pos) })
	l.indexFragments()
	onEvery(len(l.docs), func(i int) { l.docs[i].complete() })
	for _, d := range l.docs {
		l.join(d)
	}
	l.across()
	if len(l.errs) == 0 {
		l.settle()
	}
	if len(l.errs) > 0 {
		return nil, l.errs.sorted()
	}
	for _, d := range l.docs {
		s := d.src
		l.set.Sources = append(l.set.Sources, &Source{s.name, s.text, s.notes})
	}
	l.set.Unused = l.unused()
	l.set.Origin = l.origin()
	return l.set, nil
}

// indexFragments makes fragments known before any policy uses one, and checks those that none does.
func (l *loader) indexFragments() {
	for _, d := range l.docs {
		if d.top != "fragment" {
			continue
		}
		if d.name.kind == scalarNode {
			if first := l.fragments[d.name.text]; first != nil {
				l.fail(d.name.pos, "", "fragment %s stands already at %s", d.name.text, first.name.pos)
				continue
			}
			l.fragments[d.name.text] = d
		}
	}
}

// across checks what no file can say of itself.
func (l *loader) across() {
	type key struct{ tenant, name string }
	agents, guardrails := map[key]Pos{}, map[key]Pos{}
	for _, p := range l.set.Policies {
		for _, a := range p.Agents {
			k := key{p.Tenant, string(a)}
			if first, ok := agents[k]; ok {
				l.fail(p.Pos, "one policy to an agent: merge the two",
					"agent %s of tenant %s has a policy already, at %s", a, p.Tenant, first)
				continue
			}
			agents[k] = p.Pos
		}
	}
	for _, g := range l.set.Guardrails {
		k := key{g.Tenant, g.Name}
		if first, ok := guardrails[k]; ok && g.Name != "" {
			l.fail(g.Pos, "merge the two", "guardrail %s of tenant %s stands already at %s", g.Name, g.Tenant, first)
			continue
		}
		guardrails[k] = g.Pos
	}
	l.twice()
	if len(l.errs) > 0 {
		return
	}
	for name := range l.opts.Params {
		if !l.overridden[name] {
			l.fail(Pos{}, "", "a value is given for the param %s, which no policy declares", name)
		}
	}
}
