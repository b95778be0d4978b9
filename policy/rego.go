package policy

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aegisctl/aegis"
)

// Codegen names the generator of Rego. It changes whenever the same Set comes out as other text.
const Codegen = "3"

// Module is one file of generated Rego.
type Module struct {
	Path string // inside a bundle
	Text string
}

// Rego translates a set into Rego that any OPA from 1.0 on runs. The decision on a call is data.aegis.decision. The
// text depends on the set alone. Policies' own Rego is not in it: see Set.CustomRego.
//
// Every rule of the set becomes a rule that adds [rule id, code, outcome] to a set. An expression becomes a value with
// three outcomes, of which the last, error, is what is left when it can be proven neither true nor false. Names come
// from counters; what a policy's author wrote stands in quoted strings only.
//
// OPA evaluates the arguments of a call outside of the `not` before it, and one without a value makes the whole statement
// fail. So `not` stands only before rules, and before calls whose arguments are known to have values.
//
// Numbers need care: OPA takes some numbers for equal that differ behind the sixteenth digit, and remembers the results
// of functions by their arguments. So a number of the call is first made canonical by a rule without arguments, or in
// place, and no function whose answer could depend on such digits is ever called with a number as it came.
func Rego(s *Set) []Module {
	var ms []Module
	EachModule(s, func(path string, text []byte) { ms = append(ms, Module{path, string(text)}) })
	slices.SortFunc(ms, func(a, b Module) int { return strings.Compare(a.Path, b.Path) })
	return ms
}

// EachModule calls f for every module of Rego, in no order of their paths. The text is f's during the call only.
func EachModule(s *Set, f func(path string, text []byte)) {
	g := &regoGen{set: s, shared: map[string]string{}, decimals: map[int]string{}, emit: f}
	for i, p := range s.Policies {
		g.policy(i, p)
	}
	for i, b := range s.Guardrails {
		g.guardrail(i, b)
	}
	g.coverage()
	b := g.open("What several rules read: arguments, lists.")
	b.Write(g.values.Bytes())
	g.close("values")
	g.emit("aegis/library.rego", []byte(regoLibrary()))
	g.decision(g.open("The decision on one call, from the hits of every rule that applies."))
	g.close("decision")
}

// open begins a module, and close hands it out.
func (g *regoGen) open(comment string) *bytes.Buffer {
	g.text.Reset()
	g.text.WriteString(regoHead(comment))
	return &g.text
}

func (g *regoGen) close(name string) { g.emit("aegis/"+name+".rego", g.text.Bytes()) }

// regoHead opens a module.
func regoHead(comment string) string { return "# " + comment + "\npackage aegis\n" }

// regoGen is the state of one translation.
type regoGen struct {
	set      *Set
	emit     func(path string, text []byte)
	text     bytes.Buffer      // of the module at work
	spare    []*bytes.Buffer   // for parts of it
	values   bytes.Buffer      // rules that modules share
	shared   map[string]string // what a shared rule is about → its name
	decimals map[int]string
	count    int // of names given out

	gates   []regoGate   // one for each policy and guardrail
	covers  []*regoCover // arguments with a budget for a whole agent
	entries []regoEntry  // every entry that may constrain such an argument
}

// regoGate is when a policy or guardrail applies, and the set its rules add to.
type regoGate struct {
	set   string
	cases [][]string // any of these conjunctions
}

// name returns a new name that begins so.
func (g *regoGen) name(prefix string) string {
	g.count++
	return prefix + "_" + strconv.Itoa(g.count)
}

// once returns the name of the shared rule about key, and writes it first where it is new.
func (g *regoGen) once(prefix, key string, write func(name string)) string {
	key = prefix + "\x00" + key
	if n, ok := g.shared[key]; ok {
		return n
	}
	n := g.name(prefix)
	g.shared[key] = n
	write(n)
	return n
}

