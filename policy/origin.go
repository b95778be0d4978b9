package policy

import (
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Origin is all that a set was made from: what Load read, and nothing of what was narrowed away. The same Origin gives the
// same Set.
type Origin struct {
	Policies []*Source          // policies, guardrails, the fragments they use, routes and schemas; by name
	Files    []*Source          // the lists and the Rego that they name; by name
	Params   map[string]Literal // values that were given in the place of those of params
}

// Load makes the set again. No file is read: what the sources name must be among Files. The error is Errors.
func (o *Origin) Load() (*Set, error) {
	l := newLoader(LoadOptions{Params: o.Params})
	l.memory = true
	for _, f := range o.Files {
		l.named.byName[f.Name] = &source{name: f.Name, dir: path.Dir(f.Name), text: f.Text}
	}
	var sources []*source
	for _, p := range o.Policies {
		sources = append(sources, &source{name: p.Name, dir: path.Dir(p.Name), text: p.Text})
	}
	l.parse(sources...)
	return l.finish()
}

// touch notes that a unit's policy or guardrail was made from a file.
func (u *unit) touch(s *source) {
	if !slices.Contains(u.sources, s) {
		u.sources = append(u.sources, s)
	}
}

// origin collects what the set's policies, guardrails, routes and schemas were made from.
func (l *loader) origin() Origin {
	out := Origin{Params: map[string]Literal{}}
	used := map[*source]bool{}
	for _, u := range l.units {
		for _, s := range u.sources {
			used[s] = true
		}
		for _, name := range u.params {
			out.Params[name] = l.opts.Params[name]
		}
	}
	for _, d := range l.docs {
		s := d.src
		if l.kept(d) || used[s] {
			out.Policies = append(out.Policies, &Source{s.name, s.text, s.notes})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.named.byName)) {
		if s := l.named.byName[name]; used[s] {
			out.Files = append(out.Files, &Source{s.name, s.text, s.notes})
		}
	}
	slices.SortFunc(out.Policies, func(a, b *Source) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// kept reports whether a file of routes or schemas is in the set.
func (l *loader) kept(d *document) bool {
	is := func(r *Raw) bool { return r.Pos == d.name.pos }
	return slices.ContainsFunc(l.set.Routes, is) || slices.ContainsFunc(l.set.Schemas, is)
}

// commonDir returns the directory that holds all of the paths, lexically.
func commonDir(paths []string) (string, error) {
	common := ""
	for i, p := range paths {
		dir, err := filepath.Abs(p)
		if err != nil {
			return "", err
		}
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			dir = filepath.Dir(dir)
		}
		if i == 0 {
			common = dir
		}
		for up := filepath.Dir(common); !within(common, dir) && up != common; up = filepath.Dir(common) {
			common = up
		}
	}
	return common, nil
}

// within reports whether a path is a directory or lies below it.
func within(dir, p string) bool {
	rel, err := filepath.Rel(dir, p)
	return err == nil && filepath.IsLocal(rel)
}

// shown returns the name by which positions call a file.
func (l *loader) shown(file string) string {
	if l.base == "" {
		return file
	}
	abs, err := filepath.Abs(file)
	if err != nil {
		return file
	}
	rel, err := filepath.Rel(l.base, abs)
	if err != nil {
		return file
	}
	return filepath.ToSlash(rel)
}
