package decide

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/ext"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// cel-go is the third interpreter of expressions. Own mode spells every comparison and operation as a function of
// ours, computed here with big.Rat and nothing of the product; what remains of CEL is its three-valued logic, its
// macros and its attribute resolution. Stock mode is CEL as it is.

// celText writes an expression in one of the modes.
func celText(e *policy.Expr, own bool) string {
	sub := func(i int) string { return celText(e.Sub[i], own) }
	f := func(name string, args ...string) string { return name + "(" + strings.Join(args, ", ") + ")" }
	typed := func(kind string, i int) string {
		if own {
			return f(kind+"_", sub(i))
		}
		return sub(i)
	}
	switch e.Op {
	case policy.OpPath:
		return celPath(e)
	case policy.OpLiteral:
		return celLiteral(e.Lit)
	case policy.OpList:
		return celList(e.List)
	case policy.OpAnd:
		return "(" + typed("bool", 0) + " && " + typed("bool", 1) + ")"
	case policy.OpOr:
		return "(" + typed("bool", 0) + " || " + typed("bool", 1) + ")"
	case policy.OpNot:
		return "!" + "(" + typed("bool", 0) + ")"
	case policy.OpEq, policy.OpNe, policy.OpLt, policy.OpLe, policy.OpGt, policy.OpGe, policy.OpAdd, policy.OpSub, policy.OpMul:
		o := celBinary[e.Op]
		if own {
			return f(o.own, sub(0), sub(1))
		}
		return "(" + sub(0) + o.stock + sub(1) + ")"
	case policy.OpIn:
		switch {
		case !own:
			return "(" + sub(0) + " in " + sub(1) + ")"
		case e.Sub[1].Op == policy.OpList:
			return f("in_literals_", sub(0), sub(1))
		}
		return f("in_list_", sub(0), sub(1))
	case policy.OpHas:
		return celHas(e, own)
	case policy.OpSize:
		return f(map[bool]string{true: "size_", false: "size"}[own], sub(0))
	case policy.OpStarts, policy.OpEnds, policy.OpContains, policy.OpMatches:
		name := map[policy.Op]string{policy.OpStarts: "startsWith", policy.OpEnds: "endsWith", policy.OpContains: "contains", policy.OpMatches: "matches"}[e.Op]
		return typed("string", 0) + "." + name + "(" + celString(e.Lit.Str) + ")"
	case policy.OpLower:
		return typed("string", 0) + ".lowerAscii()"
	case policy.OpExists, policy.OpAll:
		name := map[policy.Op]string{policy.OpExists: "exists", policy.OpAll: "all"}[e.Op]
		return fmt.Sprintf("%s.%s(v%d, %s)", typed("list", 0), name, e.Var, typed("bool", 1))
	case policy.OpHost, policy.OpDomain, policy.OpLinks:
		return f(map[policy.Op]string{policy.OpHost: "host_", policy.OpDomain: "domain_", policy.OpLinks: "links_"}[e.Op], sub(0))
	case policy.OpInCIDR:
		return f("cidr_", sub(0), celString(e.Lit.Str))
	case policy.OpUnix:
		return "moment.unix"
	case policy.OpHour, policy.OpWeekday:
		return f(map[policy.Op]string{policy.OpHour: "hour_", policy.OpWeekday: "weekday_"}[e.Op], "moment.unix", celString(e.Lit.Str))
	}
	return celFeature(e)
}

var celBinary = map[policy.Op]struct{ own, stock string }{policy.OpEq: {"eq_", " == "}, policy.OpNe: {"ne_", " != "}, policy.OpLt: {"lt_", " < "},
	policy.OpLe: {"le_", " <= "}, policy.OpGt: {"gt_", " > "}, policy.OpGe: {"ge_", " >= "}, policy.OpAdd: {"add_", " + "},
	policy.OpSub: {"sub_", " - "}, policy.OpMul: {"mul_", " * "}}

func celFeature(e *policy.Expr) string {
	key := celString(e.Feature.Key())
	switch e.Op {
	case policy.OpCount:
		return "past.count[" + key + "]"
	case policy.OpSeen:
		return "(past.count[" + key + "] > 0)"
	case policy.OpSum:
		return "past.sum[" + key + "]"
	case policy.OpValues:
		return "past.values[" + key + "]"
	}
	return "(" + key + " in past.taints)"
}

