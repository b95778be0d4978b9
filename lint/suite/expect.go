package suite

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// expectation is what a step's decision must be. What it does not state is not looked at, but for errors beside an exact
// list of reasons: then there must be none.
type expectation struct {
	at        policy.Node
	outcome   aegis.Outcome
	reasons   *cited
	errors    *cited
	args      policy.Node // forwarded; the zero Node: not stated
	argsDoc   aegis.Value
	cost      int64 // -1: not stated
	effect    aegis.Effect
	mode      string
	onFailure string
	approvals *[]approval
	approvalN policy.Node
}

// cited is a list of reasons: all of them (exact), or some that must be among them and some that may not.
type cited struct {
	at       policy.Node
	exact    bool
	includes []reason
	excludes []reason
}

// reason names a hit by its code, its rule, or both.
type reason struct {
	text    string
	code    aegis.Code // NoCode: any
	rule    string     // as written; "" is any
	either  bool       // the text is a code as well as the key of rules: one of the two is enough
	matches map[policy.RuleID]bool
}

// approval is one approval that a held call needs.
type approval struct {
	approvers []string
	quorum    int           // 0: not stated
	expires   time.Duration // 0: not stated
}

var outcomes = []string{"allow", "deny", "sanitize", "approval_needed", "reject"}

func (f *file) readExpectation(n policy.Node) *expectation {
	e := &expectation{at: n, cost: -1}
	if n.Kind() == aegis.String {
		e.outcome, _ = aegis.ParseOutcome(f.word(n, "expect", outcomes...))
		return e
	}
	f.mapping(n, "expect", []field{
		{"decision", func(v policy.Node) { e.outcome, _ = aegis.ParseOutcome(f.word(v, "decision", outcomes...)) }},
		{"reasons", func(v policy.Node) { e.reasons = f.readCited(v, "reasons") }},
		{"errors", func(v policy.Node) { e.errors = f.readCited(v, "errors") }},
		{"args", func(v policy.Node) { f.readForwarded(e, v) }},
		{"cost", func(v policy.Node) { e.cost = f.dollars(v, "cost") }},
		{"effect", func(v policy.Node) { e.effect, _ = aegis.ParseEffect(f.word(v, "effect", "read", "write")) }},
		{"mode", func(v policy.Node) { e.mode = f.word(v, "mode", "enforce", "shadow", "mixed") }},
		{"on_failure", func(v policy.Node) { e.onFailure = f.word(v, "on_failure", "open", "closed") }},
		{"approvals", func(v policy.Node) { f.readApprovals(e, v) }},
	})
	if n.Kind() == aegis.Object && !given(n.Get("decision")) {
		f.fail(n, "add decision: allow, deny, sanitize, approval_needed or reject", "expect has no decision")
	}
	return e
}

func (f *file) readForwarded(e *expectation, n policy.Node) {
	e.args = n
	text := f.json(n)
	if n.Kind() == aegis.String {
		text = []byte(n.Text())
	}
	doc, err := aegis.Parse(text)
	if err != nil || doc.Root().Kind() != aegis.Object {
		f.fail(n, "", "args must be a mapping, or the text of a JSON object, not %s", n.What())
		return
	}
	e.argsDoc = doc.Root()
}

// readCited reads a list, which is exact, or {include: [...], exclude: [...]}.
func (f *file) readCited(n policy.Node, what string) *cited {
	c := &cited{at: n, exact: n.Kind() != aegis.Object}
	if c.exact {
		c.includes = f.reasons(n, what)
		return c
	}
	f.mapping(n, what, []field{
		{"include", func(v policy.Node) { c.includes = f.reasons(v, "include") }},
		{"exclude", func(v policy.Node) { c.excludes = f.reasons(v, "exclude") }},
	})
	return c
}

func (f *file) reasons(n policy.Node, what string) []reason {
	var out []reason
	for _, m := range f.list(n, what) {
		r := reason{text: m.Text()}
		if m.Kind() == aegis.Object {
			f.mapping(m, "a reason", []field{
				{"code", func(v policy.Node) { f.code(&r, v) }},
				{"rule", func(v policy.Node) { f.rule(&r, v) }},
			})
			r.text = strings.TrimSpace(r.code.String() + " " + r.rule)
		} else if s := f.text(m, "a reason"); r.code.UnmarshalText([]byte(s)) != nil && s != "" {
			f.rule(&r, m)
		} else if r.matches = f.rulesNamed(s); len(r.matches) > 0 {
			r.either = true
		}
		out = append(out, r)
	}
	return out
}

