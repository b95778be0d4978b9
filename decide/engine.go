// Package decide judges calls. Engine is the pure part: from a call and the facts about it to a verdict, without
// clock, network, randomness or I/O. Gate is the one path round it that simulate, replay and serve share: admit,
// facts, evaluate, sanitize, reserve, record, answer.
//
// It promises that every rule is judged and every match and error kept (nothing is short-circuited between rules),
// that an error denies, and that both of its evaluators, Go closures and Rego on embedded OPA, say the same.
package decide

import (
	"sync"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// Engine evaluates calls natively. It is safe for use by several goroutines, each with a Scratch of its own.
type Engine struct {
	set      *policy.Set
	tenants  map[string][]*policy.Policy
	features map[policy.Feature]int
	reads    []aegis.Lack // by rule: the facts it reads that a capture can lack
	about    []subject    // by rule: what states it
	within   subject      // while rules are described: what states those that are met
	customs  *customs     // nil: no policy has Rego of its own
	inputs   *inputs      // what customs are given

	sessionLimits bool // some limit counts by session

	mu    sync.RWMutex
	plans map[planKey]*Plan
}

type planKey struct{ tenant, agent, tool, action string }

// maxPlans bounds the plans that are kept: names of calls are the caller's choice. Others are made anew each time.
const maxPlans = 1 << 16

// New makes an engine for a set.
func New(set *policy.Set) (*Engine, error) {
	e := &Engine{set: set, tenants: map[string][]*policy.Policy{}, features: map[policy.Feature]int{},
		plans: map[planKey]*Plan{}}
	for _, p := range set.Policies {
		e.tenants[p.Tenant] = append(e.tenants[p.Tenant], p)
	}
	for i, f := range set.Features {
		e.features[f] = i
	}
	e.describeRules()
	for _, p := range set.Policies {
		if len(p.Custom) > 0 && e.customs == nil {
			c, err := newCustoms(set)
			if err != nil {
				return nil, err
			}
			e.customs, e.inputs = c, newInputs(set)
		}
	}
	return e, nil
}

// Set returns the set that the engine was made for.
func (e *Engine) Set() *policy.Set { return e.set }

// Plan resolves what the set says of a tenant, agent, tool and action.
func (e *Engine) Plan(tenant, agent, tool, action string) *Plan {
	k := planKey{tenant, agent, tool, action}
	e.mu.RLock()
	p := e.plans[k]
	e.mu.RUnlock()
	if p != nil {
		return p
	}
	p = e.plan(tenant, agent, tool, action)
	e.mu.Lock()
	if len(e.plans) < maxPlans {
		e.plans[k] = p
	}
	e.mu.Unlock()
	return p
}

// Verdict is what a policy says of a call. Its slices belong to the Scratch that made it and are overwritten by the
// next call.
type Verdict struct {
	Outcome aegis.Outcome
	Hits    []aegis.Hit // each rule and code once, in no particular order
	Cost    int64       // estimated, in millionths of a US dollar
	Plan    *Plan
	Args    aegis.Value // as they may be forwarded, where sanitizing changed them
}

// Scratch is the memory that evaluating one call at a time needs. Its zero value is ready for use.
type Scratch struct {
	// Clock is the virtual time of a simulation, in microseconds; 0 where time is that of each call. It never runs
	// backward: limits and sessions see a call no earlier, however its own time and its place in its session disagree,
	// and a call without a time happens then.
	Clock int64

	call    *aegis.Call
	facts   *Facts
	own     Facts // that the Gate gathered
	plan    *Plan
	slots   []slot
	vars    [maxVars]value
	hits    []aegis.Hit
	charges []charge
	detect  []policy.RuleID
	verdict Verdict
	keys    keyCache
	bound   [64]binding // by the shape's id

	// for evaluating a rewritten call
	second  *Scratch
	doc     aegis.Doc
	rewrite []byte
}

// slot is a top-level argument that some rule reads.
type slot struct {
	json aegis.Value
	read bool  // val is what it came to
	val  value // read once for each call
}

// operand returns an argument as an operand of expressions.
func (s *Scratch) operand(i int) *value {
	x := &s.slots[i]
	if !x.read {
		x.val.set(x.json)
		x.read = true
	}
	return &x.val
}

// maxVars is how deep exists and all may nest.
const maxVars = 64

// Evaluate judges one call by the set's rules. The plan must be that of the call's names.
func (e *Engine) Evaluate(s *Scratch, p *Plan, c *aegis.Call, f *Facts) *Verdict {
	s.bind(p, c, f)
	s.hits = append(s.hits[:0], p.fixed...)
	for i := range p.scopes {
		p.scopes[i].eval(s)
	}
	for _, b := range p.blocks {
		b.eval(s)
	}
	s.verdict = Verdict{Plan: p, Cost: s.cost()}
	s.charges = s.charges[:0]
	for _, l := range p.Limits {
		l.charge(s)
	}
	for _, r := range f.Detected {
		s.hit(r, aegis.Sanitized, aegis.Sanitize)
	}
	for _, r := range f.Exceeded {
		s.hit(r, e.about[r].exceeded(), aegis.Deny)
	}
	for _, i := range p.customs {
		e.custom(s, i)
	}
	return s.conclude()
}

// custom evaluates a policy's own Rego.
func (e *Engine) custom(s *Scratch, policy int) {
	for _, h := range e.customs.hits(policy, e.inputs.of(s.call, s.facts)) {
		s.hit(h.Rule, h.Code, h.Outcome)
	}
}

// bind looks up, once, the arguments that the plan's rules read.
func (s *Scratch) bind(p *Plan, c *aegis.Call, f *Facts) {
	s.call, s.facts, s.plan = c, f, p
	for len(s.slots) < len(p.slots) {
		s.slots = append(s.slots, slot{})
	}
	for i := range p.slots {
		s.slots[i].json, s.slots[i].read = aegis.Value{}, false
	}
	if len(p.slots) == 0 || c.Args.Kind() != aegis.Object {
		return
	}
	shape := c.Args.Shape()
	if shape == nil {
		s.find(p, c.Args)
		return
	}
	b := &s.bound[shape.ID()%uint32(len(s.bound))]
	if b.shape != shape || b.plan != p {
		s.find(p, c.Args)
		b.note(s, p, shape)
		return
	}
	for i, at := range b.places {
		if at >= 0 {
			s.slots[i].json = c.Args.At(int(at))
		}
	}
}

// binding is where the arguments of a plan's slots stand in documents of one shape.
type binding struct {
	shape  *aegis.Shape
	plan   *Plan
	places []int32 // by slot; -1: there is no such argument
}

func (b *binding) note(s *Scratch, p *Plan, shape *aegis.Shape) {
	b.shape, b.plan, b.places = shape, p, b.places[:0]
	for i := range p.slots {
		at := int32(-1)
		if v := s.slots[i].json; v.Kind() != aegis.Absent {
			at = int32(v.Index())
		}
		b.places = append(b.places, at)
	}
}

// find looks the plan's arguments up by name.
func (s *Scratch) find(p *Plan, args aegis.Value) {
	for m := args.First(); m.Kind() != aegis.Absent; m = args.After(m) {
		for i := range p.slots {
			if m.IsNamed(&p.slots[i]) {
				s.slots[i].json = m
				break
			}
		}
	}
}

// argsKind is Object, or Absent for a call that carries no arguments.
func (s *Scratch) argsKind() aegis.Kind {
	if s.call.Args.Kind() == aegis.Object {
		return aegis.Object
	}
	return aegis.Absent
}

// hit notes what a rule says; a rule says each code once, at its strongest.
func (s *Scratch) hit(rule policy.RuleID, code aegis.Code, o aegis.Outcome) {
	for i := range s.hits {
		if h := &s.hits[i]; h.Rule == rule && h.Code == code {
			h.Outcome = max(h.Outcome, o)
			return
		}
	}
	s.hits = append(s.hits, aegis.Hit{Rule: rule, Code: code, Outcome: o})
}

// fail notes that a rule could not be decided: an error denies.
func (s *Scratch) fail(rule policy.RuleID, code aegis.Code) { s.hit(rule, code, aegis.Deny) }

// conclude takes the strongest hit for the verdict's outcome.
func (s *Scratch) conclude() *Verdict {
	v := &s.verdict
	v.Outcome, v.Hits = aegis.Allow, s.hits
	for _, h := range s.hits {
		v.Outcome = max(v.Outcome, h.Outcome)
	}
	return v
}

// lacking turns the hits of rules that could not be decided for want of a fact that the capture lacks into unknown:
// live, the fact might have been there.
func (e *Engine) lacking(s *Scratch) {
	c := s.call
	if c.Lacks == 0 {
		return
	}
	n := len(s.hits)
	for i := range n {
		h := &s.hits[i]
		lacks := e.reads[h.Rule] & c.Lacks
		if lacks == 0 || h.Outcome == aegis.Unknown {
			continue
		}
		want := h.Code.IsError() ||
			h.Code == aegis.RegionNotAllowed && lacks&aegis.LacksRegion != 0 && c.Region == "" ||
			h.Code == aegis.ExpiredPolicy && lacks&aegis.LacksTime != 0 && !c.HasTime
		if want {
			h.Code, h.Outcome = lacks.Code(), aegis.Unknown
		}
	}
	if c.Lacks&(aegis.LacksArgs|aegis.LacksRedacted) != 0 {
		for _, z := range s.plan.Sanitizers {
			s.hit(z.Rule, c.Lacks.Code(), aegis.Unknown)
		}
	}
	for _, i := range s.plan.customs {
		for _, m := range e.set.Policies[i].Custom {
			s.hit(m.Rule, c.Lacks.Code(), aegis.Unknown)
		}
	}
	s.dedupe()
}

// dedupe restores "each rule and code once" after codes were changed.
func (s *Scratch) dedupe() {
	all := s.hits
	s.hits = s.hits[:0]
	for _, h := range all {
		s.hit(h.Rule, h.Code, h.Outcome)
	}
}