func celPath(e *policy.Expr) string {
	s := map[policy.Root]string{policy.RootArgs: "args", policy.RootChain: "chain", policy.RootClaims: "claims", policy.RootTool: "tool",
		policy.RootAction: "action", policy.RootAgent: "agent", policy.RootTenant: "tenant", policy.RootRegion: "region"}[e.Root]
	if e.Root == policy.RootVar {
		s = fmt.Sprintf("v%d", e.Var)
	}
	for _, f := range e.Fields {
		s += "[" + celString(f) + "]"
	}
	return s
}

func celHas(e *policy.Expr, own bool) string {
	last := len(e.Fields) - 1
	parent := *e
	parent.Op, parent.Fields = policy.OpPath, e.Fields[:last]
	field := e.Fields[last]
	switch {
	case own:
		return "has_(" + celPath(&parent) + ", " + celString(field) + ")"
	case strings.Contains(field, "-"):
		return "(" + celString(field) + " in " + celPath(&parent) + ")"
	}
	return "has(" + celPath(&parent) + "." + field + ")"
}

func celString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			fmt.Fprintf(&b, `\U%08x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String() + `"`
}

func celLiteral(l policy.Literal) string {
	switch l.Kind {
	case aegis.String:
		return celString(l.Str)
	case aegis.Number:
		return "(" + l.Num.Text() + ")"
	}
	return strconv.FormatBool(l.Bool)
}

