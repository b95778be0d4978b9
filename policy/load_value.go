package policy

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
)

// reader reads one file, or one entry of it: what names mean there, and who owns the rules that are found.
type reader struct {
	*loader
	in      place
	unit    *unit
	entry   *Entry // that owns the rules; nil: the policy or guardrail itself
	file    *source
	params  map[string]Literal
	lists   map[string]namedList
	defined map[string]Definition // params and lists, whose names differ
}

// namedList is a list of `lists`. A list that is empty has no kind.
type namedList struct {
	kind  aegis.Kind
	items []Literal
}

// text returns a scalar's text. What a YAML reader may take for something else than text is refused.
func (r *reader) text(n *node, what string) (string, bool) {
	switch {
	case n.kind != scalarNode:
		r.fail(n.pos, "", "%s must be text, not %s", what, n.what())
		return "", false
	case n.special() == "null":
		r.fail(n.pos, "write a value, or remove the key", "%s must be text, not nothing", what)
		return "", false
	case n.special() != "":
		r.fail(n.pos, fmt.Sprintf("put it into quotes: %q", n.text), "%s must be text, not %s", what, n.what())
		return "", false
	case n.text == "":
		r.fail(n.pos, "", "%s is empty", what)
		return "", false
	}
	for _, c := range n.text {
		if c == '\n' {
			r.fail(n.pos, "", "%s goes over several lines", what)
			return "", false
		}
		if c < ' ' || c == 0x7f {
			r.fail(n.pos, "", "%s holds a control character (U+%04X)", what, c)
			return "", false
		}
	}
	return n.text, true
}

// prose is text that may go over several lines, as a YAML block.
func (r *reader) prose(n *node, what string) (string, bool) {
	if n.style != literalBlock && n.style != foldedBlock {
		return r.text(n, what)
	}
	flat := *n
	flat.text = strings.ReplaceAll(strings.TrimRight(n.text, "\n"), "\n", " ")
	_, ok := r.text(&flat, what)
	return strings.TrimRight(n.text, "\n"), ok
}

// oneText returns a text, or that of the param that n refers to.
func (r *reader) oneText(n *node, what string) (string, bool) {
	if _, isRef := r.refers(n); !isRef {
		return r.text(n, what)
	}
	lit, ok := r.param(n, what)
	if ok && lit.Kind != aegis.String {
		r.fail(n.pos, "", "%s must be text, and %s is a %s", what, n.text, lit.Kind)
		return "", false
	}
	return lit.Str, ok
}

// word returns a text that is one of a few.
func (r *reader) word(n *node, what string, options ...string) (string, bool) {
	s, ok := r.text(n, what)
	if ok && !slices.Contains(options, s) {
		hint := ""
		if near := nearest(s, options); near != "" {
			hint = fmt.Sprintf("did you mean %s?", near)
		}
		r.fail(n.pos, hint, "%s must be %s, not %q", what, strings.Join(options, " or "), clip(s))
		return "", false
	}
	return s, ok
}

// name returns a name as policies may write it.
func (r *reader) name(n *node, what string) (string, bool) {
	s, ok := r.text(n, what)
	if !ok || aegis.ValidPolicyName(s) {
		return s, ok
	}
	hint := "a name is at most 128 letters, digits and . _ / : -, and begins with a letter or digit"
	if strings.Contains(s, "*") {
		hint = "a star may stand only at the end, and only in names of tools, actions and agents"
	}
	r.fail(n.pos, hint, "%s %s is no name", what, quoteASCII(s))
	return "", false
}

// quoteASCII shows look-alike letters as what they are.
func quoteASCII(s string) string { return fmt.Sprintf("%+q", clip(s)) }

// pattern returns a name that may end in a star. A bare star fits all names; it needs bare.
func (r *reader) pattern(n *node, what string, bare bool) (Pattern, bool) {
	if n.kind != scalarNode || n.special() != "" || !strings.HasSuffix(n.text, "*") {
		s, ok := r.name(n, what)
		return Pattern(s), ok
	}
	prefix := strings.TrimSuffix(n.text, "*")
	switch {
	case prefix == "" && bare, prefix != "" && aegis.ValidPolicyName(prefix):
		return Pattern(n.text), true
	case prefix == "":
		r.fail(n.pos, "name each "+what+", or put the star behind a prefix", "a bare * would fit every %s", what)
	default:
		r.name(n, what)
	}
	return "", false
}

// patterns returns one pattern or a list of them, sorted, each once.
func (r *reader) patterns(n *node, what string, bare bool) []Pattern {
	nodes := []*node{n}
	if n.kind == listNode {
		nodes = r.members(n, what+"s")
	}
	var ps []Pattern
	for _, m := range nodes {
		if p, ok := r.pattern(m, what, bare); ok {
			ps = append(ps, p)
		}
	}
	return sortedSet(ps)
}

