package policy

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aegisctl/aegis"
)

// statement is what the file of a policy, guardrail or fragment says, whichever it is.
type statement struct {
	tenant  string
	agents  []Pattern
	name    string // of a guardrail or fragment
	meta    map[string]string
	mode    Mode
	scope   *Scope
	use     []*node
	limits  []*Limit
	entries []*Entry
	customs []*Custom
	grants  *node // the key allowed_tools
}

// fileFields is what stands at the top of a file. Params and lists come before whatever can refer to them.
func fileFields() []field[*statement] {
	const bounds = inAgent | inGuardrail
	const tree = bounds | inFragment
	return []field[*statement]{
		{"version", anywhere, 0, shape{"const": LanguageVersion}, readVersion},
		{"tenant", inAgent | inRoutes | inSchemas, 0, nameShape.described("default: default"), readTenant},
		{"tenant", inGuardrail, 0, oneOf(enumOf("*"), nameShape).described("default: default; * is all"), readTenant},
		{"agent", inAgent, inAgent, oneOrMore(globShape), readAgents},
		{"guardrail", inGuardrail, inGuardrail, nameShape, readName},
		{"fragment", inFragment, inFragment, nameShape, readName},
		{"agents", inGuardrail, 0, listOf(globShape), readAgents},
		{"meta", tree, 0, mapOf(shape{"type": "string"}), readMeta},
		{"mode", inAgent, 0, modeShape, func(r *reader, s *statement, _, n *node) { s.mode = r.mode(n) }},
		{"params", tree, 0, named(scalarShape), readParams},
		{"lists", tree, 0, named(oneOf(shape{"type": "array", "items": scalarShape}, fromShape)), readLists},
		{"callers", bounds, 0, namesShape, func(r *reader, s *statement, k, n *node) { r.callers(s.scope, k, n) }},
		{"max_chain_depth", bounds, 0, depthShape, readDepth},
		{"regions", bounds, 0, namesShape, readRegions},
		{"until", bounds, 0, textLike(`^\d{4}-\d\d-\d\d$`).described("the last day (UTC), in quotes"), readUntil},
		{"use", inAgent, 0, listOf(nameShape), func(r *reader, s *statement, _, n *node) { s.use = r.members(n, "use") }},
		{"limits", bounds, 0, listOf(defined("limit")), func(r *reader, s *statement, _, n *node) { s.limits = r.limits(n) }},
		{"allowed_tools", inAgent | inFragment, inFragment, shape{"type": "array", "items": defined("entry")}, readEntries},
		{"tools", inGuardrail, 0, listOf(defined("guardrail_entry")), readEntries},
		{"rego", inAgent, 0, listOf(textShape), readRego},
		{"routes", inRoutes, inRoutes, shape{"type": "array", "items": defined("route")}, readLater},
		{"schemas", inSchemas, inSchemas, shape{"type": []string{"array", "object"}}, readLater},
	}
}

// readLater is for keys that are read after the others.
func readLater(*reader, *statement, *node, *node) {}

var placeOf = map[string]place{"agent": inAgent, "guardrail": inGuardrail, "fragment": inFragment, "routes": inRoutes,
	"schemas": inSchemas}

// state reads a file's keys. The scope and the unit, which gets the rules, are those of what the file becomes.
func (l *loader) state(d *document, u *unit, scope *Scope) (*statement, *reader) {
	*scope = noScope()
	u.touch(d.src)
	s := &statement{tenant: "default", scope: scope}
	r := &reader{loader: l, in: placeOf[d.top], unit: u, file: d.src,
		params: map[string]Literal{}, lists: map[string]namedList{}}
	what := map[string]string{"agent": "the policy", "routes": "the file", "schemas": "the file"}[d.top]
	readFields(r, d.root, orText(what, "the "+d.top), fileTable.of(fileFields), s)
	return s, r
}

