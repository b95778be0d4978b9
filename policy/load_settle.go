package policy

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// unit is one policy or guardrail while it is read: its entries, and the rules that wait for their ids.
type unit struct {
	id        string // tenant/agent, or tenant/guardrail:NAME
	policy    *Policy
	guardrail *Guardrail
	drafts    map[*Entry]*draft
	order     []*draft
	rules     []pending
	sources   []*source // the files it was made from
	params    []string  // those for which the options gave values
}

// pending is a rule whose id is not yet known. Its number goes to dst.
type pending struct {
	dst   *RuleID
	entry *Entry // nil: of the policy as a whole
	key   string
	pos   Pos
}

func (u *unit) add(d *draft) {
	if u.drafts == nil {
		u.drafts = map[*Entry]*draft{}
	}
	u.drafts[d.Entry] = d
	u.order = append(u.order, d)
}

// rule notes a rule of what is being read. Its number is written to dst when all are known.
func (r *reader) rule(dst *RuleID, key string, pos Pos) {
	*dst = NoRule
	if r.unit.rules == nil {
		r.unit.rules = make([]pending, 0, 160) // of a policy of twenty tools
	}
	r.unit.rules = append(r.unit.rules, pending{dst, r.entry, key, pos})
}

// settle names and numbers what was read. Everything is sorted by what it is called, so that nothing depends on the
// order of files and entries.
func (l *loader) settle() {
	for _, u := range l.units {
		u.keys(l)
	}
	if len(l.errs) > 0 {
		return
	}
	l.narrow()
	l.number()
	l.set.arrange()
	l.set.Features = l.set.features()
	l.set.seal()
}

// number names the rules and numbers them in the order of their names. Where two share one, it stands at the first place.
func (l *loader) number() {
	type named struct {
		id   string
		rule *pending
	}
	count := 0
	for _, u := range l.units {
		count += len(u.rules)
	}
	all := make([]named, 0, count)
	for _, u := range l.units {
		for i := range u.rules {
			all = append(all, named{u.ruleID(&u.rules[i]), &u.rules[i]})
		}
	}
	slices.SortFunc(all, func(a, b named) int {
		return cmp.Or(strings.Compare(a.id, b.id), a.rule.pos.compare(b.rule.pos))
	})
	l.set.Rules = append(make([]Rule, 0, count+1), Rule{})
	for i, n := range all {
		if i == 0 || all[i-1].id != n.id {
			l.set.Rules = append(l.set.Rules, Rule{ID: n.id, Pos: n.rule.pos})
		}
		*n.rule.dst = RuleID(len(l.set.Rules) - 1)
	}
	for _, u := range l.units {
		u.rules, u.drafts, u.order = nil, nil, nil
	}
}

func (u *unit) ruleID(p *pending) string {
	if p.entry == nil {
		return u.id + "#" + p.key
	}
	return p.entry.ID + "#" + p.key
}

// keys gives the entries of one policy their ids. Until then an entry's ID is the part after the agent's; entries that
// share it are told apart by a hash of what they say, never by their position.
func (u *unit) keys(l *loader) {
	same := map[string][]*draft{}
	for _, d := range u.order {
		same[d.ID] = append(same[d.ID], d)
	}
	h := hasher{canon: canon{key: func(id *RuleID) string { return "" }}, sums: map[*Entry][sha256.Size]byte{}}
	if len(same) < len(u.order) {
		keyOf := map[*RuleID]string{}
		for _, p := range u.rules {
			keyOf[p.dst] = p.key
		}
		h.key = func(id *RuleID) string { return keyOf[id] }
	}
	final := map[string]*draft{}
	for _, d := range u.order {
		id := d.ID
		if len(same[id]) > 1 && !d.explicit {
			id += "@" + h.suffix(d.Entry)
		}
		if first := final[id]; first != nil {
			if d.explicit {
				l.fail(d.pos, "give each an id of its own", "id %s is taken by the entry at %s", d.id, first.pos)
			} else {
				l.fail(d.pos, "remove one", "the entry at %s says the same", first.pos)
			}
			continue
		}
		final[id] = d
	}
	for id, d := range final {
		d.ID = u.id + "/" + id
	}
}

