package policy

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"cel.dev/cel-go/common"
	"cel.dev/cel-go/parser"
	"pgregory.net/rapid"

	"github.com/aegisctl/aegis"
)

func str(s string) Literal     { return Literal{Kind: aegis.String, Str: s} }
func number(n int64) Literal   { return Literal{Kind: aegis.Number, Num: aegis.Int(n)} }
func boolean(b bool) Literal   { return Literal{Kind: aegis.Bool, Bool: b} }
func arg(path string) *Expr    { return &Expr{Op: OpPath, Fields: strings.Split(path, ".")} }
func constant(l Literal) *Expr { return &Expr{Op: OpLiteral, Lit: l} }
func op(o Op, subs ...*Expr) *Expr {
	return &Expr{Op: o, Sub: subs}
}

var testNames = Names{
	Lists:  map[string][]Literal{"payees": {str("a"), str("b")}, "none": {}, "levels": {number(1), number(2)}},
	Params: map[string]Literal{"ceiling": number(5000), "prefix": str("acct_"), "strict": boolean(true)},
}

// sameExpr compares trees, offsets apart.
func sameExpr(a, b *Expr) bool {
	same := a.Op == b.Op && a.Root == b.Root && a.Var == b.Var && slices.Equal(a.Fields, b.Fields) &&
		(a.Feature == b.Feature || a.Feature != nil && b.Feature != nil && *a.Feature == *b.Feature) &&
		slices.EqualFunc(a.Sub, b.Sub, sameExpr) && slices.EqualFunc(a.List, b.List, Literal.Equal)
	return same && (a.Lit == Literal{}) == (b.Lit == Literal{}) && a.Lit.Equal(b.Lit)
}

// trees has expressions and what they mean.
var trees = map[string]*Expr{
	"amount > 5000":               op(OpGt, arg("amount"), constant(number(5000))),
	"args.amount>params.ceiling":  op(OpGt, arg("amount"), constant(number(5000))),
	"has(a.b)":                    {Op: OpHas, Fields: []string{"a", "b"}},
	"has(a)":                      {Op: OpHas, Fields: []string{"a"}},
	"has(claims.x)":               {Op: OpHas, Root: RootClaims, Fields: []string{"x"}},
	"-a < - 5":                    op(OpLt, op(OpSub, constant(number(0)), arg("a")), constant(number(-5))),
	"a > -(5)":                    op(OpGt, arg("a"), constant(number(-5))),
	"a > --5":                     op(OpGt, arg("a"), constant(number(5))),
	"a > -9223372036854775808":    op(OpGt, arg("a"), constant(number(-9223372036854775808))),
	"a == -//x\n 5":               op(OpEq, arg("a"), constant(number(-5))),
	"x in lists.payees":           op(OpIn, arg("x"), &Expr{Op: OpList, List: testNames.Lists["payees"]}),
	"x in []":                     op(OpIn, arg("x"), &Expr{Op: OpList}),
	"x in chain":                  op(OpIn, arg("x"), &Expr{Op: OpPath, Root: RootChain}),
	"x in [params.ceiling, -1]":   op(OpIn, arg("x"), &Expr{Op: OpList, List: []Literal{number(5000), number(-1)}}),
	"s.startsWith(params.prefix)": {Op: OpStarts, Sub: []*Expr{arg("s")}, Lit: str("acct_")},
	"args.time == args.args.x":    op(OpEq, arg("time"), arg("args.x")),
	"l.exists(x, x.y == x.z)": op(OpExists, arg("l"), op(OpEq, &Expr{Op: OpPath, Root: RootVar,
		Fields: []string{"y"}},
		&Expr{Op: OpPath, Root: RootVar, Fields: []string{"z"}})),
	"l.all(x, m.exists(y, x == y) && x == x)": op(OpAll, arg("l"), op(OpAnd, &Expr{Op: OpExists, Var: 1,
		Sub: []*Expr{arg("m"),
			op(OpEq, &Expr{Op: OpPath, Root: RootVar}, &Expr{Op: OpPath, Root: RootVar, Var: 1})}},
		op(OpEq, &Expr{Op: OpPath, Root: RootVar}, &Expr{Op: OpPath, Root: RootVar}))),
	"l.exists(x, m.exists(x, x))": op(OpExists, arg("l"), &Expr{Op: OpExists, Var: 1, Sub: []*Expr{arg("m"),
		{Op: OpPath, Root: RootVar, Var: 1}}}),
	"size(x) == x.size()":     op(OpEq, op(OpSize, arg("x")), op(OpSize, arg("x"))),
	"time.unix > 0":           op(OpGt, op(OpUnix), constant(number(0))),
	`time.hour("UTC") > 0`:    op(OpGt, &Expr{Op: OpHour, Lit: str("UTC")}, constant(number(0))),
	`session.seen("a%2Fb/c")`: {Op: OpSeen, Feature: &Feature{Tool: "a/b", Action: "c"}},
	`session.count("t") > 1`: op(OpGt, &Expr{Op: OpCount, Feature: &Feature{Tool: "t", Any: true}},
		constant(number(1))),
	`session.sum("t/a", "x.y") > 1`: op(OpGt, &Expr{Op: OpSum, Feature: &Feature{Kind: FeatureSum, Tool: "t",
		Action: "a", Arg: "x.y"}},
		constant(number(1))),
	`x in session.values("t/a", "id")`: op(OpIn, arg("x"), &Expr{Op: OpValues, Feature: &Feature{Kind: FeatureValues,
		Tool: "t", Action: "a",
		Arg: "id"}}),
	`session.tainted("untrusted")`: {Op: OpTainted, Feature: &Feature{Kind: FeatureTaint, Taint: "untrusted"}},
	`inCIDR(ip, "10.0.0.0/8")`:     {Op: OpInCIDR, Sub: []*Expr{arg("ip")}, Lit: str("10.0.0.0/8")},
	`links(t).all(h, h in lists.none)`: op(OpAll, op(OpLinks, arg("t")), op(OpIn, &Expr{Op: OpPath, Root: RootVar},
		&Expr{Op: OpList})),
	"args.`a-b c/d` == r'\\n'": op(OpEq, arg("a-b c/d"), constant(str(`\n`))),
	"a.`in`.while":             arg("a.in.while"),
	"params.strict":            constant(boolean(true)),
	"a // all of it":           arg("a"),
	"(a > 1) == (b in [2])": op(OpEq, op(OpGt, arg("a"), constant(number(1))), op(OpIn, arg("b"),
		&Expr{Op: OpList, List: []Literal{number(2)}})),
}

