package decide

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// literalsYAML writes constants.
func literalsYAML(ls []policy.Literal) yamlList {
	l := yamlList{}
	for _, x := range ls {
		switch x.Kind {
		case aegis.String:
			l = append(l, x.Str)
		case aegis.Number:
			l = append(l, plain(x.Num.Text()))
		default:
			l = append(l, plain(fmt.Sprint(x.Bool)))
		}
	}
	return l
}

// named returns constants that a policy may write in a list: there is at least one, of printable text.
func (r *diffRand) named(k aegis.Kind) []policy.Literal {
	for {
		ls := r.literals(k)
		odd := func(l policy.Literal) bool {
			return l.Kind == aegis.String && (l.Str == "" || strings.HasPrefix(l.Str, "$") || strings.TrimSpace(l.Str) != l.Str ||
				strings.ContainsFunc(l.Str, func(r rune) bool { return !unicode.IsPrint(r) }))
		}
		if len(ls) > 0 && !slices.ContainsFunc(ls, odd) {
			return ls
		}
	}
}

// some appends a random choice of the given items, each with a chance of one in two.
func (r *diffRand) some(m *yamlMap, items ...yamlItem) {
	for _, it := range items {
		if r.oneIn(2) {
			*m = append(*m, it)
		}
	}
}

// constraint makes what must hold of one argument of a kind. top says that it is no element of a list.
func (r *diffRand) constraint(k aegis.Kind, depth int, top bool) yamlMap {
	if !r.calm && r.oneIn(10) {
		k = pickOf(r, aegis.Number, aegis.String, aegis.Bool, aegis.List, aegis.Object, aegis.Absent)
	}
	var m yamlMap
	if top && r.oneIn(3) {
		m.set("optional", plain("true"))
	}
	if r.oneIn(4) {
		m.set("else", "approval")
	}
	switch k {
	case aegis.Number:
		r.some(&m, yamlItem{"type", pickOf(r, "number", "number", "integer")}, yamlItem{"max", plain(pickOf(r, diffNumbers...))},
			yamlItem{"min", plain(pickOf(r, diffNumbers...))}, yamlItem{"decimals", plain(fmt.Sprint(r.IntN(7)))})
		if r.oneIn(3) {
			m.set(pickOf(r, "in", "not_in"), literalsYAML(r.named(k)))
		}
	case aegis.String:
		if depth > 0 && r.oneIn(6) { // a lone text beside each counts as a list of one
			r.some(&m, yamlItem{"max_length", plain(fmt.Sprint(r.IntN(4)))}, yamlItem{"min_length", plain(fmt.Sprint(r.IntN(3)))})
			m.set("each", r.constraint(k, depth-1, false))
			break
		}
		r.stringConstraint(&m)
	case aegis.Bool:
		m.set(pickOf(r, "in", "not_in"), literalsYAML(r.named(k)))
	case aegis.List:
		r.some(&m, yamlItem{"max_length", plain(fmt.Sprint(r.IntN(4)))}, yamlItem{"min_length", plain(fmt.Sprint(r.IntN(3)))})
		if r.oneIn(3) {
			m.set("type", "list")
		}
		if depth > 0 {
			m.set("each", r.constraint(pickOf(r, aegis.Number, aegis.String, aegis.Object, aegis.List), depth-1, false))
		}
	case aegis.Object:
		args := yamlMap{}
		for _, a := range []member{{"price", aegis.Number}, {"sku", aegis.String}, {"country", aegis.String}, {"score", aegis.Number}, {"list", aegis.List},
			{"deep", aegis.Object}, {"name", aegis.String}, {"n", aegis.Number}} {
			if depth > 0 && r.oneIn(3) {
				args.set(a.name, r.constraint(a.kind, depth-1, true))
			}
		}
		m.set("args", args)
		if r.oneIn(3) {
			m.set("other_args", "deny")
		}
	default:
		m.set(pickOf(r, "max_length", "min_length"), plain(fmt.Sprint(r.IntN(4))))
	}
	if len(m) == 0 {
		m.set("max_length", plain("3"))
	}
	return m
}

