package decide

import (
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// ArgChange is one argument of a Flip.
type ArgChange struct {
	Path string `json:"path"` // dotted
	From string `json:"from"` // JSON text for people: escaped and cut; "missing" where it is not there
	To   string `json:"to"`   // likewise; "missing" where it is removed

	OneOf []string `json:"one_of,omitempty"` // texts that the rules name and that would do as well, To among them
	More  bool     `json:"more,omitempty"`   // there are others
}

// Flip is a change of arguments that gives another kind of outcome. It was put through the gate, and came out so.
type Flip struct {
	Decision string      `json:"decision"`
	Changes  []ArgChange `json:"changes"`
	Args     string      `json:"-"` // the changed arguments, whole
}

// NoFlip says why no change of arguments gives a kind of outcome.
type NoFlip struct {
	Decision string `json:"decision"`
	Why      string `json:"why"`
	Complete bool   `json:"complete"` // false: there was more to try than the bounds allow
}

// Flips is what it takes to change a decision.
type Flips struct {
	Found []Flip   `json:"found"`
	None  []NoFlip `json:"none"`
}

// Bounds of the search.
const (
	maxArguments = 64      // that are considered
	maxTogether  = 6       // changed together
	maxTries     = 6_000   // evaluations for one kind of outcome
	maxTryRules  = 150_000 // rules judged in them
	maxTryBytes  = 8 << 20 // of arguments in them
	maxSubsets   = 100_000 // looked at for one kind of outcome
)

// Flips finds, for each other kind of outcome (let through, held, blocked), the smallest change of the call's arguments
// that gives it: the fewest arguments, then the smallest distance. The values that are tried are those that the rules
// name: bounds and what lies one unit beside them, members of lists, examples of patterns, hosts, domains, directories;
// and an argument's being there or not. The call is judged alone: no earlier calls, and limits unspent.
func (g *Gate) Flips(c *aegis.Call) (*Flips, error) {
	f := newFlipper(g, c)
	out := &Flips{Found: []Flip{}, None: []NoFlip{}}
	if f.outcome == aegis.Reject {
		return out, nil
	}
	for _, target := range []aegis.Outcome{aegis.Allow, aegis.ApprovalNeeded, aegis.Deny} {
		if target == class(f.outcome) || target == aegis.ApprovalNeeded && !f.canHold() {
			continue
		}
		flip, none, err := f.search(target)
		if err != nil {
			return nil, err
		}
		if flip != nil {
			out.Found = append(out.Found, *flip)
		} else {
			out.None = append(out.None, *none)
		}
	}
	return out, nil
}

// class stands for the outcomes that are alike to the caller.
func class(o aegis.Outcome) aegis.Outcome {
	switch {
	case o <= aegis.Sanitize:
		return aegis.Allow
	case o >= aegis.Deny:
		return aegis.Deny
	}
	return aegis.ApprovalNeeded
}

// flipper searches for one call.
type flipper struct {
	gate    *Gate // native: what is found is tried on the real one
	real    *Gate
	call    *aegis.Call
	plan    *Plan
	scratch Scratch
	levers  []*lever
	outcome aegis.Outcome
	hits    []aegis.Hit
	masks   map[policy.RuleID]uint64
	more    bool // there are more arguments than are considered

	text    []byte
	doc     aegis.Doc
	edits   []edit
	singles [][]single // by lever and candidate: what that change alone gives
	tries   int
	most    int
}

// single is what one change alone gives.
type single struct {
	outcome aegis.Outcome
	hits    []aegis.Hit
}

func newFlipper(g *Gate, c *aegis.Call) *flipper {
	native := g.Fresh(g.opt.Held)
	native.opt.Engine, native.opa = Native, nil
	f := &flipper{gate: native, real: g, call: c, masks: map[policy.RuleID]uint64{},
		plan: g.Engine.Plan(c.Tenant, c.Agent, c.Tool, c.Action)}
	rules := len(g.Engine.rulesOf(f.plan, c)) + 1
	f.most = min(maxTries, maxTryBytes/(len(c.Args.Text())+1), maxTryRules/rules) + 100
	v := f.judge(native, c.Args)
	f.outcome, f.hits = v.Outcome, slices.Clone(v.Hits)
	if c.Args.Kind() == aegis.Object && f.outcome != aegis.Reject {
		f.levers = collect(f.plan, c.Args)
		if len(f.levers) > maxArguments {
			f.levers, f.more = f.levers[:maxArguments], true
		}
	}
	return f
}

// judge takes the call with other arguments through a gate that has seen nothing. An error of the native gate is one of
// the limits' notation, which loading has checked; it counts as a denial.
func (f *flipper) judge(g *Gate, args aegis.Value) *Verdict {
	v, err := f.decide(g, args)
	if err != nil {
		return &Verdict{Outcome: aegis.Deny}
	}
	return v
}

func (f *flipper) decide(g *Gate, args aegis.Value) (*Verdict, error) {
	c := *f.call
	c.Args = args
	if g.NeedsCommit(f.plan) {
		g = g.Fresh(g.opt.Held)
	}
	return g.Decide(&f.scratch, f.plan, &c, g.Session(c.Tenant, c.Session))
}

// choice is a candidate for each lever of a subset.
type choice struct {
	levers []int
	at     []int
}

// apply makes the arguments that a choice gives.
func (f *flipper) apply(p choice) bool {
	f.edits = f.edits[:0]
	for i, l := range p.levers {
		a := f.levers[l]
		f.edits = append(f.edits, edit{a.path, a.candidates[p.at[i]].raw})
		for _, path := range a.also {
			f.edits = append(f.edits, edit{path, nil})
		}
	}
	f.text = edited(f.text[:0], f.call.Args, f.edits)
	f.tries++
	return f.doc.Parse(f.text, aegis.MaxBody) == nil
}

func (f *flipper) try(p choice) (*Verdict, bool) {
	if !f.apply(p) {
		return nil, false
	}
	return f.judge(f.gate, f.doc.Root()), true
}

// canHold reports whether some rule of the plan can hold a call.
func (f *flipper) canHold() bool {
	if len(f.plan.customs) > 0 {
		return true
	}
	var approves func(cs []*policy.Constraint) bool
	approves = func(cs []*policy.Constraint) bool {
		return slices.ContainsFunc(cs, func(c *policy.Constraint) bool {
			return c.Approval || approves(c.Args) || c.Each != nil && approves([]*policy.Constraint{c.Each})
		})
	}
	return slices.ContainsFunc(f.plan.Entries, func(e *policy.Entry) bool {
		return e.Conditions != nil && (len(e.Conditions.ApprovalIf) > 0 || approves(e.Conditions.Args))
	})
}

// search finds the smallest change that gives an outcome of the target's class.
func (f *flipper) search(target aegis.Outcome) (*Flip, *NoFlip, error) {
	f.tries = 0
	none := &NoFlip{Decision: target.String(), Complete: true}
	var masks []uint64
	for _, h := range f.hits {
		if class(h.Outcome) <= target || target == aegis.Deny {
			continue
		}
		m := f.mask(h.Rule)
		if m == 0 {
			none.Why = f.immovable(h)
			return nil, none, nil
		}
		masks = append(masks, m)
	}
	if len(f.levers) == 0 {
		none.Why = "no rule of the policy reads an argument of this call"
		return nil, none, nil
	}
	f.trySingles()
	best, complete := f.smallest(target, masks)
	none.Complete = complete && !f.more && !slices.ContainsFunc(f.levers, func(a *lever) bool { return a.cut })
	if best == nil {
		none.Why = f.nothing(target, none.Complete)
		return nil, none, nil
	}
	flip, err := f.verified(best, target)
	if flip == nil && err == nil {
		none.Complete, none.Why = false, "what was found did not stand the check"
	}
	return flip, none, err
}

// verified puts a found change through the real gate.
func (f *flipper) verified(p *choice, target aegis.Outcome) (*Flip, error) {
	if !f.apply(*p) {
		return nil, nil
	}
	v, err := f.decide(f.real, f.doc.Root())
	if err != nil || class(v.Outcome) != target {
		return nil, err
	}
	out := &Flip{Decision: v.Outcome.String(), Args: string(f.text)}
	for _, e := range f.edits {
		out.Changes = append(out.Changes, ArgChange{Path: pathText(e.path), From: shown(walk(f.call.Args, e.path)),
			To: shown(walk(f.doc.Root(), e.path))})
	}
	for i, l := range p.levers {
		name := pathText(f.levers[l].path)
		at := slices.IndexFunc(out.Changes, func(c ArgChange) bool { return c.Path == name })
		if err := f.oneOf(*p, i, class(v.Outcome), &out.Changes[at]); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(out.Changes, func(a, b ArgChange) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

// maxOneOf is how many texts that would do as well are listed.
const maxOneOf = 5

// oneOf lists the texts that a rule names and that would do in the place of lever i's as well. Each is put through the
// real gate.
func (f *flipper) oneOf(p choice, i int, target aegis.Outcome, c *ArgChange) error {
	a := f.levers[p.levers[i]]
	if raw := a.candidates[p.at[i]].raw; len(raw) == 0 || raw[0] != '"' || !a.isNamed(raw) {
		return nil
	}
	q := choice{p.levers, slices.Clone(p.at)}
	for q.at[i] = range a.candidates {
		if !a.isNamed(a.candidates[q.at[i]].raw) || !f.apply(q) {
			continue
		}
		v, err := f.decide(f.real, f.doc.Root())
		switch {
		case err != nil:
			return err
		case class(v.Outcome) != target:
		case len(c.OneOf) == maxOneOf:
			c.More = true
			return nil
		default:
			c.OneOf = append(c.OneOf, shown(walk(f.doc.Root(), a.path)))
		}
	}
	return nil
}

// immovable names the rule that decides whatever the arguments are.
func (f *flipper) immovable(h aegis.Hit) string {
	why := f.gate.Engine.message(f.call, h)
	if id := f.gate.Engine.set.Rules[h.Rule].ID; id != "" {
		why += " (" + id + ")"
	}
	return "a rule that reads no argument decides: " + why
}

func (f *flipper) nothing(target aegis.Outcome, complete bool) string {
	to := map[aegis.Outcome]string{aegis.Allow: "lets it through", aegis.ApprovalNeeded: "makes it wait for an approval",
		aegis.Deny: "blocks it"}[target]
	n := []string{"no", "one", "two", "three", "four", "five", "six"}[min(len(f.levers), f.together(target))]
	if n == "one" {
		n = "one argument"
	} else {
		n = "up to " + n + " arguments"
	}
	s := "no change of " + n + " to a value that the rules name " + to
	if !complete {
		s += ", among those that were tried: there were too many to try all"
	}
	return s
}

// together is how many arguments are changed at once at most. Where nothing need be undone, more than two tell little.
func (f *flipper) together(target aegis.Outcome) int {
	if target == aegis.Deny || class(f.outcome) == aegis.Allow {
		return 2
	}
	return maxTogether
}

// mask returns the levers that a rule's verdict may depend on.
func (f *flipper) mask(rule policy.RuleID) uint64 {
	if m, ok := f.masks[rule]; ok {
		return m
	}
	reads := f.readsOf(rule)
	m := uint64(0)
	for i, a := range f.levers {
		for _, path := range append([][]string{a.path}, a.also...) {
			if slices.ContainsFunc(reads, func(p []string) bool { return within(p, path) || within(path, p) }) {
				m |= 1 << i
				break
			}
		}
	}
	f.masks[rule] = m
	return m
}

// within reports whether path lies at or below another.
func within(path, other []string) bool {
	return len(path) >= len(other) && slices.Equal(path[:len(other)], other)
}

// readsOf returns the arguments that a rule's verdict may depend on; an empty path stands for all.
func (f *flipper) readsOf(rule policy.RuleID) [][]string {
	e := f.gate.Engine
	reads := e.Arguments(rule)
	x := e.about[rule]
	if x.otherNames {
		reads = append(reads, x.path)
	}
	if x.sanitizer != nil || e.isCustom(rule) {
		reads = append(reads, nil)
	}
	if x.limit != nil && x.limit.Kind == policy.LimitCost {
		for _, n := range f.plan.Entries {
			if n.Cost != nil && n.Cost.Expr != nil {
				reads = append(reads, n.Cost.Expr.ArgPaths()...)
			}
		}
	}
	if k := x.check; k != nil && (k.Op == policy.CheckMax || k.Op == policy.CheckMin) {
		for _, n := range f.plan.Entries { // what lifts a breach
			if n.Conditions == nil {
				continue
			}
			for _, a := range n.Conditions.ApprovalIf {
				if paths := a.Expr.ArgPaths(); slices.ContainsFunc(paths, func(p []string) bool { return slices.Equal(p, x.path) }) {
					reads = append(reads, paths...)
				}
			}
		}
	}
	return reads
}

func (e *Engine) isCustom(rule policy.RuleID) bool {
	return slices.ContainsFunc(e.set.Policies, func(p *policy.Policy) bool {
		return slices.ContainsFunc(p.Custom, func(c *policy.Custom) bool { return c.Rule == rule })
	})
}
