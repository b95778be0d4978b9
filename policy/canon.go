package policy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"slices"
	"strconv"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/limit"
)

// The canonical form says what is enforced and nothing of how it was written: the typed tree as JSON with sorted keys,
// numbers by value, expressions in their one printed form, lists, params and fragments in place, sets sorted. Comments,
// paths, positions and the order of files, keys and entries are not in it. The keys of rules are, since they are what
// reasons cite and what ledgers are kept under.

// form is one object of the canonical form. Members that are nil, "", 0, false or empty are left out.
type form map[string]any

func (f form) MarshalJSON() ([]byte, error) { return canonicalJSON(f), nil }

// kept reports whether a member stands in the canonical form.
func (f form) kept(key string) bool {
	switch v := f[key].(type) {
	case nil:
		return false
	case string:
		return v != ""
	case bool:
		return v
	case []string:
		return len(v) > 0
	case []any:
		return len(v) > 0
	}
	return true
}

// canonicalJSON writes JSON with sorted keys and nothing escaped that need not be. (It writes what encoding/json does,
// which passes over a text once for every level it is nested in.)
func canonicalJSON(v any) []byte { return appendJSON(make([]byte, 0, 512), v) }

func appendJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case string:
		return appendText(b, v)
	case bool:
		return strconv.AppendBool(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case json.RawMessage:
		return append(b, v...)
	case []string:
		return appendList(b, v, appendText)
	case []any:
		return appendList(b, v, appendJSON)
	case form:
		return appendMembers(b, v, v.kept)
	case map[string]any:
		return appendMembers(b, v, func(string) bool { return true })
	}
	return appendEncoded(b, v)
}

func appendList[T any](b []byte, list []T, element func([]byte, T) []byte) []byte {
	if list == nil {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i, x := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = element(b, x)
	}
	return append(b, ']')
}

func appendMembers(b []byte, members map[string]any, kept func(string) bool) []byte {
	keys := make([]string, 0, len(members))
	for k := range members {
		if kept(k) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	b = append(b, '{')
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendText(b, k), ':')
		b = appendJSON(b, members[k])
	}
	return append(b, '}')
}

// appendText writes a string; the one in need of escapes as encoding/json writes it.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == '"' || s[i] == '\\' {
			return appendEncoded(b, s)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

func appendEncoded(b []byte, v any) []byte {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // forms hold nothing that JSON has no text for
	}
	return append(b, bytes.TrimSuffix(text.Bytes(), []byte("\n"))...)
}

// seal computes the version of the set and the digests of its policies.
func (s *Set) seal() {
	c := canon{ids: true, key: func(id *RuleID) string {
		if *id < 0 {
			return ""
		}
		_, key, _ := strings.Cut(s.Rules[*id].ID, "#")
		return key
	}}
	guardrails := make([]any, len(s.Guardrails))
	for i, g := range s.Guardrails {
		guardrails[i] = json.RawMessage(canonicalJSON(c.guardrail(g)))
	}
	// What is hashed is {"guardrails":…,"language":…,"policies":[…],"routes":…,"schemas":…}. All of it at once would be the
	// largest thing that a load makes, so policies are hashed by the batch.
	whole := newHashed()
	whole.member("guardrails", guardrails)
	whole.member("language", LanguageVersion)
	var texts [64][]byte
	for from := 0; from < len(s.Policies); from += len(texts) {
		batch := s.Policies[from:min(from+len(texts), len(s.Policies))]
		onEvery(len(batch), func(i int) {
			texts[i] = appendJSON(texts[i][:0], c.policy(batch[i]))
			batch[i].Digest = s.bound(batch[i], texts[i], guardrails)
		})
		for i := range batch {
			if from+i == 0 {
				whole.key("policies")
				whole.Write([]byte{'['})
			} else {
				whole.Write([]byte{','})
			}
			whole.Write(texts[i])
		}
	}
	if len(s.Policies) > 0 {
		whole.Write([]byte{']'})
	}
	whole.member("routes", rawForms(s.Routes))
	whole.member("schemas", rawForms(s.Schemas))
	s.Version = "sha256:" + whole.sum()
}

// bound is the digest of a policy, whose canonical form is given, and of the guardrails that bound it.
func (s *Set) bound(p *Policy, text []byte, guardrails []any) string {
	var bounds []any
	for j, g := range s.Guardrails {
		if g.bounds(p) {
			bounds = append(bounds, guardrails[j])
		}
	}
	h := newHashed()
	h.member("guardrails", bounds)
	h.member("language", LanguageVersion)
	h.key("policy")
	h.Write(text)
	return h.sum()
}