// regoQuote writes s as a string of Rego, in ASCII.
func regoQuote(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) < 0 {
		return `"` + s + `"`
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r >= ' ' && r <= '~':
			b.WriteRune(r)
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&b, "\\u%04x\\u%04x", 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(&b, "\\u%04x", r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// regoSet writes a set of strings.
func regoSet(ss []string) string {
	if len(ss) == 0 {
		return "set()"
	}
	qs := make([]string, len(ss))
	for i, s := range ss {
		qs[i] = regoQuote(s)
	}
	slices.Sort(qs)
	return "{" + strings.Join(slices.Compact(qs), ", ") + "}"
}

// regoRule writes a rule: its head and its body. Without a body it always holds.
func regoRule(b *bytes.Buffer, head string, body ...string) {
	b.WriteByte('\n')
	b.WriteString(head)
	switch {
	case len(body) == 0:
	case len(body) == 1 && !strings.Contains(body[0], "\n"):
		b.WriteString(" if ")
		b.WriteString(body[0])
	default:
		regoBody(b, body)
	}
	b.WriteByte('\n')
}

func regoBody(b *bytes.Buffer, body []string) {
	b.WriteString(" if {")
	for _, s := range body {
		b.WriteString("\n\t")
		b.WriteString(s)
	}
	b.WriteString("\n}")
}

// regoCase is one branch of a rule with else branches; without a body it always holds.
type regoCase struct {
	value string
	body  []string
}

// regoChain writes a rule whose value is that of the first branch that holds.
func regoChain(b *bytes.Buffer, head string, cases []regoCase) {
	for i, c := range cases {
		if i == 0 {
			b.WriteByte('\n')
			b.WriteString(head)
		} else {
			b.WriteString(" else")
		}
		b.WriteString(" := ")
		b.WriteString(c.value)
		if len(c.body) == 0 {
			break
		}
		regoBody(b, c.body)
	}
	b.WriteByte('\n')
}

// hit writes what a rule says, as an element of a set of hits.
func (g *regoGen) hit(rule RuleID, code aegis.Code, o aegis.Outcome) string {
	return "[" + regoQuote(g.set.Rules[rule].ID) + ", " + regoQuote(code.String()) + ", " + regoQuote(o.String()) + "]"
}

// add writes a rule that adds a hit to a set.
func (g *regoGen) add(b *bytes.Buffer, set string, rule RuleID, code aegis.Code, o aegis.Outcome, body ...string) {
	regoRule(b, set+" contains "+g.hit(rule, code, o), regoUsed("", body)...)
}

// fail writes a rule that adds an error, whose code the expression gives, for each of some rules.
func (g *regoGen) fail(b *bytes.Buffer, set string, rules []RuleID, code string, body ...string) {
	ids := make([]string, len(rules))
	for i, r := range rules {
		ids[i] = g.set.Rules[r].ID
	}
	rule := regoQuote(ids[0])
	body = append(slices.Clone(body), "code := "+code)
	if len(rules) > 1 {
		rule = "rule"
		body = append(body, "some rule in "+regoSet(ids))
	}
	head := set + " contains [" + rule + ", code, " + regoQuote(aegis.Deny.String()) + "]"
	regoRule(b, head, regoUsed(head, body)...)
}

// policy writes the module of one policy.
func (g *regoGen) policy(i int, p *Policy) {
	b := g.open("Policy " + regoQuote(p.ID) + ".")
	set := "policy_" + strconv.Itoa(i)
	gate := regoGate{set, g.agentCases(p)}
	g.gates = append(g.gates, gate)
	g.scope(b, set, &p.Scope)
	g.grants(b, set, p)
	g.limits(b, set, p.Limits)
	for _, e := range p.Entries {
		g.entry(b, set, e, gate.cases)
	}
	g.close(set)
}

// guardrail writes the module of one guardrail.
func (g *regoGen) guardrail(i int, r *Guardrail) {
	b := g.open("Guardrail " + regoQuote(r.ID) + ".")
	set := "guardrail_" + strconv.Itoa(i)
	var tenant []string
	if r.Tenant != "*" {
		tenant = []string{"input.tenant == " + regoQuote(r.Tenant)}
	}
	cases := [][]string{tenant}
	if r.Agents != nil {
		cases = nil
		for _, a := range r.Agents {
			cases = append(cases, append(slices.Clone(tenant), regoMatch("input.agent", a)...))
		}
	}
	start := b.Len()
	g.scope(b, set, &r.Scope)
	g.limits(b, set, r.Limits)
	for _, e := range r.Entries {
		g.entry(b, set, e, cases)
	}
	if b.Len() > start {
		g.gates = append(g.gates, regoGate{set, cases})
	}
	g.close(set)
}

// regoMatch tests a name of the input against a pattern. The literal stands in the rule, where the index finds it.
func regoMatch(term string, p Pattern) []string {
	prefix, star := strings.CutSuffix(string(p), "*")
	switch {
	case !star:
		return []string{term + " == " + regoQuote(string(p))}
	case prefix == "":
		return nil
	}
	return []string{"startswith(" + term + ", " + regoQuote(prefix) + ")"}
}

// agentCases says when a policy applies: an agent that another policy of the tenant names exactly, or by a longer
// prefix, is that one's.
func (g *regoGen) agentCases(p *Policy) [][]string {
	var cases [][]string
	for _, a := range p.Agents {
		body := append([]string{"input.tenant == " + regoQuote(p.Tenant)}, regoMatch("input.agent", a)...)
		if !a.Exact() {
			body = append(body, g.closer(p, a)...)
		}
		cases = append(cases, body)
	}
	return cases
}

// closer excludes the agents that another policy claims more closely than by the pattern a.
func (g *regoGen) closer(p *Policy, a Pattern) []string {
	prefix := strings.TrimSuffix(string(a), "*")
	var names, prefixes []string
	for _, q := range g.set.Policies {
		if q == p || q.Tenant != p.Tenant {
			continue
		}
		for _, o := range q.Agents {
			switch text := strings.TrimSuffix(string(o), "*"); {
			case !strings.HasPrefix(text, prefix):
			case o.Exact():
				names = append(names, text)
			case len(text) > len(prefix):
				prefixes = append(prefixes, text)
			}
		}
	}
	var body []string
	if len(names) > 0 {
		body = append(body, "not input.agent in "+regoSet(names))
	}
	slices.Sort(prefixes)
	for _, s := range slices.Compact(prefixes) {
		body = append(body, "not startswith(input.agent, "+regoQuote(s)+")")
	}
	return body
}

// scope writes who may call, how deep, where, and until when.
func (g *regoGen) scope(b *bytes.Buffer, set string, s *Scope) {
	if s.CallersRule > 0 {
		g.add(b, set, s.CallersRule, aegis.CallerNotAllowed, aegis.Deny, "not caller in "+regoSet(s.Callers))
	}
	if s.DepthRule > 0 {
		g.add(b, set, s.DepthRule, aegis.ChainTooDeep, aegis.Deny, fmt.Sprintf("count(input.chain) > %d", s.MaxDepth))
	}
	if s.RegionsRule > 0 {
		g.add(b, set, s.RegionsRule, aegis.RegionNotAllowed, aegis.Deny, "not region in "+regoSet(s.Regions))
	}
	if s.UntilRule > 0 {
		g.add(b, set, s.UntilRule, aegis.ExpiredPolicy, aegis.Deny, "not before("+regoNanos(s.Until)+")")
	}
}

// regoNanos writes microseconds as nanoseconds, which may not fit an int64.
func regoNanos(micros int64) string {
	if micros == 0 {
		return "0"
	}
	return strconv.FormatInt(micros, 10) + "000"
}

// grants writes the denial of what no entry grants.
func (g *regoGen) grants(b *bytes.Buffer, set string, p *Policy) {
	tool, granted := set+"_tool", set+"_granted"
	any := false
	for _, e := range p.Entries {
		if !e.Grants || e.Actions != nil && len(e.Actions) == 0 {
			continue
		}
		for _, t := range regoTools(e.Tools) {
			any = true
			regoRule(b, tool, orTrue(t)...)
			for _, a := range regoActions(e.Actions) {
				regoRule(b, granted, orTrue(append(slices.Clone(t), a...))...)
			}
		}
	}
	if !any {
		g.add(b, set, p.Grant, aegis.ToolNotGranted, aegis.Deny)
		return
	}
	g.fail(b, set, []RuleID{p.Grant}, set+"_refused", "not "+granted)
	regoChain(b, set+"_refused", []regoCase{{regoQuote(aegis.ActionNotGranted.String()), []string{tool}},
		{regoQuote(aegis.ToolNotGranted.String()), nil}})
}

// orTrue is a body of at least one statement.
func orTrue(body []string) []string {
	if len(body) == 0 {
		return []string{"true"}
	}
	return body
}

// decision writes the entry point: which policy and guardrails apply, and what comes of their hits.
func (g *regoGen) decision(b *bytes.Buffer) {
	regoChain(b, "decision", []regoCase{{"{\n\t\"decision\": outcome,\n\t\"errors\": errors,\n\t\"policy_version\": " +
		regoQuote(g.set.Version) + ",\n\t\"reasons\": reasons,\n}", nil}})
	b.WriteString(regoDecision)
	b.WriteString("default policy_hits := {" + g.hit(NoPolicyRule, aegis.NoPolicy, aegis.Deny) + "}\n")
	for i, gate := range g.gates {
		for _, c := range gate.cases {
			if i < len(g.set.Policies) {
				regoRule(b, "policy_hits := "+gate.set, c...)
			} else {
				regoRule(b, "hits contains hit", append(slices.Clone(c), "some hit in "+gate.set)...)
			}
		}
	}
}