func TestParseExprTrees(t *testing.T) {
	for src, want := range trees {
		e, err := ParseExpr(src, testNames)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		if !sameExpr(e, want) {
			t.Errorf("%s: got %s", src, e)
		}
	}
}

func TestChainsAreFlat(t *testing.T) {
	want, err := ParseExpr("a && b && c && d && e", Names{})
	if err != nil {
		t.Fatal(err)
	}
	for _, src := range []string{"(a && b) && (c && d) && e", "a && (b && (c && (d && e)))",
		"(((a && b) && c) && d) && e"} {
		if e, err := ParseExpr(src, Names{}); err != nil || !sameExpr(e, want) {
			t.Errorf("%s: %v %v", src, e, err)
		}
	}
	if _, err := ParseExpr(strings.TrimSuffix(strings.Repeat("a || ", 800), " || "), Names{}); err != nil {
		t.Errorf("a chain of 800: %v", err)
	}
}

// refused has what the language leaves out, with the place (from 1) and a part of what is said about it.
var refused = []struct {
	src  string
	at   int
	want string
}{
	{"", 1, "empty"}, {"  \n", 1, "empty"}, {"a > \xff", 1, "UTF-8"},
	{"amount = 5000", 8, "=="}, {"amount > 5000 amount > 1", 15, "follows"}, {"amount > (5000", 15, "too early"},
	{"amount > 5000 }\nallow if { true", 15, "follows"}, {"a > 1; b", 6, ""}, {"a and b", 3, "&&"},
	{"a OR b", 3, "||"}, {"not a", 5, "!"},
	{"a & b", 3, "&&"}, {"$ceiling > 1", 1, "params"}, {"a > 5k", 6, ""}, {"a > 5_000", 6, ""},
	{"if > 1", 1, "args.if"}, {"ä > 1", 1, "ASCII"},
	{"`a` > 1", 1, "args.`a`"}, {"a.`b.c` > 1", 1, "point"}, {`"a`, 1, "unterminated"},
	{"a > 5000.00000000000000000001", 5, "range"}, {"a > 1e400", 5, "range"},
	{"a > 9223372036854775808", 5, "range"},
	{"a > -9223372036854775809", 6, "range"}, {"a > -(-9223372036854775808)", 5, "range"},
	{"a > 0.1234567890123456789", 5, "range"},
	{"a > 0x10", 5, "JSON"}, {"a > 007", 5, "JSON"}, {"a > .5", 5, "JSON"}, {"a > -0x1", 5, "JSON"},
	{"a > 1u", 5, "unsigned"},
	{"a > 0." + strings.Repeat("0", 70) + "1", 5, "too long"},
	{"a / 2 > 1", 3, "/"}, {"a % 2 == 1", 3, "%"}, {"a ? b : c", 3, "?"}, {"a[0] == 1", 2, "exists"},
	{"a.?b == 1", 2, ""},
	{`a["b"] == 1`, 2, "a.b"}, {"{} == a", 1, "objects"}, {`{"a": 1} == b`, 1, "objects"},
	{"A{b: 1} == c", 2, "objects"}, {"a == null", 6, "has"},
	{"b'x' == a", 1, "bytes"}, {`a + "x" == b`, 5, "joined"}, {"True == a", 1, "true"}, {"a == None", 6, "has"},
	{".a > 1", 1, "point"},
	{"int(a) > 1", 1, "conversion"}, {"timestamp(a) > 1", 1, "time.unix"}, {`duration("1s") > a`, 1, "seconds"},
	{"string(a) == b", 1, "as it is"},
	{"a.map(x, x > 1)", 3, "exists"}, {"a.filter(x, x > 1)", 3, "exists"}, {"a.exists_one(x, x > 1)", 3, "exists"},
	{"type(a) == b", 1, "declare"},
	{"dyn(a) == b", 1, ""}, {"http.send({'url': 'x'}).status_code == 200", 24, "names"}, {"host(a).b", 8, "names"},
	{`a.startswith("x")`, 3, "startsWith"}, {`startsWith(a, "x")`, 1, "x.startsWith"},
	{"a.startsWith(b)", 14, "constant"}, {"a.startsWith(1)", 14, "constant"},
	{"a.matches('[')", 11, "RE2"}, {"a.matches('((x{100}){100}){100}')", 11, "too large"},
	{"a.host() == b", 3, "host(url)"}, {"frob(a)", 1, "known here: all"},
	{"size(a, b) > 1", 1, "size(x)"}, {"size([1]) > 0", 6, "right of in"}, {"[1].exists(x, x > 1)", 1, "x in"},
	{"lists.levels.all(x, x > 1)", 1, "x in"},
	{"a.exists(b.c, true)", 11, "new name"}, {"a.exists(time, true)", 10, "reserved"},
	{"a.exists(args, true)", 10, "reserved"},
	{"a.exists(i, v, true)", 3, "list.exists"}, {"a.exists(.x, true)", 10, "new name"},
	{"time > 1", 1, "time.unix"}, {"time.now > 1", 1, "time.unix"}, {"session == 'a'", 1, "session.count"},
	{"session.id == 'a'", 1, "session.count"},
	{"args == 1", 1, "args.NAME"}, {"lists == 1", 1, "lists.NAME"}, {"params == 1", 1, "params.NAME"},
	{"claims == 1", 1, "claims.NAME"},
	{"has(args)", 5, "args.NAME"}, {"tool.x == 'a'", 1, "args.tool"}, {"has(tool)", 5, "none"},
	{"has(size(a) > 1)", 5, "none"}, {"has(lists.none)", 5, "none"},
	{"a in lists.payee", 6, "did you mean payees?"}, {"a > params.cieling", 5, "did you mean ceiling?"},
	{"a in lists.zzzzzz", 6, "no list"},
	{"a in [1, 'x']", 10, "one kind"}, {"a in [b]", 7, "constants"}, {"a in [[1]]", 7, "constants"},
	{"[1] in a", 1, "single values"}, {"a in 'x'", 6, "contains"},
	{"'x' in tool", 8, "contains"}, {"chain in a", 1, "single values"}, {"a in params.prefix", 6, "no list"},
	{"time.hour('Mars') > 1", 11, "zone"}, {"time.hour('') > 1", 11, "zone"},
	{"time.hour('Local') > 1", 11, "zone"}, {"time.minute('UTC') > 1", 6, "hour"},
	{"inCIDR(a, '10.0.0.1/8')", 11, "10.0.0.0/8"}, {"inCIDR(a, '10.0.0.0')", 11, "no network"},
	{"inCIDR(a, '::ffff:1.0.0.0/104')", 11, "IPv4"},
	{"inCIDR(a, '2001:DB8::/32')", 11, "2001:db8::/32"}, {"inCIDR(a, b)", 11, "constant"},
	{"session.count('a/b*') > 1", 15, "star"}, {"session.count('a/b/c') > 1", 15, "%2F"},
	{"session.count('a%20b') > 1", 15, "%2F"},
	{"session.count('') > 1", 15, "name"}, {"session.count('a/') > 1", 15, "name"},
	{"session.count(a) > 1", 15, "constant"}, {"session.seen('ä')", 14, "name"},
	{"session.sum('a') > 1", 9, "session.sum"}, {"session.sum('a', '') > 1", 18, "argument"},
	{"session.sum('a', 'b..c') > 1", 18, "argument"},
	{"session.values('a', 'b#c') == 1", 21, "argument"}, {"session.tainted('a b')", 17, "taint"},
	{"session.cuont('a') > 1", 9, "count"},
	{"0 < amount > 5000", 1, "&&"}, {`"a" > 1`, 1, "never compare"}, {"true < false", 1, "boolean"},
	{"chain == a", 1, "list"}, {"!amount > 5000", 1, "!(a > b)"},
	{"amount && amount > 5000", 11, "both"}, {"a.b > 1 && a > 1", 12, "both"},
	{"a in ['x'] && a > 5", 15, "never compare"}, {"a > 1 == 2", 1, "never compare"},
	{"a == b && b == 'x' && a == 1", 1, "never compare"}, {"l.exists(x, x > 1 && x == 'a')", 22, "x is a number"},
	{"chain.exists(c, c > 1)", 17, "never compare"},
	{"a && !a && has(a.b)", 12, "both"}, {"links(t).all(h, h.x)", 17, "both"},
	{"claims.x == 1 && claims.x == 'a'", 18, "never compare"}, {"size(a) > 1 && a == 1", 16, "never compare"},
	{"tool == 1", 1, "never compare"}, {"region > 5", 1, "never compare"}, {"-tool < 5", 2, "number"},
	{"size(1) > 1", 6, "due"}, {"1.size() > 0", 1, "due"},
	{"host(5) == 'x'", 6, "due"}, {"1 && true", 1, "due"}, {"a.exists(x, 1)", 13, "due"},
	{"tool.exists(x, x)", 1, "due"}, {"a + 1", 1, "due"},
	{"'x'", 1, "due"}, {"[1]", 1, "due"}, {"size(a)", 1, "due"}, {"params.ceiling", 1, "due"},
	{"links(a)", 1, "due"},
	{strings.Repeat("(", 70) + "a" + strings.Repeat(")", 70), 1, "deeper"},
	{"1" + strings.Repeat("+1", 70) + " > a", 1, "deeper"},
	{strings.Repeat("!(", 70) + "a" + strings.Repeat(")", 70), 1, "deeper"},
	{"a" + strings.Repeat(".a", 100), 1, "deeper"},
	{strings.Repeat(" ", 4096) + "a", 4097, "4096 is the most"},
	{"a == 'é\n' ", 6, "unterminated"}, {"a == 'é' && b = 1", 15, "=="}, {"a == 'x' &&\n  b = 1", 17, "=="},
}

