package decide

import (
	"slices"
	"unicode/utf8"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

// block is one conditions block, ready to evaluate.
type block struct {
	approvals []*condition
	args      []*constraint
	other     policy.RuleID
	named     map[string]bool
	require   []*condition
	deny      []*condition
}

type condition struct {
	rule policy.RuleID
	eval boolFunc
}

// constraint is what must hold of one argument, ready to evaluate.
type constraint struct {
	slot     int    // of a top-level argument, or -1: then the path is walked from the parent
	name     string // the member, below the parent
	optional bool
	breach   aegis.Outcome // deny, or approval_needed
	lifters  uint64        // approval conditions that lift a breach of max or min
	checks   []check
	each     *constraint
	args     []*constraint
	other    policy.RuleID
	rules    []policy.RuleID // every rule inside, for an argument that is not there
}

type check struct {
	policy.Check // a copy, so that judging follows no pointer
	set          *literalSet
	re           *matcher
}

func (c *compiler) block(cs *policy.Conditions, named map[string]bool) *block {
	b := &block{other: cs.OtherArgs, named: named}
	b.approvals = c.conditions(cs.ApprovalIf)
	b.require = c.conditions(cs.Require)
	b.deny = c.conditions(cs.DenyIf)
	for _, con := range cs.Args {
		k := c.constraint(con, cs, aegis.Deny)
		k.slot = c.slot(con.Path[0])
		b.args = append(b.args, k)
	}
	return b
}

func (c *compiler) conditions(cs []*policy.Condition) []*condition {
	var out []*condition
	for _, k := range cs {
		out = append(out, &condition{k.Rule, c.bool(k.Expr)})
	}
	return out
}

func (c *compiler) constraint(con *policy.Constraint, cs *policy.Conditions, breach aegis.Outcome) *constraint {
	if con.Approval {
		breach = aegis.ApprovalNeeded
	}
	k := &constraint{slot: -1, optional: con.Optional, breach: breach, other: con.OtherArgs}
	if len(con.Path) > 0 {
		k.name = con.Path[len(con.Path)-1]
	}
	for i, a := range cs.ApprovalIf {
		if i < 64 && slices.ContainsFunc(a.Expr.ArgPaths(), func(p []string) bool { return slices.Equal(p, con.Path) }) {
			k.lifters |= 1 << i
		}
	}
	for _, ch := range con.Checks {
		x := check{Check: *ch}
		switch ch.Op {
		case policy.CheckIn, policy.CheckNotIn:
			x.set = newLiteralSet(ch.List)
		case policy.CheckPattern:
			x.re = newMatcher(ch.Pattern)
		}
		k.checks = append(k.checks, x)
		k.rules = append(k.rules, ch.Rule)
	}
	if con.Each != nil {
		k.each = c.constraint(con.Each, cs, breach)
		k.rules = append(k.rules, k.each.rules...)
	}
	for _, a := range con.Args {
		n := c.constraint(a, cs, breach)
		k.args = append(k.args, n)
		k.rules = append(k.rules, n.rules...)
	}
	if con.OtherArgs != policy.NoRule {
		k.rules = append(k.rules, con.OtherArgs)
	}
	return k
}

func (b *block) eval(s *Scratch) {
	var lifted uint64
	for i, a := range b.approvals {
		switch a.eval(s) {
		case yes:
			if i < 64 {
				lifted |= 1 << i
			}
			s.hit(a.rule, aegis.ApprovalIf, aegis.ApprovalNeeded)
		case undecided:
			s.fail(a.rule, aegis.ExpressionError)
		}
	}
	for _, c := range b.args {
		c.eval(s, s.slots[c.slot].json, s.argsKind(), lifted)
	}
	for _, r := range b.require {
		switch r.eval(s) {
		case no:
			s.hit(r.rule, aegis.RequireFailed, aegis.Deny)
		case undecided:
			s.fail(r.rule, aegis.ExpressionError)
		}
	}
	for _, d := range b.deny {
		switch d.eval(s) {
		case yes:
			s.hit(d.rule, aegis.DenyIf, aegis.Deny)
		case undecided:
			s.fail(d.rule, aegis.ExpressionError)
		}
	}
	if b.other != policy.NoRule {
		s.otherArgs(b.other, b.named)
	}
}

func (s *Scratch) otherArgs(rule policy.RuleID, named map[string]bool) {
	args := s.call.Args
	if args.Kind() != aegis.Object {
		s.fail(rule, aegis.ArgumentMissing)
		return
	}
	for m := args.First(); m.Kind() != aegis.Absent; m = args.After(m) {
		if !named[m.Key()] {
			s.hit(rule, aegis.UnnamedArgument, aegis.Deny)
			return
		}
	}
}

// missing reports, for every rule of the constraint, why its argument cannot be judged.
func (c *constraint) missing(s *Scratch, code aegis.Code) {
	for _, r := range c.rules {
		s.fail(r, code)
	}
}

// eval judges v, which stands below a parent of that kind. (Absent stands for a call without arguments.)
func (c *constraint) eval(s *Scratch, v aegis.Value, parent aegis.Kind, lifted uint64) {
	switch {
	case parent == aegis.Absent:
		c.missing(s, aegis.ArgumentMissing)
		return
	case parent == aegis.Null:
		if !c.optional {
			c.missing(s, aegis.ArgumentMissing)
		}
		return
	case parent != aegis.Object:
		c.missing(s, aegis.ArgumentType)
		return
	}
	switch v.Kind() {
	case aegis.Absent:
		if !c.optional {
			c.missing(s, aegis.ArgumentMissing)
		}
		return
	case aegis.Null:
		if !c.optional {
			c.missing(s, aegis.ArgumentNull)
		}
		return
	}
	c.present(s, v, lifted)
}

// present judges a value that is neither missing nor null.
func (c *constraint) present(s *Scratch, v aegis.Value, lifted uint64) {
	if len(c.checks) > 0 {
		if c.slot >= 0 {
			c.judge(s, v, s.operand(c.slot), lifted)
		} else {
			x := fromJSON(v)
			c.judge(s, v, &x, lifted)
		}
	}
	if c.each != nil {
		c.elements(s, v, lifted)
	}
	if len(c.args) == 0 && c.other == policy.NoRule {
		return
	}
	if v.Kind() != aegis.Object {
		for _, a := range c.args {
			a.missing(s, aegis.ArgumentType)
		}
		if c.other != policy.NoRule {
			s.fail(c.other, aegis.ArgumentType)
		}
		return
	}
	for _, a := range c.args {
		a.eval(s, v.Get(a.name), aegis.Object, lifted)
	}
	if c.other != policy.NoRule {
		c.unnamed(s, v)
	}
}

// judge runs the constraint's own checks on a value.
func (c *constraint) judge(s *Scratch, v aegis.Value, x *value, lifted uint64) {
	for i := range c.checks {
		c.check(s, &c.checks[i], v, x, lifted)
	}
}

func (c *constraint) unnamed(s *Scratch, v aegis.Value) {
	for m := v.First(); m.Kind() != aegis.Absent; m = v.After(m) {
		if !slices.ContainsFunc(c.args, func(a *constraint) bool { return m.KeyIs(a.name) }) {
			s.hit(c.other, aegis.UnnamedArgument, c.breach)
			return
		}
	}
}

// elements judges every element of a list; a lone value counts as a list of one.
func (c *constraint) elements(s *Scratch, v aegis.Value, lifted uint64) {
	if v.Kind() != aegis.List {
		c.each.present(s, v, lifted)
		return
	}
	for e := v.First(); e.Kind() != aegis.Absent; e = v.After(e) {
		if e.Kind() == aegis.Null {
			c.each.missing(s, aegis.ArgumentNull)
			continue
		}
		c.each.present(s, e, lifted)
	}
}

func (c *constraint) check(s *Scratch, ch *check, v aegis.Value, x *value, lifted uint64) {
	kind := v.Kind()
	if ch.Type != aegis.Absent && kind != ch.Type {
		s.fail(ch.Rule, aegis.ArgumentType)
		return
	}
	if ch.Type == aegis.Number && x.kind != aegis.Number {
		s.fail(ch.Rule, aegis.NumberOutOfRange)
		return
	}
	switch ch.Op {
	case policy.CheckType:
	case policy.CheckInteger:
		if !x.num.IsInt() {
			s.fail(ch.Rule, aegis.ArgumentType)
		}
	case policy.CheckMax, policy.CheckMin:
		d := x.num.Cmp(ch.Num)
		if over := ch.Op == policy.CheckMax && d > 0 || ch.Op == policy.CheckMin && d < 0; over && c.lifters&lifted == 0 {
			s.hit(ch.Rule, ch.Code, c.breach)
		}
	default:
		if !ch.holds(v, x, c.each != nil) {
			s.hit(ch.Rule, ch.Code, c.breach)
		}
	}
}

// micros holds, by decimal places, what a number of millionths must be divisible by.
var micros = [...]int64{1e6, 1e5, 1e4, 1e3, 1e2, 10, 1}

// holds decides the checks that nothing lifts. Under a constraint with each, a value that is no list is a list of one.
func (ch *check) holds(v aegis.Value, x *value, each bool) bool {
	switch ch.Op {
	case policy.CheckDecimals:
		if m, ok := x.num.Micro(); ok && ch.N <= 6 {
			return m%micros[ch.N] == 0
		}
		return x.num.Decimals() <= ch.N
	case policy.CheckIn:
		return ch.set.has(x)
	case policy.CheckNotIn:
		return !ch.set.has(x)
	case policy.CheckPattern:
		return ch.re.match(x.str)
	}
	n := 1
	switch kind := v.Kind(); {
	case kind == aegis.List:
		n = v.Len()
	case kind == aegis.String && !each:
		n = utf8.RuneCountInString(x.str)
	}
	if ch.Op == policy.CheckMaxLength {
		return n <= ch.N
	}
	return n >= ch.N
}
