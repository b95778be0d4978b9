package decide

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/limit"
	"github.com/aegisctl/aegis/policy"
)

// subject is what states a rule, for its message and for the facts it reads.
type subject struct {
	scope      *policy.Scope
	check      *policy.Check
	path       []string // the argument, for a check
	condition  *policy.Condition
	limit      *policy.Limit
	sanitizer  *policy.Sanitizer
	cost       *policy.Cost
	otherNames bool

	guardrail bool          // a guardrail states the rule
	entry     *policy.Entry // the entry that states it, or whose action does; nil: a policy as a whole
}

// exceeded returns the code of a limit with nothing left.
func (x subject) exceeded() aegis.Code {
	switch {
	case x.limit == nil || x.limit.Kind == policy.LimitRate:
		return aegis.RateExceeded
	case x.limit.Kind == policy.LimitCalls:
		return aegis.CallsExceeded
	}
	return aegis.BudgetExceeded
}

const lacksArgs = aegis.LacksArgs | aegis.LacksRedacted

// describeRules walks the tree once and notes, for every rule, what states it and which facts it reads.
func (e *Engine) describeRules() {
	e.about = make([]subject, len(e.set.Rules))
	e.reads = make([]aegis.Lack, len(e.set.Rules))
	for _, p := range e.set.Policies {
		e.describeScope(&p.Scope)
		e.describeLimits(p.Limits)
		for _, n := range p.Entries {
			e.within = subject{entry: n}
			e.describeEntries([]*policy.Entry{n})
		}
		e.within = subject{}
	}
	e.within = subject{guardrail: true}
	for _, g := range e.set.Guardrails {
		e.describeScope(&g.Scope)
		e.describeLimits(g.Limits)
		e.describeEntries(g.Entries)
	}
}

func (e *Engine) note(rule policy.RuleID, x subject, reads aegis.Lack) {
	if rule > 0 {
		x.guardrail, x.entry = e.within.guardrail, e.within.entry
		e.about[rule], e.reads[rule] = x, reads
	}
}

func (e *Engine) describeScope(s *policy.Scope) {
	for _, r := range []policy.RuleID{s.CallersRule, s.DepthRule} {
		e.note(r, subject{scope: s}, 0)
	}
	e.note(s.RegionsRule, subject{scope: s}, aegis.LacksRegion)
	e.note(s.UntilRule, subject{scope: s}, aegis.LacksTime)
}

func (e *Engine) describeLimits(ls []*policy.Limit) {
	for _, l := range ls {
		e.sessionLimits = e.sessionLimits || l.Spec.Window == limit.Session
		reads := aegis.LacksTime
		if l.Spec.Window == limit.Session {
			reads = aegis.LacksSession
		}
		if len(l.By) > 0 || l.Kind == policy.LimitSum || l.Kind == policy.LimitCost {
			reads |= lacksArgs
		}
		e.note(l.Rule, subject{limit: l}, reads)
	}
}

func (e *Engine) describeEntries(es []*policy.Entry) {
	for _, n := range es {
		e.describeScope(&n.Scope)
		e.describeLimits(n.Limits)
		for _, z := range n.Sanitize {
			e.note(z.Rule, subject{sanitizer: z}, lacksArgs)
		}
		if n.Cost != nil {
			reads := aegis.Lack(0)
			if n.Cost.Expr != nil {
				reads = n.Cost.Expr.Reads()
			}
			e.note(n.Cost.Rule, subject{cost: n.Cost}, reads)
		}
		if c := n.Conditions; c != nil {
			e.note(c.OtherArgs, subject{otherNames: true}, lacksArgs)
			e.describeConstraints(c.Args)
			for _, k := range slices.Concat(c.Require, c.DenyIf, c.ApprovalIf) {
				e.note(k.Rule, subject{condition: k}, k.Expr.Reads())
			}
		}
		e.describeEntries(n.Children)
	}
}

func (e *Engine) describeConstraints(cs []*policy.Constraint) {
	for _, c := range cs {
		for _, k := range c.Checks {
			e.note(k.Rule, subject{check: k, path: c.Path}, lacksArgs)
		}
		e.note(c.OtherArgs, subject{otherNames: true, path: c.Path}, lacksArgs)
		if c.Each != nil {
			e.describeConstraints([]*policy.Constraint{c.Each})
		}
		e.describeConstraints(c.Args)
	}
}

// Canon writes hits in one order, for comparing and for people.
func (e *Engine) Canon(hits []aegis.Hit) string {
	lines := make([]string, len(hits))
	for i, h := range hits {
		lines[i] = e.set.Rules[h.Rule].ID + " " + h.Code.String() + " " + h.Outcome.String()
	}
	slices.Sort(lines)
	return "[" + strings.Join(slices.Compact(lines), ", ") + "]"
}