// policy reads the file of a policy, and leaves the fragments that it uses to uses.
func (l *loader) policy(d *document) {
	p := &Policy{Pos: d.name.pos}
	u := &unit{policy: p}
	s, r := l.state(d, u, &p.Scope)
	p.Tenant, p.Agents, p.Mode, p.Meta = s.tenant, s.agents, s.mode, s.meta
	p.Limits, p.Entries, p.Custom = s.limits, s.entries, s.customs
	if p.Scope.Callers == nil {
		p.Scope.Callers = []string{user}
		r.rule(&p.Scope.CallersRule, "callers", d.name.pos)
	}
	grants := d.name.pos
	if s.grants != nil {
		grants = s.grants.pos
	} else if s.use == nil {
		l.fail(d.root.pos, "name what the agent may use; [] grants nothing", "the policy has no allowed_tools")
	}
	r.rule(&p.Grant, "allowed_tools", grants)
	p.ID = aegis.EscapeName(p.Tenant) + "/" + joinNames(p.Agents)
	u.id = p.ID
	d.use = s.use
	l.units = append(l.units, u)
	l.set.Policies = append(l.set.Policies, p)
}

// uses adds the fragments that a policy uses, when all of them are known.
func (l *loader) uses(d *document, u *unit) {
	p, r := u.policy, &reader{loader: l, in: inAgent, unit: u, file: d.src}
	seen := map[string]bool{}
	for _, n := range d.use {
		name, ok := r.name(n, "fragment")
		if ok && seen[name] {
			r.fail(n.pos, "", "fragment %s is used twice", name)
		} else if ok {
			seen[name] = true
			p.Entries = append(p.Entries, l.fragment(n, name, u)...)
		}
	}
	for _, e := range p.Entries {
		l.kinds(e, p.Limits)
	}
}

func (l *loader) guardrail(d *document) {
	g := &Guardrail{Pos: d.name.pos}
	u := &unit{guardrail: g}
	s, _ := l.state(d, u, &g.Scope)
	g.Name, g.Tenant, g.Agents, g.Limits, g.Entries = s.name, s.tenant, s.agents, s.limits, s.entries
	g.ID = aegis.EscapeName(g.Tenant) + "/guardrail:" + aegis.EscapeName(g.Name)
	u.id = g.ID
	for _, e := range g.Entries {
		l.kinds(e, g.Limits)
	}
	l.units = append(l.units, u)
	l.set.Guardrails = append(l.set.Guardrails, g)
}

// fragment reads a fragment's entries once more for the policy that uses it: its rules are then that policy's, with
// their places in the fragment's file.
func (l *loader) fragment(n *node, name string, u *unit) []*Entry {
	d := l.fragments[name]
	if d == nil {
		l.fail(n.pos, didYouMean(name, slices.Sorted(maps.Keys(l.fragments))), "no fragment is called %s", name)
		return nil
	}
	l.fragmentUsed[name] = true
	s, _ := l.state(d, u, new(Scope))
	return s.entries
}

func readVersion(r *reader, _ *statement, _, n *node) {
	if num, ok := r.number(n, "version"); ok && num.Cmp(aegis.Int(LanguageVersion)) != 0 {
		r.fail(n.pos, "", "version %s of the language is not known here; this is version %d", num.Text(), LanguageVersion)
	}
}

func readTenant(r *reader, s *statement, _, n *node) {
	if r.in == inGuardrail && n.kind == scalarNode && n.text == "*" {
		s.tenant = "*"
		return
	}
	if t, ok := r.name(n, "tenant"); ok {
		s.tenant = t
	}
}

// user is what stands for the human in chains.
const user = "user"

func readAgents(r *reader, s *statement, k, n *node) {
	if k.text == "agents" && n.kind != listNode {
		r.members(n, "agents")
		return
	}
	s.agents = r.patterns(n, "agent", false)
	for _, a := range s.agents {
		if a == user {
			r.fail(n.pos, "in chains, user is the human", "an agent may not be called user")
		}
		if strings.HasPrefix(string(a), "guardrail:") {
			r.fail(n.pos, "", "an agent's name may not begin with guardrail:")
		}
	}
}

