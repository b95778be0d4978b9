package policy

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aegisctl/aegis"
)

// regoPlace is where a value stands: below the arguments, or below an element of a list.
type regoPlace struct {
	root  string   // a term: input.args, or a variable
	path  []string // from the root
	given string   // holds where the root is there; "" for an element, which always is
	index []string // variables that number the elements on the way: parameters of rules about the place
	bind  []string // statements that bind the root, given the index
	iter  []string // statements that go through all such roots, and hold what makes the place exist
}

// regoPath writes a reference below a term.
func regoPath(term string, path []string) string {
	for _, f := range path {
		term += "[" + regoQuote(f) + "]"
	}
	return term
}

// at returns the place of a path below this one.
func (p regoPlace) at(path []string) regoPlace {
	p.path = append(slices.Clone(p.path), path...)
	return p
}

func (p regoPlace) term() string { return regoPath(p.root, p.path) }

// call writes the name of a rule about the place, as a call where it has parameters.
func (p regoPlace) call(name string) string {
	if len(p.index) == 0 {
		return name
	}
	return name + "(" + strings.Join(p.index, ", ") + ")"
}

// regoBlock is the conditions block that a constraint stands in.
type regoBlock struct {
	set  string
	cs   *Conditions
	lift []string // its approval conditions' names, and their values where they hold

	approval []string
}

// lifters returns the statements that hold where no approval condition lifts a breach of max or min on the argument.
func (b regoBlock) lifters(path []string) []string {
	var body []string
	for i, c := range b.cs.ApprovalIf {
		if slices.ContainsFunc(c.Expr.ArgPaths(), func(p []string) bool { return slices.Equal(p, path) }) {
			body = append(body, b.lift[i]+" != "+b.approval[i])
		}
	}
	return body
}

// regoTypes names the kinds as OPA's type_name does.
var regoTypes = [...]string{aegis.Absent: "", aegis.Null: "null", aegis.Bool: "boolean", aegis.Number: "number",
	aegis.String: "string", aegis.List: "array", aegis.Object: "object"}

// regoIs returns the test that a term is of a kind.
func regoIs(k aegis.Kind, term string) string { return "is_" + regoTypes[k] + "(" + term + ")" }

// rulesOf lists every rule inside a constraint.
func rulesOf(c *Constraint) []RuleID {
	var rules []RuleID
	for _, k := range c.Checks {
		rules = append(rules, k.Rule)
	}
	if c.Each != nil {
		rules = append(rules, rulesOf(c.Each)...)
	}
	return append(rules, rulesBelow(c)...)
}

// rulesBelow lists the rules on the members of an object.
func rulesBelow(c *Constraint) []RuleID {
	var rules []RuleID
	for _, a := range c.Args {
		rules = append(rules, rulesOf(a)...)
	}
	if c.OtherArgs > 0 {
		rules = append(rules, c.OtherArgs)
	}
	return rules
}

// constraint writes what must hold of the value at a place.
func (g *regoGen) constraint(b *bytes.Buffer, c *Constraint, p regoPlace, blk regoBlock, approval bool) {
	approval = approval || c.Approval
	needs := make([][]RuleID, len(regoTypes))
	for _, k := range c.Checks {
		needs[k.Type] = append(needs[k.Type], k.Rule)
	}
	if c.Each != nil {
		needs[aegis.Absent] = append(needs[aegis.Absent], rulesOf(c.Each)...)
	}
	needs[aegis.Object] = append(needs[aegis.Object], rulesBelow(c)...)
	for kind, rules := range needs {
		if len(rules) > 0 {
			g.fail(b, blk.set, rules, g.problem(p, aegis.Kind(kind), c.Optional), p.iter...)
		}
	}
	breach := aegis.Deny
	if approval {
		breach = aegis.ApprovalNeeded
	}
	for _, k := range c.Checks {
		code, outcome := k.Code, breach
		if k.Op == CheckInteger {
			code, outcome = aegis.ArgumentType, aegis.Deny
		}
		if test := g.check(k, c, p, blk); test != nil {
			g.add(b, blk.set, k.Rule, code, outcome, append(slices.Clone(p.iter), test...)...)
		}
	}
	if c.Each != nil {
		each := *c.Each
		each.Optional = false
		g.constraint(b, &each, g.element(p), blk, approval)
	}
	g.members(b, c, p, blk, approval, breach)
}

// members writes what must hold of the members of an object.
func (g *regoGen) members(b *bytes.Buffer, c *Constraint, p regoPlace, blk regoBlock, approval bool, breach aegis.Outcome) {
	var names []string
	p.iter = append(slices.Clone(p.iter), "is_object("+p.term()+")")
	for _, a := range c.Args {
		below := a.Path[len(c.Path):]
		names = append(names, below[0])
		g.constraint(b, a, p.at(below), blk, approval)
	}
	if c.OtherArgs > 0 {
		g.add(b, blk.set, c.OtherArgs, aegis.UnnamedArgument, breach, append(slices.Clone(p.iter),
			"count(object.keys("+p.term()+") - "+regoSet(names)+") > 0")...)
	}
}