func sortedSet[T ~string](s []T) []T {
	slices.Sort(s)
	return slices.Compact(s)
}

// members returns the members of a list that may not be empty.
func (r *reader) members(n *node, what string) []*node {
	if n.kind != listNode {
		hint := ""
		if n.kind == scalarNode && n.special() != "null" {
			hint = fmt.Sprintf("write a list: [%s]", clip(n.text))
		}
		r.fail(n.pos, hint, "%s must be a list, not %s", what, n.what())
		return nil
	}
	if len(n.items) == 0 {
		r.fail(n.pos, "name at least one, or remove the key", "%s is an empty list", what)
	}
	return n.items
}

// names returns a list of names, sorted, each once; or the list that a reference names.
func (r *reader) names(n *node, what string) []string {
	var out []string
	if ref, ok := r.refers(n); ok {
		out = r.textList(n, ref, what)
		for _, s := range out {
			if !aegis.ValidName(s) {
				r.fail(n.pos, "", "%s: %s, of the list %s, is no name", what, quoteASCII(s), ref)
			}
		}
		return sortedSet(out)
	}
	for _, m := range r.members(n, what) {
		if s, ok := r.name(m, what); ok {
			out = append(out, s)
		}
	}
	return sortedSet(out)
}

// texts returns one text (where single) or a list of them, in which references stand for params and lists, sorted.
func (r *reader) texts(n *node, what string, single bool) []string {
	if ref, ok := r.refers(n); ok {
		if _, isParam := r.params[ref]; !isParam || !single {
			return sortedSet(r.textList(n, ref, what))
		}
	}
	nodes := []*node{n}
	if n.kind == listNode || !single {
		nodes = r.members(n, what)
	}
	var out []string
	for _, m := range nodes {
		if s, ok := r.oneText(m, what); ok {
			out = append(out, s)
		}
	}
	return sortedSet(out)
}

var referenceText = regexp.MustCompile(`^\$[A-Za-z_][A-Za-z0-9_]*$`)

// refers returns the name that a value such as $ceiling refers to.
func (r *reader) refers(n *node) (string, bool) {
	if n.kind == scalarNode && referenceText.MatchString(n.text) {
		return n.text[1:], true
	}
	return "", false
}

// param returns the param that a value refers to. It is false where the value is no reference, and where there is no
// such param, which it reports.
func (r *reader) param(n *node, what string) (Literal, bool) {
	ref, ok := r.refers(n)
	if !ok {
		return Literal{}, false
	}
	r.use(ref)
	lit, ok := r.params[ref]
	if !ok {
		if _, isList := r.lists[ref]; isList {
			r.fail(n.pos, "", "%s needs one value, and $%s is a list", what, ref)
		} else {
			r.fail(n.pos, orText(didYouMeanRef(ref, r.params), "to mean the text itself, put it into a list under lists:"),
				"no param is called %s", ref)
		}
	}
	return lit, ok
}

func didYouMeanRef[V any](ref string, known map[string]V) string {
	if n := nearest(ref, slices.Sorted(maps.Keys(known))); n != "" {
		return fmt.Sprintf("did you mean $%s?", n)
	}
	return ""
}

// list returns the list that a reference names.
func (r *reader) list(n *node, ref, what string) (namedList, bool) {
	r.use(ref)
	l, ok := r.lists[ref]
	if !ok {
		if _, isParam := r.params[ref]; isParam {
			r.fail(n.pos, fmt.Sprintf("write [$%s]", ref), "%s needs a list, and $%s is a param", what, ref)
		} else {
			r.fail(n.pos, didYouMeanRef(ref, r.lists), "no list is called %s", ref)
		}
	}
	return l, ok
}

// maxInlined bounds what all uses of all lists put in place: a list of a megabyte can be used many thousand times in
// another.
const maxInlined = 1_000_000

// inlined is one list that was put in place.
type inlined struct {
	pos   Pos
	items int
}

// inline counts the items of a list that is put in place of a reference. It is false where they become too many; the
// error comes with join, since files are read in no order.
func (r *reader) inline(n *node, items int) bool {
	if items > 0 {
		r.inlined = append(r.inlined, inlined{n.pos, items})
	}
	return r.items.Add(int64(items)) <= maxInlined
}

func (r *reader) textList(n *node, ref, what string) []string {
	l, ok := r.list(n, ref, what)
	if !ok || !r.inline(n, len(l.items)) {
		return nil
	}
	if l.kind != aegis.String {
		r.fail(n.pos, "", "%s needs texts, and the list %s holds %s", what, ref, plural(l.kind))
		return nil
	}
	out := make([]string, len(l.items))
	for i, it := range l.items {
		out[i] = it.Str
	}
	return out
}

func plural(k aegis.Kind) string {
	if k == aegis.Absent {
		return "nothing"
	}
	return k.String() + "s"
}
