package decide

import (
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// collector gathers the arguments that the rules of a plan read, and the values that these rules name.
type collector struct {
	args  aegis.Value
	all   []*lever
	links [][2]*lever // compared with each other
	sums  []equation
	vars  []*lever // lists that enclosing exists and all range over
}

// equation is an arithmetic expression and what it is compared with.
type equation struct {
	x, y *policy.Expr
}

// at returns the argument at a path.
func (c *collector) at(path []string) *lever {
	for _, a := range c.all {
		if slices.Equal(a.path, path) && a.also == nil {
			return a
		}
	}
	a := &lever{path: path, cur: walk(c.args, path), decimals: -1}
	c.all = append(c.all, a)
	return a
}

// collect returns the arguments that may be changed, with candidates.
func collect(p *Plan, args aegis.Value) []*lever {
	c := &collector{args: args}
	everything := len(p.Sanitizers) > 0 || len(p.customs) > 0
	for _, e := range p.Entries {
		if e.Conditions != nil {
			c.conditions(e.Conditions)
		}
		if e.Cost != nil && e.Cost.Expr != nil {
			c.expr(e.Cost.Expr)
		}
	}
	for _, l := range p.Limits {
		if l.Kind == policy.LimitSum {
			if n, ok := aegis.FromMicro(l.Spec.Cap); ok {
				c.at(l.Arg).name(policy.Literal{Kind: aegis.Number, Num: n})
			}
		}
		for _, by := range l.By {
			c.at(by).wants(aegis.String)
		}
	}
	if everything {
		for m := args.First(); m.Kind() != aegis.Absent && len(c.all) < maxArguments; m = args.After(m) {
			c.at([]string{m.Key()})
		}
	}
	for _, l := range c.links {
		for i, a := range l {
			b := l[1-i]
			if b.cur.Kind() == aegis.Number || b.cur.Kind() == aegis.String || b.cur.Kind() == aegis.Bool {
				a.name(literal(b.cur))
			}
			a.nums, a.texts = append(a.nums, b.nums...), append(a.texts, b.texts...)
		}
	}
	for _, e := range c.sums {
		for _, n := range c.values(e.y) {
			c.solve(e.x, n)
		}
	}
	c.unnamed(p)
	for _, a := range c.all {
		a.settle()
	}
	return slices.DeleteFunc(c.all, func(a *lever) bool { return len(a.candidates) == 0 })
}

// unnamed adds, where other arguments are denied, those that are there as one change: removing them all.
func (c *collector) unnamed(p *Plan) {
	for _, b := range p.blocks {
		if b.other == policy.NoRule {
			continue
		}
		var paths [][]string
		for m := c.args.First(); m.Kind() != aegis.Absent; m = c.args.After(m) {
			if key := m.Key(); !b.named[key] {
				paths = append(paths, []string{key})
			}
		}
		if len(paths) > 0 {
			c.all = append(c.all, &lever{path: paths[0], also: paths[1:], cur: c.args.Get(paths[0][0]), decimals: -1})
			if len(paths) == 1 {
				c.all[len(c.all)-1].also = [][]string{}
			}
		}
	}
}

func (c *collector) conditions(k *policy.Conditions) {
	for _, con := range k.Args {
		c.constraint(con, false)
	}
	for _, x := range slices.Concat(k.Require, k.DenyIf, k.ApprovalIf) {
		c.expr(x.Expr)
	}
}

func (c *collector) constraint(con *policy.Constraint, element bool) {
	if c.throughList(con.Path) {
		return
	}
	a := c.at(con.Path)
	a.wants(con.Type)
	for _, k := range con.Checks {
		c.check(a, k, element)
	}
	if con.Each != nil {
		a.wants(aegis.List)
		c.constraint(con.Each, true)
	}
	for _, n := range con.Args {
		c.constraint(n, element)
	}
	if con.OtherArgs != policy.NoRule {
		c.nestedUnnamed(con, a)
	}
}

// throughList reports whether a list stands on the way to a path: its elements are not changed one by one.
func (c *collector) throughList(path []string) bool {
	for i := 1; i < len(path); i++ {
		if walk(c.args, path[:i]).Kind() == aegis.List {
			return true
		}
	}
	return false
}

func (c *collector) nestedUnnamed(con *policy.Constraint, a *lever) {
	var paths [][]string
	for m := a.cur.First(); a.cur.Kind() == aegis.Object && m.Kind() != aegis.Absent; m = a.cur.After(m) {
		if !slices.ContainsFunc(con.Args, func(n *policy.Constraint) bool { return n.Path[len(n.Path)-1] == m.Key() }) {
			paths = append(paths, append(slices.Clone(con.Path), m.Key()))
		}
	}
	if len(paths) > 0 {
		c.all = append(c.all, &lever{path: paths[0], also: append([][]string{}, paths[1:]...), cur: walk(c.args, paths[0]), decimals: -1})
	}
}

func (c *collector) check(a *lever, k *policy.Check, element bool) {
	switch k.Op {
	case policy.CheckInteger:
		a.integer = true
	case policy.CheckMax, policy.CheckMin:
		a.name(policy.Literal{Kind: aegis.Number, Num: k.Num})
	case policy.CheckDecimals:
		a.decimals = k.N
	case policy.CheckIn, policy.CheckNotIn:
		for _, l := range k.List {
			if element {
				a.elements = append(a.elements, l)
			} else {
				a.name(l)
			}
		}
	case policy.CheckPattern:
		if element {
			for _, s := range partsOf(k) {
				a.elements = append(a.elements, policy.Literal{Kind: aegis.String, Str: s})
			}
		} else {
			a.pattern(k)
		}
	case policy.CheckMaxLength, policy.CheckMinLength:
		a.length(k.N)
	}
}

// expr gathers from a boolean expression.
func (c *collector) expr(x *policy.Expr) {
	switch x.Op {
	case policy.OpPath:
		if a := c.path(x); a != nil {
			a.wants(aegis.Bool)
		}
	case policy.OpEq, policy.OpNe, policy.OpLt, policy.OpLe, policy.OpGt, policy.OpGe:
		c.compare(x.Sub[0], x.Sub[1])
		c.compare(x.Sub[1], x.Sub[0])
	case policy.OpIn:
		c.in(x.Sub[0], x.Sub[1])
	case policy.OpHas:
		c.path(x)
	case policy.OpStarts, policy.OpEnds, policy.OpContains:
		if a := c.path(x.Sub[0]); a != nil {
			a.wants(aegis.String)
			a.cuts = append(a.cuts, x.Lit.Str)
		}
	case policy.OpMatches:
		if a := c.path(x.Sub[0]); a != nil {
			a.wants(aegis.String)
			a.texts = append(a.texts, examplesOf(x.Lit.Str)...)
		}
	case policy.OpInCIDR:
		if a := c.path(x.Sub[0]); a != nil {
			a.network(x.Lit.Str)
		}
	case policy.OpExists, policy.OpAll:
		c.vars = append(c.vars, c.path(x.Sub[0]))
		c.expr(x.Sub[1])
		c.vars = c.vars[:len(c.vars)-1]
	default:
		for _, s := range x.Sub {
			c.expr(s)
		}
	}
}

// path returns the argument that x reads, alone or inside a function of text; nil where it reads none.
func (c *collector) path(x *policy.Expr) *lever {
	switch x.Op {
	case policy.OpLower, policy.OpHost, policy.OpDomain, policy.OpLinks, policy.OpSize:
		return c.path(x.Sub[0])
	case policy.OpPath, policy.OpHas:
		switch {
		case x.Root == policy.RootArgs && len(x.Fields) > 0 && !c.throughList(x.Fields):
			return c.at(x.Fields)
		case x.Root == policy.RootVar && x.Var < len(c.vars):
			return c.vars[x.Var]
		}
	}
	return nil
}

// compare gathers what y names for what x reads.
func (c *collector) compare(x, y *policy.Expr) {
	a := c.path(x)
	if y.Op != policy.OpLiteral {
		if b := c.path(y); a != nil && b != nil && x.Op == policy.OpPath && y.Op == policy.OpPath {
			c.links = append(c.links, [2]*lever{a, b})
		}
		c.sums = append(c.sums, equation{x, y})
		return
	}
	if a == nil {
		c.sums = append(c.sums, equation{x, y})
		return
	}
	c.named(a, x, y.Lit)
}

// named adds a literal that the value of x is compared with, to the argument that x reads.
func (c *collector) named(a *lever, x *policy.Expr, l policy.Literal) {
	switch x.Op {
	case policy.OpHost:
		a.wants(aegis.String)
		a.urls = append(a.urls, "https://"+l.Str+"/")
	case policy.OpDomain:
		a.wants(aegis.String)
		a.mails = append(a.mails, "a@"+l.Str)
	case policy.OpSize:
		a.length(int(l.Num.Float()))
	case policy.OpPath:
		if x.Root == policy.RootVar {
			a.wants(aegis.List)
			a.elements = append(a.elements, l)
			return
		}
		a.name(l)
		a.compared = append(a.compared, l.Str)
	case policy.OpLower:
		a.name(l)
	}
}

func (c *collector) in(x, list *policy.Expr) {
	a := c.path(x)
	if list.Op == policy.OpList {
		for _, l := range list.List {
			if a != nil {
				c.named(a, x, l)
				if a.cur.Kind() == aegis.List {
					a.elements = append(a.elements, l) // `in` over a list argument folds over its elements
				}
			}
		}
		return
	}
	b := c.path(list)
	if b == nil {
		return
	}
	b.wants(aegis.List)
	switch {
	case x.Op == policy.OpLiteral:
		b.elements = append(b.elements, x.Lit)
	case a != nil:
		if a.cur.Given() {
			b.elements = append(b.elements, literal(a.cur))
		}
		for e := b.cur.First(); b.cur.Kind() == aegis.List && e.Kind() != aegis.Absent; e = b.cur.After(e) {
			a.name(literal(e))
		}
	}
}

// num is what an arithmetic expression of literals and arguments comes to now.
func (c *collector) num(x *policy.Expr) (aegis.Num, bool) {
	switch x.Op {
	case policy.OpLiteral:
		return x.Lit.Num, x.Lit.Kind == aegis.Number
	case policy.OpPath:
		if x.Root == policy.RootArgs {
			return walk(c.args, x.Fields).Num()
		}
	case policy.OpAdd, policy.OpSub, policy.OpMul:
		a, ok := c.num(x.Sub[0])
		b, ok2 := c.num(x.Sub[1])
		if ok && ok2 {
			return aegis.Arith("+-*"[x.Op-policy.OpAdd], a, b)
		}
	}
	return aegis.Num{}, false
}

// maxValues bounds what one operand of arithmetic is supposed to be.
const maxValues = 12

// values returns what an operand comes to now, and for a single argument also what rules name for it.
func (c *collector) values(x *policy.Expr) []aegis.Num {
	var out []aegis.Num
	if n, ok := c.num(x); ok {
		out = append(out, n)
	}
	if a := c.path(x); a != nil && x.Op == policy.OpPath && x.Root == policy.RootArgs {
		out = append(out, a.nums[:min(len(a.nums), maxValues)]...)
	}
	return out
}

// solve names, for each argument in the arithmetic x, the values at which x comes to n while the others stay, or are
// what rules name for them.
func (c *collector) solve(x *policy.Expr, n aegis.Num) {
	switch x.Op {
	case policy.OpPath:
		if a := c.path(x); a != nil && x.Root == policy.RootArgs && len(a.nums) < 4*maxCandidates {
			a.name(policy.Literal{Kind: aegis.Number, Num: n})
		}
	case policy.OpAdd, policy.OpSub, policy.OpMul:
		for i, sub := range x.Sub {
			for _, other := range c.values(x.Sub[1-i]) {
				if m, ok := inverse(x.Op, i, n, other); ok {
					c.solve(sub, m)
				}
			}
		}
	}
}

// inverse solves `v op other = n` (or `other op v = n` where v is operand 1) for v; a quotient is rounded to millionths.
func inverse(op policy.Op, operand int, n, other aegis.Num) (aegis.Num, bool) {
	switch {
	case op == policy.OpAdd:
		return aegis.Arith('-', n, other)
	case op == policy.OpSub && operand == 0:
		return aegis.Arith('+', n, other)
	case op == policy.OpSub:
		return aegis.Arith('-', other, n)
	}
	a, ok := n.Micro()
	b, ok2 := other.Micro()
	if !ok || !ok2 || b == 0 {
		return aegis.Num{}, false
	}
	q := float64(a) / float64(b) * 1e6
	if q > 1e15 || q < -1e15 {
		return aegis.Num{}, false
	}
	return aegis.FromMicro(int64(q))
}

// pathText writes a path as people do.
func pathText(path []string) string { return strings.Join(path, ".") }