// number returns a shared rule for the number that a term stands for, in one spelling; it has no value where the term
// is no number or one out of range. The term must not depend on a variable.
func (g *regoGen) number(term string) string { return g.numberAt(regoPlace{root: term}) }

// numberAt is number for any place.
func (g *regoGen) numberAt(p regoPlace) string {
	return p.call(g.once("number", p.term(), func(name string) {
		whole := append(slices.Clone(p.bind), "x := "+p.term(), "is_number(x)",
			"x >= -9223372036854775808", "x <= 9223372036854775807")
		regoChain(&g.values, p.call(name), []regoCase{
			{"y", append(slices.Clone(whole), "y := floor(x)", "y == x")},
			{"y", append(slices.Clone(whole), `y := to_number(sprintf("%v", [x]))`, "y == x")},
		})
	}))
}

// canonical returns the statements that bind y to the number x in one spelling.
func canonical(x, y string) []string {
	return append(inRange(x), "some "+y+" in {floor("+x+"), to_number(sprintf(\"%v\", ["+x+"]))}", y+" == "+x)
}

// inRange returns the statements that hold of every number whose size is in range.
func inRange(x string) []string {
	return []string{"is_number(" + x + ")", x + " >= -9223372036854775808", x + " <= 9223372036854775807"}
}

// problem returns a shared rule that holds, with the code for why, where the value at a place cannot be judged by a
// check on that kind.
func (g *regoGen) problem(p regoPlace, kind aegis.Kind, optional bool) string {
	key := fmt.Sprint(kind, optional, p.term())
	return p.call(g.once("problem", key, func(name string) {
		good := p.call(name + "_ok")
		switch kind {
		case aegis.Absent:
			regoRule(&g.values, good, append(slices.Clone(p.bind), p.term()+" != null")...)
		case aegis.Number:
			good = g.numberAt(p)
		default:
			regoRule(&g.values, good, append(slices.Clone(p.bind), regoIs(kind, p.term()))...)
		}
		regoRule(&g.values, p.call(name)+" := "+p.call(name+"_code"), "not "+good)
		regoChain(&g.values, p.call(name+"_code"), p.problems(kind, optional))
	}))
}

// problems says why the value at a place cannot be judged, given that it cannot unless it is missing and optional.
func (p regoPlace) problems(kind aegis.Kind, optional bool) []regoCase {
	given := append(slices.Clone(p.bind), "true")
	if optional {
		given = append(slices.Clone(p.bind), p.term()+" != null")
	}
	cases := []regoCase{{"problem(" + p.term() + ", " + regoQuote(regoTypes[kind]) + ")", given}}
	for i := 1; i < len(p.path); i++ {
		parent := regoPath(p.root, p.path[:i])
		cases = append(cases, regoCase{`"argument_type"`,
			append(slices.Clone(p.bind), parent+" != null", "not is_object("+parent+")")})
	}
	switch {
	case !optional:
		cases = append(cases, regoCase{`"argument_missing"`, nil})
	case p.given != "":
		cases = append(cases, regoCase{`"argument_missing"`, []string{"not " + p.given}})
	}
	return cases
}

// elements returns a shared rule for the list at a place; a lone value counts as a list of one.
func (g *regoGen) elements(p regoPlace) string {
	return p.call(g.once("elements", p.term(), func(name string) {
		regoChain(&g.values, p.call(name), []regoCase{
			{p.term(), append(slices.Clone(p.bind), "is_array("+p.term()+")")},
			{"[" + p.term() + "]", append(slices.Clone(p.bind), p.term()+" != null")},
		})
	}))
}

// element returns the place of the elements of the list at a place.
func (g *regoGen) element(p regoPlace) regoPlace {
	list := g.elements(p)
	g.count++
	n := strconv.Itoa(g.count)
	index, v := "i"+n, "v"+n
	e := regoPlace{root: v, index: append(slices.Clone(p.index), index),
		iter: append(slices.Clone(p.iter), "some "+index+", "+v+" in "+list)}
	if len(p.index) > 0 {
		e.bind = append(e.bind, "l"+n+" := "+list)
		list = "l" + n
	}
	e.bind = append(e.bind, v+" := "+list+"["+index+"]")
	return e
}

