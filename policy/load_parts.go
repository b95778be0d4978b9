package policy

import "sync"

// document is one source and the key that says what it is.
type document struct {
	src  *source
	pos  Pos
	top  string
	name *node // the value of the top key
	root *node // of a fragment, whose tree is read again by every policy that uses it; else nil once it is read

	part *loader
	use  []*node // the fragments that a policy names
}

// namedFiles are the files that sources name, by the name that positions show.
type namedFiles struct {
	sync.Mutex
	byName map[string]*source
}

// parse reads sources, on every processor: the syntax of each, what it is, and what it says, but for the fragments that it
// uses. A tree is let go once it is read, since those of many files take more memory than all that is kept of them.
func (l *loader) parse(sources ...*source) {
	docs, errs := make([]*document, len(sources)), make([]*Error, len(sources))
	onEvery(len(sources), func(i int) {
		var root *node
		if root, errs[i] = sources[i].parse(); errs[i] == nil {
			docs[i] = l.begin(root)
		}
	})
	for i := range sources {
		if errs[i] != nil {
			l.errs = append(l.errs, errs[i])
		} else {
			l.docs = append(l.docs, docs[i])
		}
	}
}

// fork returns a loader for one document. What all share is either not written to or guarded; join takes the rest.
func (l *loader) fork() *loader {
	part := newLoader(l.opts)
	part.fragments, part.base, part.memory, part.named, part.items = l.fragments, l.base, l.memory, l.named, l.items
	return part
}

// begin reads the tree of a document as far as it can be read by itself.
func (l *loader) begin(root *node) *document {
	d := &document{src: root.src, pos: root.pos, root: root, part: l.fork()}
	if !d.part.identify(d) {
		d.top = ""
	}
	switch d.top {
	case "", "fragment":
		return d
	case "agent":
		d.part.policy(d)
	case "guardrail":
		d.part.guardrail(d)
	default:
		d.part.raw(d)
	}
	d.root, d.name = nil, &node{src: d.src, pos: d.name.pos}
	return d
}

// complete reads what needs the fragments of all documents.
func (d *document) complete() {
	switch d.top {
	case "agent":
		d.part.uses(d, d.part.units[0])
		d.use = nil
	case "fragment":
		d.part.state(d, &unit{}, new(Scope)) // for its errors only: a fragment's rules are those of the policies that use it
	}
}

// join takes what a document says.
func (l *loader) join(d *document) {
	part := d.part
	d.part = nil
	l.errs = append(l.errs, part.errs[:min(len(part.errs), max(0, maxCollected-len(l.errs)))]...)
	l.units = append(l.units, part.units...)
	l.set.Policies = append(l.set.Policies, part.set.Policies...)
	l.set.Guardrails = append(l.set.Guardrails, part.set.Guardrails...)
	l.set.Routes = append(l.set.Routes, part.set.Routes...)
	l.set.Schemas = append(l.set.Schemas, part.set.Schemas...)
	for name := range part.overridden {
		l.overridden[name] = true
	}
	for def, used := range part.used {
		l.used[def] = l.used[def] || used
	}
	for name := range part.fragmentUsed {
		l.fragmentUsed[name] = true
	}
	for _, x := range part.inlined {
		before := l.placed
		l.placed += x.items
		if l.placed > maxInlined && before <= maxInlined {
			l.fail(x.pos, "", "lists are used so often that they hold more than %d items together", maxInlined)
		}
	}
}