func (r *diffRand) stringConstraint(m *yamlMap) {
	switch r.IntN(8) {
	case 0, 1:
		m.set(pickOf(r, "in", "in", "not_in"), literalsYAML(r.named(aegis.String)))
	case 2:
		m.set("matches", pickOf(r, "INV-[0-9]{6}", "(?i)usd|eur", "a.b", `\p{L}*`, ".{0,3}", "^a|b$", `"`))
	case 3:
		m.set("hosts", strs(pickOf(r, "api.example.com", "*.docs.example.com", "10.0.0.1", "api.example.com:8443"), "example.com"))
		r.some(m, yamlItem{"schemes", strs("https", "http")}, yamlItem{"paths", strs("/hooks")}, yamlItem{"bare", "https"})
	case 4:
		m.set("domains", strs("example.com"))
	case 5:
		m.set("under", "/srv/data/")
	case 6:
		m.set("commands", strs("git status", "ls"))
	default:
		m.set("type", "string")
	}
	r.some(m, yamlItem{"max_length", plain(fmt.Sprint(r.IntN(6)))})
}

// conditions makes a conditions block without expressions: those are tried out later, one by one.
func (r *diffRand) conditions() yamlMap {
	var m, args yamlMap
	for _, a := range []member{{"amount", aegis.Number}, {"fee", aegis.Number}, {"count", aegis.Number}, {"currency", aegis.String}, {"memo", aegis.String},
		{"x-y", aegis.String}, {"approved", aegis.Bool}, {"tags", aegis.List}, {"nums", aegis.List}, {"items", aegis.List},
		{"meta", aegis.Object}, {"nope", aegis.Absent}, {"a.b", aegis.Number}} {
		if r.oneIn(5) && !(r.calm && (a.name == "nope" || a.name == "a.b")) {
			args.set(a.name, r.constraint(a.kind, 3, true))
		}
	}
	if len(args) > 0 {
		m.set("args", args)
	}
	r.some(&m, yamlItem{"max_amount", plain(pickOf(r, "5000", "5000", "0.3", "1"))})
	if r.oneIn(4) {
		m.set("min_"+pickOf(r, "amount", "fee", "nope"), plain(pickOf(r, diffNumbers...)))
	}
	if r.oneIn(5) {
		m.set("other_args", "deny")
	}
	return m
}

// names of what generated policies are about; calls use the same and some more.
var (
	diffTools   = []string{"t", "t", "u1", "pay", "a/b", "zz"}
	diffActions = []string{"", "send", "send", "refund", "get_x", "other"}
)

func (r *diffRand) limitsYAML(sums bool) yamlList {
	l := yamlList{}
	for range 1 + r.IntN(2) {
		var m yamlMap
		switch n := r.IntN(5); {
		case n == 0 || !sums && n > 2:
			m.set("rate", "5/s")
		case n == 1:
			m.set("calls", "20/session")
		case n == 2:
			m.set("budget", "$20/day")
		default:
			m.set("budget", "20000/day of "+pickOf(r, "amount", "fee", "meta.score", "nope"))
		}
		if r.oneIn(2) {
			m.set("by", pickOf[any](r, "currency", "meta.name", strs("currency", "approved"), "amount", "tags"))
		}
		l = append(l, m)
	}
	return l
}