func TestParseExprRefuses(t *testing.T) {
	for _, c := range refused {
		e, err := ParseExpr(c.src, testNames)
		var x *ExprError
		switch {
		case err == nil:
			t.Errorf("%.60q is accepted as %s", c.src, e)
		case !errors.As(err, &x):
			t.Errorf("%.60q: %T", c.src, err)
		case x.Offset+1 != c.at || !strings.Contains(err.Error(), c.want):
			t.Errorf("%.60q: %v, want character %d and %q", c.src, err, c.at, c.want)
		}
	}
}

func TestParseNumber(t *testing.T) {
	for src, ok := range map[string]bool{"0.02": true, "0.02 * size(text)": true, "amount": true, "-amount": true,
		"amount > 1": false,
		"'x'":        false, "true": false, "params.ceiling": true, "params.strict": false,
		"lists.levels": false, "": false} {
		if _, err := ParseNumber(src, testNames); (err == nil) != ok {
			t.Errorf("%s: %v", src, err)
		}
	}
}

func TestArgKinds(t *testing.T) {
	const n, s, b, l, o = aegis.Number, aegis.String, aegis.Bool, aegis.List, aegis.Object
	for src, want := range map[string]map[string]aegis.Kind{
		"amount > 5000":                 {"amount": n},
		`a.startsWith("x")`:             {"a": s},
		`x in ["a"]`:                    {"x": s},
		"x in [true]":                   {"x": b},
		"x in []":                       {},
		"b && !c":                       {"b": b, "c": b},
		"l.exists(x, x > 1)":            {"l": l},
		"size(x) > 1":                   {},
		"x == y":                        {},
		"x < y":                         {},
		"x == y && y > 1":               {"x": n, "y": n},
		"a.b.c == 'x'":                  {"a": o, "a.b": o, "a.b.c": s},
		"has(a.b)":                      {"a": o},
		"has(a)":                        {},
		"x in y":                        {"y": l},
		"x in chain":                    {"x": s},
		"x in links(t)":                 {"x": s, "t": s},
		"host(u) == h":                  {"u": s, "h": s},
		"a + b > c * -d":                {"a": n, "b": n, "c": n, "d": n},
		"claims.x == 'a' && tool == t":  {"t": s},
		"l.all(x, x.k == k && k)":       {"l": l, "k": b},
		"args.time > 1":                 {"time": n},
		"inCIDR(ip, '10.0.0.0/8') == z": {"ip": s, "z": b},
		"size(x) > 1 && x in ['a']":     {"x": s},
	} {
		e, err := ParseExpr(src, Names{})
		if err != nil {
			t.Errorf("%s: %v", src, err)
		} else if got := e.ArgKinds(); !maps.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", src, got, want)
		}
	}
	if e, err := ParseNumber("a", Names{}); err != nil || len(e.ArgKinds()) != 0 {
		t.Errorf("what a whole expression must be is for its place to say: %v", err)
	}
}

