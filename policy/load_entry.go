package policy

import (
	"strings"

	"github.com/aegisctl/aegis"
)

// draft is an entry while it is read: what it will be called is known only when all of a policy's entries are.
type draft struct {
	*Entry
	id       string // as written, or ""
	explicit bool
	pos      Pos
}

// entryFields is what an entry of allowed_tools, an action with keys of its own, and an entry of a guardrail's tools
// may say. A guardrail only narrows, so it has no key that would loosen.
func entryFields() []field[*draft] {
	const grants = inEntry | inAction
	const bounds = inTool | inToolAction
	const all = grants | bounds
	return []field[*draft]{
		{"id", all, 0, nameShape, func(r *reader, d *draft, _, n *node) { d.id, d.explicit = r.name(n, "id") }},
		{"name", grants, grants, oneOrMore(globShape), readEntryName},
		{"name", bounds, bounds, oneOrMore(starShape), readEntryName},
		{"effect", grants, 0, enumOf("read", "write"), readEffect},
		{"mode", grants, 0, modeShape, func(r *reader, d *draft, _, n *node) { d.Mode = r.mode(n) }},
		{"callers", all, 0, namesShape, func(r *reader, d *draft, k, n *node) { r.callers(&d.Scope, k, n) }},
		{"conditions", all, 0, defined("conditions"), func(r *reader, d *draft, _, n *node) {
			d.Conditions = r.conditions(n)
		}},
		{"sanitize", all, 0, listOf(defined("sanitizer")), func(r *reader, d *draft, _, n *node) {
			d.Sanitize = r.sanitize(n)
		}},
		{"taints", all, 0, namesShape, func(r *reader, d *draft, _, n *node) { d.Taints = r.names(n, "taints") }},
		{"limits", all, 0, listOf(defined("limit")), func(r *reader, d *draft, _, n *node) { d.Limits = r.limits(n) }},
		{"cost", all, 0, textShape, func(r *reader, d *draft, k, n *node) { d.Cost = r.cost(k, n) }},
		{"approval", all, 0, oneOrMore(defined("approval")), func(r *reader, d *draft, _, n *node) {
			d.Approval = r.approval(n)
		}},
		{"on_failure", grants, 0, enumOf("open", "closed"), readOnFailure},
		{"case_keys", grants, 0, enumOf("distinct"), readCaseKeys},
		// Last: actions look at what the entry itself says.
		{"actions", inEntry, 0, listOf(oneOf(globShape, defined("action"))), readActions},
		{"actions", inTool, 0, listOf(oneOf(starShape, defined("guardrail_action"))), readActions},
	}
}

// readEntry reads one entry with its actions, or nil where n is no mapping.
func (r *reader) readEntry(n *node) *Entry {
	in := inEntry
	if r.in == inGuardrail {
		in = inTool
	}
	d := r.draft(n, in, nil)
	if d == nil {
		return nil
	}
	d.Grants = in == inEntry
	parts := []string{joinNames(d.Tools)}
	if d.Actions != nil {
		parts = append(parts, joinNames(d.Actions))
	}
	d.ID = strings.Join(parts, "/")
	if d.explicit {
		d.ID = aegis.EscapeName(d.id)
	}
	for _, c := range d.Children {
		child := r.unit.drafts[c]
		parent := joinNames(d.Tools)
		if d.explicit {
			parent = d.ID
		}
		c.ID = parent + "/" + joinNames(c.Actions)
		if child.explicit {
			c.ID = aegis.EscapeName(child.id)
		}
		c.Tools = d.Tools
	}
	return d.Entry
}

// draft reads the keys of an entry or an action.
func (r *reader) draft(n *node, in place, parent *Entry) *draft {
	d := &draft{Entry: &Entry{Pos: n.pos, Parent: parent, Scope: noScope()}, pos: n.pos}
	sub := *r
	sub.in, sub.entry = in, d.Entry
	what := "the entry"
	if parent != nil {
		what = "the action"
	}
	if !readFields(&sub, n, what, entryTable.of(entryFields), d) {
		return nil
	}
	d.Entry.Names = d.Entry.named()
	r.unit.add(d)
	return d
}

func readEntryName(r *reader, d *draft, k, n *node) {
	switch r.in {
	case inEntry, inTool:
		d.Tools = r.patterns(n, "tool", r.in == inTool)
	default:
		d.Actions = r.patterns(n, "action", r.in == inToolAction)
	}
}

// readActions reads names of actions, and actions with keys of their own, which become children.
func readActions(r *reader, d *draft, k, n *node) {
	in, bare := inAction, false
	if r.in == inTool {
		in, bare = inToolAction, true
	}
	d.Actions = []Pattern{} // not nil: what cannot be read must not come to mean any action
	for _, m := range r.members(n, "actions") {
		if m.kind != mapNode {
			if p, ok := r.pattern(m, "action", bare); ok {
				d.Actions = append(d.Actions, p)
			}
			continue
		}
		if c := r.draft(m, in, d.Entry); c != nil {
			d.Actions = append(d.Actions, c.Actions...)
			d.Children = append(d.Children, c.Entry)
			r.failsOpen(c, d)
		}
	}
	d.Actions = sortedSet(d.Actions)
}

func readEffect(r *reader, d *draft, _, n *node) {
	if w, ok := r.word(n, "effect", "read", "write"); ok {
		d.Effect, _ = aegis.ParseEffect(w)
	}
}

func readOnFailure(r *reader, d *draft, _, n *node) {
	w, ok := r.word(n, "on_failure", "open", "closed")
	if !ok {
		return
	}
	d.OnFailure = FailClosed
	if w == "open" {
		d.OnFailure = FailOpen
	}
	if d.OnFailure == FailOpen && d.Parent == nil && d.Effect != aegis.Read {
		r.fail(n.pos, "add effect: read, if that is true; writes fail closed", "on_failure: open without effect: read")
	}
}

// failsOpen checks an action together with its entry, whose effect and on_failure it may have replaced.
func (r *reader) failsOpen(action, entry *draft) {
	effect, failure := action.Effect, action.OnFailure
	if effect == aegis.EffectUnset {
		effect = entry.Effect
	}
	if failure == FailureUnset {
		failure = entry.OnFailure
	}
	if failure == FailOpen && effect != aegis.Read && (entry.OnFailure != FailOpen || entry.Effect == aegis.Read) {
		r.fail(action.pos, "give the action on_failure: closed; writes fail closed",
			"on_failure: open for an action that writes")
	}
}

func readCaseKeys(r *reader, d *draft, _, n *node) {
	_, d.CaseDistinct = r.word(n, "case_keys", "distinct")
}