// entry makes an entry of allowed_tools or, with guardrail set, of tools; or with action set, an action of one.
func (r *diffRand) entry(guardrail, action bool) yamlMap {
	var m yamlMap
	switch {
	case action:
		m.set("name", pickOf[any](r, "send", "refund", "get_*", strs("send", "get_x")))
	case guardrail:
		m.set("name", pickOf[any](r, "*", "t", "u*", strs("t", "pay")))
	default:
		m.set("name", pickOf[any](r, "t", "t", "u*", "pay", "a/b", strs("t", "u1", "pay")))
	}
	if !action && r.oneIn(2) {
		actions := strs(pickOf(r, "send", "get_*"), "refund")
		if guardrail && r.oneIn(3) {
			actions = strs("*")
		}
		for range r.IntN(3) {
			actions = append(actions, r.entry(guardrail, true))
		}
		m.set("actions", actions)
	}
	if !r.oneIn(4) {
		m.set("conditions", r.conditions())
	}
	if r.oneIn(6) {
		m.set("callers", strs("planner", "user"))
	}
	if r.oneIn(4) {
		m.set("limits", r.limitsYAML(true))
	}
	if r.oneIn(6) {
		m.set("sanitize", yamlList{yamlMap{{"redact", strs("ssn")}}})
	}
	if r.oneIn(5) {
		m.set("cost", pickOf(r, "$0.02", "amount * 0.01", "fee", "amount + fee - 1", "size(tags) * 0.1", "meta.score"))
	}
	return m
}

// top makes the keys that policies and guardrails share.
func (r *diffRand) top(m *yamlMap) {
	if r.oneIn(3) {
		m.set("callers", strs("user", "planner", "a"))
	}
	if r.oneIn(6) {
		m.set("max_chain_depth", plain(fmt.Sprint(r.IntN(4))))
	}
	if r.oneIn(8) {
		m.set("regions", strs("eu-west-1"))
	}
	if r.oneIn(8) {
		m.set("until", "2026-12-31")
	}
	if r.oneIn(3) {
		m.set("limits", r.limitsYAML((*m)[0].key == "agent"))
	}
}

// files makes the sources of a set.
func (r *diffRand) files() []diffFile {
	r.calm = r.oneIn(2)
	var fs []diffFile
	agents := [][]any{{strs("a", "b*")}, {"a"}, {"a", "b*"}, {strs("b*"), "a", strs("bb*", "bob")}, {"a*", "a"}}
	for i, a := range pickOf(r, agents...) {
		m := yamlMap{{"agent", a}, {"tenant", "acme"}}
		if i > 0 && r.oneIn(8) {
			m[1].value = "other"
		}
		r.top(&m)
		entries := yamlList{}
		for range 1 + r.IntN(3) {
			entries = append(entries, r.entry(false, false))
		}
		m.set("allowed_tools", entries)
		if r.oneIn(12) {
			name := fmt.Sprintf("custom%d.rego", i)
			m.set("rego", strs(name))
			fs = append(fs, diffFile{name: name, text: pickOf(r, diffModules...)})
		}
		fs = append(fs, diffFile{name: fmt.Sprintf("p%d.yaml", i), doc: m})
	}
	for i := range r.IntN(3) {
		m := yamlMap{{"guardrail", fmt.Sprintf("g%d", i)}, {"tenant", pickOf(r, "*", "acme", "other")}}
		if r.oneIn(3) {
			m.set("agents", strs("a", "b*"))
		}
		r.top(&m)
		if !r.oneIn(4) {
			m.set("tools", yamlList{r.entry(true, false)})
		}
		fs = append(fs, diffFile{name: fmt.Sprintf("g%d.yaml", i), doc: m})
	}
	return fs
}

// diffModules are policies' own Rego.
var diffModules = []string{
	"package aegis.custom\n\ndeny contains \"no\" if input.args.amount > 5000\n",
	"package aegis.custom\n\napproval_needed contains msg if {\n\tsome t in input.args.tags\n\tmsg := upper(t)\n}\n\ndeny contains data.aegis.hits if true\n",
	"package aegis.custom\n\ndeny contains 1 / input.args.fee\n",
}