func (f *file) code(r *reason, n policy.Node) {
	if s := f.text(n, "code"); s != "" && r.code.UnmarshalText([]byte(s)) != nil {
		f.fail(n, policy.DidYouMean(s, codeNames()), "no reason has the code %.60q", s)
	}
}

func codeNames() []string {
	var names []string
	for c := aegis.NoCode + 1; int(c) < aegis.Codes; c++ {
		names = append(names, c.String())
	}
	return names
}

// rule finds the rules that a text names: by id, by the part behind the # or behind some slash of the id.
func (f *file) rule(r *reason, n policy.Node) {
	if r.rule = f.text(n, "rule"); r.rule == "" {
		return
	}
	if r.matches = f.rulesNamed(r.rule); len(r.matches) > 0 {
		return
	}
	near := codeNames()
	for _, rule := range f.set.Rules[1:] {
		near = append(near, key(rule.ID))
	}
	slices.Sort(near)
	f.fail(n, policy.DidYouMean(r.rule, slices.Compact(near)), "no rule of the policies, and no reason code, is %.100q", r.rule)
}

func (f *file) rulesNamed(s string) map[policy.RuleID]bool {
	found := map[policy.RuleID]bool{}
	for i, rule := range f.set.Rules[1:] {
		if rule.ID == s || key(rule.ID) == s || strings.HasSuffix(rule.ID, "/"+s) {
			found[policy.RuleID(i+1)] = true
		}
	}
	return found
}

func (f *file) readApprovals(e *expectation, n policy.Node) {
	var out []approval
	for _, m := range f.list(n, "approvals") {
		a := approval{}
		f.mapping(m, "an approval", []field{
			{"approvers", func(v policy.Node) {
				for _, w := range f.list(v, "approvers") {
					a.approvers = append(a.approvers, f.text(w, "an approver"))
				}
				slices.Sort(a.approvers)
			}},
			{"quorum", func(v policy.Node) { a.quorum = f.integer(v, "quorum", 100) }},
			{"expires", func(v policy.Node) { a.expires = f.duration(v, "expires") }},
		})
		out = append(out, a)
	}
	e.approvals, e.approvalN = &out, n
}

func (r *reason) fits(h aegis.Hit) bool {
	code, rule := r.code == h.Code, r.matches[h.Rule]
	if r.either {
		return code || rule
	}
	return (code || r.code == aegis.NoCode) && (rule || r.rule == "")
}

// met reports whether hits are what is expected.
func (c *cited) met(hits []aegis.Hit) bool {
	for i := range c.includes {
		if !slices.ContainsFunc(hits, c.includes[i].fits) {
			return false
		}
	}
	for _, h := range hits {
		if slices.ContainsFunc(c.excludes, func(r reason) bool { return r.fits(h) }) {
			return false
		}
		if c.exact && !slices.ContainsFunc(c.includes, func(r reason) bool { return r.fits(h) }) {
			return false
		}
	}
	return true
}

// String says what is expected, for reports.
func (c *cited) String() string {
	texts := func(rs []reason) string {
		var out []string
		for _, r := range rs {
			out = append(out, r.text)
		}
		return "[" + strings.Join(out, ", ") + "]"
	}
	if c.exact {
		return texts(c.includes)
	}
	s := "include " + texts(c.includes)
	if c.excludes != nil {
		s += ", exclude " + texts(c.excludes)
	}
	return s
}

// fits reports whether a tier is the approval that is expected.
func (a *approval) fits(t *policy.Tier) bool {
	return slices.Equal(a.approvers, t.Approvers) && (a.quorum == 0 || a.quorum == t.Quorum) &&
		(a.expires == 0 || a.expires == t.Expires)
}

func (a *approval) String() string {
	s := "[" + strings.Join(a.approvers, ", ") + "]"
	if a.quorum != 0 {
		s += fmt.Sprintf(" quorum %d", a.quorum)
	}
	if a.expires != 0 {
		s += " expires " + a.expires.String()
	}
	return s
}