// hashed is the SHA-256 of a form, whose members are given in order.
type hashed struct {
	hash.Hash
	members int
}

func newHashed() *hashed { return &hashed{Hash: sha256.New()} }

func (h *hashed) key(name string) {
	start := byte(',')
	if h.members == 0 {
		start = '{'
	}
	h.members++
	h.Write(append(appendText([]byte{start}, name), ':'))
}

func (h *hashed) member(name string, v any) {
	if f := (form{name: v}); f.kept(name) {
		h.key(name)
		h.Write(canonicalJSON(v))
	}
}

// sum is of the form's text; a form without members is {}.
func (h *hashed) sum() string {
	if h.members == 0 {
		h.Write([]byte{'{'})
	}
	h.Write([]byte{'}'})
	return hex.EncodeToString(h.Sum(nil))
}

// Fingerprint computes anew what Version holds, for a set that was changed since it was loaded.
func (s *Set) Fingerprint() string {
	t := *s
	t.Policies = make([]*Policy, len(s.Policies))
	for i, p := range s.Policies {
		same := *p
		t.Policies[i] = &same
	}
	t.seal()
	return t.Version
}

// bounds reports whether the guardrail may apply to an agent of the policy.
func (g *Guardrail) bounds(p *Policy) bool {
	if g.Tenant != "*" && g.Tenant != p.Tenant {
		return false
	}
	if g.Agents == nil {
		return true
	}
	return slices.ContainsFunc(p.Agents, func(a Pattern) bool {
		return slices.ContainsFunc(g.Agents, a.overlaps)
	})
}

// overlaps reports whether a name can fit both patterns.
func (p Pattern) overlaps(q Pattern) bool {
	if p.Exact() {
		return q.Match(string(p))
	}
	if q.Exact() {
		return p.Match(string(q))
	}
	a, b := strings.TrimSuffix(string(p), "*"), strings.TrimSuffix(string(q), "*")
	return strings.HasPrefix(a, b) || strings.HasPrefix(b, a)
}

// rawForms sorts files by tenant and content: which file something stands in does not matter.
func rawForms(rs []*Raw) []any {
	return sortedForms(formsOf(rs, func(r *Raw) form {
		return form{"tenant": r.Tenant, "content": json.RawMessage(r.JSON)}
	}))
}

// canon makes canonical forms. While entries have no ids yet, ids is false.
type canon struct {
	ids bool
	key func(*RuleID) string // the key of a rule, such as limits[0]
}

func (c canon) policy(p *Policy) form {
	f := form{"tenant": p.Tenant, "agents": patternTexts(p.Agents), "mode": modeForm(p.Mode), "scope": c.scope(&p.Scope),
		"limits": formsOf(p.Limits, c.limit), "entries": formsOf(p.Entries, c.entry)}
	if len(p.Meta) > 0 {
		f["meta"] = p.Meta
	}
	f["rego"] = formsOf(p.Custom, func(x *Custom) form { return form{"rule": c.key(&x.Rule), "source": x.Source} })
	return f
}

func (c canon) guardrail(g *Guardrail) form {
	f := form{"name": g.Name, "tenant": g.Tenant, "scope": c.scope(&g.Scope), "limits": formsOf(g.Limits, c.limit),
		"entries": formsOf(g.Entries, c.entry)}
	if g.Agents != nil {
		f["agents"] = patternTexts(g.Agents)
	}
	return f
}

func patternTexts(ps []Pattern) []string {
	out := make([]string, len(ps))
	for i, p := range ps {
		out[i] = string(p)
	}
	return out
}

func formsOf[T any](xs []*T, f func(*T) form) []any {
	var out []any
	for _, x := range xs {
		out = append(out, f(x))
	}
	return out
}

func modeForm(m Mode) any {
	switch {
	case !m.Stated:
		return nil
	case m.Shadow:
		return "shadow"
	case m.Percent > 0:
		return form{"enforce": m.Percent}
	}
	return "enforce"
}

func (c canon) scope(s *Scope) form {
	f := form{}
	if s.CallersRule != NoRule || len(s.Callers) > 0 {
		f["callers"] = s.Callers
	}
	if c.key(&s.DepthRule) != "" {
		f["max_chain_depth"] = s.MaxDepth
	}
	if c.key(&s.RegionsRule) != "" {
		f["regions"] = s.Regions
	}
	if c.key(&s.UntilRule) != "" {
		f["until"] = s.Until
	}
	return f
}