// hasher hashes entries by what they say.
type hasher struct {
	canon
	sums map[*Entry][sha256.Size]byte
}

func (h *hasher) sum(e *Entry) [sha256.Size]byte {
	sum, ok := h.sums[e]
	if !ok {
		sum = sha256.Sum256(canonicalJSON(h.entry(e)))
		h.sums[e] = sum
	}
	return sum
}

// suffix is eight hexadecimal digits of the SHA-256 of the entry's canonical form; for an action, of its own and its
// entry's, since two entries may have equal actions.
func (h *hasher) suffix(e *Entry) string {
	sum := h.sum(e)
	if e.Parent != nil {
		parent := h.sum(e.Parent)
		sum = sha256.Sum256(append(sum[:], parent[:]...))
	}
	return hex.EncodeToString(sum[:4])
}

// narrow keeps one tenant, if the options say so.
func (l *loader) narrow() {
	t := l.opts.Tenant
	if t == "" {
		return
	}
	foreign := func(g *Guardrail) bool { return g.Tenant != t && g.Tenant != "*" }
	l.units = slices.DeleteFunc(l.units, func(u *unit) bool {
		return u.policy != nil && u.policy.Tenant != t || u.guardrail != nil && foreign(u.guardrail)
	})
	l.set.Policies = slices.DeleteFunc(l.set.Policies, func(p *Policy) bool { return p.Tenant != t })
	l.set.Guardrails = slices.DeleteFunc(l.set.Guardrails, foreign)
	other := func(r *Raw) bool { return r.Tenant != t }
	l.set.Routes = slices.DeleteFunc(l.set.Routes, other)
	l.set.Schemas = slices.DeleteFunc(l.set.Schemas, other)
	if len(l.set.Policies) == 0 {
		l.fail(Pos{}, "", "no policy is of the tenant %s", t)
	}
}

// arrange sorts policies, guardrails and entries by their ids, and gives limits their ledgers.
func (s *Set) arrange() {
	slices.SortFunc(s.Policies, func(a, b *Policy) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(s.Guardrails, func(a, b *Guardrail) int { return strings.Compare(a.ID, b.ID) })
	for _, p := range s.Policies {
		s.arrangeEntries(p.Entries)
		s.ledgers(p.Limits)
	}
	for _, g := range s.Guardrails {
		s.arrangeEntries(g.Entries)
		s.ledgers(g.Limits)
	}
}

func (s *Set) arrangeEntries(es []*Entry) {
	slices.SortFunc(es, func(a, b *Entry) int { return strings.Compare(a.ID, b.ID) })
	for _, e := range es {
		s.ledgers(e.Limits)
		s.arrangeEntries(e.Children)
	}
}

func (s *Set) ledgers(ls []*Limit) {
	for _, x := range ls {
		x.Spec.Ledger = s.Rules[x.Rule].ID
	}
}

// eachEntry calls f for every entry and every action with keys of its own.
func (s *Set) eachEntry(f func(*Entry)) {
	visit := func(es []*Entry) {
		for _, e := range es {
			f(e)
			for _, c := range e.Children {
				f(c)
			}
		}
	}
	for _, p := range s.Policies {
		visit(p.Entries)
	}
	for _, g := range s.Guardrails {
		visit(g.Entries)
	}
}

// features collects what expressions ask of history, sorted, each once.
func (s *Set) features() []Feature {
	found := map[string]Feature{}
	collect := func(x *Expr) {
		if x == nil {
			return
		}
		x.Walk(func(e *Expr) {
			switch e.Op {
			case OpCount, OpSeen, OpSum, OpValues, OpTainted:
				found[fmt.Sprintf("%d %s", e.Feature.Kind, e.Feature.Key())] = *e.Feature
			}
		})
	}
	s.eachEntry(func(e *Entry) {
		for _, c := range e.expressions() {
			collect(c.Expr)
		}
		if e.Cost != nil {
			collect(e.Cost.Expr)
		}
	})
	var out []Feature
	for _, f := range found {
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b Feature) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), strings.Compare(a.Key(), b.Key()))
	})
	return out
}