func celList(ls []policy.Literal) string {
	texts := make([]string, len(ls))
	for i, l := range ls {
		texts[i] = celLiteral(l)
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

// celValue turns decoded JSON into what CEL knows. Null members are missing; numbers out of range are errors.
func celValue(v any) any {
	switch x := v.(type) {
	case json.Number:
		return celNumber(string(x))
	case map[string]any:
		m := map[string]any{}
		for k, e := range x {
			if e != nil {
				m[k] = celValue(e)
			}
		}
		return m
	case []any:
		l := make([]any, len(x))
		for i, e := range x {
			l[i] = celValue(e)
		}
		return l
	}
	return v
}

func celNumber(text string) any {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		panic(text)
	}
	return celRat(r)
}

// celRat returns an exact number as CEL's int or double, or an error where it is out of range.
func celRat(r *big.Rat) any {
	if r.IsInt() {
		if r.Num().IsInt64() {
			return r.Num().Int64()
		}
		return types.NewErr("out of range")
	}
	f, _ := r.Float64()
	if math.IsInf(f, 0) || math.Abs(f) >= 1<<63 {
		return types.NewErr("out of range")
	}
	if short, _ := new(big.Rat).SetString(strconv.FormatFloat(f, 'g', -1, 64)); short.Cmp(r) != 0 {
		return types.NewErr("out of range")
	}
	return f
}

func ratOf(v ref.Val) *big.Rat {
	switch x := v.(type) {
	case types.Int:
		return new(big.Rat).SetInt64(int64(x))
	case types.Double:
		r, _ := new(big.Rat).SetString(strconv.FormatFloat(float64(x), 'g', -1, 64))
		return r
	}
	return nil
}

var errKind = types.NewErr("not of the kind")

// celCompare compares two values of one scalar kind.
func celCompare(a, b ref.Val, ordered bool) (int, bool) {
	if x, y := ratOf(a), ratOf(b); x != nil && y != nil {
		return x.Cmp(y), true
	}
	if x, ok := a.(types.String); ok {
		if y, ok := b.(types.String); ok {
			return strings.Compare(string(x), string(y)), true
		}
	}
	x, ok := a.(types.Bool)
	y, ok2 := b.(types.Bool)
	if ok && ok2 && !ordered {
		if x == y {
			return 0, true
		}
		return 1, true
	}
	return 0, false
}

// bounded reports whether a number is within the bounds of arithmetic.
func bounded(r *big.Rat) bool {
	size := new(big.Rat).Abs(r)
	if r.IsInt() {
		return size.Cmp(big.NewRat(1e12, 1)) <= 0
	}
	return size.Cmp(big.NewRat(1e9, 1)) <= 0 && new(big.Rat).Mul(r, big.NewRat(1e6, 1)).IsInt()
}

func celUnary(name string, f func(a ref.Val) ref.Val) cel.EnvOption {
	return cel.Function(name, cel.Overload(name+"1", []*cel.Type{cel.DynType}, cel.DynType, cel.UnaryBinding(f)))
}

func celTwo(name string, f func(a, b ref.Val) ref.Val) cel.EnvOption {
	return cel.Function(name, cel.Overload(name+"2", []*cel.Type{cel.DynType, cel.DynType}, cel.DynType, cel.BinaryBinding(f)))
}

func celOnly(name string, ks ...ref.Type) cel.EnvOption {
	return celUnary(name, func(a ref.Val) ref.Val {
		for _, k := range ks {
			if a.Type() == k {
				return a
			}
		}
		return errKind
	})
}

func celComparison(name string, ordered bool, f func(d int) bool) cel.EnvOption {
	return celTwo(name, func(a, b ref.Val) ref.Val {
		if d, ok := celCompare(a, b, ordered); ok {
			return types.Bool(f(d))
		}
		return errKind
	})
}

func celArithmetic(name string, f func(z, a, b *big.Rat) *big.Rat) cel.EnvOption {
	return celTwo(name, func(a, b ref.Val) ref.Val {
		x, y := ratOf(a), ratOf(b)
		if x == nil || y == nil || !bounded(x) || !bounded(y) {
			return errKind
		}
		r := f(new(big.Rat), x, y)
		if !bounded(r) {
			return errKind
		}
		return types.DefaultTypeAdapter.NativeToValue(celRat(r))
	})
}

// celIn folds == over a list; a literal list has one kind.
func celIn(a, b ref.Val, literal bool) ref.Val {
	list, ok := b.(traits.Lister)
	if _, scalar := celCompare(a, a, false); !ok || !scalar {
		return errKind
	}
	var out ref.Val = types.False
	n := list.Size().(types.Int)
	for i := types.Int(0); i < n; i++ {
		switch d, ok := celCompare(a, list.Get(i), false); {
		case ok && d == 0:
			return types.True
		case !ok:
			out = errKind
		}
	}
	return out
}

func celCapture(name string, pattern string) cel.EnvOption {
	re := regexp.MustCompile(pattern)
	return celUnary(name, func(a ref.Val) ref.Val {
		s, ok := a.(types.String)
		m := re.FindStringSubmatch(string(s))
		if !ok || m == nil {
			return errKind
		}
		return types.String(strings.ToLower(m[1])) // the pattern's group is ASCII
	})
}

func celLinks() cel.EnvOption {
	re := regexp.MustCompile(policy.LinksPattern())
	return celUnary("links_", func(a ref.Val) ref.Val {
		s, ok := a.(types.String)
		if !ok {
			return errKind
		}
		return types.DefaultTypeAdapter.NativeToValue(append([]string{}, policyLinks(re, string(s))...))
	})
}

// policyLinks returns what the first group that took part in each match holds, with ASCII in lower case.
func policyLinks(re *regexp.Regexp, s string) []string {
	var hosts []string
	for _, m := range re.FindAllStringSubmatch(s, -1) {
		host := ""
		for _, g := range m[1:] {
			if host == "" {
				host = g
			}
		}
		hosts = append(hosts, strings.Map(func(r rune) rune {
			if 'A' <= r && r <= 'Z' {
				return r + 32
			}
			return r
		}, host))
	}
	return hosts
}

// celCIDR knows canonical addresses by printing what it parsed.
func celCIDR(a, b ref.Val) ref.Val {
	s, ok := a.(types.String)
	_, network, err := net.ParseCIDR(string(b.(types.String)))
	ip := net.ParseIP(string(s))
	if !ok || err != nil || ip == nil || ip.String() != string(s) || strings.HasPrefix(string(s), "::ffff:") && ip.To4() != nil {
		return errKind
	}
	v4 := !strings.Contains(string(s), ":")
	return types.Bool(v4 == (network.IP.To4() != nil) && network.Contains(ip))
}

func celClock(name string, f func(t time.Time) int) cel.EnvOption {
	return celTwo(name, func(a, b ref.Val) ref.Val {
		at, ok := a.(types.Int)
		zone, err := time.LoadLocation(string(b.(types.String)))
		if !ok || err != nil {
			return errKind
		}
		return types.Int(f(time.Unix(int64(at), 0).In(zone)))
	})
}

// celEnv is where expressions of both modes are parsed.
func celEnv() (*cel.Env, error) {
	options := []cel.EnvOption{ext.Strings(),
		celComparison("eq_", false, func(d int) bool { return d == 0 }), celComparison("ne_", false, func(d int) bool { return d != 0 }),
		celComparison("lt_", true, func(d int) bool { return d < 0 }), celComparison("le_", true, func(d int) bool { return d <= 0 }),
		celComparison("gt_", true, func(d int) bool { return d > 0 }), celComparison("ge_", true, func(d int) bool { return d >= 0 }),
		celArithmetic("add_", (*big.Rat).Add), celArithmetic("sub_", (*big.Rat).Sub), celArithmetic("mul_", (*big.Rat).Mul),
		celOnly("bool_", types.BoolType), celOnly("string_", types.StringType), celOnly("list_", types.ListType),
		celTwo("in_list_", func(a, b ref.Val) ref.Val { return celIn(a, b, false) }),
		celTwo("in_literals_", func(a, b ref.Val) ref.Val { return celIn(a, b, true) }),
		celTwo("has_", func(a, b ref.Val) ref.Val {
			m, ok := a.(traits.Mapper)
			if !ok {
				return errKind
			}
			_, found := m.Find(b)
			return types.Bool(found)
		}),
		celUnary("size_", func(a ref.Val) ref.Val {
			if a.Type() != types.StringType && a.Type() != types.ListType {
				return errKind
			}
			return a.(traits.Sizer).Size()
		}),
		celCapture("host_", policy.HostPattern()), celCapture("domain_", policy.AddrPattern()), celLinks(), celTwo("cidr_", celCIDR),
		celClock("hour_", func(t time.Time) int { return t.Hour() }), celClock("weekday_", func(t time.Time) int { return int(t.Weekday()) }),
	}
	for _, name := range []string{"args", "claims", "chain", "tool", "action", "agent", "tenant", "region", "moment", "past"} {
		options = append(options, cel.Variable(name, cel.DynType))
	}
	return cel.NewEnv(options...)
}

// celProgram compiles an expression for evaluation without type checks, as kinds are ours.
func celProgram(env *cel.Env, text string) (cel.Program, error) {
	tree, issues := env.Parse(text)
	if issues.Err() != nil {
		return nil, issues.Err()
	}
	return env.Program(tree)
}

// celInput is what the variables stand for on one call.
func celInput(d *diffCall, fs []policy.Feature) map[string]any {
	in := map[string]any{"tool": d.Tool, "action": d.Action, "agent": d.Agent, "tenant": d.Tenant, "chain": append([]string{}, d.Chain...)}
	decode := func(name string, text json.RawMessage) {
		if text == nil {
			return
		}
		dec := json.NewDecoder(strings.NewReader(string(text)))
		dec.UseNumber()
		var v any
		if err := dec.Decode(&v); err != nil {
			panic(err)
		}
		in[name] = celValue(v)
	}
	decode("args", d.Args)
	decode("claims", d.Claims)
	if d.Region != "" {
		in["region"] = d.Region
	}
	if d.Time != nil {
		in["moment"] = map[string]any{"unix": time.UnixMicro(*d.Time).Unix()}
	}
	if d.Session != nil {
		in["past"] = d.Session.cel(fs)
	}
	return in
}

func (p *diffPast) cel(fs []policy.Feature) map[string]any {
	count, sum, values := map[string]any{}, map[string]any{}, map[string]any{}
	for _, f := range fs {
		k := f.Key()
		switch f.Kind {
		case policy.FeatureCount:
			count[k] = p.Count[k]
		case policy.FeatureSum:
			r := big.NewRat(p.Sum[k], 1_000_000)
			if _, ok := p.Sum[k]; ok && bounded(r) {
				sum[k] = celRat(r)
			}
		case policy.FeatureValues:
			list := []any{}
			for _, text := range p.Values[k] {
				dec := json.NewDecoder(strings.NewReader(string(text)))
				dec.UseNumber()
				var v any
				if err := dec.Decode(&v); err != nil {
					panic(err)
				}
				list = append(list, celValue(v))
			}
			values[k] = list
		}
	}
	return map[string]any{"count": count, "sum": sum, "values": values, "taints": append([]string{}, p.Taints...)}
}

// celTri evaluates a program.
func celTri(p cel.Program, in map[string]any) tri {
	v, _, err := p.Eval(in)
	if b, ok := v.(types.Bool); ok && err == nil {
		return truth(bool(b))
	}
	return undecided
}
