package decide

import (
	"math/rand/v2"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// diffRand makes random policies, expressions and calls. One seed always makes the same ones.
type diffRand struct {
	*rand.Rand
	elements []aegis.Kind // what the elements of enclosing exists and all are meant to be
	calm     bool         // policies and calls are mostly as they should be
}

func newDiffRand(seed, stream uint64) *diffRand {
	return &diffRand{Rand: rand.New(rand.NewPCG(seed, stream))}
}

func pickOf[T any](r *diffRand, xs ...T) T { return xs[r.IntN(len(xs))] }

// oneIn is true once in n times.
func (r *diffRand) oneIn(n int) bool { return r.IntN(n) == 0 }

// diffNumbers are constants of expressions and policies: round ones, near misses of binary fractions, and the bounds of
// arithmetic, of exact floats and of the range.
var diffNumbers = []string{"0", "1", "2", "3", "5000", "5001", "4999.99", "5000.5", "0.1", "0.2", "0.3", "0.30000000000000004",
	"1.005", "100.5", "1.1", "2.2", "3.3", "99.995", "-1", "-0.5", "-5000", "2.5", "1000000", "0.000001", "0.0000001", "1e-7",
	"1e15", "9007199254740991", "9007199254740992", "9007199254740993", "1000000000", "1000000000.5", "999999999.999999",
	"1000000000000", "1000000000001", "100000000000", "123456789.123456", "9223372036854775807", "-9223372036854775808",
	"4611686018427387904.0", "1234567.8901234", "86399", "12", "23"}

// diffStrings are constants likewise: what is special to Rego, JSON or CEL, and what folds or normalises.
var diffStrings = []string{"", "USD", "EUR", "usd", "a", "b", "Ab", "acct_1f3a", "é", "e\u0301", "İK", "\u212a", "\ufeff", "\U0001f600",
	"5000", "true", "null", "\"", "\\", "\n", "\x00", "\x7f", "`", "$x", "{}", "]", "#", "input.args", "deny\", \"x", " ", "a\nb", "user",
	"planner", "prod", "Prod", "api.example.com", "example.com", "10.0.0.1", "t", "u1", "pay", "v1", "x1", "i1"}

var diffPatterns = []string{"^acct_[A-Za-z0-9]{4,8}$", "U", "^.$", "(?i)usd", "[^a-z]", `\p{L}`, `\A\z`, `"`, `\\`, "^a|b$", "(?s)^a.b$", "[`]"}

// argument is one that generated policies, expressions and calls know, and what it is meant to be.
type argument struct {
	path []string
	kind aegis.Kind
}

var diffArguments = []argument{{[]string{"amount"}, aegis.Number}, {[]string{"fee"}, aegis.Number}, {[]string{"count"}, aegis.Number},
	{[]string{"meta", "score"}, aegis.Number}, {[]string{"meta", "deep", "n"}, aegis.Number}, {[]string{"currency"}, aegis.String},
	{[]string{"memo"}, aegis.String}, {[]string{"meta", "name"}, aegis.String}, {[]string{"x-y"}, aegis.String},
	{[]string{"approved"}, aegis.Bool}, {[]string{"meta", "flag"}, aegis.Bool}, {[]string{"tags"}, aegis.List},
	{[]string{"nums"}, aegis.List}, {[]string{"items"}, aegis.List}, {[]string{"meta", "list"}, aegis.List},
	{[]string{"meta"}, aegis.Object}, {[]string{"meta", "deep"}, aegis.Object}, {[]string{"nope"}, aegis.Absent}}

// read returns a path that is mostly meant to be of that kind.
func (r *diffRand) read(k aegis.Kind) *policy.Expr {
	if n := len(r.elements); n > 0 && !r.oneIn(3) {
		v := r.IntN(n)
		e := &policy.Expr{Op: policy.OpPath, Root: policy.RootVar, Var: v}
		if r.elements[v] == aegis.Object || r.oneIn(8) {
			field := map[aegis.Kind]string{aegis.Number: "price", aegis.String: "sku", aegis.Bool: "flag", aegis.List: "tags"}[k]
			if field == "" || r.oneIn(8) {
				field = "x-y"
			}
			e.Fields = []string{field}
		}
		return e
	}
	if r.oneIn(15) {
		return &policy.Expr{Op: policy.OpPath, Root: policy.RootClaims, Fields: []string{map[aegis.Kind]string{aegis.Number: "level",
			aegis.String: "sub", aegis.Bool: "admin", aegis.List: "groups", aegis.Object: "org"}[k]}}
	}
	for {
		a := pickOf(r, diffArguments...)
		if a.kind == k || r.oneIn(60) {
			return &policy.Expr{Op: policy.OpPath, Root: policy.RootArgs, Fields: a.path}
		}
	}
}

func diffNumber(text string) policy.Literal {
	n, ok := aegis.ParseNum([]byte(text))
	if !ok {
		panic("a number of the test is out of range: " + text)
	}
	return policy.Literal{Kind: aegis.Number, Num: n}
}

func diffString(s string) policy.Literal { return policy.Literal{Kind: aegis.String, Str: s} }

func (r *diffRand) literal(k aegis.Kind) policy.Literal {
	switch k {
	case aegis.Number:
		return diffNumber(pickOf(r, diffNumbers...))
	case aegis.String:
		return diffString(pickOf(r, diffStrings...))
	}
	return policy.Literal{Kind: aegis.Bool, Bool: r.oneIn(2)}
}

func (r *diffRand) constant(k aegis.Kind) *policy.Expr {
	return &policy.Expr{Op: policy.OpLiteral, Lit: r.literal(k)}
}

// literals returns a list of constants, sometimes of none, sometimes a long one.
func (r *diffRand) literals(k aegis.Kind) []policy.Literal {
	n := 1 + r.IntN(4)
	if r.oneIn(20) {
		n = 0
	} else if r.oneIn(20) {
		n = 20
	}
	ls := []policy.Literal{}
	for range n {
		ls = append(ls, r.literal(k))
	}
	return ls
}

func (r *diffRand) feature(k policy.FeatureKind) *policy.Feature {
	f := &policy.Feature{Kind: k}
	if k == policy.FeatureTaint {
		f.Taint = pickOf(r, "untrusted", "secret")
		return f
	}
	f.Tool, f.Action = "pay", pickOf(r, "send", "refund")
	if r.oneIn(3) {
		f.Action, f.Any = "", true
	}
	if r.oneIn(5) {
		f.Tool = "a/b"
	}
	switch k {
	case policy.FeatureSum:
		f.Arg = pickOf(r, "amount", "meta.score")
	case policy.FeatureValues:
		f.Arg = pickOf(r, "currency", "tags")
	}
	return f
}

func op(o policy.Op, subs ...*policy.Expr) *policy.Expr { return &policy.Expr{Op: o, Sub: subs} }

// number returns an expression that is meant to be a number.
func (r *diffRand) number(depth int) *policy.Expr {
	if depth > 0 && r.oneIn(3) {
		return op(pickOf(r, policy.OpAdd, policy.OpSub, policy.OpMul), r.number(depth-1), r.number(depth-1))
	}
	switch n := r.IntN(20); {
	case n < 10:
		return r.read(aegis.Number)
	case n < 16:
		return r.constant(aegis.Number)
	case n == 16:
		return op(policy.OpSize, r.size())
	case n == 17:
		return &policy.Expr{Op: policy.OpCount, Feature: r.feature(policy.FeatureCount)}
	case n == 18:
		return &policy.Expr{Op: policy.OpSum, Feature: r.feature(policy.FeatureSum)}
	}
	if r.oneIn(3) {
		return op(policy.OpUnix)
	}
	return &policy.Expr{Op: pickOf(r, policy.OpHour, policy.OpWeekday),
		Lit: diffString(pickOf(r, "UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"))}
}

func (r *diffRand) size() *policy.Expr {
	switch r.IntN(4) {
	case 0:
		return r.text(1)
	case 1:
		return r.list()
	}
	return r.read(pickOf(r, aegis.String, aegis.List))
}

// text returns an expression that is meant to be a string.
func (r *diffRand) text(depth int) *policy.Expr {
	switch n := r.IntN(20); {
	case n < 10:
		return r.read(aegis.String)
	case n < 14:
		return r.constant(aegis.String)
	case n < 16:
		return &policy.Expr{Op: policy.OpPath, Root: pickOf(r, policy.RootTool, policy.RootAction, policy.RootAgent,
			policy.RootTenant, policy.RootRegion)}
	case depth <= 0:
		return r.read(aegis.String)
	}
	return op(pickOf(r, policy.OpLower, policy.OpLower, policy.OpHost, policy.OpDomain), r.text(depth-1))
}

// list returns an expression that is meant to be a list, and no list of constants.
func (r *diffRand) list() *policy.Expr {
	switch r.IntN(8) {
	case 0:
		return &policy.Expr{Op: policy.OpPath, Root: policy.RootChain}
	case 1:
		return &policy.Expr{Op: policy.OpValues, Feature: r.feature(policy.FeatureValues)}
	case 2:
		return op(policy.OpLinks, r.text(1))
	}
	return r.read(aegis.List)
}

// elementKind guesses what a list's elements are meant to be.
func (r *diffRand) elementKind(list *policy.Expr) aegis.Kind {
	if list.Op == policy.OpPath && list.Root == policy.RootArgs {
		switch list.Fields[len(list.Fields)-1] {
		case "nums":
			return aegis.Number
		case "items":
			return aegis.Object
		}
	}
	return aegis.String
}

// condition returns an expression that is meant to be true or false.
func (r *diffRand) condition(depth int) *policy.Expr {
	if depth > 0 {
		switch n := r.IntN(10); {
		case n < 4:
			return op(pickOf(r, policy.OpAnd, policy.OpOr), r.condition(depth-1), r.condition(depth-1))
		case n == 4:
			return op(policy.OpNot, r.condition(depth-1))
		case n < 7 && len(r.elements) < 3:
			return r.fold(depth)
		}
	}
	return r.test(depth)
}

func (r *diffRand) fold(depth int) *policy.Expr {
	list := r.list()
	e := op(pickOf(r, policy.OpExists, policy.OpAll), list)
	e.Var = len(r.elements)
	r.elements = append(r.elements, r.elementKind(list))
	e.Sub = append(e.Sub, r.condition(depth-1))
	r.elements = r.elements[:e.Var]
	return e
}

// test returns a condition without conditions in it, mostly.
func (r *diffRand) test(depth int) *policy.Expr {
	switch n := r.IntN(20); {
	case n < 6:
		return op(pickOf(r, policy.OpEq, policy.OpNe, policy.OpLt, policy.OpLe, policy.OpGt, policy.OpGe), r.number(depth), r.number(depth))
	case n < 9:
		return op(pickOf(r, policy.OpEq, policy.OpNe, policy.OpLt, policy.OpGe), r.text(1), r.text(1))
	case n == 9:
		k := func() aegis.Kind { return pickOf(r, aegis.Number, aegis.String, aegis.Bool, aegis.List) }
		return op(pickOf(r, policy.OpEq, policy.OpNe, policy.OpLe), r.read(k()), r.read(k()))
	case n == 10:
		return op(pickOf(r, policy.OpEq, policy.OpNe), r.condition(min(depth-1, 1)), pickOf(r, r.read(aegis.Bool), r.constant(aegis.Bool)))
	case n == 11:
		return r.read(aegis.Bool)
	case n == 12:
		p := r.read(pickOf(r, aegis.Number, aegis.String, aegis.List, aegis.Object))
		if len(p.Fields) == 0 {
			p.Fields = []string{"sku"}
		}
		return &policy.Expr{Op: policy.OpHas, Root: p.Root, Fields: p.Fields, Var: p.Var}
	case n < 15:
		return r.in()
	case n == 15:
		switch r.IntN(3) {
		case 0:
			return &policy.Expr{Op: policy.OpSeen, Feature: r.feature(policy.FeatureCount)}
		case 1:
			return &policy.Expr{Op: policy.OpTainted, Feature: r.feature(policy.FeatureTaint)}
		}
		return r.constant(aegis.Bool)
	case n == 16:
		net := pickOf(r, "10.0.0.0/8", "0.0.0.0/0", "192.0.2.0/24", "2001:db8::/32", "::/0", "::1/128", "10.0.0.1/32", "fe80::/10")
		return &policy.Expr{Op: policy.OpInCIDR, Sub: []*policy.Expr{r.text(1)}, Lit: diffString(net)}
	}
	e := op(pickOf(r, policy.OpStarts, policy.OpEnds, policy.OpContains, policy.OpMatches), r.text(1))
	e.Lit = r.literal(aegis.String)
	if e.Op == policy.OpMatches {
		e.Lit.Str = pickOf(r, diffPatterns...)
	}
	return e
}

func (r *diffRand) in() *policy.Expr {
	k := pickOf(r, aegis.Number, aegis.String, aegis.String, aegis.Bool)
	var x *policy.Expr
	switch k {
	case aegis.Number:
		x = r.number(1)
	case aegis.String:
		x = r.text(1)
	default:
		x = r.read(aegis.Bool)
	}
	if r.oneIn(2) {
		return op(policy.OpIn, x, r.list())
	}
	return op(policy.OpIn, x, &policy.Expr{Op: policy.OpList, List: r.literals(k)})
}
