package suite

import (
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

func (m *mutator) conditions(c *policy.Conditions) {
	for _, group := range []struct {
		key string
		at  *[]*policy.Condition
	}{{"require", &c.Require}, {"deny_if", &c.DenyIf}, {"approval_needed_if", &c.ApprovalIf}} {
		for i, k := range *group.at {
			r := m.ref(k.Rule)
			m.expression(r, k.Expr)
			assign(m, r, "without "+group.key+": "+k.Src, group.at, without(*group.at, i))
		}
	}
	if c.OtherArgs > 0 {
		assign(m, m.ref(c.OtherArgs), "other_args: allow", &c.OtherArgs, policy.NoRule)
	}
	for _, a := range c.Args {
		m.constraint(c, a, false)
	}
}

func (m *mutator) constraint(c *policy.Conditions, a *policy.Constraint, element bool) {
	only := true // its checks are of the type only, whose breach is an error
	for i, k := range a.Checks {
		r := m.ref(k.Rule)
		only = only && (k.Op == policy.CheckType || k.Op == policy.CheckInteger)
		m.check(c, a, k)
		assign(m, r, "without "+key(r.id), &a.Checks, without(a.Checks, i))
	}
	r := ref{strings.Join(a.Path, "."), a.Pos}
	if len(a.Checks) > 0 {
		r.id = m.set.Rules[a.Checks[0].Rule].ID
	}
	if !element {
		assign(m, r, fmt.Sprintf("optional: %t", !a.Optional), &a.Optional, !a.Optional)
	}
	if a.Approval {
		assign(m, r, "without else: approval", &a.Approval, false)
	} else if !only && !element {
		assign(m, r, "else: approval", &a.Approval, true).same = liftedOnly(c, a)
	}
	if a.OtherArgs > 0 {
		assign(m, m.ref(a.OtherArgs), "other_args: allow", &a.OtherArgs, policy.NoRule)
	}
	if a.Each != nil {
		m.constraint(c, a.Each, true)
	}
	for _, n := range a.Args {
		m.constraint(c, n, false)
	}
}

// key is the part of a rule's id behind the entry's.
func key(id string) string {
	_, k, _ := strings.Cut(id, "#")
	return k
}

func (m *mutator) check(c *policy.Conditions, a *policy.Constraint, k *policy.Check) {
	r := m.ref(k.Rule)
	switch k.Op {
	case policy.CheckInteger:
		assign(m, r, "type: number", &k.Op, policy.CheckType)
	case policy.CheckMax, policy.CheckMin:
		for _, to := range moved(k.Num, decimals(a, k.Num)) {
			assign(m, r, fmt.Sprintf("%s %s instead of %s", key(r.id), to.Text(), k.Num.Text()), &k.Num, to).same = lifted(c, a, k, to)
		}
	case policy.CheckDecimals:
		m.count(r, "decimals", &k.N, 0, 6)
	case policy.CheckMaxLength, policy.CheckMinLength:
		m.count(r, key(r.id), &k.N, 0, 1<<20)
	case policy.CheckIn, policy.CheckNotIn:
		m.literals(r, key(r.id), &k.List, a.Path)
	case policy.CheckPattern:
		m.pattern(r, k)
	}
}

// decimals is how many decimals a bound is moved at: what the argument may have, or else as many as the bound has.
func decimals(a *policy.Constraint, n aegis.Num) int {
	d := n.Decimals()
	for _, k := range a.Checks {
		switch k.Op {
		case policy.CheckDecimals:
			d = max(d, k.N)
		case policy.CheckInteger:
			return 0
		}
	}
	return d
}

// moved returns a number one unit of a decimal below and above.
func moved(n aegis.Num, decimals int) []aegis.Num {
	if decimals > 6 {
		return nil
	}
	u := int64(micro)
	for range decimals {
		u /= 10
	}
	step, _ := aegis.FromMicro(u)
	var out []aegis.Num
	for _, op := range [...]byte{'-', '+'} {
		if to, ok := aegis.Arith(op, n, step); ok {
			out = append(out, to)
		}
	}
	return out
}

// literals drops each element of a list, and adds one that the tests use.
func (m *mutator) literals(r ref, key string, at *[]policy.Literal, path []string) {
	for _, i := range sample(len(*at)) {
		if len(*at) > 1 {
			assign(m, r, key+" without "+show((*at)[i]), at, without(*at, i))
		}
	}
	if l, ok := m.stranger(path, *at); ok {
		assign(m, r, key+" with "+show(l), at, append(slices.Clone(*at), l))
	}
}

func show(l policy.Literal) string {
	switch l.Kind {
	case aegis.Number:
		return l.Num.Text()
	case aegis.Bool:
		return fmt.Sprint(l.Bool)
	}
	return fmt.Sprintf("%q", l.Str)
}

// pattern takes the parts of a pattern apart: drops each, and widens it.
func (m *mutator) pattern(r ref, k *policy.Check) {
	p := k.Parts
	if p == nil {
		return
	}
	try := func(text string, change func(q *policy.Parts)) {
		q := *p
		change(&q)
		if re, err := q.Compile(); err == nil && re != k.Pattern {
			assign(m, r, text, &k.Pattern, re)
		}
	}
	if p.Key == "matches" {
		for _, re := range loosened(p.List[0]) {
			try("matches "+re, func(q *policy.Parts) { q.List = []string{re} })
		}
		return
	}
	name := p.Key
	if name == "" {
		name = "hosts"
	}
	for _, part := range []struct {
		key string
		at  func(*policy.Parts) *[]string
	}{{name, func(q *policy.Parts) *[]string { return &q.List }}, {"schemes", func(q *policy.Parts) *[]string { return &q.Schemes }},
		{"paths", func(q *policy.Parts) *[]string { return &q.Paths }}} {
		list := *part.at(p)
		for _, i := range sample(len(list)) {
			if len(list) > 1 {
				try(part.key+" without "+list[i], func(q *policy.Parts) { *part.at(q) = without(list, i) })
			}
			if wide := widened(part.key, list[i]); wide != "" {
				more := slices.Clone(list)
				more[i] = wide
				slices.Sort(more)
				try(part.key+" "+wide+" instead of "+list[i], func(q *policy.Parts) { *part.at(q) = slices.Compact(more) })
			}
		}
	}
	if p.Key == "" {
		m.url(p, try)
	}
}

func (m *mutator) url(p *policy.Parts, try func(string, func(*policy.Parts))) {
	if !slices.Contains(p.Schemes, "http") {
		try("schemes with http", func(q *policy.Parts) { q.Schemes = append(slices.Clone(p.Schemes), "http") })
	}
	if p.Paths != nil && p.List != nil {
		try("without paths", func(q *policy.Parts) { q.Paths = nil })
		try("without hosts", func(q *policy.Parts) { q.List = nil })
	}
	if p.Bare != "" {
		try("without bare", func(q *policy.Parts) { q.Bare = "" })
	}
}

// widened returns a wider element of a list, or "" where none is at hand.
func widened(key, s string) string {
	switch key {
	case "hosts":
		if label, parent, ok := strings.Cut(s, "."); ok && label != "*" && strings.Contains(parent, ".") {
			return "*." + parent
		}
	case "under", "paths":
		if i := strings.LastIndexByte(strings.TrimSuffix(s, "/"), '/'); i > 0 {
			return s[:i] + strings.Repeat("/", len(s)-len(strings.TrimSuffix(s, "/")))
		}
	case "commands":
		if i := strings.LastIndexByte(s, ' '); i > 0 {
			return s[:i]
		}
	}
	return ""
}

// loosened returns patterns near an RE2 pattern: something may stand before or behind it, and each repetition is one
// more or one less.
func loosened(re string) []string {
	out := []string{"(?s:.*)(?:" + re + ")", "(?:" + re + ")(?s:.*)"}
	tree, err := syntax.Parse(re, syntax.Perl)
	if err != nil {
		return out
	}
	var walk func(n *syntax.Regexp)
	with := func(n *syntax.Regexp, to syntax.Regexp) {
		was := *n
		*n = to
		out = append(out, tree.String())
		*n = was
	}
	walk = func(n *syntax.Regexp) {
		repeat := func(least, most int) {
			with(n, syntax.Regexp{Op: syntax.OpRepeat, Flags: n.Flags, Min: least, Max: most, Sub: slices.Clone(n.Sub)})
		}
		switch n.Op {
		case syntax.OpRepeat:
			if n.Min > 0 {
				repeat(n.Min-1, n.Max)
			}
			if n.Max < 0 || n.Min < n.Max {
				repeat(n.Min+1, n.Max)
			}
			if n.Max >= 0 {
				repeat(n.Min, n.Max+1)
			}
			if n.Max > n.Min {
				repeat(n.Min, n.Max-1)
			}
		case syntax.OpPlus:
			with(n, syntax.Regexp{Op: syntax.OpStar, Flags: n.Flags, Sub: slices.Clone(n.Sub)})
		case syntax.OpStar, syntax.OpQuest:
			if n.Op == syntax.OpStar {
				with(n, syntax.Regexp{Op: syntax.OpPlus, Flags: n.Flags, Sub: slices.Clone(n.Sub)})
			} else {
				with(n, *n.Sub[0])
			}
		}
		for _, s := range n.Sub {
			walk(s)
		}
	}
	walk(tree)
	return out
}