func TestOffsets(t *testing.T) {
	src := "ok &&\n  args.amount > 5 ||\n 'é' in tags && host( url ) == s.lowerAscii()"
	e, err := ParseExpr(src, Names{})
	if err != nil {
		t.Fatal(err)
	}
	runes := []rune(src)
	e.Walk(func(x *Expr) {
		for _, s := range x.Sub {
			if s.Offset < x.Offset {
				t.Errorf("%s begins before %s", s, x)
			}
		}
		want := map[string]string{"amount": "args.amount", "host(url)": "host( url )", "url": "url",
			"s.lowerAscii()": "s.lower", `"é" in tags`: "'é'",
			"tags": "tags", "amount > 5": "args.amount >", "5": "5 ||"}[x.String()]
		if !strings.HasPrefix(string(runes[x.Offset:]), want) {
			t.Errorf("%s: offset %d is %.20q", x, x.Offset, string(runes[x.Offset:]))
		}
	})
}

// genExpr draws a tree that is well-kinded by the names of the arguments it reads.
type genExpr struct {
	t    *rapid.T
	vars int
}

func (g *genExpr) pick(n int) int { return rapid.IntRange(0, n-1).Draw(g.t, "pick") }

func (g *genExpr) bool(depth int) *Expr {
	n := 14
	if depth == 0 {
		n = 5
	}
	switch g.pick(n) {
	case 0:
		return constant(boolean(g.pick(2) == 0))
	case 1:
		return arg([]string{"b", "b2", "o.b", "o.in", "true", "time", "v0", "if"}[g.pick(8)])
	case 2:
		return &Expr{Op: OpHas, Root: Root(g.pick(3) & 2), Fields: []string{"o", "x-y"}[:1+g.pick(2)]}
	case 3:
		return &Expr{Op: []Op{OpSeen, OpTainted}[0], Feature: &Feature{Tool: "t/u", Any: true}}
	case 4:
		return &Expr{Op: OpTainted, Feature: &Feature{Kind: FeatureTaint, Taint: "x"}}
	case 5, 6:
		var terms []*Expr
		o := []Op{OpAnd, OpOr}[g.pick(2)]
		for range 2 + g.pick(4) {
			terms = g.bool(depth-1).terms(o, terms)
		}
		return balance(o, terms)
	case 7:
		return op(OpNot, g.bool(depth-1))
	case 8:
		return op(OpEq+Op(g.pick(6)), g.number(depth-1), g.number(depth-1))
	case 9:
		return op(OpEq+Op(g.pick(6)), g.string(depth-1), g.string(depth-1))
	case 10:
		return op(OpEq+Op(g.pick(2)), g.bool(depth-1), g.bool(depth-1))
	case 11:
		return &Expr{Op: []Op{OpStarts, OpEnds, OpContains, OpMatches}[g.pick(4)], Sub: []*Expr{g.string(depth - 1)},
			Lit: str("a.b")}
	case 12:
		if g.pick(2) == 0 {
			return op(OpIn, g.string(depth-1), &Expr{Op: OpList, List: []Literal{str("x"), str(rapid.String().Draw(g.t,
				"s"))}[:g.pick(3)]})
		}
		return op(OpIn, g.string(depth-1), g.list(depth-1))
	}
	l := g.list(depth - 1)
	e := &Expr{Op: []Op{OpExists, OpAll}[g.pick(2)], Var: g.vars, Sub: []*Expr{l, nil}}
	g.vars++
	e.Sub[1] = g.bool(depth - 1)
	g.vars--
	return e
}