// Explain turns a verdict into the decision object's reasons and errors, sorted by rule, then code.
func (e *Engine) Explain(c *aegis.Call, v *Verdict) (reasons, errs []aegis.Reason) {
	reasons, errs = []aegis.Reason{}, []aegis.Reason{}
	for _, h := range v.Hits {
		rule := e.set.Rules[h.Rule]
		r := aegis.Reason{Code: h.Code, Rule: rule.ID, Source: rule.Pos.String(), Message: e.message(c, h)}
		if h.Code.IsError() {
			errs = append(errs, r)
		} else {
			reasons = append(reasons, r)
		}
	}
	for _, rs := range [][]aegis.Reason{reasons, errs} {
		slices.SortFunc(rs, func(a, b aegis.Reason) int {
			if n := strings.Compare(a.Rule, b.Rule); n != 0 {
				return n
			}
			return strings.Compare(a.Code.String(), b.Code.String())
		})
	}
	return reasons, errs
}

// message says in one sentence what a hit means. What the policy tells the caller comes first.
func (e *Engine) message(c *aegis.Call, h aegis.Hit) string {
	x := e.about[h.Rule]
	if k := x.condition; k != nil {
		return conditionMessage(k, h.Code)
	}
	switch h.Code {
	case aegis.ArgumentMissing, aegis.ArgumentNull, aegis.ArgumentType, aegis.NumberOutOfRange:
		return argumentMessage(c, x, h.Code)
	}
	switch {
	case x.check != nil:
		return checkMessage(c, x, h.Code)
	case x.scope != nil:
		return scopeMessage(c, x.scope, h.Code)
	case x.limit != nil:
		return limitMessage(x.limit, h.Code)
	case x.sanitizer != nil:
		return sanitizerMessage(x.sanitizer, h.Code)
	}
	return plainMessage(c, h.Code)
}

func conditionMessage(k *policy.Condition, code aegis.Code) string {
	if k.Message != "" {
		return k.Message
	}
	switch code {
	case aegis.ExpressionError:
		return fmt.Sprintf("%s cannot be decided: an argument or fact is missing or of another type", k.Src)
	case aegis.RequireFailed:
		return fmt.Sprintf("required: %s", k.Src)
	case aegis.DenyIf:
		return fmt.Sprintf("denied because %s", k.Src)
	case aegis.ApprovalIf:
		return fmt.Sprintf("approval needed because %s", k.Src)
	}
	return fmt.Sprintf("%s cannot be decided: %s", k.Src, lackMessage(code))
}

func lackMessage(code aegis.Code) string {
	switch code {
	case aegis.ArgsAbsent:
		return "the capture holds no arguments"
	case aegis.ArgsRedacted:
		return "the capture holds redacted arguments"
	case aegis.NoTime:
		return "the capture holds no time"
	case aegis.NoSession:
		return "the capture does not tell the session, or what its earlier calls left behind"
	case aegis.NoRegion:
		return "the capture holds no region"
	case aegis.NoClaims:
		return "the capture holds no claims"
	}
	return code.String()
}

// argument names the argument a check or limit is about.
func (x subject) argument() string {
	switch {
	case len(x.path) > 0:
		return strings.Join(x.path, ".")
	case x.limit != nil && len(x.limit.Arg) > 0:
		return strings.Join(x.limit.Arg, ".")
	case x.limit != nil && len(x.limit.By) > 0:
		var names []string
		for _, b := range x.limit.By {
			names = append(names, strings.Join(b, "."))
		}
		return strings.Join(names, ", ")
	}
	return "args"
}

func argumentMessage(c *aegis.Call, x subject, code aegis.Code) string {
	name := x.argument()
	switch code {
	case aegis.ArgumentMissing:
		return fmt.Sprintf("argument %s is missing", name)
	case aegis.ArgumentNull:
		return fmt.Sprintf("argument %s is null", name)
	case aegis.NumberOutOfRange:
		return fmt.Sprintf("argument %s is %s, a number out of range", name, shown(walk(c.Args, x.path)))
	}
	got := walk(c.Args, x.path).Kind()
	want := "of another type"
	if x.check != nil && x.check.Type != aegis.Absent {
		want = "a " + x.check.Type.String()
		if x.check.Op == policy.CheckInteger {
			want = "an integer"
		}
	}
	return fmt.Sprintf("argument %s must be %s, not a %s", name, want, got)
}

// shownBytes bounds how much of an argument a message repeats.
const shownBytes = 80