// check returns the statements that hold where a value of the right kind breaches a check; nil where none can.
func (g *regoGen) check(k *Check, c *Constraint, p regoPlace, blk regoBlock) []string {
	term := p.term()
	var typed string
	switch k.Type {
	case aegis.Absent:
		typed = term + " != null"
	case aegis.Number:
		typed, term = "number := "+g.numberAt(p), "number"
	default:
		typed = regoIs(k.Type, term)
	}
	switch k.Op {
	case CheckType:
		return nil
	case CheckInteger:
		return []string{typed, "floor(" + term + ") != " + term}
	case CheckMax:
		return append([]string{g.numberAt(p) + " > " + k.Num.Text()}, blk.lifters(c.Path)...)
	case CheckMin:
		return append([]string{g.numberAt(p) + " < " + k.Num.Text()}, blk.lifters(c.Path)...)
	case CheckDecimals:
		return []string{typed, "not regex.match(" + g.decimalsQuoted(k.N) + `, sprintf("%v", [` + term + `]))`}
	case CheckIn:
		return []string{typed, "not " + term + " in " + g.literals(k.List)}
	case CheckNotIn:
		return []string{typed, term + " in " + g.literals(k.List)}
	case CheckPattern:
		return []string{typed, "not regex.match(" + regoQuote(k.Pattern) + ", " + term + ")"}
	}
	length := "count(" + term + ")"
	switch {
	case c.Each != nil:
		length = "count(" + g.elements(p) + ")"
	case k.Type == aegis.Absent:
		length = "length(" + term + ")"
	}
	if k.Op == CheckMaxLength {
		return []string{typed, length + " > " + strconv.Itoa(k.N)}
	}
	return []string{typed, length + " < " + strconv.Itoa(k.N)}
}

// decimalsQuoted is decimalsPattern in quotes, made once.
func (g *regoGen) decimalsQuoted(n int) string {
	text, ok := g.decimals[n]
	if !ok {
		text = regoQuote(decimalsPattern(n))
		g.decimals[n] = text
	}
	return text
}

// decimalsPattern matches the shortest text of a number with at most n decimal places. Very small and very large numbers
// have an exponent there, which moves the point.
func decimalsPattern(n int) string {
	digits := func(most int) string {
		if most <= 0 {
			return ""
		}
		return fmt.Sprintf(`(\.[0-9]{1,%d})?`, min(most, 24))
	}
	forms := []string{"[0-9]+" + digits(n)}
	for e := 5; e <= min(n, 400); e++ {
		forms = append(forms, "[0-9]"+digits(n-e)+fmt.Sprintf("e-%02d", e))
	}
	for e := 6; e < 20; e++ {
		forms = append(forms, "[0-9]"+digits(n+e)+fmt.Sprintf(`e\+%02d`, e))
	}
	return "^-?(" + strings.Join(forms, "|") + ")$"
}

// smallList is how many literals stand in a rule itself; more get a rule of their own.
const smallList = 8

// literals returns a term for the set of a list's literals.
func (g *regoGen) literals(ls []Literal) string {
	if len(ls) == 0 {
		return "set()"
	}
	text := "{" + strings.Join(literalTexts(ls), ", ") + "}"
	if len(ls) <= smallList {
		return text
	}
	return g.once("list", text, func(name string) { g.values.WriteString("\n" + name + " := " + text + "\n") })
}

func literalTexts(ls []Literal) []string {
	texts := make([]string, len(ls))
	for i, l := range ls {
		texts[i] = regoLiteral(l)
	}
	return texts
}

// regoLiteral writes a constant.
func regoLiteral(l Literal) string {
	switch l.Kind {
	case aegis.String:
		return regoQuote(l.Str)
	case aegis.Number:
		return l.Num.Text()
	}
	return strconv.FormatBool(l.Bool)
}

// regoUsed replaces the variables of `some` that neither the head nor another statement uses by the blank.
func regoUsed(head string, body []string) []string {
	out := slices.Clone(body)
	for i, s := range body {
		rest, ok := strings.CutPrefix(s, "some ")
		vars, list, ok2 := strings.Cut(rest, " in ")
		if !ok || !ok2 {
			continue
		}
		others := slices.Concat([]string{head}, body[:i], body[i+1:])
		used := func(v string) bool {
			return slices.ContainsFunc(others, func(o string) bool { return regoUses(o, v) })
		}
		out[i] = "some " + loopVars(vars, used) + " in " + list
	}
	return out
}

// loopVars writes the variables of a loop, an index and a value or the value alone, without those that are not used.
func loopVars(vars string, used func(string) bool) string {
	index, v, two := strings.Cut(vars, ", ")
	if !two {
		index, v = "_", vars
	}
	if !used(v) {
		v = "_"
	}
	if index == "_" || !used(index) {
		return v
	}
	return index + ", " + v
}

// regoUses reports whether a variable stands in a statement, outside of strings and of longer names.
func regoUses(statement, v string) bool {
	for i := 0; i < len(statement); {
		switch c := statement[i]; {
		case c == '"':
			for i++; statement[i] != '"'; i++ {
				if statement[i] == '\\' {
					i++
				}
			}
			i++
		case wordByte(c):
			start := i
			for i < len(statement) && wordByte(statement[i]) {
				i++
			}
			if statement[start:i] == v {
				return true
			}
		default:
			i++
		}
	}
	return false
}

func wordByte(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
