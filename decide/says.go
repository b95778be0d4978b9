package decide

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aegisctl/aegis/policy"
)

// Says returns what the policy writes as the rule: "max_amount 5000", an expression, a limit. It is "" for rules that
// stand for something that is not written, as a missing grant.
func (e *Engine) Says(rule policy.RuleID) string {
	switch x := e.about[rule]; {
	case x.condition != nil:
		return x.condition.Src
	case x.check != nil:
		return x.check.Text
	case x.limit != nil:
		return x.limit.Src
	case x.cost != nil:
		return x.cost.Src
	case x.sanitizer != nil:
		return orElse(strings.Join(x.sanitizer.Redact, ", "), x.sanitizer.Match)
	case x.scope != nil:
		return scopeSays(x.scope, rule)
	}
	return ""
}

func scopeSays(s *policy.Scope, rule policy.RuleID) string {
	switch rule {
	case s.CallersRule:
		return strings.Join(s.Callers, ", ")
	case s.DepthRule:
		return strconv.Itoa(s.MaxDepth)
	case s.RegionsRule:
		return strings.Join(s.Regions, ", ")
	}
	return "before " + time.UnixMicro(s.Until).UTC().Format(time.RFC3339)
}

// Arguments returns the arguments that the rule reads, as paths from args; none for a rule about something else.
func (e *Engine) Arguments(rule policy.RuleID) [][]string {
	switch x := e.about[rule]; {
	case x.condition != nil:
		return x.condition.Expr.ArgPaths()
	case x.check != nil:
		return [][]string{x.path}
	case x.limit != nil:
		paths := slices.Clone(x.limit.By)
		if len(x.limit.Arg) > 0 {
			paths = append(paths, x.limit.Arg)
		}
		return paths
	case x.cost != nil && x.cost.Expr != nil:
		return x.cost.Expr.ArgPaths()
	}
	return nil
}