// shown returns a value for a message: its JSON text, with everything but printable ASCII escaped, cut to a bound.
func shown(v aegis.Value) string {
	if v.Kind() == aegis.Absent {
		return "missing"
	}
	var b strings.Builder
	for _, r := range string(v.Text()) {
		if b.Len() > shownBytes {
			b.WriteString("…")
			break
		}
		if r < ' ' || r > '~' {
			fmt.Fprintf(&b, "\\u%04x", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func checkMessage(c *aegis.Call, x subject, code aegis.Code) string {
	name, got, rule := strings.Join(x.path, "."), shown(walk(c.Args, x.path)), x.check.Text
	switch code {
	case aegis.MaxExceeded:
		return fmt.Sprintf("%s %s is over %s", name, got, rule)
	case aegis.MinNotMet:
		return fmt.Sprintf("%s %s is under %s", name, got, rule)
	case aegis.NotInList:
		return fmt.Sprintf("%s %s is not in the list %s", name, got, rule)
	case aegis.InDeniedList:
		return fmt.Sprintf("%s %s is in the denied list %s", name, got, rule)
	case aegis.TooManyDecimals:
		return fmt.Sprintf("%s %s has too many decimals: %s", name, got, rule)
	case aegis.LengthNotAllowed:
		return fmt.Sprintf("the length of %s is outside %s", name, rule)
	case aegis.ArgsAbsent, aegis.ArgsRedacted:
		return fmt.Sprintf("%s cannot be decided: %s", rule, lackMessage(code))
	}
	return fmt.Sprintf("%s %s is not allowed by %s", name, got, rule)
}

func scopeMessage(c *aegis.Call, s *policy.Scope, code aegis.Code) string {
	switch code {
	case aegis.CallerNotAllowed:
		caller := "user"
		if n := len(c.Chain); n > 0 {
			caller = c.Chain[n-1]
		}
		return fmt.Sprintf("caller %s is not among %s", caller, strings.Join(s.Callers, ", "))
	case aegis.ChainTooDeep:
		return fmt.Sprintf("the chain has %d callers, more than %d", len(c.Chain), s.MaxDepth)
	case aegis.RegionNotAllowed:
		region := orElse(c.Region, "(none)")
		return fmt.Sprintf("region %s is not among %s", region, strings.Join(s.Regions, ", "))
	case aegis.ExpiredPolicy:
		return "the policy has expired"
	}
	return lackMessage(code)
}

func limitMessage(l *policy.Limit, code aegis.Code) string {
	switch code {
	case aegis.RateExceeded, aegis.CallsExceeded, aegis.BudgetExceeded:
		return fmt.Sprintf("over the limit of %s", l.Src)
	case aegis.ExpressionError:
		return fmt.Sprintf("the limit of %s needs a session or a time that the call does not have", l.Src)
	}
	return fmt.Sprintf("the limit of %s cannot be decided: %s", l.Src, lackMessage(code))
}

func sanitizerMessage(z *policy.Sanitizer, code aegis.Code) string {
	what := orElse(strings.Join(z.Redact, ", "), z.Match)
	switch code {
	case aegis.Sanitized:
		return fmt.Sprintf("%s removed from the arguments", what)
	case aegis.SanitizeFailed:
		return fmt.Sprintf("after removing %s the call is not allowed, or still holds some", what)
	}
	return fmt.Sprintf("whether the arguments hold %s is not known: %s", what, lackMessage(code))
}

func plainMessage(c *aegis.Call, code aegis.Code) string {
	q := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	switch code {
	case aegis.NoPolicy:
		return fmt.Sprintf("no policy of tenant %s covers agent %s", q(c.Tenant), q(c.Agent))
	case aegis.ToolNotGranted:
		return fmt.Sprintf("tool %s is not granted to agent %s", q(c.Tool), q(c.Agent))
	case aegis.ActionNotGranted:
		return fmt.Sprintf("action %s of tool %s is not granted to agent %s", q(c.Action), q(c.Tool), q(c.Agent))
	case aegis.UnnamedArgument:
		return "an argument is not named by any rule"
	case aegis.TenantMismatch:
		return fmt.Sprintf("tenant %s is not the one that is served here", q(c.Tenant))
	case aegis.Malformed:
		return "the call is malformed"
	case aegis.CustomDeny:
		return "denied by the policy's own Rego"
	case aegis.CustomApproval:
		return "approval needed by the policy's own Rego"
	case aegis.CustomError:
		return "the policy's own Rego failed"
	case aegis.ExpressionError:
		return "the cost cannot be decided"
	}
	return lackMessage(code)
}