func (g *genExpr) number(depth int) *Expr {
	switch n := g.pick(6); {
	case n == 0 || depth <= 0:
		num, _ := aegis.ParseNum([]byte([]string{"0", "-5", "0.1", "-0.000001", "1e-7", "9223372036854775807",
			"-9223372036854775808"}[g.pick(7)]))
		return constant(Literal{Kind: aegis.Number, Num: num})
	case n == 1:
		return arg([]string{"n", "o.n", "session", "a-b"}[g.pick(4)])
	case n == 2:
		return []*Expr{op(OpUnix), {Op: OpHour, Lit: str("UTC")}, {Op: OpWeekday, Lit: str("UTC")}}[g.pick(3)]
	case n == 3:
		return &Expr{Op: OpSum, Feature: &Feature{Kind: FeatureSum, Tool: "t", Action: "a", Arg: "x.y"}}
	case n == 4:
		return op(OpSize, []*Expr{g.string(depth - 1), g.list(depth - 1)}[g.pick(2)])
	}
	return op(OpAdd+Op(g.pick(3)), g.number(depth-1), g.number(depth-1))
}

func (g *genExpr) string(depth int) *Expr {
	switch n := g.pick(5); {
	case n == 0 || depth <= 0:
		return constant(str(rapid.String().Draw(g.t, "s")))
	case n == 1 && g.vars > 0:
		return &Expr{Op: OpPath, Root: RootVar, Var: g.pick(g.vars)}
	case n == 2:
		return op([]Op{OpLower, OpHost, OpDomain}[g.pick(3)], g.string(depth-1))
	case n == 3:
		return &Expr{Op: OpPath, Root: []Root{RootTool, RootAction, RootAgent, RootTenant, RootRegion}[g.pick(5)]}
	}
	return arg([]string{"s", "o.s", "None"}[g.pick(3)])
}