func (c canon) entry(e *Entry) form {
	f := form{"tools": patternTexts(e.Tools), "grants": e.Grants, "effect": e.Effect.String(), "mode": modeForm(e.Mode),
		"on_failure": [...]string{"", "closed", "open"}[e.OnFailure], "case_keys": e.CaseDistinct, "scope": c.scope(&e.Scope),
		"sanitize": formsOf(e.Sanitize, c.sanitizer), "taints": e.Taints, "limits": formsOf(e.Limits, c.limit),
		"approval": formsOf(e.Approval, c.tier)}
	if c.ids {
		f["id"] = e.ID
	}
	if e.Actions != nil {
		f["actions"] = patternTexts(e.Actions)
	}
	if e.Conditions != nil {
		f["conditions"] = c.conditions(e.Conditions)
	}
	if e.Cost != nil {
		cost := form{"micro": e.Cost.Micro}
		if e.Cost.Expr != nil {
			cost = form{"expression": e.Cost.Expr.String()}
		}
		f["cost"] = cost
	}
	f["children"] = sortedForms(formsOf(e.Children, c.entry))
	return f
}

// sortedForms sorts forms by their text.
func sortedForms(forms []any) []any {
	texts := make([]string, len(forms))
	for i, f := range forms {
		texts[i] = string(canonicalJSON(f))
	}
	slices.Sort(texts)
	for i, t := range texts {
		forms[i] = json.RawMessage(t)
	}
	return forms
}

func (c canon) conditions(x *Conditions) form {
	return form{"args": formsOf(x.Args, c.constraint), "other_args": c.key(&x.OtherArgs),
		"require": formsOf(x.Require, c.condition), "deny_if": formsOf(x.DenyIf, c.condition),
		"approval_needed_if": formsOf(x.ApprovalIf, c.condition)}
}

func (c canon) condition(x *Condition) form {
	return form{"rule": c.key(&x.Rule), "if": x.Expr.String(), "message": x.Message}
}

func (c canon) constraint(x *Constraint) form {
	f := form{"path": x.Path, "optional": x.Optional, "approval": x.Approval, "checks": formsOf(x.Checks, c.check),
		"args": formsOf(x.Args, c.constraint), "other_args": c.key(&x.OtherArgs), "type": ""}
	if x.Type != aegis.Absent {
		f["type"] = x.Type.String()
	}
	if x.Each != nil {
		f["each"] = c.constraint(x.Each)
	}
	return f
}

func (c canon) check(x *Check) form {
	f := form{"rule": c.key(&x.Rule), "pattern": x.Pattern}
	if x.Type != aegis.Absent {
		f["type"] = x.Type.String()
	}
	switch x.Op {
	case CheckMax, CheckMin:
		f["number"] = x.Num.Text()
	case CheckDecimals, CheckMaxLength, CheckMinLength:
		f["count"] = x.N
	case CheckInteger:
		f["integer"] = true
	case CheckIn, CheckNotIn:
		f["list"] = literalForms(x.List)
	}
	return f
}

// literalForms sorts a list: as a set, its order means nothing.
func literalForms(ls []Literal) []any {
	texts := make([]string, len(ls))
	for i, l := range ls {
		var v any = l.Str
		switch l.Kind {
		case aegis.Number:
			v = form{"number": l.Num.Text()}
		case aegis.Bool:
			v = l.Bool
		}
		texts[i] = string(canonicalJSON(v))
	}
	texts = sortedSet(texts)
	out := make([]any, len(texts))
	for i, t := range texts {
		out[i] = json.RawMessage(t)
	}
	return out
}

func (c canon) limit(x *Limit) form {
	f := form{"rule": c.key(&x.Rule), "per_tenant": x.PerTenant}
	if s := x.Spec; s.Kind == limit.Rate {
		f["rate"] = form{"count": s.Count, "per": s.Per.String(), "burst": s.Burst}
	} else {
		f[s.Kind.String()] = form{"count": s.Count, "cap": s.Cap, "window": s.Window.String()}
		if s.Zone != nil {
			f["zone"] = s.Zone.String()
		}
	}
	if x.Kind == LimitSum {
		f["of"] = x.Arg
	}
	var by []any
	for _, p := range x.By {
		by = append(by, p)
	}
	f["by"] = by
	return f
}

func (c canon) sanitizer(x *Sanitizer) form {
	f := form{"rule": c.key(&x.Rule), "redact": x.Redact, "match": x.Match, "replace": x.Replace, "args": x.Args,
		"result": x.Result}
	var fields []any
	for _, p := range x.Fields {
		fields = append(fields, p)
	}
	f["fields"] = fields
	return f
}

func (c canon) tier(x *Tier) form {
	return form{"rule": c.key(&x.Rule), "when": formsOf(x.When, c.condition), "approvers": x.Approvers,
		"channel": x.Channel, "expires": x.Expires.String(), "quorum": x.Quorum}
}
