// Package lint finds mistakes in policies that load: what is allowed to be written, and yet does not mean what its
// author thinks.
//
// It promises that a finding has an id that never changes its meaning, a place and a remedy; that findings come sorted
// by place, the same for the same Set; and that a rule which cannot decide keeps silent: a false alarm costs more than
// a miss, since people switch off what cries wolf. It reads only the Set and prints nothing.
//
// One rule is one file, with its text, its test and an example of what fires it and of what to write instead
// (testdata/AEGnnn-name). A new rule goes at the end of the list in rules.go and takes the next id; the id of a rule
// that is withdrawn is not used again.
package lint

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// Rule is one check, as its page shows it.
type Rule struct {
	ID       string // AEG and three digits
	Name     string // such as inverted-band
	Severity aegis.Severity
	Summary  string // one line, in lower case
	Doc      string // lines that begin with "avoid:", "prefer:" and "why:"
	Fixable  bool   // Fix can remove what the rule finds, at least where it is written in the usual way

	NeedsSchema  bool // it says nothing without Options.Schema
	NeedsTraffic bool // likewise Options.Traffic
	OptIn        bool // it runs only where it is asked for: by its id or name in Options.Enable, or an option of its own

	check func(*pass)
}

// Options choose the rules that run, and what they may look at beside the policies.
type Options struct {
	Enable  []string  // ids or names of rules; nil: all. A name that no rule has is ignored: Lookup tells them
	Disable []string  // wins over Enable
	Schema  *Schema   // of the tools; nil: rules that need one say nothing
	Traffic *Traffic  // that was captured; nil: rules that need it say nothing
	Now     time.Time // rules about dates compare with it; zero: they say nothing

	Undecided bool // also list the conditions that are beyond reasoning (AEG055)
}

func (o Options) runs(r *Rule) bool {
	has := func(names []string) bool { return slices.Contains(names, r.ID) || slices.Contains(names, r.Name) }
	asked := o.Enable == nil && !r.OptIn || has(o.Enable) || r == undecided && o.Undecided
	return asked && !has(o.Disable)
}

// Rules returns all rules, by id.
func Rules() []Rule {
	out := make([]Rule, len(rules))
	for i, r := range rules {
		out[i] = *r
	}
	return out
}

// Lookup returns the rule of that id or name.
func Lookup(name string) (Rule, bool) {
	for _, r := range rules {
		if r.ID == name || r.Name == name {
			return *r, true
		}
	}
	return Rule{}, false
}

// Run returns what the rules have to say of a set, sorted by place. What a fragment says is said once, however many
// policies use it.
func Run(set *policy.Set, opt Options) []aegis.Finding {
	var out []aegis.Finding
	for _, f := range run(set, opt).found {
		out = append(out, f.Finding)
	}
	return out
}

// run is Run with what is needed to fix what it finds.
func run(set *policy.Set, opt Options) *pass {
	p := newPass(set, opt)
	var runs []*pass
	for _, r := range rules {
		if r.check != nil && opt.runs(r) {
			runs = append(runs, p.of(r))
		}
	}
	onEvery(len(runs), func(i int) { runs[i].rule.check(runs[i]) })
	for _, r := range runs {
		p.found = append(p.found, r.found...)
	}
	p.applyIgnores()
	slices.SortStableFunc(p.found, func(a, b placed) int {
		return cmp.Or(comparePos(a.pos, b.pos), strings.Compare(a.ID, b.ID), strings.Compare(a.Message, b.Message))
	})
	p.found = slices.CompactFunc(p.found, func(a, b placed) bool { return a.pos == b.pos && a.ID == b.ID && a.Message == b.Message })
	for i := range p.found {
		p.found[i].Source = p.found[i].pos.String()
	}
	return p
}

// placed is a finding whose place can still be sorted by.
type placed struct {
	aegis.Finding
	pos policy.Pos
	fix fixer // or nil
}

// pass is one run: what there is to look at, and what the rule that is at work has found.
type pass struct {
	opt   Options
	set   *policy.Set
	units []*unit
	rule  *Rule
	found []placed

	guardrails []*unit
	*known
}

// known is what the rules of a run have in common, found out once. Rules run at the same time.
type known struct {
	conditions []condition
	names      func() bool       // whether any expression reads names of the call
	naming     func() *nameIndex // see namesOf
	mutex      sync.Mutex
	lines      map[string][]int32 // by file: where its lines begin
}

// of returns the part of the run that is one rule's.
func (p *pass) of(r *Rule) *pass {
	own := *p
	own.rule, own.found = r, nil
	return &own
}

// onEvery calls f for every i below n, on every processor.
func onEvery(n int, f func(i int)) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		group.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				f(int(i))
			}
		})
	}
	group.Wait()
}

func newPass(set *policy.Set, opt Options) *pass {
	p := &pass{opt: opt, set: set, units: unitsOf(set), known: &known{lines: map[string][]int32{}}}
	p.entries(func(u *unit, e *policy.Entry) {
		for _, c := range conditionsOf(e) {
			c.unit = u
			p.known.conditions = append(p.known.conditions, c)
		}
	})
	p.names, p.naming = sync.OnceValue(p.findReads), sync.OnceValue(p.indexNames)
	for _, u := range p.units {
		if u.guardrail != nil {
			p.guardrails = append(p.guardrails, u)
		}
	}
	return p
}

// report notes a finding about a rule of the policy, at that rule's place.
func (p *pass) report(about policy.RuleID, hint, format string, args ...any) {
	p.reportAt(p.pos(about), about, hint, format, args...)
}

// reportAt notes a finding at a place of its own; about may be policy.NoRule.
func (p *pass) reportAt(pos policy.Pos, about policy.RuleID, hint, format string, args ...any) {
	p.found = append(p.found, placed{aegis.Finding{
		ID:       p.rule.ID,
		Severity: p.rule.Severity,
		Message:  fmt.Sprintf(format, args...),
		Hint:     hint,
		Rule:     p.id(about),
	}, pos, nil})
}

func (p *pass) pos(r policy.RuleID) policy.Pos {
	if r <= policy.NoPolicyRule {
		return policy.Pos{}
	}
	return p.set.Rules[r].Pos
}

func (p *pass) id(r policy.RuleID) string {
	if r <= policy.NoPolicyRule {
		return ""
	}
	return p.set.Rules[r].ID
}

// key returns the part of a rule's id that stands in the source: max_amount, args.currency.in, require[0].
func (p *pass) key(r policy.RuleID) string {
	_, key, _ := strings.Cut(p.id(r), "#")
	return key
}

func comparePos(a, b policy.Pos) int {
	return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
}

// line names a place in the words of a message: line 12, or file:12 where that is another file than here.
func line(pos, here policy.Pos) string {
	if pos.File == here.File {
		return fmt.Sprintf("line %d", pos.Line)
	}
	return fmt.Sprintf("%s:%d", pos.File, pos.Line)
}