func (g *genExpr) list(depth int) *Expr {
	switch g.pick(4) {
	case 0:
		return &Expr{Op: OpPath, Root: RootChain}
	case 1:
		return op(OpLinks, g.string(depth-1))
	case 2:
		return &Expr{Op: OpValues, Feature: &Feature{Kind: FeatureValues, Tool: "t", Action: "a", Arg: "id"}}
	}
	return arg("l")
}

// TestStringReadsBack draws trees, prints them and reads them back, with both of cel-go's parsers.
func TestStringReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := (&genExpr{t: t}).bool(4)
		src := e.String()
		back, err := parseExpr(src, Names{}, setBool, 1<<20)
		if err != nil {
			t.Fatalf("%s: %v", src, err)
		}
		if !sameExpr(e, back) || back.String() != src {
			t.Fatalf("%s\nis read as\n%s", src, back)
		}
	})
}

// otherParser reads an expression with cel-go's ANTLR parser.
func otherParser(src string) (*Expr, error) {
	p, err := parser.NewParser(append(parserLimits(MaxExprChars), parser.EnablePrattParser(false))...)
	if err != nil {
		return nil, err
	}
	tree, errs := p.Parse(common.NewTextSource(src))
	if errs != nil && len(errs.GetErrors()) > 0 {
		return nil, errors.New(errs.ToDisplayString())
	}
	e, xerr := (&translator{src: []rune(src), info: tree.SourceInfo(), names: testNames}).expr(tree.Expr())
	if xerr != nil {
		return nil, xerr
	}
	if xerr := newKindCheck(nil).run(e, setBool); xerr != nil {
		return nil, xerr
	}
	return e, nil
}