// addExpressions adds conditions in CEL to the sources, each where the set still loads with it.
func (r *diffRand) addExpressions(fs []diffFile, loads func([]diffFile) bool, n int) []diffFile {
	for range n {
		depth := r.IntN(4)
		text := pickOf(r, "amount > 5000", "amount >= 0.3 || currency == \"EUR\"", r.condition(depth).String(), r.condition(depth).String(),
			r.condition(depth).String())
		key := pickOf(r, "require", "deny_if", "approval_needed_if", "approval_needed_if", "cost")
		if key == "cost" {
			text = r.number(2).String()
		}
		var next []diffFile
		for _, f := range fs {
			if f.doc != nil && r.oneIn(2) {
				f.doc = r.withExpression(f.doc, key, text).(yamlMap)
			}
			next = append(next, f)
		}
		if loads(next) {
			fs = next
		}
	}
	return fs
}

// withExpression returns a copy of the tree with a condition in some of its blocks.
func (r *diffRand) withExpression(v any, key, text string) any {
	switch v := v.(type) {
	case yamlMap:
		out := yamlMap{}
		for _, it := range v {
			it.value = r.withExpression(it.value, key, text)
			switch {
			case it.key == "cost" && key == "cost":
				it.value = text
			case it.key == "conditions" && key != "cost" && r.oneIn(2):
				it.value = appendTo(it.value.(yamlMap), key, text)
			}
			out = append(out, it)
		}
		return out
	case yamlList:
		out := yamlList{}
		for _, x := range v {
			out = append(out, r.withExpression(x, key, text))
		}
		return out
	}
	return v
}

func appendTo(m yamlMap, key string, v any) yamlMap {
	out := append(yamlMap{}, m...)
	for i, it := range out {
		if it.key == key {
			out[i].value = append(append(yamlList{}, it.value.(yamlList)...), v)
			return out
		}
	}
	return append(out, yamlItem{key, yamlList{v}})
}

// policyCall makes a call that a generated set probably has something to say of.
func (r *diffRand) policyCall(s *policy.Set, limits, sanitizers []string) *diffCall {
	hostile := 15
	if r.calm {
		hostile = 200
	}
	c := r.call(s.Features, hostile)
	c.Tool, c.Action = pickOf(r, diffTools...), pickOf(r, diffActions...)
	p := pickOf(r, s.Policies...)
	c.Tenant, c.Agent = p.Tenant, r.instance(pickOf(r, p.Agents...))
	if r.oneIn(12) {
		c.Agent = pickOf(r, "a", "b1", "bob", "bb", "ab", "z")
		c.Tenant = pickOf(r, "acme", "other")
	}
	if e := pickOf(r, p.Entries...); !r.oneIn(5) {
		c.Tool = r.instance(pickOf(r, e.Tools...))
		if len(e.Actions) > 0 {
			c.Action = r.instance(pickOf(r, e.Actions...))
		}
	}
	if !r.oneIn(3) {
		c.Chain = nil
	}
	for _, id := range limits {
		if r.oneIn(25) {
			c.Exceeded = append(c.Exceeded, id)
		}
	}
	for _, id := range sanitizers {
		if r.oneIn(5) {
			c.Detected = append(c.Detected, id)
		}
	}
	return c
}

// instance returns a name that fits a pattern.
func (r *diffRand) instance(p policy.Pattern) string {
	prefix, star := strings.CutSuffix(string(p), "*")
	if !star {
		return prefix
	}
	return prefix + pickOf(r, "", "1", "b", "ob", "x")
}

// limitsAndSanitizers lists the ids of such rules.
func limitsAndSanitizers(s *policy.Set) (limits, sanitizers []string) {
	for _, r := range s.Rules {
		switch _, key, _ := strings.Cut(r.ID, "#"); {
		case strings.HasPrefix(key, "limits["):
			limits = append(limits, r.ID)
		case strings.HasPrefix(key, "sanitize["):
			sanitizers = append(sanitizers, r.ID)
		}
	}
	return limits, sanitizers
}