func readName(r *reader, s *statement, k, n *node) {
	s.name, _ = r.name(n, k.text)
}

func readMeta(r *reader, s *statement, _, n *node) {
	if n.kind != mapNode {
		r.fail(n.pos, "", "meta must be a mapping, not %s", n.what())
		return
	}
	s.meta = map[string]string{}
	for i, k := range n.keys {
		if name, ok := r.text(k, "a key of meta"); ok {
			s.meta[name], _ = r.text(n.items[i], "meta "+name)
		}
	}
}

var percent = regexp.MustCompile(`^(\d{1,3}(?:\.\d{1,6})?)%$`)

// mode reads enforce, shadow or {enforce: 25%}.
func (r *reader) mode(n *node) Mode {
	m := Mode{Stated: true}
	if n.kind != mapNode {
		w, _ := r.word(n, "mode", "enforce", "shadow")
		m.Shadow = w == "shadow"
		return m
	}
	share := n.get("enforce")
	if share == nil || len(n.keys) != 1 {
		r.fail(n.pos, "write {enforce: 25%}", "a mapping as mode has the one key enforce")
		return m
	}
	parts := percent.FindStringSubmatch(share.text)
	if parts != nil && share.kind == scalarNode {
		m.Percent, _ = strconv.ParseFloat(parts[1], 64)
	}
	if parts == nil || m.Percent <= 0 || m.Percent > 100 {
		hint := "write {enforce: 25%}"
		if m.Percent == 0 && parts != nil {
			hint = "to enforce nothing write mode: shadow"
		}
		r.fail(share.pos, hint, "enforce must be a percentage over 0%% and up to 100%%, not %s", share.what())
	}
	return m
}

func (r *reader) callers(s *Scope, k, n *node) {
	s.Callers = r.names(n, "callers")
	r.rule(&s.CallersRule, "callers", k.pos)
}

func readDepth(r *reader, s *statement, k, n *node) {
	s.scope.MaxDepth, _ = r.integer(n, "max_chain_depth", 0, aegis.MaxChain)
	r.rule(&s.scope.DepthRule, "max_chain_depth", k.pos)
}

func readRegions(r *reader, s *statement, k, n *node) {
	s.scope.Regions = r.names(n, "regions")
	r.rule(&s.scope.RegionsRule, "regions", k.pos)
}

func readUntil(r *reader, s *statement, k, n *node) {
	day, ok := r.text(n, "until")
	if !ok {
		return
	}
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		r.fail(n.pos, `write the last day in quotes: "2026-12-31"`, "until must be a day, not %q", clip(day))
		return
	}
	s.scope.Until = t.AddDate(0, 0, 1).UnixMicro()
	r.rule(&s.scope.UntilRule, "until", k.pos)
}

func readEntries(r *reader, s *statement, k, n *node) {
	s.grants = k
	if n.kind != listNode {
		r.members(n, k.text)
		return
	}
	for _, m := range n.items {
		if e := r.readEntry(m); e != nil {
			s.entries = append(s.entries, e)
		}
	}
}

// joinNames writes names as the part of a rule's id: escaped, sorted, joined by +.
func joinNames(ps []Pattern) string {
	parts := make([]string, len(ps))
	for i, p := range ps {
		parts[i] = aegis.EscapeName(string(p))
	}
	slices.Sort(parts)
	return strings.Join(parts, "+")
}

// indexed is the key of a list's member, such as limits[0].
func indexed(key string, i int) string { return fmt.Sprintf("%s[%d]", key, i) }

func noScope() Scope {
	return Scope{CallersRule: NoRule, DepthRule: NoRule, RegionsRule: NoRule, UntilRule: NoRule}
}