// TestBothParsersAgree holds the parser in use against cel-go's other one on token soup: what it accepts, the other
// accepts with the same tree.
func TestBothParsersAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		src := pieces(t, 12, "a", "b", " > ", "1", "-", "&&", "||", "!", "(", ")", " in ", "[1,2]", ".", "size(a)",
			"x.all(y, y)", "0.5", "'s'", "==", "+",
			" - ", "*", "has(a)", ",", "true", " // c\n", "<", "1e2", "?", ":", `"\u00e9"`, "r'\\'", ".startsWith('a')",
			"lists.levels", "\n", "`c-d`")
		e, err := ParseExpr(src, testNames)
		if err != nil {
			return
		}
		if other, err := otherParser(src); err != nil || !sameExpr(e, other) {
			t.Fatalf("%q is %s, and to the other parser %v %v", src, e, other, err)
		}
	})
}

// checkAny asserts what holds for any text at all: no panic, errors of the one type and inside the text, and trees that
// read back.
func checkAny(t interface {
	Helper()
	Fatalf(string, ...any)
}, src string) {
	t.Helper()
	e, err := ParseExpr(src, testNames)
	if err != nil {
		var x *ExprError
		if !errors.As(err, &x) || x.Offset < 0 || x.Offset > utf8.RuneCountInString(src) || x.Msg == "" {
			t.Fatalf("%q: %#v", src, err)
		}
		return
	}
	e.Walk(func(x *Expr) {
		if x.Offset < 0 || x.Offset >= utf8.RuneCountInString(src) {
			t.Fatalf("%q: offset %d", src, x.Offset)
		}
	})
	back, err := parseExpr(e.String(), Names{}, setBool, 1<<20)
	if err != nil || !sameExpr(e, back) {
		t.Fatalf("%q: %s is read back as %v %v", src, e, back, err)
	}
}

func TestParseExprOnAnyText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checkAny(t, pieces(t, 20, "a", "args", "time", "session", ".", "count(", "'t/a'", ")", "(", "[", "]", "{", "}",
			"1", "-", "!", "&&", " in ", "\"", "'''",
			"\\", "\n", "//", "exists(x,", "hour('UTC')", ">", "+", "?", ":", "lists", "null", "0x", "e5", "u", "b'",
			"`"))
	})
}

func FuzzParseExpr(f *testing.F) {
	for _, s := range []string{"amount > 5000", "a && !b || c in [1, -2]", "l.exists(x, x.y > 0.5)",
		"session.sum('t/a', 'x') + time.unix > 1e3",
		"links(t).all(h, h in lists.payees)", "args.`a-b` == '''\n'''", "-(-5) < -a",
		"has(a.b) == (\"\\u00e9\" in chain)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) { checkAny(t, src) })
}
