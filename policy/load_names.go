package policy

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"

	"github.com/aegisctl/aegis"
)

// identifier is what the names of params and lists are, so that expressions can use them.
var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)

func (r *reader) identifier(n *node, what string) bool {
	if identifier.MatchString(n.text) {
		return true
	}
	r.fail(n.pos, "use letters, digits and _, up to 64, no digit first",
		"%s %q could not be used in expressions", what, clip(n.text))
	return false
}

// LoadParams reads values for params from a file, one mapping from names to values, for LoadOptions. The error is
// Errors.
func LoadParams(path string) (map[string]Literal, error) {
	l := newLoader(LoadOptions{})
	s := l.open(path)
	if s == nil {
		return nil, l.errs
	}
	root, err := s.parse()
	if err != nil {
		return nil, Errors{err}
	}
	r := &reader{loader: l, file: s, params: map[string]Literal{}}
	readParams(r, nil, nil, root)
	if len(l.errs) > 0 {
		return nil, l.errs.sorted()
	}
	return r.params, nil
}

// readParams reads params, and puts the values of the load's options in their place.
func readParams(r *reader, _ *statement, _, n *node) {
	if n.kind != mapNode {
		r.fail(n.pos, "", "params must be a mapping, not %s", n.what())
		return
	}
	for i, k := range n.keys {
		if !r.identifier(k, "the param") {
			continue
		}
		lit, ok := r.literal(n.items[i], "param "+k.text)
		if given, replaced := r.opts.Params[k.text]; replaced {
			r.overridden[k.text] = true
			r.unit.params = append(r.unit.params, k.text)
			if ok && given.Kind != lit.Kind {
				r.fail(n.items[i].pos, "", "param %s is a %s, and the value given for it is a %s", k.text, lit.Kind, given.Kind)
			}
			lit = given
		}
		r.params[k.text] = lit
		r.define(DefinedParam, k)
	}
}

// readLists reads lists: written out, or from files.
func readLists(r *reader, _ *statement, _, n *node) {
	if n.kind != mapNode {
		r.fail(n.pos, "", "lists must be a mapping, not %s", n.what())
		return
	}
	for i, k := range n.keys {
		if !r.identifier(k, "the list") {
			continue
		}
		if _, isParam := r.params[k.text]; isParam {
			r.fail(k.pos, "", "%s is a param already", k.text)
		}
		r.define(DefinedList, k)
		switch v := n.items[i]; {
		case v.kind == mapNode:
			from := v.get("from")
			if from == nil || len(v.keys) != 1 {
				r.fail(v.pos, "write {from: sites.txt}", "a mapping as list has the one key from")
				continue
			}
			r.lists[k.text] = r.from(from)
		case v.kind != listNode:
			r.members(v, "list "+k.text)
		default:
			r.lists[k.text] = r.listed(v, "list "+k.text)
		}
	}
}

// listed reads the members of a list as they stand: nothing in it is a reference.
func (r *reader) listed(n *node, what string) namedList {
	var l namedList
	for _, m := range n.items {
		if lit, ok := r.literal(m, what); ok {
			l.add(r, m, what, lit)
		}
	}
	return l
}

// from reads a list from a file: of a .txt each line, of a .json the one array.
func (r *reader) from(n *node) namedList {
	name, ok := r.text(n, "from")
	if !ok {
		return namedList{}
	}
	ext := path.Ext(name)
	if ext != ".json" && ext != ".txt" {
		r.fail(n.pos, "use .txt, an item to a line, or .json, one array", "from: %q is neither .txt nor .json", clip(name))
		return namedList{}
	}
	s := r.below(n, name)
	if s == nil {
		return namedList{}
	}
	if ext == ".json" {
		root, err := s.parse()
		if err != nil {
			r.errs = append(r.errs, err)
			return namedList{}
		}
		if root.kind != listNode {
			r.fail(root.pos, "", "the file must hold a list, not %s", root.what())
			return namedList{}
		}
		return r.listed(root, "the list")
	}
	if err := s.check(false); err != nil {
		r.errs = append(r.errs, err)
		return namedList{}
	}
	return r.lines(s)
}

// lines takes each line that is not empty as an item.
func (r *reader) lines(s *source) namedList {
	l := namedList{kind: aegis.String}
	for i, line := range bytes.Split(s.text, []byte("\n")) {
		item := strings.TrimSuffix(string(line), "\r")
		if strings.TrimSpace(item) != item {
			r.fail(Pos{s.name, i + 1, 1}, "remove the space", "an item begins or ends with space")
		} else if item != "" {
			l.items = append(l.items, Literal{Kind: aegis.String, Str: item})
		}
	}
	return l
}

// below opens a file that a policy names: it lies below the policy's directory, whatever links say.
func (r *reader) below(n *node, name string) *source {
	bad := func(hint, format string, args ...any) *source {
		r.fail(n.pos, hint, format, args...)
		return nil
	}
	switch {
	case r.file.dir == "":
		return bad("", "%q cannot be reached: the policy was not read from a directory", clip(name))
	case !fs.ValidPath(name) || strings.Contains(name, "\\"):
		return bad("write a path below the policy's directory, with slashes and without ..",
			"%q does not lie below the policy's directory", clip(name))
	}
	shown := path.Join(path.Dir(slashed(r.file.name)), name)
	r.named.Lock()
	defer r.named.Unlock()
	if s := r.named.byName[shown]; s != nil || r.memory {
		if s == nil {
			return bad("", "%q is not among the sources", clip(name))
		}
		r.unit.touch(s)
		return s
	}
	root, err := os.OpenRoot(r.file.dir)
	if err != nil {
		return bad("", "%q cannot be read: %v", clip(name), reason(err))
	}
	defer root.Close()
	// Asked before it is opened: to open a pipe would wait for its writer.
	if info, err := root.Stat(name); err == nil && !info.Mode().IsRegular() {
		return bad("", "%q is no regular file", clip(name))
	}
	f, err := root.Open(name)
	if err != nil {
		return bad("", "%q cannot be read: %v", clip(name), reason(err))
	}
	defer f.Close()
	text, err := readAll(f)
	if err != nil {
		return bad("", "%q cannot be read: %v", clip(name), reason(err))
	}
	if len(text) > MaxSource {
		return bad("", "%q is larger than %d bytes", clip(name), MaxSource)
	}
	s := &source{name: shown, dir: r.file.dir, text: text}
	r.named.byName[shown] = s
	r.unit.touch(s)
	return s
}

func slashed(dir string) string { return strings.ReplaceAll(dir, "\\", "/") }

// reason strips the operation and the path from an error of the file system.
func reason(err error) error {
	if pe, ok := err.(*fs.PathError); ok {
		return pe.Err
	}
	return err
}

// readAll reads a file, at most one byte more than is allowed.
func readAll(f *os.File) ([]byte, error) { return io.ReadAll(io.LimitReader(f, MaxSource+1)) }
